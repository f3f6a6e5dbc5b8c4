# Which task eats the machine: what is counted of tasks, sorted.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	[pool:default]
	workers = 2
	[task:abc]
	command = /bin/true
	[task:spin]
	shell = yes
	command = i=0; while [ \$i -lt 200000 ]; do i=\$((i+1)); done
	[task:broken]
	command = /bin/false
	max_attempts = 1
	[task:never]
	command = /bin/true
	[task:inside]
	handler = builtin
	builtin = noop
INI
export REEVE_CONFIG=$work/r.ini
unset NOTIFY_SOCKET
reeved >daemon.log 2>&1 &
daemon=$!
for task in abc abc spin broken broken inside; do expect 0 reeve add --timeout 1m "$task"; done
expect 1 reeve wait --timeout 1m 1 2 3 4 5 6
expect 0 reeve stats --tasks --sort cpu
is "$(awk 'NR == 2 { print $1 }' <<<"$out")" spin
[[ $(awk 'NR == 2 { print $(NF - 2) }' <<<"$out") =~ ^(100|[5-9][0-9])%$ ]] || fail "spin has the lion's share: $out"
is "$(awk 'NR > 1 { print $1 }' <<<"$out" | sort | tr '\n' ' ')" "abc broken inside never spin "
# What nearly all stayed under is never more than the most that one had.
awk 'NR > 1 && $(NF - 1) + 0 > $NF + 0 { exit 1 }' <<<"${out//K/}" || fail "p95 above the most: $out"
expect 0 reeve stats --tasks --sort failed
is "$(awk 'NR == 2 { print $1, $5, $6 }' <<<"$out")" "broken 2 100.0%"
expect 0 reeve stats --tasks --sort runs
is "$(awk 'NR > 1 { print $1 }' <<<"$out" | tr '\n' ' ')" "abc broken inside spin never "
expect 0 reeve stats --tasks --sort name --ever
is "$(awk 'NR > 1 { print $1 }' <<<"$out" | tr '\n' ' ')" "abc broken inside never spin "
for by in memory rate wait run; do expect 0 reeve stats --tasks --sort $by; done
expect 0 reeve stats --sort cpu
says default
expect 0 reeve stats --tasks --sort cpu --json
json 'tasks[0].name:text=spin' 'tasks[0].hour.run_cpu_us.count:int=1' 'tasks[0].hour.run_cpu_us.p95:int' \
	'tasks[0].hour.run_rss_bytes.p95:int' 'tasks[0].ever.failure_rate:real'
expect 0 reeve stats --task inside --json
json 'tasks[0].ever.run_rss_bytes.count:int=0' 'tasks[0].ever.run_cpu_us.count:int=0' 'tasks[0].ever.cpu_us:null' \
	'tasks[0].ever.maxrss_bytes:null'
expect 0 reeve stats --tasks
is "$(awk '$1 == "inside" { print $(NF - 3), $(NF - 2), $(NF - 1), $NF }' <<<"$out")" "- - - -"
is "$(awk '$1 == "never" { print $(NF - 3), $(NF - 2), $(NF - 1), $NF }' <<<"$out")" "0s 0% - -"
expect 0 reeve stats --task never --json
json 'tasks[0].ever.failure_rate:null' 'tasks[0].ever.run_rss_bytes.p95:null'
expect 0 reeve stats --task broken
says "failure rate"
says "100.0%"
expect 2 reeve stats --tasks --sort cpus
errs "did you mean cpu?"
expect 2 reeve stats --task spin --sort cpu
expect 2 reeve stats default --ever
kill "$daemon"
wait "$daemon"
