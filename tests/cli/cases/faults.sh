# A store that cannot be used as it is: a clear sentence, the right code, nothing changed.
s="--store s/s.db -o reeve.adhoc=yes"

command -v sqlite3 >/dev/null || skip "needs sqlite3"
# shellcheck disable=SC2086
{
	expect 3 reeve --store none/s.db jobs
	errs "there is no store at"
	[ ! -e none ] || fail "reading made a folder"

	# A daemon that starts has its lock before there is a store.
	mkdir -m 0700 s && echo $$ >s/s.db.lock
	expect 0 reeve $s add -- true
	# Somebody holds the write lock longer than we are patient.
	mkfifo hold held
	sqlite3 s/s.db <hold >/dev/null &
	holder=$!
	exec 9>hold
	printf 'BEGIN IMMEDIATE;\n.shell echo >held\n' >&9
	read -r _ <held
	expect 75 reeve $s --busy-timeout 300ms add -- true
	errs "is being written by process"
	expect 75 reeve $s --busy-timeout 300ms cancel 1
	expect 0 reeve $s jobs
	printf 'ROLLBACK;\n' >&9
	exec 9>&-
	wait "$holder"
	expect 0 reeve $s add -- true
	is "$(reeve $s db sql 'SELECT count(*) FROM job' | tail -n 1)" 2
	# A schema from the future.
	cp -r s future
	sqlite3 future/s.db 'PRAGMA user_version = 4711;'
	sum=$(sha256sum <future/s.db)
	expect 78 reeve --store future/s.db jobs
	expect 78 reeve --store future/s.db -o reeve.adhoc=yes add -- true
	is "$(sha256sum <future/s.db)" "$sum"
	# One that another build made before a release, when the first file of the schema was another.
	cp -r s before
	sqlite3 before/s.db 'ALTER TABLE tally DROP COLUMN tables;'
	sum=$(sha256sum <before/s.db)
	expect 78 reeve --store before/s.db jobs
	errs "before/s.db was made by another build of reeve"
	expect 78 reeve --store before/s.db -o reeve.adhoc=yes add -- true
	errs "move it and its -wal away"
	expect 10 reeve --store before/s.db doctor
	says "was made by another build of reeve"
	expect 0 reeve $s db backup copy.db
	expect 78 reeve --store s/s.db db restore before/s.db
	errs "was made by another build of reeve"
	is "$(sha256sum <before/s.db)" "$sum"
	# A good copy takes its place.
	expect 0 reeve --store before/s.db db restore copy.db
	expect 0 reeve --store before/s.db jobs
	expect 0 reeve --store before/s.db db check
	# Not ours.
	mkdir -p foreign
	echo "not a database, but long enough to look at: $(seq -s ' ' 100)" >foreign/s.db
	sum=$(sha256sum <foreign/s.db)
	reeve --store foreign/s.db jobs >/dev/null 2>&1
	code=$?
	[ $code = 78 ] || [ $code = 74 ] || fail "a foreign file: exit $code"
	reeve --store foreign/s.db -o reeve.adhoc=yes add -- true >/dev/null 2>&1
	code=$?
	[ $code = 78 ] || [ $code = 74 ] || fail "a foreign file: exit $code"
	is "$(sha256sum <foreign/s.db)" "$sum"
	# A link.
	ln -s "$work/s/s.db" link.db
	expect 78 reeve --store link.db jobs

	# The fault points of an enqueue: what was told is so, what was not told may be either.
	if "$bin" version --json | grep -q .faults.:true; then
		before=$(reeve $s db sql 'SELECT count(*) FROM job' | tail -n 1)
		RV_FAULT=enqueue_commit:kill reeve $s add -- true >/dev/null 2>&1
		is "$(reeve $s db sql 'SELECT count(*) FROM job' | tail -n 1)" "$before"
		RV_FAULT=enqueue_commit:enospc reeve $s add -- true >/dev/null 2>&1
		is "$?" 6
		is "$(reeve $s db sql 'SELECT count(*) FROM job' | tail -n 1)" "$before"
		RV_FAULT=enqueue_ring:kill reeve $s add -- true >/dev/null 2>&1
		is "$(reeve $s db sql 'SELECT count(*) FROM job' | tail -n 1)" "$((before + 1))"
	fi
	expect 0 reeve $s db check
	# stdout that takes nothing: told, with a code.
	reeve $s jobs >/dev/full 2>.err
	is "$?" 74
	reeve $s jobs --json | head -c 1 >/dev/null
}
