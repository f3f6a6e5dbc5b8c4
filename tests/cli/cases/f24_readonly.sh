# A store that one may not read, one that one may read but not write.
[ "$(id -u)" != 0 ] || command -v setpriv >/dev/null || skip "root needs setpriv"
as_other() {
	if [ "$(id -u)" = 0 ]; then
		HOME=$work/home setpriv --reuid 65534 --regid 65534 --clear-groups -- "$top/reeve" "$@"
	else
		"$bin" "$@"
	fi
}
chmod 755 "$top" "$work"
s="--store s/s.db"
# shellcheck disable=SC2086
{
	expect 0 reeve $s -o reeve.adhoc=yes add -- true
	chmod 000 s
	expect 4 as_other $s jobs
	errs "you may not read this store"
	expect 4 as_other $s -o reeve.adhoc=yes add -- true
	expect 7 as_other $s status
	says "reeved is not running"

	chmod 755 s
	chmod 444 s/*
	[ "$(id -u)" = 0 ] || chmod 555 s
	sums=$(sha256sum s/s.db s/s.db-wal)
	expect 0 as_other $s jobs
	says "ready"
	expect 0 as_other $s show 1
	expect 0 as_other $s why 1
	expect 0 as_other $s queue ls
	expect 0 as_other $s db check
	expect 0 as_other $s db sql 'SELECT 1'
	expect 7 as_other $s status
	says "default"
	expect 124 as_other $s wait --timeout 10ms 1
	for verb in "cancel 1" "retry 1" "delete 1" "queue pause default" "db checkpoint" "-o reeve.adhoc=yes add -- true"; do
		expect 4 as_other $s $verb
		errs "you may not change this store"
	done
	is "$(sha256sum s/s.db s/s.db-wal)" "$sums"
	chmod 700 s
	chmod 600 s/*
	expect 0 reeve $s db check
}
