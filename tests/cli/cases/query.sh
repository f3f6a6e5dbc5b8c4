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
expect 0 reeve $s jobs state:dead
is "$out" ""
expect 0 reeve $s --json dlq ls key:x
json jobs:array=0 next:null
