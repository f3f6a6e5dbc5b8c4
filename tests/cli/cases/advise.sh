# What is recommended from the history of a task, and from a trial.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
mkdir conf.d
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	include = conf.d/*.ini
	[pool:default]
	workers = 2
	[task:quick]
	command = /bin/true
	[task:few]
	command = /bin/true
	[task:flaky]
	shell = yes
	command = test \$REEVE_ATTEMPT -ge 2
	backoff = none
	[task:vain]
	command = /bin/false
	max_attempts = 2
	backoff = none
	[task:slow]
	command = /bin/sleep 60
	timeout = 50ms
	max_attempts = 1
	[task:never]
	command = /bin/true
	[task:one]
	command = /bin/sleep 0.1
	concurrency = 1
	[task:rated]
	command = /bin/true
	rate = 8/1s
	[task:shared]
	command = /bin/sleep 0.1
	resources = gpu:2
	[resource:gpu]
	count = 3
	[task:keyed]
	command = /bin/sleep 0.1
	key_concurrency = 1
	[task:hot]
	handler = pipe
	command = $build/tests/rv_pipejob $work
INI
chmod 600 r.ini
export REEVE_CONFIG=$work/r.ini
unset NOTIFY_SOCKET
reeved >daemon.log 2>&1 &
daemon=$!
for ((n = 0; n < 100; n++)); do echo '{"task":"quick"}'; done >many
for ((n = 0; n < 10; n++)); do echo '{"task":"flaky"}'; echo '{"task":"vain"}'; echo '{"task":"slow"}'; echo '{"task":"slow"}'; done >>many
echo '{"task":"few"}' >>many
for ((n = 0; n < 30; n++)); do echo '{"task":"one"}'; echo '{"task":"rated"}'; echo '{"task":"shared"}'; echo '{"task":"keyed","key":"a"}'; done >>many
mkdir locks
for ((n = 0; n < 24; n++)); do echo '{"task":"hot","args":{"do":"burn=120"}}'; done >>many
expect 0 reeve add --from-file many
last=$(tail -n 1 <<<"$out")
expect 1 reeve wait --timeout 4m $(seq "$last")

expect 0 reeve advise quick
says "task quick: 100 runs, 0 of them failed"
says "batch"
says "timeout = 10s"
first=$out
expect 0 reeve advise quick
is "$out" "$first"
expect 0 reeve advise quick --ini
grep -q '^timeout = 10s$' <<<"$out" || fail "no timeout: $out"
grep -q '^RULE' <<<"$out" && fail "more than INI: $out"
printf '%s\n' "$out" >conf.d/quick.ini
expect 0 reeve config check
expect 0 reeve config show
says "timeout = 10s"
expect 0 reeve advise flaky --ini
says "max_attempts = 3"
says "backoff = fixed 1s jitter 20%"
says "# retries-help: 10 of 10 jobs that failed first succeeded later, after up to 2 attempts"
printf '%s\n' "$out" >conf.d/flaky.ini
expect 0 reeve advise vain --ini
says "max_attempts = 1"
printf '%s\n' "$out" >conf.d/vain.ini
expect 0 reeve advise slow --json
json task:text=slow trial:bool=false facts.timeouts:int=20 'advice[].rule:text' 'advice[].meaning:text' 'advice[].because:text' ini:text
says '"rule":"timed-out"'
says '"value":"1s"'
expect 0 reeve advise slow --ini
printf '%s\n' "$out" >conf.d/slow.ini
expect 0 reeve config check
# What waits for a limit does not wait for workers.
for task in one=concurrency rated=rate shared="[resource] count" keyed=key_concurrency; do
	expect 0 reeve advise "${task%%=*}" --json
	says '"rule":"limited"'
	says "\"setting\":\"${task#*=}\""
	[[ $out != *'"rule":"workers"'* ]] || fail "workers for $task: $out"
done
expect 0 reeve advise one --ini
says "# limited: 1 at once: waited p95 "
says "# concurrency = 2"
expect 0 reeve advise rated
says "rate = 16/1s"
expect 0 reeve advise shared
says "[resource] count = 6"
says "3 at once of gpu, 2 for each job: waited p95 "
# A handler's jobs that are on a CPU all the time: more workers would not help them.
expect 0 reeve advise hot --json
json facts.runs:int=24 facts.cpu_us:int facts.maxrss_bytes:int
fact() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" <<<"$out"; }
(($(fact cpu_us) >= 24 * 120000)) || fail "what its runs took: $out"
# As far as others leave us these CPUs.
(($(fact cpu_us) * $(fact workers) * 10 < $(fact busy_us) * $(fact cpus) * 7)) || [[ $out != *'"rule":"workers"'* ]] ||
	fail "more workers than CPUs: $out"
expect 0 reeve stats --tasks --sort cpu
is "$(awk 'NR == 2 { print $1 }' <<<"$out")" hot
expect 0 reeve advise few
says "1 runs are known, 20 are needed"
expect 0 reeve advise few --ini
is "$out" ""
expect 0 reeve advise never
says too-little
expect 3 reeve advise quik
errs "did you mean quick?"

# A trial needs no daemon, says what it found, and leaves nothing behind.
kill "$daemon"
wait "$daemon"
cd "$work" || exit 1
expect 0 reeve advise -n 3 -- sh -c 'echo "it'"'"'s a; # trial"; sleep 0.3'
says "trial of sh: 3 runs succeeded, 0 failed"
says "pattern = spawn"
says "timeout = "
errs "what it prints is not shown"
expect 0 reeve advise -n 3 --ini -- sh -c 'echo "it'"'"'s a; # trial"; sleep 0.3'
printf '%s\n' "$out" >conf.d/sh.ini
expect 0 reeve config check
grep -q "^command = sh -c 'echo \"it'\\\\''s a; # trial\"; sleep 0.3'$" conf.d/sh.ini || fail "$(cat conf.d/sh.ini)"
expect 0 reeve advise -n 3 --json -- true
json task:text=true trial:bool=true facts.runs:int=3 facts.runs_last_hour:null 'advice[0].rule:text=pipe' 'advice[0].by_hand:bool=true'
expect 0 reeve advise -n 4 -- false
says "trial of false: 0 runs succeeded, 4 failed"
says too-little
expect 0 reeve advise -n 2 --timeout 100ms -- sh -c 'echo $$ >>pids; sleep 1000 & sleep 1000'
says "0 runs succeeded, 2 failed"
while read -r pid; do
	[ -e "/proc/$pid" ] && fail "a run of a trial outlived it"
	grep -q "^ *$pid [^Z]" < <(ps -e -o pgid=,stat= 2>/dev/null) && fail "a process of a trial outlived it"
done <pids
expect 0 reeve advise -n 1 --ini -- printf 'a
b'
says "a line cannot say this command"
expect 69 reeve advise -- "$work/nosuch"
expect 2 reeve advise -n 0 -- true
expect 2 reeve advise -n 1001 -- true
expect 2 reeve advise
expect 2 reeve advise -n 3 quick
expect 2 reeve advise quick flaky
