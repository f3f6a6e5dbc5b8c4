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
# Metadata: in pairs and objects, found again.
meta='{"n":5,"a b":"c d"}'
id=$(reeve $s add --meta tenant=acme --meta "$meta" --meta eq=a=b -- true 2>/dev/null)
expect 0 reeve $s --json show "$id"
json meta.tenant:text=acme meta.n:int=5 meta.eq:text=a=b
expect 0 reeve $s show "$id"
[[ $out == *'metadata     {"tenant":"acme","n":5,"a b":"c d","eq":"a=b"}'* ]] || fail "$out"
expect 0 reeve $s --json jobs 'meta.tenant:a*' meta.n:5 'meta."a b":"c d"'
json jobs:array=1 "jobs[0].id:int=$id"
expect 0 reeve $s --json jobs meta.tenant:other
json jobs:array=0
for bad in x =y '{' '[]' '{"a":1}x' $'a=\xff'; do
	expect 2 reeve $s add --meta "$bad" -- true
done
expect 2 reeve $s add --meta a=1 --meta '{"a":2}' -- true
errs "--meta: a is given twice"
expect 2 reeve $s add --meta "a=$(head -c 16400 /dev/zero | tr '\0' a)" -- true
errs "the metadata has"
expect 2 reeve $s jobs meta:acme
errs "column 5 of the query: meta needs a name: meta.NAME:VALUE"
expect 0 reeve $s delete --query "id:$id" --dry-run
expect 0 reeve $s cancel "$id"
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
