# Jobs by plain SQL: what other programs insert into reeve_inbox becomes jobs, exactly once, and what
# cannot be one stays with its error.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	adhoc = yes
	[pool:default]
	workers = 2
	queues = default, bulk
	[queue:bulk]
	strategy = priority
	[task:greet]
	command = /bin/cat
	[task:say]
	command = /bin/echo \${arg.who}
	[task:noop]
	handler = builtin
	builtin = noop
INI
export REEVE_CONFIG=$work/r.ini
db=$work/state/reeve.db
unset NOTIFY_SOCKET
sql() { python3 - "$db" "$@" <<'PY'; }
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
db.execute("PRAGMA wal_autocheckpoint = 0")
for text in sys.argv[2:]:
    try:
        for row in db.execute(text):
            print("|".join("" if v is None else str(v) for v in row))
    except sqlite3.Error as e:
        print("error:", e)
PY
gone() { # until the inbox has no row that waits
	local n
	for ((n = 0; n < 3000; n++)); do
		[ "$(sql 'SELECT count(*) FROM reeve_inbox WHERE error IS NULL')" != 0 ] || return 0
	done
	fail "rows stay in the inbox"
}

# The table refuses what SQLite can see, before anybody runs.
expect 0 reeve add noop
expect 0 sql "INSERT INTO reeve_inbox(task, args) VALUES ('say', 'who')" \
	"INSERT INTO reeve_inbox(task, args) VALUES ('say', '[1]')" "INSERT INTO reeve_inbox(task) VALUES ('')" \
	"INSERT INTO reeve_inbox(args) VALUES ('{}')" "INSERT INTO reeve_inbox(task, priority) VALUES ('say', 65536)" \
	"INSERT INTO reeve_inbox(task, payload) VALUES ('say', 7)" "INSERT INTO reeve_inbox(task, options) VALUES ('say', 'x')" \
	"INSERT INTO reeve_inbox(task, priority) VALUES ('say', 'high')"
is "$(grep -c '^error: ' <<<"$out")" 8
is "$(sql 'SELECT count(*) FROM reeve_inbox')" 0

# Without a daemon rows wait; a transaction that is rolled back leaves none.
expect 0 sql "BEGIN" "INSERT INTO reeve_inbox(task) VALUES ('noop')" "ROLLBACK" \
	"INSERT INTO reeve_inbox(task, args, queue, priority, options) VALUES ('say', json_object('who', 'it is me', 'x', 1), 'bulk', 7, json_object('key', 'k', 'labels', json_array('a')))" \
	"INSERT INTO reeve_inbox(task, args, queue, priority, options) VALUES ('say', json_object('who', 'it is me'), 'bulk', 7, json_object('key', 'k', 'labels', json_array('a'), 'delay', '0s')) RETURNING id" \
	"INSERT INTO reeve_inbox(task, payload) VALUES ('greet', x'00ff61')" \
	"INSERT INTO reeve_inbox(task, payload) VALUES ('greet', 'text')"
is "$out" 2
expect 0 reeve db stats --json
json stats.inbox:int=4 stats.inbox_refused:int=0

: >log
"$build/bin/reeved" >log 2>&1 &
daemon=$!
trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
await log daemon.ready $daemon
gone
expect 0 reeve wait --all --timeout 60s
# The first has an argument that its task does not take.
is "$(sql 'SELECT id, task, error FROM reeve_inbox')" "1|say|task say has no argument x"
expect 0 reeve jobs 'task:say key:k label:a' --json
json jobs:array=1 'jobs[0].state:text=succeeded' 'jobs[0].priority:int=7' 'jobs[0].queue:text=bulk'
id=$(grep -o '"id":[0-9]*' <<<"$out" | head -n 1 | cut -d: -f2)
expect 0 reeve logs "$id"
is "$out" "it is me"
expect 0 reeve logs $((id + 1))
is "$(printf '\0\377a' | cksum)" "$(cksum <.out)"
expect 0 reeve logs $((id + 2))
is "$out" text

