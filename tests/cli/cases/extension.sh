# The loadable SQL extension, from Python: a job within the application's own transaction.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
[ -e "$build/lib/reeve_sqlite.so" ] || skip "reeve_sqlite.so is not built"
! grep -q '^RV_SANITIZE:[A-Z]*=.' "$build/CMakeCache.txt" || skip "Python has no sanitizer"
python=
for each in python3 /usr/bin/python3; do
	[ -n "$python" ] || ! "$each" -c 'import sqlite3; sqlite3.connect(":memory:").enable_load_extension(True)' 2>/dev/null || python=$each
done
[ -n "$python" ] || skip "no Python here loads extensions"
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	adhoc = yes
	[pool:default]
	workers = 1
	queues = default, bulk
	[queue:bulk]
	[task:say]
	command = /bin/echo \${arg.who}
	[task:noop]
	handler = builtin
	builtin = noop
INI
export REEVE_CONFIG=$work/r.ini
db=$work/state/reeve.db
unset NOTIFY_SOCKET

# It brings no SQLite of its own, and shows one name.
expect 1 grep -a -q 'libsqlite3' "$build/lib/reeve_sqlite.so"
is "$(nm -D --defined-only "$build/lib/reeve_sqlite.so" | awk '{ print $3 }')" sqlite3_reevesqlite_init
is "$(nm -D --undefined-only "$build/lib/reeve_sqlite.so" | grep -c sqlite3)" 0

# program: makes prog.py of its standard input; db is a connection with the extension; one(SQL…) gives the first column.
program() {
	{
		cat <<-'PY'
			import sqlite3, sys, os
			path, ext = sys.argv[1:3]
			def connect(path):
			    db = sqlite3.connect(path, timeout=10, isolation_level=None)
			    db.enable_load_extension(True)
			    db.load_extension(ext)
			    return db
			def one(sql, *args):
			    try: return db.execute(sql, args).fetchone()[0]
			    except sqlite3.Error as e: return "error: " + str(e)
			db = connect(path)
		PY
		cat
	} >prog.py
}
py() {
	"$python" prog.py "$db" "$build/lib/reeve_sqlite.so"
}

expect 0 reeve add noop # the store
expect 0 reeve cancel 1
program <<'PY'
# In a transaction of its own.
print(one("SELECT reeve_enqueue('noop')"))
print(one("SELECT reeve_enqueue('say', json_object('who', 'me'), json_object('queue', 'bulk', 'priority', 7, 'delay', '1h', 'key', 'k'))"))
# In the application's: with its own row, or neither.
db.execute("CREATE TABLE app_order(id INTEGER PRIMARY KEY, job INTEGER)")
db.execute("BEGIN")
id = one("SELECT reeve_enqueue('noop')")
db.execute("INSERT INTO app_order(job) VALUES (?)", (id,))
db.execute("ROLLBACK")
print(id, one("SELECT count(*) FROM app_order"), one("SELECT count(*) FROM job"), one("SELECT n FROM tally WHERE id = 0"))
db.execute("BEGIN IMMEDIATE")
id = one("SELECT reeve_enqueue('noop')")
print(one("SELECT reeve_enqueue('nop')"))
print(one("SELECT reeve_enqueue('noop', NULL, json_object('after', json_array(2, 777)))"))
db.execute("INSERT INTO app_order(job) VALUES (?)", (id,))
print(one("SELECT reeve_enqueue('noop')") - id)
db.execute("COMMIT")
print(one("SELECT job FROM app_order"), one("SELECT count(*) FROM job"))
# Many at once, from a table.
db.execute("BEGIN")
print([r[0] - id for r in db.execute("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 3) SELECT reeve_enqueue('noop', NULL, json_object('key', 'k' || i)) FROM c")])
db.execute("SAVEPOINT mine")
one("SELECT reeve_enqueue('noop')")
db.execute("ROLLBACK TO mine")
db.execute("COMMIT")
print(one("PRAGMA wal_autocheckpoint"))
db.close()
PY
expect 0 py
is "$out" '2
3
4 0 3 4
error: reeve_enqueue: no such task "nop", did you mean "noop"?
error: reeve_enqueue: there is no job 777 to wait for
1
4 5
[2, 3, 4]
0'
expect 0 reeve db check
expect 0 reeve show 3 --json
json state:text=scheduled queue:text=bulk priority:int=7 key:text=k
expect 0 reeve jobs state:ready --json
json jobs:array=6

