# Batches without a daemon: what is said, refused, listed; --batch of one job, of a line, of a file.
cat >b.ini <<-INI
	[store]
	path = $work/b.db
	[reeve]
	adhoc = yes
	[task:report]
	command = /bin/echo \${arg.to}
INI
export REEVE_CONFIG=$work/b.ini
expect 3 reeve batch new --on-success reprot
errs 'no such task "reprot", did you mean "report"?'
expect 2 reeve batch new --on-success report
errs "task report needs the argument to="
expect 2 reeve batch new to=x --on-success report to=me
errs "to=x: arguments come after"
expect 2 reeve batch new to=x
errs "to=x: arguments come after"
expect 2 reeve batch new --on-success report to=a to=b
errs "given twice"
expect 0 reeve batch new --name "one night" --label x --on-success report to=a --label y --on-complete report to=b
is "$out" 1
expect 0 reeve --json batch new
json id:int=2
expect 0 reeve --json batch show 1
json id:int=1 'name:text=one night' state:text=open total:int=0 'labels[1]:text=y' closed_at:null ended_at:null \
	on_success.task:text=report on_success.args.to:text=a on_success.job:null on_complete.args.to:text=b
expect 2 reeve batch new --max-failures 5% --fail-fast
errs "--fail-fast is --max-failures 0: say one of them"
expect 2 reeve batch new --cancel-running
errs "--cancel-running is for --max-failures or --fail-fast"
expect 2 reeve batch new --max-failures 101%
errs "--max-failures 101%: not a number of jobs, or a percentage such as 5%"
expect 2 reeve batch new --max-failures=-1
expect 0 reeve --json batch show 1
json max_failures:null max_failures_percent:null cancel_running:bool=false failed_at:null
expect 0 reeve add --batch 1 -- true
echo '{"command":["true"],"batch":2}
{"command":["true"]}' >lines.jsonl
expect 0 reeve add --batch 1 --from-file lines.jsonl
expect 3 reeve add --batch 9 -- true
errs "no such batch 9"
expect 2 reeve add --batch 0 -- true
expect 2 reeve add --batch x -- true
expect 0 reeve batch show 1
says "jobs         2: 2 pending, 0 succeeded, 0 dead, 0 cancelled"
says "on success   report"
expect 0 reeve --json show 1
json batch:int=1 callback:bool=false
expect 0 reeve show 1
says "batch        1"
expect 0 reeve why 3
says "it is in batch 1, of which 2 of 2 jobs are not finished"
expect 0 reeve --json jobs batch:1 sort:id
json jobs:array=2 'jobs[0].id:int=1' 'jobs[1].id:int=3'
expect 0 reeve --json jobs 'batch!=1'
json jobs:array=1 'jobs[0].id:int=2'
expect 124 reeve batch wait --timeout 10ms 1
errs "batch 1 is open: it ends after reeve batch close 1"
expect 0 reeve batch close 1
is "$out" "1 is closed, 2 of 2 jobs are not finished"
expect 5 reeve batch close 1
errs "batch 1 is closed"
expect 5 reeve add --batch 1 -- true
errs "batch 1 is closed"
expect 124 reeve --json batch wait --timeout 10ms 1
json pending:int=2 timed_out:bool=true
expect 0 reeve cancel 1
expect 5 reeve delete 1
errs "job 1 belongs to batch 1, which is not finished"
expect 0 reeve batch cancel --dry-run 1
is "$out" "1 would be: cancelled"
expect 0 reeve --json batch cancel 1
json matched:int=1 done:int=1
expect 1 reeve batch wait 1
errs "2 of 2 jobs did not succeed (0 dead, 2 cancelled)"
expect 0 reeve --json batch show 1
json state:text=ended cancelled:int=2 on_success.job:null on_complete.job:int=4
expect 0 reeve --json show 4
json batch:int=1 callback:bool=true args.to:text=b
expect 0 reeve why 4
says "it is what batch 1 was to call when it had ended"
expect 0 reeve retry 1
expect 0 reeve --json batch show 1
json state:text=closed pending:int=1 on_complete.job:int=4
expect 0 reeve cancel 1
expect 0 reeve --json batch close 2
json id:int=2 state:text=closed
expect 0 reeve batch new
expect 0 reeve batch close 3
is "$out" "3 is closed, all of its 0 jobs are finished"
expect 0 reeve batch wait 3
expect 0 reeve --json batch wait 3
json total:int=0 state:text=ended
expect 0 reeve batch ls --limit 2
is "$(printf '%s\n' "$out" | wc -l)" 3
errs "there are more: --cursor 2"
expect 0 reeve --json batch ls --cursor 2
json batches:array=1 'batches[0].id:int=1' next:null
expect 0 reeve delete --query batch:1
is "$out" "2 deleted"
expect 3 reeve batch show 1
errs "there is no batch 1"

# Forgotten: only when it is over; its jobs stay, or go with it.
expect 0 reeve batch new
is "$out" 4
for n in 1 2 3; do expect 0 reeve add --batch 4 -- true; done
first=$((out - 2))
expect 5 reeve batch delete 4
errs "batch 4 is open: reeve batch close 4, or cancel, first"
expect 0 reeve batch close 4
expect 5 reeve batch delete 4 --jobs
errs "batch 4 has not ended: 3 of its 3 jobs are not finished"
expect 0 reeve batch cancel 4
expect 2 reeve batch delete 4 --query state:dead
errs "are for --jobs"
expect 0 reeve batch delete 4 --dry-run
is "$out" "4 would be: deleted"
errs "its 3 jobs would stay"
expect 0 reeve batch delete 4 --jobs --dry-run
is "$out" "3 would be: deleted"
expect 0 reeve batch delete 4 --jobs --query "id:$first"
is "$out" "1 deleted"
expect 0 reeve --json batch show 4
json total:int=3 deleted:int=1
expect 0 reeve --json batch delete 4
json batch:int=4 jobs_left:int=2 dry_run:bool=false
expect 3 reeve batch delete 4
errs "there is no batch 4"
expect 3 reeve add --batch 4 -- true
expect 0 reeve --json jobs batch:4
json jobs:array=2
expect 0 reeve why $((first + 1))
expect 0 reeve retry $((first + 1))
expect 0 reeve why $((first + 1))
expect 0 reeve cancel $((first + 1))
expect 0 reeve delete --query batch:4
is "$out" "2 deleted"
expect 0 reeve batch new
for n in 1 2 3; do expect 0 reeve add --batch 5 -- true; done
expect 0 reeve batch cancel 5
expect 0 reeve --json batch delete 5 --jobs
json matched:int=3 done:int=3
expect 3 reeve batch show 5
expect 0 reeve batch delete 3 --jobs # it had none
is "$out" "0 deleted"
expect 3 reeve batch show 3
expect 0 reeve db check
for verb in show close wait cancel delete; do
	expect 3 reeve batch $verb 99
	expect 2 reeve batch $verb x
done
