# Some lines of an output.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	adhoc = yes
	[task:small]
	command = seq 100000
	output_max = 64K
INI
export REEVE_CONFIG=$work/r.ini
unset NOTIFY_SOCKET
"$build/bin/reeved" >log 2>&1 &
daemon=$!
trap 'kill -QUIT $daemon 2>/dev/null; wait $daemon 2>/dev/null' EXIT
await log daemon.ready $daemon

id=$(reeve add -- sh -c 'seq 1 1000; printf "error: no end" >&2')
expect 0 reeve wait "$id"
expect 0 reeve logs "$id" --lines 10..12
is "$out" $'10\n11\n12'
expect 0 reeve logs "$id" --lines 999..
[[ $out == 999$'\n'1000$'\n'* ]] || fail "$out"
expect 0 reeve logs "$id" --lines ..2
is "$out" $'1\n2'
expect 0 reeve logs "$id" --lines 7
is "$out" 7
expect 0 reeve logs "$id" --lines 5000
is "$out" ""
expect 0 reeve logs "$id" --tail 2
is "$out" $'1000\nerror: no end'
expect 0 reeve logs "$id" --grep '^(error|warning):'
is "$out" "error: no end"
expect 0 reeve logs "$id" --grep '7$' --tail 3
is "$out" $'977\n987\n997'
expect 0 reeve logs "$id" --grep 5 --lines 50..60 --tail 2
is "$out" $'58\n59'
expect 0 reeve logs -f "$id" --grep '^99[89]$'
is "$out" $'998\n999'
expect 1 reeve logs "$id" --grep nothing-like-that
is "$out" ""

# What was not kept is not counted, and said.
id=$(reeve add small)
expect 0 reeve wait "$id"
expect 0 reeve logs "$id" --tail 1
is "$out" 100000
errs "bytes in between were not kept"

# Misuse.
for lines in 0 3..2 a ..  1..2..3 -1 "" 99999999999999999999; do
	expect 2 reeve logs "$id" --lines "$lines"
done
expect 2 reeve logs "$id" --grep '('
errs "--grep"
expect 2 reeve logs "$id" --tail 0
expect 2 reeve logs -f "$id" --tail 3
expect 2 reeve logs --json "$id" --tail 3
expect 3 reeve logs 4711 --tail 3
