# Rows of reeve_inbox and a queue that is full: they wait where it lets its enqueuers wait, and stay
# with the error where it refuses.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
unset NOTIFY_SOCKET
ini() {
	cat >r.ini <<-INI
		[reeve]
		state_dir = $work/state
		runtime_dir = $work/run
		[pool:default]
		workers = 1
		queues = default, side
		[queue:default]
		queue_max = 2
		on_full = $1
		[task:noop]
		handler = builtin
		builtin = noop
	INI
}
ini block
export REEVE_CONFIG=$work/r.ini
db=$work/state/reeve.db
sql() { python3 -c 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None); [print(*r) for r in d.execute(sys.argv[2])]' "$db" "$1"; }
until_is() { # SQL WANTED
	local n
	for ((n = 0; n < 600; n++)); do
		[ "$(sql "$1")" != "$2" ] || return 0
	done
	fail "$1 is $(sql "$1"), not $2"
}
: >log
"$build/bin/reeved" >log 2>&1 &
daemon=$!
trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
await log daemon.ready $daemon
expect 0 reeve queue pause default
for _ in 1 2 3 4 5; do sql "INSERT INTO reeve_inbox(task) VALUES ('noop')"; done
until_is 'SELECT count(*) FROM reeve_inbox' 3
is "$(sql 'SELECT count(*) FROM reeve_inbox WHERE error IS NULL')" 3
expect 0 reeve queue resume default
until_is 'SELECT count(*) FROM reeve_inbox' 0
expect 0 reeve wait --all
is "$(sql 'SELECT count(*) FROM done')" 5
ini reject
expect 0 reeve reload
expect 0 reeve queue pause default
for _ in 1 2 3; do sql "INSERT INTO reeve_inbox(task) VALUES ('noop')"; done
until_is "SELECT count(*) FROM reeve_inbox WHERE error LIKE '%queue default is full%'" 1
is "$(sql 'SELECT count(*) FROM reeve_inbox')" 1
expect 0 reeve db check
expect 0 reeve shutdown --now
wait $daemon
trap - EXIT
