# Copies of the store while a daemon works on it, and a store out of one.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	adhoc = yes
	[pool:default]
	workers = 2
INI
export REEVE_CONFIG=$work/r.ini
unset NOTIFY_SOCKET
state_of() { cut -d ' ' -f 3 "/proc/$1/stat"; }
number() { reeve db sql "$1" | tail -n 1; }

expect 3 reeve db backup
errs "there is no store"
expect 0 reeve add -- true
expect 2 reeve db backup --keep 0
errs "--keep 0 is no number from 1 to 100000"
expect 2 reeve db backup --dir x y.db

# Under load: what is copied is the store of one moment, whole.
"$build/bin/reeved" >log 2>&1 &
daemon=$!
trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
await log daemon.ready $daemon
for i in $(seq 1000); do echo '{"command":["true"]}'; done >many.jsonl
reeve add --from-file many.jsonl >/dev/null 2>&1 &
adding=$!
for i in 1 2 3 4 5; do
	expect 0 reeve db backup copy$i.db
	is "$out" "copy$i.db"
	expect 0 reeve --store "$work/copy$i.db" db check
	is "$(stat -c %a copy$i.db)" 600
done
wait $adding
is "$(find . -name '*.new-*' | wc -l)" 0
expect 5 reeve db backup copy1.db
errs "copy1.db is there already"
expect 3 reeve db backup nowhere/x.db
expect 75 reeve db restore copy1.db
errs "reeved runs here (pid $daemon): stop it first"

