# The shapes of --json (INTERFACE), without a daemon.
s="--store s/s.db -o reeve.adhoc=yes"
job="id:int task:text|null queue:text state:text priority:int attempt:int max_attempts:int \
run_at:text|null created_at:text|null started_at:text|null finished_at:text|null \
exit_code:int|null signal:int|null error:text|null worker:text|null fence:int|null \
result:any progress:any labels:array meta:object|null batch:int|null callback:bool key:text|null"

# fields PREFIX: the job's fields under a prefix.
fields() { local f; for f in $job; do printf '%s%s ' "$1" "$f"; done; }

# shellcheck disable=SC2086
{
	expect 7 reeve $s status --json
	json daemon.state:text=stopped daemon.pid:null daemon.uptime_s:null pools:array=0 workers:array=0 queues:array=0
	expect 0 reeve $s add --json --label x --key k --priority 3 -- echo $'a\nb' 'c d'
	json id:int=1 repeated:bool=false
	errs "stored; reeved is not running"
	expect 0 reeve $s add --json --delay 1h -- true
	expect 0 reeve $s --json jobs
	json jobs:array=2 $(fields 'jobs[].')
	json 'jobs[0].state:text=scheduled' 'jobs[1].labels[0]:text=x' 'jobs[1].key:text=k' \
		'jobs[1].priority:int=3' $'jobs[1].command[1]:text=a\nb' 'jobs[1].command[2]:text=c d' \
		'jobs[1].task:null' 'jobs[1].exit_code:null'
	expect 0 reeve $s jobs --json --limit 0 --state ready
	json jobs:array=1
	expect 0 reeve $s show 1 --json
	json $(fields '') attempts:array=0 command:array=3 cwd:text="$work"
	expect 3 reeve $s result --json 1
	expect 0 reeve $s why --json 2
	json id:int=2 state:text=scheduled 'reasons[0].code:text=scheduled' 'reasons[].text:text' 'reasons[1].code:text=not_running'
	expect 0 reeve $s logs 1 --json
	json id:int=1 run:int=0 output:array=0
	expect 0 reeve $s queue ls --json
	json queues:array=1 'queues[0].name:text=default' 'queues[0].ready:int=1' 'queues[0].scheduled:int=1' \
		'queues[].running:int=0' 'queues[].blocked:int=0' 'queues[].succeeded:int=0' 'queues[].dead:int=0' \
		'queues[].paused:bool=false' 'queues[0].oldest_ready_s:int'
	expect 0 reeve $s stats --json
	json queues:array=1 'queues[0].name:text=default' 'queues[0].ready:int=1' 'queues[0].oldest_ready_s:int' \
		'queues[0].last_minute:int=0' 'queues[0].hour.succeeded:int=0' 'queues[0].ever.wait_us.count:int=0' \
		'queues[0].ever.run_us.p99:null' 'queues[0].hour.busy_us:int=0'
	expect 0 reeve $s stats --tasks --json
	json tasks:array=0
	expect 0 reeve $s limits --json
	json limits:array=0
	expect 0 reeve $s queue pause default --json
	json 'queues[0].name:text=default' 'queues[0].paused:bool=true'
	expect 0 reeve $s queue show default --json
	json name:text=default paused:bool=true last_minute:int=0 ever.dead:int=0 hour.wait_us.p50:null
	expect 0 reeve $s queue resume default --json
	json 'queues[0].paused:bool=false'
	expect 0 reeve $s hold 1 --json
	json 'jobs[0].id:int=1' 'jobs[0].ok:bool=true'
	expect 0 reeve $s jobs id:1 --json
	json 'jobs[0].held:bool=true' 'jobs[0].state:text=blocked'
	expect 5 reeve $s hold 1 --json
	json 'jobs[0].ok:bool=false' 'jobs[0].error:text'
	expect 0 reeve $s release 1 --json
	json 'jobs[0].ok:bool=true'
	expect 0 reeve $s edit 1 --priority 4 --json
	json 'jobs[0].ok:bool=true'
	expect 3 reeve $s cancel 1 77 --json
	json jobs:array=2 'jobs[0].id:int=1' 'jobs[0].ok:bool=true' 'jobs[0].error:null' 'jobs[1].ok:bool=false' 'jobs[1].error:text'
	expect 5 reeve $s retry --json 1 2
	json 'jobs[0].ok:bool=true' 'jobs[1].ok:bool=false'
	expect 0 reeve $s cancel 1 --json
	json 'jobs[0].cancel_requested:bool=false'
	expect 1 reeve $s wait 1 --json
	json total:int=1 cancelled:int=1 pending:int=0 timed_out:bool=false
	expect 124 reeve $s wait --all --timeout 1ms --json
	json total:int=1 pending:int=1 timed_out:bool=true
	expect 0 reeve $s retry 1 --json
	expect 0 reeve $s cancel 1
	expect 0 reeve $s delete 1 --json
	json 'jobs[0].ok:bool=true'
	expect 0 reeve $s dlq ls --json
	json jobs:array=0
	expect 0 reeve $s db stats --json
	json stats:object
	expect 0 reeve $s db check --json
	json ok:bool=true broken:array=0
	expect 0 reeve $s db checkpoint --json
	json log_bytes:int
	expect 0 reeve $s db sql --json 'SELECT 1 AS a, NULL AS b'
	json rows:array=1 'rows[0].a:text=1' 'rows[0].b:null'
	expect 0 reeve $s config check --json
	json ok:bool=true findings:array
	expect 78 reeve -o reeve.stop_timeut=1s config check --json
	json ok:bool=false findings:array=1 'findings[0].where:text' 'findings[0].warning:bool=false'
	expect 0 reeve $s config show --json
	json ini:text
	expect 0 reeve config explain --json pool.workers
	json text:text
	expect 0 reeve version --json
	json version:text sqlite:text
	expect 0 reeve help --json
	json verbs:array 'verbs[].name:text' 'verbs[].usage:text'
	expect 7 reeve $s status --json
	json daemon.state:text=stopped 'queues[0].name:text=default' 'queues[0].scheduled:int=1' 'queues[0].ready:int=0'
	expect 0 reeve $s cancel 2
	expect 0 reeve $s wait --all --json
	json total:int=0
}
