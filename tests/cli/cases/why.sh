# reeve why: which reasons it gives, and that what must change first comes first.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
unset NOTIFY_SOCKET
ini() { # FILE NAME-OF-TASK QUEUES: one worker
	cat >"$1" <<-INI
		[reeve]
		state_dir = $work/state
		runtime_dir = $work/run
		adhoc = yes
		[pool:default]
		workers = 1
		queues = $3
		[queue:side]
		[queue:alone]
		[queue:late]
		[task:$2]
		command = /bin/true
	INI
}
ini r.ini one "default, side"
export REEVE_CONFIG=$work/r.ini
add() { reeve add "$@" 2>/dev/null; }
codes() { # ID WANTED…: the codes, in this order
	local id=$1 have
	shift
	have=$(reeve why "$id" --json | grep -o '"code":"[a-z_]*"' | sed 's/.*:"\(.*\)"/\1/' | tr '\n' ' ')
	is "${have% }" "$*"
}

# Without a daemon.
plain=$(add -- true)
codes "$plain" not_running
other=$(add -- true)
codes "$plain" not_running queue_depth
timed=$(add --ttl 1h -- true)
codes "$timed" not_running queue_depth ttl
alone=$(add -q alone -- true)
codes "$alone" no_pool not_running
expect 0 reeve why "$alone"
is "$(sed -n 2p .out)" "- no pool of the configuration serves queue alone: add it to the queues of one, then reeve reload"
expect 0 reeve queue pause alone
codes "$alone" queue_paused no_pool not_running
later=$(add -q alone --delay 1h -- true)
codes "$later" scheduled queue_paused no_pool not_running
child=$(add -q alone --after "$later" --ttl 1h -- true)
codes "$child" parent queue_paused no_pool not_running
expect 0 reeve cancel "$plain" "$other" "$timed"
codes "$plain" cancelled final

: >log
"$build/bin/reeved" >log 2>&1 &
daemon=$!
trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
await log daemon.ready $daemon
codes "$alone" queue_paused no_pool
expect 0 reeve queue resume alone
codes "$alone" no_pool
codes "$later" scheduled no_pool
codes "$child" parent no_pool

# Its worker is busy; then it is the line before it.
mkfifo gate
busy=$(add -- sh -c 'read x <gate')
until reeve show "$busy" --json | grep -q '"state":"running"'; do :; done
codes "$busy" running
first=$(add -q side -- true)
codes "$first" workers_busy
second=$(add -q side --ttl 1h -- true)
codes "$second" workers_busy queue_depth ttl
expect 0 reeve queue pause side
codes "$first" queue_paused workers_busy queue_depth
expect 0 reeve queue resume side

# A configuration that the daemon has not read yet serves more than its workers do.
late=$(add -q late -- true)
sed 's/^\[pool:default\]/[pool:other]\nworkers = 1\nqueues = late\n&/' r.ini >two.ini
REEVE_CONFIG=$work/two.ini codes "$late" no_worker
codes "$late" no_pool

# Degraded is said after what is nearer.
cp r.ini good.ini
echo 'nonsense = 1' >>r.ini
expect 78 reeve -c "$work/good.ini" reload
export REEVE_CONFIG=$work/good.ini
codes "$first" degraded workers_busy queue_depth
codes "$alone" no_pool degraded
codes "$busy" running degraded
cp good.ini r.ini
expect 0 reeve reload
echo >gate
expect 0 reeve wait "$busy" "$first" "$second"
codes "$first" succeeded

# After a run: the wait for the next attempt comes before everything else.
failing=$(add --max-attempts 3 -- false)
until reeve show "$failing" --json | grep -q '"state":"scheduled"'; do :; done
expect 0 reeve queue pause default
codes "$failing" backoff queue_paused
expect 0 reeve queue resume default

# Nobody works in a pool of 0, and a reload would change nothing.
expect 0 reeve pool scale default 0
until [ "$(reeve worker ls | grep -c '^default/')" = 0 ]; do kill -0 "$daemon" || break; done
nobody=$(add -- true)
codes "$nobody" pool_empty
expect 0 reeve why "$nobody"
says "pool default is scaled to 0 workers: reeve pool scale default N"
expect 0 reeve pool scale default 1
expect 0 reeve wait "$nobody"
dead=$(add --max-attempts 1 -- false)
expect 1 reeve wait "$dead"
codes "$dead" dead final
dead=$(add --max-attempts 1 --delay 1h -- false)
orphan=$(add --after "$dead" -- true)
expect 0 reeve edit --delay 0s "$dead"
expect 1 reeve wait "$dead"
codes "$orphan" parent
expect 0 reeve why "$orphan"
says "it waits for job $dead to succeed, which is dead: reeve retry $dead, or cancel this one"
expect 0 reeve shutdown --now
wait $daemon
is "$?" 0
trap - EXIT
