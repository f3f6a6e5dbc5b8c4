# The cgroup of a pipe handler that has limits, on a machine of our own (RV_CGROUP_PROC): what is in
# it is killed and waited for when the handler ends, and what the kernel counted there is told.
if grep -q RV_CGROUP_PROC "$build/bin/reeved"; then
	:
else
	skip "this build takes no other machine than the real one"
fi
# The folder is the topmost; beside it, for a worker there, the groups of its runs.
group() {
	mkdir -p "fake/$1"
	: >"fake/$1/cgroup.procs"
}
group worker
echo cpuset cpu memory pids | tee fake/worker/cgroup.controllers >fake/worker/cgroup.subtree_control
printf '0::/a/b\n' >fake/cgroup
printf '30 1 0:9 /a/b %s/fake/worker rw - cgroup2 cgroup2 rw\n' "$work" >fake/mountinfo
for i in 1 2 3 4; do
	group run-$i
	: >fake/run-$i/cgroup.kill
	: >fake/run-$i/memory.max
	: >fake/run-$i/pids.max
	printf 'populated 0\n' >fake/run-$i/cgroup.events
	printf 'oom 1\noom_kill 0\n' >fake/run-$i/memory.events
done
printf 'populated 1\nfrozen 0\n' >fake/run-1/cgroup.events
export RV_CGROUP_PROC=$work/fake REEVE_CONFIG=$work/r.ini
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	[pool:default]
	workers = 1
	[task:p]
	handler = pipe
	shell = yes
	command = echo '{"reeve":1}' >&3; read -r line; kill -9 \$\$
	max_attempts = 5
	max_crashes = 1
	memory_max = 64M
	pids_max = 9
	outcome = oom: dead
INI
unset NOTIFY_SOCKET
"$build/bin/reeved" >log 2>&1 &
daemon=$!
trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
await log daemon.ready $daemon

# Whoever has left its group and session is still in its cgroup.
expect 0 reeve add p
await log 'a handler of p has ended' $daemon
expect 124 reeve wait --timeout 500ms 1
is "$(cat fake/run-1/cgroup.kill)" 1
is "$(cat fake/run-1/pids.max)" 9
printf 'populated 0\nfrozen 0\n' >fake/run-1/cgroup.events
expect 1 reeve wait 1 --timeout 60s
expect 0 reeve show 1
says "killed by signal 9"

# Out of memory is told as that, and to the rules; the kill of another is not.
printf 'oom 1\noom_kill 1\n' | tee fake/run-3/memory.events >fake/run-4/memory.events
is "$("$bin" --json show 1 | grep -c 'out of memory')" 0
expect 0 reeve add p
expect 1 reeve wait 2 --timeout 60s
expect 0 reeve show 2
says "out of memory"
says "(rule: oom: dead)"
[ "$(grep -c 'a handler of p has ended' log)" = 3 ] || fail "it was run again: $(cat log)"
expect 0 reeve --json show 2
says '"out of memory"'

# Limits that a reload asks for first: workers that began without are in the way, and it says so.
kill "$daemon"
wait "$daemon" || fail "it ended with $?"
sed '/_max = [0-9]*M*$/d; /outcome/d' r.ini >none.ini
cp r.ini wanted.ini
cp none.ini r.ini
rm -rf state
RV_FAULT=cgroup_enable:busy:1:reeved "$build/bin/reeved" >log2 2>&1 &
daemon=$!
await log2 daemon.ready $daemon
cp wanted.ini r.ini
expect 78 reeve reload
errs "such a limit cannot be had: workers of ours are still in $work/fake/worker: \`reeve pool restart\`, then reload, or restart reeved"
cp none.ini r.ini
expect 0 reeve pool restart default --wait --timeout 60s
cp wanted.ini r.ini
expect 0 reeve reload
