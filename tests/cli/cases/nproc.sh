# limit_nproc where jobs would run as root, whom the kernel does not bind by it: refused by the check,
# the start and a reload, as what cannot be had (docs/PATTERNS.md).
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
export REEVE_CONFIG=$work/r.ini
plain() { printf '[reeve]\nstate_dir = %s/state\nadhoc = no\n[pool:default]\nworkers = 1\n' "$work"; }
limited() {
	plain
	printf '[task:bomb]\ncommand = true\nlimit_nproc = 30\n'
}
limited >r.ini
if [ "$(id -u)" != 0 ]; then
	expect 0 reeved -t
	expect 0 reeve config check
	skip "the rest needs root"
fi
awk '$1 == 0 && $2 != 0 { exit 1 }' /proc/self/uid_map || skip "root is another one outside"
refusal="r.ini:8: limit_nproc = 30: it does not bind root, as whom such jobs would run: give them a user, or pids_max"
expect 78 reeved -t
errs "$refusal"
expect 78 reeve config check
says "$refusal"
expect 78 reeved
errs "$refusal"
[ ! -e state/reeve.db ] || fail "a store was made"
# Whoever only adds or looks is not concerned.
expect 0 reeve config show
says "limit_nproc = 30"

# A user of its own is bound; and a daemon that will be another's is known by its folder.
echo "user = nobody" >>r.ini
expect 0 reeved -t
limited >r.ini
mkdir state
chown 1:1 state
expect 0 reeved -t
expect 0 reeve config check
expect 78 reeved
errs "$refusal"
chown 0:0 state

plain >r.ini
reeved 2>log &
pid=$!
trap 'kill -QUIT $pid 2>/dev/null; wait $pid 2>/dev/null' EXIT
await log daemon.ready $pid
limited >r.ini
expect 78 reeve reload
errs "$refusal"
plain >r.ini
expect 0 reeve reload
expect 0 reeve shutdown --now
wait $pid
is "$?" 0
trap - EXIT
