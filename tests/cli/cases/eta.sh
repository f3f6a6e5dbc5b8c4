# How much longer: what the bars of wait, run and batch wait say of it on a terminal, and only there.
command -v script >/dev/null || skip "needs script(1)"
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
export TERM=xterm
cat >slow.sh <<-'X'
	[ "$2" = 0 ] || echo "##reeve progress=$2 some of it"
	[ -z "$3" ] || printf '%s' "$3"
	until [ -e "$1/go.$4" ]; do sleep 0.02; done
	[ -z "$3" ] || echo " whole"
X
cat >e.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	adhoc = yes
	[pool:default]
	workers = 3
	[defaults]
	env = PATH=$PATH
	[task:slow]
	command = sh $work/slow.sh $work \${arg.percent} "" \${arg.n}
	[task:half]
	command = sh $work/slow.sh $work 50 "\${arg.text}" \${arg.n}
	[task:usual]
	command = sh -c 'if [ "\$1" -lt 6 ]; then sleep 3; else exec sh $work/slow.sh $work 0 "" "\$1"; fi' sh \${arg.n}
	[task:quick]
	command = sleep 0.3
INI
chmod 600 e.ini
export REEVE_CONFIG=$work/e.ini
unset NOTIFY_SOCKET
reeved >daemon.log 2>&1 &
daemon=$!
await daemon.log daemon.ready "$daemon"
# watch NAME COMMAND…: on a terminal, in the background; its pid in $!.
watch() {
	: >"$1.tty"
	script -qefc "$2" "$1.tty" </dev/null >/dev/null 2>&1 &
}
# shown NAME WORD: once the terminal has shown it.
shown() {
	local k
	for ((k = 0; k < 400; k++)); do
		grep -qE -- "$2" <(tr '\r' '\n' <"$1.tty") && return
		sleep 0.05
	done
	fail "$1 never showed \"$2\": $(tr '\r' '\n' <"$1.tty" | tail -n 5)"
}

# What it says itself: at 50 % after 1 s there is about as much to come.
expect 0 reeve add slow percent=50 n=1
watch own "$bin wait $out"
waiter=$!
shown own 'waiting \[#{15}\.{15}\] 50 %, ~[1-9][0-9]* (s|min) left'
expect 0 reeve show "$out" --json
expect 0 reeve jobs state:running --json
id=$(python3 -c 'import json; print(json.load(open(".out"))["jobs"][0]["id"])')
expect 0 reeve show "$id" --json
json progress.percent:int=50 progress.left_s:int
touch go.1
wait $waiter
is "$?" 0
grep -q -- '-[0-9]' <(grep -o '~[^,]* left' own.tty) && fail "less than nothing is left: $(cat own.tty)"
expect 0 reeve show "$id" --json
json progress.percent:int=50 progress.left_s:null
# Who says next to nothing is not believed, and nothing else is known of it.
expect 0 reeve add slow percent=2 n=2
watch little "$bin wait $out --timeout 2s"
wait $!
is "$?" 124
shown little 'waiting \[\.*\] 2 %'
grep -q 'left\|usual' little.tty && fail "an estimate out of nothing: $(cat little.tty)"
touch go.2
expect 0 reeve wait --all

# What is usual: of a task that ran three times.
for n in 3 4 5; do expect 0 reeve add usual n=$n; done
watch known "$bin wait --all"
waiter=$!
shown known 'waiting \[\.*\] 0/3'
wait $waiter
expect 0 reeve add usual n=6
watch usual "$bin wait $out"
waiter=$!
shown usual 'waiting, ~[1-3] s left'
shown usual 'waiting, over its usual [34] s'
touch go.6
wait $waiter
is "$?" 0

# run: a bar while nothing comes, not behind half a line, gone before the next one and at the end.
watch run "$bin run half n=7 text="
runner=$!
shown run 'running \[#{15}\.{15}\] 50 %, ~[1-9][0-9]* (s|min) left'
touch go.7
wait $runner
is "$?" 0
tail -c 40 run.tty | grep -q 'left' && fail "the bar stays: $(tail -n 3 run.tty)"
watch behind "$bin run half n=8 text=begun"
runner=$!
shown behind begun
sleep 2.2 # two looks, at which nothing is to be drawn
touch go.8
wait $runner
shown behind 'begun whole'
grep -q 'begun.*running' <(tr '\r' '\n' <behind.tty) && fail "the bar stands behind half a line: $(cat -v behind.tty)"
# Neither without a terminal, nor in JSON.
(sleep 2 && touch go.9) &
expect 0 reeve run half n=9 text=
[[ $err$out != *left* ]] || fail "an estimate without a terminal: $err$out"

# A batch: how many have ended says how fast it goes.
expect 0 reeve batch new
batch=$out
for n in $(seq 24); do expect 0 reeve add --batch "$batch" quick; done
expect 0 reeve batch close "$batch"
watch batch "$bin batch wait $batch"
wait $!
is "$?" 0
shown batch 'waiting \[#+\.+\] [0-9]+/24, ~[1-9] s left'
expect 0 reeve shutdown
wait "$daemon"
