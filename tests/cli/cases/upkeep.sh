# Upkeep: named, it is there; each is a task like any other, and runs the reeve that runs it.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	adhoc = yes
	[queue:old]
	[queue:new]
	[schedule:reeve.backup]
	[schedule:reeve.retention]
	cron = @daily
	[task:reeve.retention]
	command = reeve delete --query 'state:succeeded queue:old'
	queue = keep
	[schedule:reeve.cleanup]
	[schedule:reeve.checkpoint]
	[schedule:reeve.health]
	enabled = no
	[schedule:reeve.check]
	timezone = Europe/Berlin
	[schedule:reeve.statistics]
INI
export REEVE_CONFIG=$work/r.ini
unset NOTIFY_SOCKET
expect 0 reeve config check
expect 0 reeve --json config show
"$build/bin/reeved" >log 2>&1 &
daemon=$!
trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
await log daemon.ready $daemon
expect 0 reeve --json cron ls
json schedules:array=7

# Each runs, and what it printed is its job's output.
expect 0 reeve add -q old -- true
expect 0 reeve add -q new -- echo kept
expect 0 reeve wait 1 2
run() { # SCHEDULE: once, to its end; its output in $out
	expect 0 reeve cron run "reeve.$1"
	id=$out
	expect 0 reeve wait "$id"
	expect 0 reeve logs "$id"
}
run retention
says "1 deleted"
expect 3 reeve show 1
expect 0 reeve show 2
expect 0 reeve --json show "$id"
json queue:text=keep task:text=reeve.retention max_attempts:int=1
run backup
says "$work/state/backup/reeve-"
expect 0 reeve --store "$out" db check
run cleanup
says "files removed"
run checkpoint
says "checkpointed"
run check
says "the store is well"
run statistics
says "reeve.backup"
run health
says "reeved runs and answers"

# What is wrong is a dead letter that says so.
expect 0 reeve add --max-attempts 1 -- false
expect 1 reeve wait "$out"
expect 0 reeve doctor
says "1 dead letters: reeve dlq groups"

# Misuse.
cat >bad.ini <<-INI
	[schedule:reeve.backp]
	[task:reeve.mine]
	command = true
INI
expect 78 reeve -c bad.ini config check
says "bad.ini:1: [schedule:reeve.backp]: names that begin with reeve. are those of reeve's own upkeep, and this is none; did you mean reeve.backup?"
says "bad.ini:2: [task:reeve.mine]"
expect 0 reeve shutdown
wait $daemon
expect 10 reeve doctor
says "reeved is not running"
expect 10 reeve --json doctor --full
json ok:bool=false findings:array