# In a folder of its own: the newest stay, and what is not a copy of this store.
expect 0 reeve --json db backup --keep 2
json path:text removed:int=0 bytes:int
mv state/backup/*.db state/backup/reeve-20200101T000000Z.db
touch state/backup/reeve-20200101T000001Z.db.txt state/backup/other-20200101T000000Z.db state/backup/reeve-2020.db
cp copy1.db state/backup/reeve-20200101T000001Z.db
expect 0 reeve db backup --keep 2
errs "1 older copies removed"
[ -e state/backup/reeve-20200101T000001Z.db ] || fail "the newer one is gone"
is "$(find state/backup -type f | wc -l)" 5
expect 0 reeve db backup --dir "$work/else/where"
is "$(find else -name '*.db' | wc -l)" 1
is "$(stat -c %a else/where)" 700

# A copy that fails leaves nothing.
RV_FAULT=backup_step:enospc expect 6 reeve db backup failed.db
RV_FAULT=backup_sync:eio expect 74 reeve db backup failed.db
is "$(find . -name 'failed*' | wc -l)" 0
(RV_FAULT=backup_sync:kill reeve db backup killed.db) >/dev/null 2>&1
[ ! -e killed.db ] || fail "a copy has its name before it is synced"
rm killed.db.new-*

# Of the jobs that a restore undoes an output stays; no later job has their numbers.
expect 0 reeve add -q default -- echo undone
undone=$out
expect 0 reeve wait "$undone"
expect 0 reeve batch new
highest=$(number "SELECT batches FROM tally WHERE id = 0")
event=$(number "SELECT n FROM tally WHERE id = 0")
expect 0 reeve shutdown --now
wait $daemon
before=$(number "SELECT epoch FROM tally WHERE id = 0")
jobs=$(number "SELECT count(*) FROM job")

# Refused, and the store is what it was.
head -c 100000 copy1.db >torn.db
expect 74 reeve db restore torn.db
errs "damaged"
cp copy1.db bad.db
python3 -c '
with open("bad.db", "r+b") as f:
    for page in range(20, 30):
        f.seek(4096 * page)
        f.write(b"\x5a" * 64)'
expect 74 reeve db restore bad.db
expect 78 reeve db restore r.ini
errs "not a store"
expect 3 reeve db restore nothing.db
mkfifo hold
sqlite3 state/reeve.db ".shell touch open" "SELECT 1" ".read hold" >/dev/null 2>&1 &
holder=$!
exec 9>hold
until [ -e open ]; do :; done
echo "BEGIN; SELECT count(*) FROM job;" >&9
echo ".shell touch reads" >&9
until [ -e reads ]; do :; done
expect 75 reeve db restore copy1.db
errs "somebody has $work/state/reeve.db open; nothing was changed"
exec 9>&-
wait $holder
RV_FAULT=restore_rename:eio expect 74 reeve db restore copy1.db
is "$(number "SELECT count(*) FROM job")" "$jobs"
is "$(find state -name '*.replaced-*' -o -name '*.new-*' | wc -l)" 0
expect 0 reeve db check
# Killed at the last moment: it is said what there is, and either name is the whole old store.
(RV_FAULT=restore_rename:kill reeve db restore copy1.db) >/dev/null 2>&1
expect 78 reeve jobs
errs "has 2 names (hard links)"
rm state/*.replaced-* state/*.new-*
is "$(number "SELECT count(*) FROM job")" "$jobs"
expect 0 reeve db check

# While it goes on nothing is stored: it would be set aside with the old store.
RV_FAULT=backup_sync:stop "$bin" db restore copy1.db >restored 2>&1 &
restoring=$!
until [[ $(state_of $restoring) == [TZ] ]]; do :; done
expect 75 reeve --busy-timeout 100ms add -- true
expect 75 reeve db restore copy5.db
expect 0 reeve show 1
# Who waits meanwhile finds the new one.
"$bin" add -- true >waited 2>waited.err &
waiting=$!
until [ -n "$(find "/proc/$waiting/fd" -lname "$work/state/reeve.db")" ] || [ "$(state_of $waiting)" = Z ]; do :; done
kill -CONT $restoring
wait $restoring || fail "the restore failed: $(cat restored)"
wait $waiting || fail "it was not stored: $(cat waited.err)"
expect 0 reeve show "$(cat waited)"
expect 0 reeve db check
rm state/reeve.db state/reeve.db-*
mv state/reeve.db.replaced-* state/reeve.db

# Restored: the jobs of then, and no fence that was ever given is given again.
expect 0 reeve db restore copy5.db
says "restored: "
errs "the store that was there is now $work/state/reeve.db.replaced-"
after=$(number "SELECT epoch FROM tally WHERE id = 0")
[ "$after" -gt "$before" ] || fail "the epoch was $before and is $after"
expect 0 reeve db check
expect 0 reeve --store "$(find "$work/state" -name '*.replaced-*')" db check
expect 0 reeve add -- true
[ "$out" -gt "$undone" ] || fail "job $out is given after job $undone was"
expect 0 reeve logs "$out"
is "$out" ""
[ "$(number "SELECT batches FROM tally WHERE id = 0")" -ge "$highest" ] || fail "a batch is given twice"
[ "$(number "SELECT n FROM tally WHERE id = 0")" -ge "$event" ] || fail "the number of an event is given twice"
"$build/bin/reeved" >log2 2>&1 &
daemon=$!
await log2 daemon.ready $daemon
expect 0 reeve wait --all --timeout 5m
expect 0 reeve db check
expect 0 reeve shutdown
wait $daemon

# A store that nobody can read any more.
echo garbage >state/reeve.db
expect 78 reeve jobs
expect 0 reeve --json db restore copy5.db
json damaged:bool=true aside:text jobs:int
expect 0 reeve db check
later=$(number "SELECT epoch FROM tally WHERE id = 0")
[ "$later" -gt "$after" ] || fail "the epoch was $after and is $later"
expect 0 reeve add -- true
[ "$out" -gt 1000000000 ] || fail "job $out may have been given before"

# Its log without it would be read into the restored one.
expect 0 reeve add -- true
[ -s state/reeve.db-wal ] || fail "there is no log to leave behind"
rm state/reeve.db
expect 5 reeve db restore copy5.db
errs "$work/state/reeve.db-wal is the log of a store that is not there: move it away first"
is "$(find state -name 'reeve.db' -o -name '*.new-*' | wc -l)" 0

# None at all: nobody can tell which fences it gave.
rm -r state
mkdir -m 700 state
expect 0 reeve db restore copy5.db
lost=$(number "SELECT epoch FROM tally WHERE id = 0")
[ "$lost" -gt $((before + 1)) ] || fail "the epoch was $before and is $lost"
is "$err" "reeve: what was done since then runs again when reeved is started"
expect 0 reeve db check
