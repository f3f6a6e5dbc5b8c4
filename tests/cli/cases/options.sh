# What a new job may say of its keys and parents, and what it is told.
s="--store o/s.db -o reeve.adhoc=yes"
# shellcheck disable=SC2086
{
add() { reeve $s add "$@" -- true 2>/dev/null; }

# Unique keys.
first=$(add --unique k)
expect 5 reeve $s add --unique k -- true
errs "held by job $first"
expect 0 reeve $s --json add --unique k --on-conflict skip -- true
json "id:int=$first" skipped:bool=true rescheduled:bool=false replaced:bool=false repeated:bool=false
expect 0 reeve $s --json add --unique k --on-conflict reschedule --delay 1h -- true
json "id:int=$first" skipped:bool=true rescheduled:bool=true
expect 0 reeve $s --json show "$first"
json state:text=scheduled unique_key:text=k unique_until:text=finished
expect 0 reeve $s --json add --unique k --until 1h --on-conflict replace -- true
json "id:int=$((first + 1))" replaced:bool=true skipped:bool=false
expect 0 reeve $s show "$first"
[[ $out == *"replaced by job $((first + 1))"* ]] || fail "$out"
expect 0 reeve $s show $((first + 1))
[[ $out == *"held until   1h"* ]] || fail "$out"
# For a time: also of a job that is cancelled, also of one that is no more.
expect 0 reeve $s cancel $((first + 1))
expect 5 reeve $s add --unique k -- true
errs "for another"
expect 0 reeve $s delete $((first + 1))
expect 5 reeve $s add --unique k --on-conflict replace -- true
errs "which is no more"
started=$(add --unique s --until started)
expect 0 reeve $s --json show "$started"
json unique_until:text=started
expect 0 reeve $s --json show "$(add)"
json unique_key:null unique_until:null

# Sixteen at once, each a process: one wins, the others name it.
mkdir many
for i in $(seq 16); do
	(
		"$bin" $s add --unique race -- true >"many/$i.out" 2>"many/$i.err" </dev/null
		echo $? >"many/$i.code"
	) &
done
wait
is "$(grep -lx 0 many/*.code | wc -l)" 1
is "$(grep -lx 5 many/*.code | wc -l)" 15
winner=$(cat many/*.out)
is "$(grep -l "held by job $winner\b" many/*.err | wc -l)" 15
is "$(reeve $s db sql "SELECT count(*) FROM job WHERE unique_key = 'race'" | tail -n 1)" 1

# Idempotency keys are remembered for as long as is said, whatever becomes of the job.
kept=$(add --idempotency-key i)
expect 0 reeve $s cancel "$kept"
expect 0 reeve $s delete "$kept"
is "$(add --idempotency-key i)" "$kept"
expect 5 reeve $s add --idempotency-key i -- false
errs "used for other work, job $kept"
is "$(reeve $s -o store.idempotency_ttl=1d add --idempotency-key day -- true 2>/dev/null |
	xargs -I{} "$bin" $s db sql "SELECT i.expires - j.created_at FROM idem i JOIN job j USING (id) WHERE id = {}" |
	tail -n 1)" 86400000000
expect 78 reeve $s -o store.idempotency_ttl=0s add -- true

# Parents.
parent=$(add)
child=$(add --after "$parent" --on failure)
any=$(add --after "$parent" --on any)
expect 0 reeve $s why "$child"
[[ $out == *"it waits for job $parent to fail, which is ready"* ]] || fail "$out"
expect 0 reeve $s why "$any"
[[ $out == *"it waits for job $parent to end, which is ready"* ]] || fail "$out"
expect 0 reeve $s cancel "$parent"
expect 0 reeve $s why "$child"
[[ $out == *"parent $parent was cancelled"* ]] || fail "$out"
expect 0 reeve $s --json show "$any"
json state:text=ready
expect 5 reeve $s add --after "$parent" -- true
errs "parent $parent was cancelled"
expect 5 reeve $s add --after "$parent" --on failure -- true
expect 0 reeve $s add --after "$parent" --on any -- true
expect 0 reeve $s delete "$parent"
expect 3 reeve $s add --after "$parent" --on any -- true
errs "gone"
expect 3 reeve $s add --after 999999 -- true
errs "there is no job 999999"

# Slips name what was slipped on, and leave nothing.
count=$(reeve $s db sql 'SELECT count(*) FROM job' | tail -n 1)
long=$(printf 'k%.0s' $(seq 10240))
for option in --unique --key --idempotency-key --label; do
	expect 2 reeve $s add "$option" "$long" -- true
	errs "$option: 10240 bytes, 255 are allowed"
done
expect 2 reeve $s add --unique k2 --until tomorrow -- true
errs "--until tomorrow"
expect 2 reeve $s add --unique k2 --until 0s -- true
errs "--until 0s"
expect 2 reeve $s add --until started -- true
errs "--until says nothing without --unique"
expect 2 reeve $s add --on-conflict skip -- true
errs "--on-conflict says nothing without --unique"
expect 2 reeve $s add --unique k2 --on-conflict ignore -- true
errs "--on-conflict ignore"
expect 2 reeve $s add --on any -- true
errs "--on says nothing without --after"
expect 2 reeve $s add --after 1 --on sucess -- true
errs "--on sucess"
printf '{"command":["true"],"on":"any"}\n' >bad.jsonl
expect 2 reeve $s add --from-file bad.jsonl
errs "bad.jsonl:1: on says nothing without after"
printf '{"command":["true"],"labels":["%s"]}\n' "$long" >bad.jsonl
expect 2 reeve $s add --from-file bad.jsonl
errs "labels: 10240 bytes"
is "$(reeve $s db sql 'SELECT count(*) FROM job' | tail -n 1)" "$count"

# In bulk as well.
cat >bulk.jsonl <<-L
	{"command":["true"],"unique":"b","until":"started"}
	{"command":["true"],"unique":"b","on_conflict":"skip"}
	{"command":["true"],"unique":"b","until":"5m","on_conflict":"replace"}
	{"command":["true"],"after":[$any],"on":"failure"}
L
expect 0 reeve $s --json add --from-file bulk.jsonl
json ids:array=4
is "$(reeve $s db sql "SELECT unique_until FROM job WHERE unique_key = 'b' ORDER BY id" | tail -n 2 | tr '\n' ' ')" "-1 300000000 "
expect 0 reeve $s db check
}

# A queue that is full, as it is seen.
printf '[store]\npath = %s\n[reeve]\nadhoc = yes\n[queue:default]\nqueue_max = 2\n' "$work/full.db" >full.ini
export REEVE_CONFIG=$work/full.ini
reeve add -- true >/dev/null 2>&1
expect 0 reeve --json queue show default
json queue_max:int=2 on_full:text=reject
expect 0 reeve queue ls
[[ $out == *active* ]] || fail "$out"
reeve add -- true >/dev/null 2>&1
expect 6 reeve --json add -- true
[[ $err == *'"name":"FULL"'*'queue default is full: 2 of 2 jobs wait in it'* ]] || fail "$err"
expect 0 reeve queue ls
[[ $out == *full* ]] || fail "$out"
expect 78 reeve -o queue:default.on_full=explode queue ls
expect 2 reeve add --full-timeout soon -- true
