# What nobody needs any more: outputs go with their jobs, and db cleanup finds what was left.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	adhoc = yes
	[defaults]
	backoff = none
	max_attempts = 2
INI
export REEVE_CONFIG=$work/r.ini
unset NOTIFY_SOCKET
"$build/bin/reeved" >log 2>&1 &
daemon=$!
trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
await log daemon.ready $daemon
outputs() { find state/output -type f -printf '%f\n' | sort | tr '\n' ' '; }

for i in 1 2 3 4; do reeve add -- echo "job $i" >/dev/null; done
reeve add -- sh -c 'echo out; exit 3' >/dev/null
reeve add --delay 1h -- echo later >/dev/null
expect 1 reeve wait 1 2 3 4 5
is "$(outputs)" "1.1.out 2.1.out 3.1.out 4.1.out 5.1.out 5.2.out "
expect 0 reeve delete 1
expect 0 reeve delete --query 'id:5'
is "$(outputs)" "2.1.out 3.1.out 4.1.out "

# Left behind: of jobs that are gone, and what never got its name.  Kept: all else.
cp state/output/0/2.1.out state/output/0/1.1.out
mkdir state/output/7
echo x >state/output/7/7001.1.tail
echo x >state/output/0/notes.txt
echo x >state/output/0/1.1.out.bak
mkdir state/backup
echo x >state/reeve.db.new-0123456789abcdef
echo x >state/backup/reeve-20200101T000000Z.db.new-0123456789abcdef
touch -d '2 days ago' state/*.new-* state/backup/*.new-*
echo x >state/reeve.db.new-fedcba9876543210
expect 0 reeve --json db cleanup --dry-run
json files:int=4 dry_run:bool=true kept:int=0 bytes:int
expect 0 reeve db cleanup
says "4 files removed"
is "$(outputs)" "1.1.out.bak 2.1.out 3.1.out 4.1.out notes.txt "
[ ! -e state/output/7 ] || fail "an empty folder stays"
is "$(find state -name '*.new-*')" state/reeve.db.new-fedcba9876543210
expect 0 reeve logs 2
is "$out" "job 2"
expect 0 reeve db cleanup
says "0 files removed, 0"
expect 0 reeve db check

# A copy does not know the jobs of later: no output of the store that runs goes by what it says.
mkdir else
expect 0 reeve db backup else/c.db
expect 0 reeve db backup state/c.db
expect 0 reeve add -- echo after
after=$out
expect 0 reeve wait "$after"
kept=$(outputs)
for copy in "$work/else/c.db" "$work/state/c.db"; do
	expect 0 reeve --store "$copy" db cleanup
	says "0 files removed"
	errs "outputs were left alone: nobody can tell whether they are those of $copy"
	expect 0 reeve -o "store.path=$copy" db cleanup
	REEVE_STORE__PATH=$copy expect 0 reeve db cleanup
	expect 0 env -u REEVE_CONFIG REEVE_STORE="$copy" "$bin" -o "reeve.state_dir=$work/state" db cleanup
	expect 0 reeve --store "$copy" delete --query 'state:succeeded'
	is "$(outputs)" "$kept"
done
# Nor does one that was put in its place by a restore, which has a lock as a store has.
echo "; another one" >none.ini
for config in "REEVE_CONFIG=$REEVE_CONFIG" "REEVE_CONFIG=$work/none.ini"; do
	expect 0 env "$config" "$bin" --store "$work/state/c2.db" db restore "$work/else/c.db"
	[ -e state/c2.db.lock ] || fail "it had no lock"
	expect 0 env "$config" "$bin" --store "$work/state/c2.db" db cleanup
	errs "outputs were left alone: nobody can tell whether they are those of $work/state/c2.db"
	expect 0 env "$config" "$bin" --store "$work/state/c2.db" delete --query 'state:succeeded'
	REEVE_STORE__PATH=$work/state/c2.db expect 0 env "$config" "$bin" db cleanup
	is "$(outputs)" "$kept"
done
# Also where the store that runs lies elsewhere.
mkdir -p far/home/output/0
cat >far.ini <<-INI
	[reeve]
	state_dir = $work/far/home
	[store]
	path = $work/far/q.db
INI
echo x >far/home/output/0/1.1.out
expect 0 env REEVE_CONFIG="$work/far.ini" "$bin" --store "$work/far/home/c3.db" db restore "$work/else/c.db"
expect 0 env REEVE_CONFIG="$work/far.ini" "$bin" --store "$work/far/home/c3.db" db cleanup
says "0 files removed"
errs "outputs were left alone"
[ -e far/home/output/0/1.1.out ] || fail "an output of another store was removed"
expect 0 reeve logs "$after"
is "$out" after
# Of the store itself they go, also when it is named.
expect 0 reeve --store "$work/state/reeve.db" delete "$after"
cp state/output/0/2.1.out state/output/0/1.1.out
expect 0 reeve --store "$work/state/reeve.db" db cleanup
says "1 files removed"
is "$(outputs)" "1.1.out.bak 2.1.out 3.1.out 4.1.out notes.txt "
