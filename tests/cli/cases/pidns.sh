# A store whose daemon lives in another PID namespace is left alone: pids, start times and
# /proc/locks say other things there.  Its socket answers all the same.
[ "$(id -u)" = 0 ] || skip "needs root"
unshare --pid --fork true 2>/dev/null || skip "no PID namespace can be made here"
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	adhoc = yes
	[pool:default]
	workers = 1
INI
export REEVE_CONFIG=$work/r.ini
unset NOTIFY_SOCKET
: >log
"$build/bin/reeved" >log 2>&1 &
daemon=$!
trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
await log daemon.ready $daemon
expect 0 reeve add -- true
hows=("unshare --pid --fork")
# Where the root is no mount (a chroot), no other /proc can be put over ours.
unshare --pid --fork --mount-proc true 2>/dev/null && hows+=("unshare --pid --fork --mount-proc")
for how in "${hows[@]}"; do
	for verb in "add -- true" jobs "show 1" "db checkpoint" "cancel 1"; do
		# shellcheck disable=SC2086
		expect 78 $how "$bin" $verb
		errs "another PID namespace (as pid $daemon there)"
	done
	# shellcheck disable=SC2086
	expect 78 $how "$build/bin/reeved"
	errs "another PID namespace"
	# shellcheck disable=SC2086
	expect 0 $how "$bin" status
done
# Nothing of all that was stored, and where the daemon is all goes on.
expect 0 reeve add -- true
is "$out" 2
expect 0 reeve wait --all --timeout 30s
kill -TERM "$daemon"
wait "$daemon" || fail "the daemon ended with $?"
trap - EXIT
# With no daemon there is nobody to disagree with, and who takes the store next has it.
expect 0 unshare --pid --fork "$bin" add -- true
is "$out" 3
: >log2
unshare --pid --fork --kill-child "$build/bin/reeved" >log2 2>&1 &
other=$!
trap 'kill -KILL $other 2>/dev/null; wait $other 2>/dev/null' EXIT
await log2 daemon.ready $other
expect 78 reeve add -- true
errs "another PID namespace"
kill -TERM "$(pgrep -P "$other")"
wait "$other" || fail "the other daemon ended with $?"
trap - EXIT
expect 0 reeve show 3
says succeeded
