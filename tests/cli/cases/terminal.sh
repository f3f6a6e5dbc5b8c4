# On a terminal: colours unless NO_COLOR, and a job's text never drives it.
command -v script >/dev/null || skip "needs script(1)"
export TERM=xterm
s="--store s/s.db -o reeve.adhoc=yes"
on_tty() { script -qec "$*" /dev/null </dev/null; }
esc=$'\033'
# shellcheck disable=SC2086
{
	expect 0 reeve $s add -- echo "${esc}[2J" $'bell\a' $'\u009b31m'
	expect 0 on_tty "$bin $s jobs"
	says "${esc}["
	says '\x1b[2J'
	says '\x07'
	[[ $out != *"${esc}[2J"* ]] || fail "a control sequence of a job reached the terminal"
	[[ $out != *$'\u009b'* ]] || fail "a C1 control of a job reached the terminal"
	expect 0 on_tty "NO_COLOR=1 $bin $s jobs"
	[[ $out != *"$esc"* ]] || fail "colours in spite of NO_COLOR"
	expect 0 on_tty "NO_COLOR=1 $bin $s show 1"
	[[ $out != *"$esc"* ]] || fail "a control sequence of a job reached the terminal"
	says '\x1b[2J'
	printf '{"command":["true"]}\n%.0s' $(seq 3000) >j.jsonl
	expect 0 on_tty "$bin $s add --from-file j.jsonl >ids"
	says "adding ["
	is "$(wc -l <ids)" 3000
	expect 124 on_tty "$bin $s wait --all --timeout 200ms"
	says "waiting ["
	expect 0 reeve $s jobs
	[[ $out != *"$esc"* ]] || fail "a control sequence in a pipe"
}
