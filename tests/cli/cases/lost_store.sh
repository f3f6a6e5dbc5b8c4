# rm -rf of the state directory under a running daemon: status says so, with the sockets (a runtime_dir
# of its own) and without them, and how to get out of it.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
unset NOTIFY_SOCKET
for run in run state/run; do
	mkdir -p -m 0700 run
	printf '[reeve]\nstate_dir = %s/state\nruntime_dir = %s/%s\nadhoc = yes\n[pool:default]\nworkers = 1\n' \
		"$work" "$work" $run >r.ini
	export REEVE_CONFIG=$work/r.ini
	: >log
	"$build/bin/reeved" >log 2>&1 &
	daemon=$!
	trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
	await log daemon.ready $daemon
	rm -rf state
	expect 10 reeve status
	says "degraded: its store $work/state/reeve.db"
	says "removed"
	expect 10 reeve status --json
	if [ $run = run ]; then
		json daemon.state:text=degraded daemon.pid:int=$daemon degraded:array
		expect 0 reeve shutdown
	else
		json daemon.state:text=lost daemon.pid:int=$daemon degraded:array=1
		expect 7 reeve shutdown
		errs "end it with kill $daemon"
		kill "$daemon"
	fi
	wait $daemon
	is "$?" 0
	expect 7 reeve status
	says "reeved is not running"
	trap - EXIT
done
