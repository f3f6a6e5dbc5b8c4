# Queries: the caret under the place, pages, JSON.
s="--store q/s.db -o reeve.adhoc=yes"
for i in 1 2 3; do reeve $s add --label "n$i" -- true >/dev/null 2>&1 || fail "add"; done
expect 2 reeve $s jobs queue:default stat:dead
is "$err" "reeve: column 15 of the query: there is no field stat; did you mean state?
  queue:default stat:dead
                ^"
expect 2 reeve $s jobs 'label:ä' 'attempts>x'
is "${err#*$'\n'}" "  label:ä attempts>x
                   ^"
expect 2 reeve $s --json jobs stat:dead
is "$(printf '%s' "$err" | wc -l)" 0
[[ $err == *'"message":"column 1 of the query: there is no field stat; did you mean state?"'* ]] || fail "$err"
expect 0 reeve $s --json jobs --limit 2
json jobs:array=2 'jobs[0].id:int=3' 'next:text=2'
expect 0 reeve $s --json jobs --limit 2 --cursor 2
json jobs:array=1 'jobs[0].id:int=1' next:null
expect 0 reeve $s --json jobs 'label!=n2' sort:id
json jobs:array=2 'jobs[0].id:int=1' next:null
expect 0 reeve $s --json cancel --query 'id>=2' --dry-run
json matched:int=2 done:int=0 left:int=0 dry_run:bool=true errors:array=0
expect 0 reeve $s --json cancel --query 'id>=2'
json matched:int=2 done:int=2 left:int=0 dry_run:bool=false errors:array=0
expect 0 reeve $s retry --query state:cancelled
is "$out" "2 is ready again"
# Many, in batches, at a rate.
seq 200 | sed 's/.*/{"command":["true"],"labels":["many"]}/' | reeve $s add --from-file - >/dev/null 2>&1
before=$(date +%s%N)
expect 0 reeve $s cancel --query label:many --rate 1000/1s
is "$out" "200 cancelled"
[ $(($(date +%s%N) - before)) -ge 130000000 ] || fail "it was faster than its rate"
expect 0 reeve $s --json delete --query 'label:many state:cancelled'
json matched:int=200 done:int=200
expect 0 reeve $s cancel 3
expect 0 reeve $s --json queue purge default
json matched:int=2 done:int=2
expect 0 reeve $s --json queue drain default
json total:int=0 timed_out:bool=false
expect 6 reeve $s add -- true
errs "queue default is draining, it takes no new jobs: reeve queue resume default"
expect 0 reeve $s queue ls --json
json 'queues[0].draining:bool=true' 'queues[0].paused:bool=false'
expect 0 reeve $s queue resume default
expect 0 reeve $s jobs state:dead
is "$out" ""
expect 0 reeve $s --json dlq ls key:x
json jobs:array=0 next:null
