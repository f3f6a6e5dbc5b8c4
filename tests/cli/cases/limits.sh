# memory_max and the like where they cannot be had: refused with file, line and reason by whoever
# looks, never ignored.  The machine is one of our own (RV_CGROUP_PROC), whatever the real one can.
mkdir -p fake/mnt/a/b
printf '0::/a/b\n' >fake/cgroup
printf '30 1 0:9 / %s/fake/mnt rw - cgroup2 cgroup2 rw\n' "$work" >fake/mountinfo
export RV_CGROUP_PROC=$work/nowhere
export REEVE_CONFIG=$work/limits.ini
printf '[reeve]\nstate_dir = %s/state\n' "$work" >plain.ini
{
	cat plain.ini
	printf '[defaults]\npids_max = 50\n[task:big]\ncommand = true\n'
	printf 'memory_max = 512M\ncpu_max = 0.5\n[task:none]\ncommand = true\npids_max = 0\n'
} >limits.ini
if grep -q RV_CGROUP_PROC "$build/bin/reeved"; then
	:
else
	skip "this build takes no other machine than the real one"
fi
expect 78 reeve config check
says "limits.ini:4: pids_max: such a limit cannot be had here: there is no cgroup v2 here"
says "limits.ini:7: memory_max: such a limit cannot be had here: there is no cgroup v2 here"
says "limits.ini:8: cpu_max: such a limit cannot be had here: there is no cgroup v2 here"
[[ $out != *":11:"* ]] || fail "0 is no limit: $out"
expect 78 reeve --json config check
json ok:bool=false
expect 78 reeved -t
errs "limits.ini:7: memory_max: such a limit cannot be had here"
expect 78 reeved
errs "limits.ini:4: pids_max: such a limit cannot be had here"
[ ! -e state/reeve.db ] || fail "a store was made"
# Whoever only adds or looks is not concerned.
expect 0 reeve config show
says "memory_max = 512M"

# One controller is missing.
export RV_CGROUP_PROC=$work/fake
echo cpuset cpu memory >fake/mnt/cgroup.controllers
expect 78 reeved -t
errs "limits.ini:4: pids_max: such a limit cannot be had here: the controller pids is not in $work/fake/mnt/cgroup.controllers (cpuset cpu memory)"
[[ $err != *memory_max* ]] || fail "memory is there: $err"

# The machine has them all, but our group is not ours, or is not as it must be: known at the start.
echo cpuset cpu memory pids >fake/mnt/cgroup.controllers
expect 0 reeved -t
expect 78 reeved
errs "limits.ini:7: memory_max: such a limit cannot be had: the cgroup /a/b is "
expect 0 reeve config check

# A reload to them changes nothing.
export RV_CGROUP_PROC=$work/nowhere
cp limits.ini wanted.ini
cp plain.ini limits.ini
reeved 2>log &
pid=$!
await log daemon.ready $pid
cp wanted.ini limits.ini
expect 78 reeve reload
errs "limits.ini:4: pids_max: such a limit cannot be had here"
cp plain.ini limits.ini
expect 0 reeve reload
expect 0 reeve status
expect 0 reeve doctor
says "memory_max cannot be had on this machine: there is no cgroup v2 here"
export RV_CGROUP_PROC=$work/fake
expect 0 reeve doctor
says "not by one started here: the cgroup /a/b is "
kill $pid
wait $pid || fail "it ended with $?"
