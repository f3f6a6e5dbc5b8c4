# The example handlers of pipe tasks, each with the real interpreter: results, failures, output, many
# jobs, and one process for all of them.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
examples=$here/../../conf/examples/pipe
declare -A commands=([sh]="sh $examples/handler.sh")
if command -v python3 >/dev/null; then commands[py]="python3 $examples/handler.py"; else echo "skipped: $name: no python3"; fi
if command -v node >/dev/null; then commands[js]="node $examples/handler.js"; else echo "skipped: $name: no node"; fi
if cc -O2 -Wall -Wextra -Werror -o "$work/handler" "$examples/handler.c" -ljansson 2>"$work/cc.log"; then
	commands[c]=$work/handler
elif command -v cc >/dev/null; then
	fail "handler.c does not compile: $(cat "$work/cc.log")"
else
	echo "skipped: $name: no C compiler"
fi
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	[log]
	level = debug
	[pool:default]
	workers = 1
INI
for kind in "${!commands[@]}"; do
	printf '[task:%s]\nhandler = pipe\ncommand = %s\nmax_attempts = 1\npass_env = PATH\nwarm_up = yes\nhealth_check = 50ms\nhealth_timeout = 1m\n' "$kind" "${commands[$kind]}" >>r.ini
done
export REEVE_CONFIG=$work/r.ini
unset NOTIFY_SOCKET
reeved >daemon.log 2>&1 &
daemon=$!
# All are started before the first job, and asked now and then; each answers.
for kind in "${!commands[@]}"; do
	expect 0 reeve add --timeout 1m "$kind" "text=one two three"
	id=$out
	expect 0 reeve wait --timeout 1m "$id"
	expect 0 reeve result "$id"
	says '{"words":3}'
	if [ "$kind" != c ]; then
		expect 0 reeve logs "$id"
		says "counting 13 characters"
	fi
	expect 0 reeve add "$kind"
	id=$out
	expect 1 reeve wait --timeout 1m "$id"
	expect 0 reeve show "$id"
	says "there is no text to count"
	for ((n = 0; n < 200; n++)); do echo "{\"task\":\"$kind\",\"args\":{\"text\":\"a b\"}}"; done >many
	expect 0 reeve add --from-file many
	expect 0 reeve wait --all --timeout 2m
done
[ "$(grep -c '"handler.started"' daemon.log)" = "${#commands[@]}" ] || fail "more than one process a task"
grep -q 'handler.unasked' daemon.log && fail "a handler does not say that it can be asked"
grep -q 'handler.killed\|handler.void' daemon.log && fail "a handler does not answer a health check as it should"
if [ -n "${commands[js]:-}" ]; then
	# It is told that its time is over, and lives on.
	expect 0 reeve add --timeout 200ms js text=a ms=60000
	id=$out
	expect 1 reeve wait --timeout 1m "$id"
	expect 0 reeve show "$id"
	says "timed out after 200ms"
	grep -q handler.ended daemon.log && fail "the handler that heeds cancel was ended"
fi
kill "$daemon"
wait "$daemon" || fail "reeved ends with $?"