# What is wrong is told, and nothing of it stays.
program <<'PY'
before = one("SELECT job FROM tally WHERE id = 0")
for sql in ("SELECT reeve_enqueue(NULL)", "SELECT reeve_enqueue('')", "SELECT reeve_enqueue(7)", "SELECT reeve_enqueue('noop', '{')",
            "SELECT reeve_enqueue('noop', '[]')", "SELECT reeve_enqueue('noop', NULL, '{\"colour\":1}')",
            "SELECT reeve_enqueue('noop', NULL, '{\"task\":\"say\"}')", "SELECT reeve_enqueue('noop', NULL, '{\"command\":[\"id\"]}')",
            "SELECT reeve_enqueue('noop', x'00')", "SELECT reeve_enqueue()"):
    print(one(sql))
db.execute("CREATE TEMP TABLE t(a)")
print(one("INSERT INTO t VALUES (reeve_enqueue('noop')) RETURNING a"))
db.execute("CREATE VIEW app_view AS SELECT reeve_enqueue('noop')")
print(one("SELECT * FROM app_view"))
db.execute("DROP VIEW app_view")
db.execute("CREATE TEMP TABLE job(a)")
print(one("SELECT reeve_enqueue('noop')"))
db.execute("DROP TABLE temp.job")
# A database of its own with the store attached: two files are not committed as one.
store, db = db, connect("app.db")
print(one("SELECT reeve_enqueue('noop')"))
db.execute("ATTACH ? AS reeve", (path,))
print(one("SELECT reeve_enqueue('noop')"))
db.close()
db = store
# Somebody else writes.
other = connect(path)
other.execute("BEGIN IMMEDIATE")
db.execute("PRAGMA busy_timeout = 50")
print(one("SELECT reeve_enqueue('noop')"))
other.execute("ROLLBACK")
print(one("SELECT job FROM tally WHERE id = 0") - before)
db.execute("PRAGMA user_version = 999")
print(one("SELECT reeve_enqueue('noop')"))
db.execute("PRAGMA user_version = 1")
print(one("SELECT reeve_enqueue('noop')") - before)
PY
expect 0 py
is "$(grep -c '^error: ' <<<"$out")" 17
says "the task is not said"
says "the task: not a text"
says 'unknown field "colour"'
says "task has a place of its own"
says "no commands"
says "wrong number of arguments"
says "call reeve_enqueue in a SELECT of its own"
says "unsafe use of reeve_enqueue"
says "a temporary table has the name"
says "an attached one is not committed"
says "is locked"
says "was written by a newer reeve (schema 999"
is "$(tail -n 1 <<<"$out")" 1
expect 0 reeve db check

# The daemon finds it within its second; several programs at once.
: >log
"$build/bin/reeved" >log 2>&1 &
daemon=$!
trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
await log daemon.ready $daemon
expect 0 reeve wait 2 --timeout 60s
# At once, rung by the commit, or by reeve_ring() for the inbox: a look each second would be late by half of one.
program <<'PY'
import time
def late(begin, done):
    begin()
    start = time.monotonic()
    while not done(): time.sleep(0.002)
    return time.monotonic() - start
def add():
    global id
    db.execute("BEGIN IMMEDIATE")
    id = one("SELECT reeve_enqueue('noop')")
    db.execute("COMMIT")
def insert():
    db.execute("INSERT INTO reeve_inbox(task) VALUES ('noop')")
    print(one("SELECT reeve_ring()"))
sum1 = sum(late(add, lambda: one("SELECT count(*) FROM done WHERE id = ?", id)) for i in range(6))
sum2 = sum(late(insert, lambda: one("SELECT count(*) FROM reeve_inbox") == 0) for i in range(6))
print("rung" if sum1 < 1.5 else "late by %f" % sum1, "rung" if sum2 < 1.5 else "late by %f" % sum2)
PY
expect 0 py
is "$out" "$(printf '1\n1\n1\n1\n1\n1\nrung rung')"
program <<'PY'
for i in range(60):
    db.execute("BEGIN IMMEDIATE")
    id = one("SELECT reeve_enqueue('noop', NULL, json_object('key', 'crowd'))")
    db.execute("COMMIT" if i % 3 else "ROLLBACK")
    if not isinstance(id, int): print(id)
PY
for n in 1 2 3; do
	py >"crowd.$n" 2>&1 &
	crowd[n]=$!
done
wait "${crowd[@]}"
is "$(cat crowd.*)" ""
expect 0 reeve wait --all -q default --timeout 60s
is "$(reeve jobs key:crowd state:succeeded --limit 0 --json | grep -o '"key":"crowd"' | wc -l)" 120
expect 0 reeve db check
