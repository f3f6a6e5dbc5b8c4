# A daemon that may not do what a task asks for: each job says what it was, in the words of the key,
# and the check says it before.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
as=()
me=$(id -un)
if [ "$(id -u)" = 0 ]; then
	command -v setpriv >/dev/null || skip "needs setpriv"
	as=(setpriv --reuid 1 --regid 1 --clear-groups --)
	me=daemon
fi
hard=$(ulimit -Hn)
[ "$hard" != unlimited ] || skip "needs a hard limit of descriptors"
mkdir -p bin libexec state
install -m 0755 "$build/bin/reeved" "$build/bin/reeve" bin
install -m 0755 "$build"/libexec/reeve-* libexec
chmod 755 "$top" "$work" bin libexec
[ ${#as[@]} = 0 ] || chown 1:1 state
{
	printf '[reeve]\nstate_dir = %s/state\nruntime_dir = %s/state\n' "$work" "$work"
	printf '[pool:default]\nworkers = 1\n[defaults]\nmax_attempts = 1\n'
	for way in exec pipe; do
		printf '[task:user-%s]\nhandler = %s\ncommand = cat\nuser = root\n' $way $way
		printf '[task:group-%s]\nhandler = %s\ncommand = cat\ngroup = root\n' $way $way
		printf '[task:both-%s]\nhandler = %s\ncommand = cat\nuser = %s\ngroup = root\n' \
			$way $way "$me"
		printf '[task:limit-%s]\nhandler = %s\ncommand = cat\nlimit_nofile = %s\n' \
			$way $way $((hard + 1))
	done
	printf '[task:tmp]\ncommand = true\nuser = root\nprivate_tmp = yes\n'
	printf '[task:mine]\ncommand = true\nuser = %s\n' "$me"
} >r.ini
chmod 644 r.ini
export REEVE_CONFIG=$work/r.ini HOME=/
unset NOTIFY_SOCKET

expect 0 "${as[@]}" bin/reeved -t
errs "r.ini:11: warning: user = root: only a daemon of root can run jobs as another user"
errs "r.ini:15: warning: group = root: only a daemon of root can run jobs in another group"
[[ $err != *"user = $me"* ]] || fail "it is that user: $err"

"${as[@]}" bin/reeved >log 2>&1 &
daemon=$!
trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
await log daemon.ready $daemon
# dies TASK WORDS: the error of its job.
dies() {
	expect 0 "${as[@]}" bin/reeve add "$1"
	job=$out
	expect 1 "${as[@]}" bin/reeve wait "$job" --timeout 60s
	expect 0 "${as[@]}" bin/reeve show "$job"
	says "$2"
}
for way in exec pipe; do
	dies user-$way "cannot become the user root: only a daemon of root can"
	dies group-$way "cannot become the group root: only a daemon of root can"
	dies both-$way "cannot become the group root: only a daemon of root can"
	dies limit-$way "cannot start cat: limit_nofile: more than the hard limit here, $hard"
done
dies tmp "cannot become the user root: only a daemon of root can"
expect 0 "${as[@]}" bin/reeve run mine
kill -QUIT $daemon
wait $daemon
is "$?" 0
trap - EXIT
