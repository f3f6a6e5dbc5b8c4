# With the real daemon: jobs run, are followed, waited for, cancelled; the daemon is told things.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	adhoc = yes
	[pool:default]
	workers = 2
	queues = default, other
	[queue:alone]
	[defaults]
	max_attempts = 4
	[task:greet]
	command = /bin/echo "hello \${arg.name}"
	[task:again]
	command = /bin/sh -c "test -e again || { touch again; echo no >&2; exit 3; }; echo yes"
	cwd = $work
	backoff = none
INI
export REEVE_CONFIG=$work/r.ini
unset NOTIFY_SOCKET
: >log
"$build/bin/reeved" >log 2>&1 &
daemon=$!
trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
await log daemon.ready $daemon

expect 0 reeve status
says "ready"
expect 0 reeve status --json
json daemon.state:text=ready daemon.pid:int=$daemon daemon.uptime_s:int pools:array=1 'pools[0].name:text=default' \
	'pools[0].target:int=2' 'pools[0].alive:int=2' 'pools[0].state:text' 'pools[0].restarts:int=0' workers:array=2 \
	'workers[].id:text' 'workers[].pid:int' 'workers[].pool:text=default' 'workers[].state:text' 'workers[].job:int|null' \
	'workers[].jobs_done:int' 'workers[].heartbeat_age_ms:int|null' 'workers[].rss_bytes:int' degraded:array=0 'queues[].name:text'
expect 0 reeve worker ls
says default/0
expect 0 reeve worker ls --json
json workers:array=2
expect 0 reeve pool ls
says default
expect 0 reeve pool ls --json
json pools:array=1

# run: output, streams, exit codes.
expect 0 reeve run greet 'name=$(id) "x"'
is "$out" 'hello $(id) "x"'
expect 7 reeve run -- sh -c 'echo out; echo err >&2; exit 7'
is "$out" out
is "$err" err
expect 137 reeve run -- sh -c 'kill -9 $$'
expect 125 reeve run -- /nonexistent/program
errs "/nonexistent/program"
expect 3 reeve run --max-attempts 2 -- sh -c 'echo "attempt $REEVE_ATTEMPT"; exit 3'
is "$out" $'attempt 1\nattempt 2'
head -c 3000000 /dev/urandom >blob
expect 0 reeve run --stdin blob -- cat
cmp -s blob .out || fail "3 MB through stdin and stdout are not the same"
printf 'a\0b\xff' >nul
expect 0 reeve run --stdin nul -- cat
cmp -s nul .out || fail "NULs through stdin and stdout are not the same"
expect 0 reeve run --json -- echo hi
json state:text=succeeded exit_code:int=0 'output[0].stream:text=stdout' $'output[0].text:text=hi\n'
# What ran was counted.
expect 0 reeve stats --task greet --json
json tasks:array=1 'tasks[0].name:text=greet' 'tasks[0].ever.succeeded:int=1' 'tasks[0].hour.wait_us.count:int=1' \
	'tasks[0].hour.run_us.p50:int' 'tasks[0].ever.maxrss_bytes:int'
expect 0 reeve stats --tasks
says "(commands)"
expect 0 reeve stats default
says "failed runs"
expect 0 reeve stats
says default
expect 3 reeve stats --task gret
errs "did you mean greet?"
expect 2 reeve stats default --tasks
expect 0 reeve run -e A='1 2' -C / -- sh -c 'echo "$A $PWD"'
is "$out" "1 2 /"
expect 3 reeve run nogreet

# What [defaults] says counts for commands of one's own as well.
expect 0 reeve add -- true
expect 0 reeve show "$out" --json
json max_attempts:int=4
expect 2 reeve run greet nam=x


# Two pipes: what was written within the same moment may be read in either order.
expect 0 reeve add -- sh -c 'echo one; echo two >&2'
id=$out
is "$err" ""
expect 0 reeve wait "$id"
expect 0 reeve logs "$id"
is "$(sort <<<"$out")" $'one\ntwo'
first=$out
expect 0 reeve logs -f "$id"
is "$out" "$first"
expect 0 reeve logs "$id" --json
json run:int=1 output:array 'output[0].text:text'
expect 0 reeve why "$id"
says "finished at"
expect 0 reeve show "$id" --json
json state:text=succeeded attempts:array=1 'attempts[0].outcome:text=succeeded' 'attempts[0].exit_code:int=0' \
	'attempts[0].worker:text' 'attempts[0].maxrss_bytes:int' 'attempts[0].usage_of:text=run'