# What cannot be a job is told, in the log, in status and in db stats; mended, it is taken.
await log 'row 1: task say has no argument x' $daemon
expect 0 sql "INSERT INTO reeve_inbox(task) VALUES ('gret')" "INSERT INTO reeve_inbox(task, queue) VALUES ('noop', 'nowhere')" \
	"INSERT INTO reeve_inbox(task, options) VALUES ('noop', '{\"colour\":1}')" \
	"INSERT INTO reeve_inbox(task, options) VALUES ('noop', '{\"command\":[\"id\"]}')" \
	"INSERT INTO reeve_inbox(task, options) VALUES ('noop', '{\"unique\":\"u\",\"delay\":\"1h\"}')" \
	"INSERT INTO reeve_inbox(task, options) VALUES ('noop', '{\"unique\":\"u\"}')" \
	"INSERT INTO reeve_inbox(task, options) VALUES ('noop', '{\"after\":[2,99999]}')" \
	"INSERT INTO reeve_inbox(task, options) VALUES ('noop', '{\"queue\":\"bulk\"}')" \
	"INSERT INTO reeve_inbox(task, options) VALUES ('noop', '{\"delay\":\"soon\"}')" \
	"INSERT INTO reeve_inbox(task, args) VALUES ('noop', '{\"x\":}')"
gone
expect 0 sql "SELECT error FROM reeve_inbox ORDER BY id"
says greet
says 'unknown field "colour"'
says "enqueue tasks, no commands"
says "the unique key is held"
says "no job 99999"
says "queue has a place of its own"
says '"soon" is not a duration'
says "args: line 1, column 6"
is "$(wc -l <<<"$out")" 10
expect 0 reeve status
says "inbox: 10 rows cannot be jobs"
expect 0 reeve status --json
json inbox_refused:int=10
expect 0 reeve db stats --json
json stats.inbox:int=0 stats.inbox_refused:int=10
expect 0 sql "UPDATE reeve_inbox SET task = 'greet', error = NULL WHERE task = 'gret'"
gone
is "$(sql 'SELECT count(*) FROM reeve_inbox')" 9
expect 0 sql "DELETE FROM reeve_inbox"
expect 0 reeve cancel --query 'state:scheduled'

# Crowds from several programs at once, the keeper killed in between: each row once.
before=$(reeve db sql 'SELECT job FROM tally WHERE id = 0' | tail -n 1)
for n in 1 2 3; do
	sql "INSERT INTO reeve_inbox(task, options) WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 700) SELECT 'noop', json_object('key', '$n-' || i) FROM c" &
	crowd[n]=$!
done
wait "${crowd[@]}"
keeper=$(pgrep -P $daemon -x reeve-keeper)
kill -9 "$keeper"
gone
expect 0 reeve wait --all --timeout 60s
is "$(sql "SELECT count(*), count(DISTINCT key), max(id) - $before FROM job WHERE id > $before")" "2100|2100|2100"
is "$(sql 'SELECT count(*) FROM reeve_inbox')" 0
expect 0 reeve db check

# Node, with whatever binding it has, and with none: the example.
if ! command -v node >/dev/null 2>&1; then
	echo "skipped: $name: Node is not installed"
	return 0
fi
node=$here/../../conf/examples/node/enqueue.js
await_key() { # until the job of this key has succeeded
	gone
	expect 0 reeve wait --all --timeout 60s
	expect 0 reeve jobs "key:$1" --json
	json jobs:array=1 'jobs[0].state:text=succeeded'
}
expect 0 node "$node" "$db" say "who=it's \"Node\" \\ \$HOME ?1"
is "$out" "$((out + 0))"
gone
expect 0 reeve wait --all --timeout 60s
id=$(reeve jobs task:say --limit 1 --json | grep -o '"id":[0-9]*' | head -n 1 | cut -d: -f2)
expect 0 reeve logs "$id"
is "$out" "it's \"Node\" \\ \$HOME ?1"
for way in enqueue byShell; do
	expect 0 node -e 'const [file, way, db] = process.argv.slice(1);
		const call = require(file)[way];
		const options = { key: `node ${way} \u0027"\\` };
		(way === "enqueue" ? call(db, "say", { who: "a\nb\u00e9" }, options)
			: call(db, ["say", JSON.stringify({ who: "a\nb\u00e9" }), JSON.stringify(options)])).then(console.log);' \
		"$node" "$way" "$db"
	await_key "\"node $way '\\\"\\\\\""
	id=$(grep -o '"id":[0-9]*' <<<"$out" | head -n 1 | cut -d: -f2)
	expect 0 reeve logs "$id"
	is "$out" "$(printf 'a\nb\303\251')"
done
expect 1 node "$node" "$work/none.db" say
errs "there is no store"
[ ! -e "$work/none.db" ] || fail "a file was made"
expect 0 sqlite3 "$work/other.db" 'CREATE TABLE t(a)'
expect 1 node "$node" "$work/other.db" say
errs "no such table: reeve_inbox"
expect 2 node "$node" "$db"
