# A store that one may read but not write, and one that one may not even read.
[ "$(id -u)" = 0 ] && { command -v setpriv >/dev/null || exit 77; }
as_other() {
	if [ "$(id -u)" = 0 ]; then
		HOME=$work/home setpriv --reuid 65534 --regid 65534 --clear-groups -- "$bin" "$@"
		local code=$?
		return $code
	fi
	"$bin" "$@"
}
chmod 755 "$top" "$work"
s="--store s/s.db"
# shellcheck disable=SC2086
{
	expect 0 reeve $s -o reeve.adhoc=yes add -- true
	chmod 000 s
	expect 4 as_other $s jobs
	errs "only \`reeve status\` works"
	expect 4 as_other $s -o reeve.adhoc=yes add -- true
	expect 7 as_other $s status
	says "reeved is not running"
	chmod 755 s
	chmod 444 s/s.db
	[ ! -e s/s.db-wal ] || chmod 444 s/s.db-*
	expect 4 as_other $s cancel 1
	chmod 700 s
	chmod 600 s/s.db*
	expect 0 reeve $s db check
}