expect 0 reeve show "$id"
says "succeeded"

expect 3 reeve result "$id"
errs "has left no result"
expect 0 reeve run -- sh -c 'echo "##reeve progress=50 half"; echo "##reeve {\"result\": [1, \"x\"]}"'
id=$(reeve jobs --json --limit 1 | grep -o '"id":[0-9]*' | head -n 1)
id=${id#*:}
expect 0 reeve result "$id"
is "$out" '[1,"x"]'
expect 0 reeve result "$id" --json
json id:int result:array=2 progress.percent:int=50 progress.message:text=half
expect 0 reeve show "$id"
says "progress     50 % half"
says "reeve result $id"

# -f sees what comes while it looks, until the end; head, gap and tail of a long one.
mkfifo gate
expect 0 reeve add -- sh -c "echo before; cat $work/gate; echo after"
id=$out
: >followed
reeve logs -f "$id" >followed &
follower=$!
await followed before $follower
expect 0 reeve why "$id"
says "has been running"
expect 0 reeve show "$id" --json
json state:text=running worker:text fence:int
echo through >gate
wait $follower
is "$?" 0
is "$(cat followed)" $'before\nthrough\nafter'
# One that asks to be tried later burns no attempt; the words say so, once for each run.
expect 0 reeve run -- sh -c 'test -e later || { touch later; echo not now >&2; exit 75; }; echo now'
is "$out" now
errs "it asked to be tried later (exit code 75"
[[ $err =~ "no attempt was used; the next run is due "(in\ [0-9]|now) ]] || fail "when? $err"
is "$(grep -c "tried later" .err)" 1
[[ $err != *"failed"* ]] || fail "nothing failed: $err"
is "$(reeve jobs --limit 1 --json | sed 's/.*"attempt":\([0-9]*\).*/\1/')" 1
# Nor does one whose worker is killed: it crashed, and that is counted by itself.
rm -f first
reeve run -- sh -c 'test -e first || { touch first; sleep 60; }; echo second' >.out 2>.err &
runner=$!
until [ -e first ]; do kill -0 $runner || break; done
kill -KILL "$(reeve worker ls --json | grep -o '"pid":[0-9]*,[^}]*"state":"busy"' | sed 's/"pid":\([0-9]*\).*/\1/')"
wait $runner
is "$?" 0
is "$(cat .out)" second
err=$(cat .err)
errs "it crashed (killed by signal 9"
errs "; no attempt was used"
[[ $err != *"failed"* ]] || fail "it is called a failed attempt: $err"
# The words are there also when the next run has begun before anybody looked.
expect 0 reeve run again
is "$out" yes
is "$(grep -c 'attempt 1 of 4 failed: exit code 3' .err)" 1
id=$(reeve add -- sh -c 'exit 75')
until reeve show "$id" --json | grep -q '"state":"scheduled"'; do :; done
expect 0 reeve why "$id"
says "it asked to be tried later (exit code 75); no attempt was used; the next run is due at "
expect 0 reeve cancel "$id"
expect 0 reeve run -- sh -c 'yes 0123456789abcde | head -c 40000000; echo the end'
is "$(tail -n 1 .out)" "the end"
expect 0 reeve jobs --limit 1 --json
id=$(sed 's/.*"id":\([0-9]*\).*/\1/' .out)
expect 0 reeve logs "$id"
is "$(grep -c '^\[reeve: [0-9]* bytes dropped\]$' .out)" 1
is "$(tail -n 1 .out)" "the end"
dropped=$(sed -n 's/^\[reeve: \([0-9]*\) bytes dropped\]$/\1/p' .out)
shown=$((dropped + $(grep -v '^\[reeve:' .out | wc -c)))
# The gap begins on a line of its own: a newline more, unless the head ended with one.
[ $shown = 40000008 ] || [ $shown = 40000009 ] || fail "$shown bytes of 40000008 are accounted for"
# A reader that has seen enough ends it as SIGPIPE would, without a word; a full disk is told.
for verb in "logs $id" "logs -f $id" "run -- seq 200000"; do
	is "$({ reeve $verb 2>.err; echo $? >.code; } | head -n 1 | wc -l)" 1
	is "$(cat .code; cat .err)" 141
	reeve $verb >/dev/full 2>.err
	is "$?" 74
	grep -q '^reeve: cannot write to standard output' .err || fail "$verb: $(cat .err)"
	grep -q Success .err && fail "$verb: $(cat .err)"
done

# wait: everything, one that fails, a queue nobody serves.
expect 0 reeve add --max-attempts 1 -- false
id=$out
expect 1 reeve wait "$id"
expect 0 reeve dlq ls
says false
expect 0 reeve dlq ls --json
json 'jobs[0].state:text=dead'
expect 0 reeve retry "$id"
expect 1 reeve wait "$id"
expect 0 reeve add --max-attempts 1 --label other -- sh -c 'exit 9'
other=$out
expect 1 reeve wait "$other"
expect 0 reeve dlq groups label:other --json
json jobs:int=1 groups:array=1 'groups[0].count:int=1' "groups[0].newest:int=$other" 'groups[0].task:text' \
	'groups[0].error:text=exit code #' 'groups[0].last_at:text'
print=$(sed 's/.*"fingerprint":"\([0-9a-f]*\)".*/\1/' .out)
expect 0 reeve dlq groups
says "$print"
expect 0 reeve dlq retry --query "fingerprint:$print label:other" --dry-run --json
json matched:int=1 done:int=0
expect 0 reeve dlq retry --query "fingerprint:$print label:other" --rate 10/1s
is "$out" "1 ready again"
expect 1 reeve wait "$other"
expect 0 reeve dlq purge --query label:other --json
json matched:int=1 done:int=1
expect 3 reeve show "$other"
expect 3 reeve dlq purge -q nowhere
# Exported, and put in again: the same work under a new id; a payload that is no text too.
printf 'a\377b\0c' >blob.bin
expect 0 reeve add --max-attempts 1 --label "x y" --key k --meta a=b --stdin blob.bin -- sh -c 'cmp - blob.bin && [ "$REEVE_META" = "{\"a\":\"b\"}" ] && exit 4'
dead=$out
expect 1 reeve wait "$dead"
expect 0 reeve dlq export 'label:"x y"'
cp .out dead.jsonl
is "$(wc -l <dead.jsonl)" 1
says "\"dead\":{\"id\":$dead,\"error\":\"exit code 4\""
says '"payload_base64":"Yf9iAGM="'
expect 0 reeve dlq export --json 'label:"x y"'
expect 0 reeve dlq import dead.jsonl --json
json ids:array=1
again=$(sed 's/.*\[\([0-9]*\)\].*/\1/' .out)
expect 1 reeve wait "$again"
expect 0 reeve show "$again" --json
json exit_code:int=4 key:text=k 'labels[0]:text=x y' meta.a:text=b
{ cat dead.jsonl; echo '{"command":["true"],"payload_base64":"%%%%"}'; } >bad.jsonl
expect 2 reeve dlq import bad.jsonl
errs "bad.jsonl:2: payload_base64: this is no base64"
expect 0 reeve dlq purge --query 'label:"x y"'
is "$out" "2 deleted"
for _ in 1 2 3 4 5 6 7 8 9 10; do reeve add -- true >/dev/null; done
expect 0 reeve wait -q default --timeout 60s
expect 0 reeve wait --all --timeout 60s
expect 0 reeve add -q alone -- true
id=$out
expect 0 reeve why "$id" --json
json 'reasons[0].code:text=no_pool'
expect 124 reeve wait -q alone --timeout 50ms

# cancel: pending, running; ^C once on run cancels, HUP leaves it.
expect 0 reeve cancel "$id"
expect 1 reeve wait "$id"
expect 0 reeve add -- sleep 1000
id=$out
(until reeve show "$id" --json | grep -q '"state":"running"'; do :; done)
expect 0 reeve cancel "$id"
says "is being cancelled"
expect 1 reeve wait "$id"
expect 0 reeve show "$id" --json
json state:text=cancelled
: >running
"$bin" run -- sh -c "echo started; exec sleep 1000" >running 2>said </dev/null &
runner=$!
await running started $runner
kill -TERM $runner
wait $runner
is "$?" 143
grep -q "cancelling job" said || fail "run did not say that it cancels"
expect 0 reeve jobs --limit 1 --json
json 'jobs[0].state:text=cancelled'
: >running
"$bin" run -- sh -c "echo started; cat $work/gate" >running 2>said </dev/null &
runner=$!
await running started $runner
kill -HUP $runner
wait $runner
is "$?" 129
echo go >gate
expect 0 reeve wait --all

: >running
(trap '' HUP && exec "$bin" run -- sh -c "echo started; cat $work/gate") >running 2>said </dev/null &
runner=$!
await running started $runner
kill -HUP $runner
echo heard >gate
wait $runner
is "$?" 0
is "$(cat running)" $'started\nheard'

# Those who waited have left nothing behind.
is "$(find run -name 'waiter.*' | wc -l)" 0
is "$(reeve db sql 'SELECT count(*) FROM waiter' | tail -n 1)" 0

# A full queue of prefetched, paused, resumed.
expect 0 reeve queue pause default
expect 0 reeve add -- true
id=$out
expect 124 reeve wait "$id" --timeout 100ms
expect 0 reeve why "$id"
says "is paused"
expect 0 reeve queue resume default
expect 0 reeve wait "$id"

# The pools.
expect 0 reeve pool quiet default
says "pool default is quiet"
expect 0 reeve pool quiet --json
json ok:bool=true
expect 0 reeve add -- true
id=$out
expect 0 reeve why "$id"
says "pool default is quiet: reeve pool resume default"
expect 0 reeve why "$id" --json
json 'reasons[0].code:text=pool_held'
expect 0 reeve pool resume
says "every pool goes on"
expect 0 reeve pool resume --json
expect 0 reeve wait "$id"
expect 0 reeve pool scale default -1
says "1 workers, 2 before; until the next start, or a reload with another number"
expect 0 reeve pool scale default 2 --json
json from:int=1 to:int=2
expect 2 reeve pool scale default x
errs "not a number of workers"
expect 3 reeve pool scale defualt 2
errs "did you mean default?"
expect 6 reeve pool scale default 200
errs "room for"
expect 0 reeve pool restart --wait
says "all workers are replaced"
says "worker default/0 is new: pid"
expect 0 reeve pool restart default --wait --timeout 30s --json
json generation:int
expect 0 reeve upgrade --check
says "can take over"
expect 0 reeve upgrade --wait
says "reeved $daemon is"
says "all workers are replaced"
expect 0 reeve upgrade --json
json ok:bool=true version:text pid:int=$daemon
expect 0 reeve status --json
json daemon.upgrades:int=2 daemon.upgrade:text=none
expect 0 reeve pool drain default
expect 0 reeve pool drain --json
expect 0 reeve pool resume

# The daemon's own verbs.
expect 0 reeve reopen
expect 0 reeve reopen --json
json ok:bool=true
sed -i 's/^workers = 2/workers = 3/' r.ini
expect 0 reeve reload --dry-run
says "what would change"
says "workers: 2 -> 3"
expect 0 reeve reload
says "reloaded; what changed"
says "workers: 2 -> 3"
expect 0 reeve reload --dry-run
says "nothing would change"
expect 0 reeve reload --json
json changes:array=0
# A job of a new task right after the reload: the store knows the task by then.
cp r.ini before.ini
printf '[task:newborn]\ncommand = /bin/true\n' >>r.ini
expect 0 reeve reload
expect 0 reeve run newborn
cp before.ini r.ini
expect 0 reeve reload
printf '[task:\n' >>r.ini
expect 78 reeve -c none.ini --store "$work/state/reeve.db" jobs
sed -i '$d' r.ini
printf 'nonsense = 1\n' >>r.ini
cp r.ini broken.ini
sed '$d' broken.ini >good.ini
REEVE_CONFIG=$work/good.ini expect 78 reeve reload
errs "nonsense"
cp good.ini r.ini
REEVE_CONFIG=$work/good.ini expect 10 reeve status
says "degraded: the last reload was refused"
REEVE_CONFIG=$work/good.ini expect 0 reeve reload
REEVE_CONFIG=$work/good.ini expect 0 reeve status
expect 0 reeve db check
says "the store is well"

# Who cannot read the store finds the daemon all the same; the rest is told why not.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$top" "$work" run
	chmod 666 run/control
	as_other() { HOME=/ setpriv --reuid 65534 --regid 65534 --clear-groups -- "$top/reeve" "$@"; }
	chmod 644 r.ini
	expect 4 as_other jobs
	errs "you may not read this store"
fi

expect 0 reeve shutdown --json
json ok:bool=true
wait $daemon
is "$?" 0
trap - EXIT
expect 7 reeve status
expect 7 reeve shutdown --now
