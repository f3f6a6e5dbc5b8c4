# What a restore undoes has printed: none of that is shown as the output of the run that comes instead.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	[pool:default]
	workers = 1
	queues = default, q
	[queue:q]
	[task:mute]
	queue = q
	shell = yes
	command = [ -e $work/quiet ] || { echo undone; echo err >&2; }
	[task:big]
	queue = q
	command = seq 20000
	output_max = 32K
	[task:twice]
	shell = yes
	command = echo attempt \$REEVE_ATTEMPT; [ \$REEVE_ATTEMPT -ge 2 ]
	backoff = fixed 1h
	max_attempts = 3
INI
export REEVE_CONFIG=$work/r.ini
unset NOTIFY_SOCKET

up() {
	"$build/bin/reeved" >log 2>&1 &
	daemon=$!
	trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
	await log daemon.ready $daemon
}
down() {
	expect 0 reeve shutdown
	wait $daemon
}
outputs() { (cd "$1" && find . -type f | sort | tr '\n' ' '); }

# At the time of the copy job 1 has run once, and the others never.
up
expect 0 reeve add twice
await log '"job.failed"' $daemon
expect 0 reeve queue pause q
expect 0 reeve add mute
expect 0 reeve add big
expect 0 reeve db backup copy.db
expect 0 reeve queue resume q
expect 0 reeve edit 1 --delay 0s
expect 0 reeve wait --all --timeout 60s
expect 0 reeve add twice
down
is "$(outputs state/output)" "./0/1.1.out ./0/1.2.out ./0/2.1.out ./0/3.1.out ./0/3.1.tail ./0/4.1.out "
expect 0 reeve db restore copy.db
errs "4 outputs of runs that are undone are now in $work/state/output.undone-"
# Of a job that nobody knows any more it stays for db cleanup: its number is not given again.
is "$(outputs state/output)" "./0/1.1.out ./0/4.1.out "
is "$(outputs state/output.undone-*)" "./0/1.2.out ./0/2.1.out ./0/3.1.out ./0/3.1.tail "
is "$(stat -c %a state/output.undone-* state/output.undone-*/0 | tr '\n' ' ')" "700 700 "
expect 0 reeve logs 1
is "$out" "attempt 1"

# What runs again prints nothing, and that is what is shown.
: >quiet
up
expect 0 reeve queue resume q
expect 0 reeve wait 2 3 --timeout 60s
expect 0 reeve logs 2
is "$out$err" ""
expect 0 reeve logs 3 --tail 1
says 20000
down

# Once more, with nothing to set aside but what is new.
expect 0 reeve --json db restore copy.db
json jobs:int=3 outputs:int=2 outputs_aside:text
expect 0 reeve --json db restore copy.db
json outputs:int=0 outputs_aside:null
expect 0 reeve db check
# A copy of the store beside it tells nothing of these outputs.
expect 0 reeve db backup state/other.db
is "$(outputs state/output)" "./0/1.1.out ./0/4.1.out "
: >state/output/0/1.7.out
expect 0 reeve --store "$work/state/other.db" db restore copy.db
errs "outputs were left alone: nobody can tell whether they are those of $work/state/other.db"
[ -e state/output/0/1.7.out ] || fail "an output of another store was set aside"
