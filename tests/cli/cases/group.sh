# [reeve] group: its members use the store like the daemon's user; who is not in it cannot; a member
# who cannot reach the store still has `status`.
[ "$(id -u)" = 0 ] || skip "needs root"
command -v setpriv >/dev/null || skip "needs setpriv"
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
chmod 755 "$top" "$work"
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	adhoc = yes
	group = nogroup
	[pool:default]
	workers = 1
INI
chmod 644 r.ini
export REEVE_CONFIG=$work/r.ini
member() { HOME=/ setpriv --reuid 1 --regid 65534 --clear-groups -- "$top/reeve" "$@"; }
stranger() { HOME=/ setpriv --reuid 1 --regid 1 --clear-groups -- "$top/reeve" "$@"; }
unset NOTIFY_SOCKET
: >log
"$build/bin/reeved" >log 2>&1 &
daemon=$!
trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
await log daemon.ready $daemon
is "$(stat -c '%a %G' state)" "2770 nogroup"
is "$(stat -c '%a %G' state/reeve.db)" "660 nogroup"
expect 0 member run -C / -- sh -c 'id -u; exit 0'
is "$out" 0
expect 0 member add -C / -- true
expect 0 member wait "$out" --timeout 30s
expect 0 member logs 1
is "$out" 0
expect 0 member status
says ready
is "$(find run -name 'waiter.*' | wc -l)" 0
for verb in jobs status "add -C / -- true"; do
	# shellcheck disable=SC2086
	expect 4 stranger $verb
done
chmod 700 state
expect 4 member jobs
errs "you may not read this store"
expect 0 member status
says ready
expect 0 member worker ls
chmod 2770 state
expect 0 member db check
expect 0 reeve shutdown --now
wait $daemon
is "$?" 0

# What was private before the group was configured is given to it at the next start.
chmod 0700 state run state/output state/output/*
chmod 0600 state/reeve.db*
chgrp root state run state/output state/output/* state/reeve.db*
expect 4 member jobs
: >log
"$build/bin/reeved" >log 2>&1 &
daemon=$!
await log daemon.ready $daemon
grep -q 'place.shared.*state/reeve.db' log || fail "nothing is said of the store"
is "$(stat -c '%a %G' state run | sort -u)" "2770 nogroup"
is "$(stat -c '%a %G' state/reeve.db state/reeve.db.lock | sort -u)" "660 nogroup"
is "$(stat -c '%a %G' state/output)" "2750 nogroup"
expect 0 member run -C / -- sh -c 'echo shared'
is "$out" shared
expect 0 reeve shutdown --now
wait $daemon
is "$?" 0
: >log
"$build/bin/reeved" >log 2>&1 &
daemon=$!
await log daemon.ready $daemon
if grep -q 'place\.' log; then fail "what is right is given again"; fi
expect 0 reeve shutdown --now
wait $daemon

# What belongs to another user is not ours to give: the commands are said, and the daemon works.
mkdir -p theirs/run bin libexec
install -m 0755 "$build/bin/reeved" bin
install -m 0755 "$build"/libexec/reeve-* libexec
chmod 755 bin libexec
chown 1 theirs/run
chgrp 1 theirs
chmod 775 theirs
sed "s#$work/state#$work/theirs#; s#$work/run#$work/theirs/run#" r.ini >theirs.ini
: >log
HOME=/ REEVE_CONFIG=$work/theirs.ini setpriv --reuid 1 --regid 1 --groups 65534 -- bin/reeved >log 2>&1 &
daemon=$!
await log daemon.ready $daemon
grep -q "place.private.*chgrp nogroup $work/theirs && chmod 2775 $work/theirs" log ||
	fail "the commands are not said: $(cat log)"
is "$(stat -c '%a %G' theirs/run)" "2775 nogroup"
kill -QUIT $daemon
wait $daemon
is "$?" 0
trap - EXIT
