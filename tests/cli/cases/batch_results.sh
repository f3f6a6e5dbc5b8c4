# What became of each job of a batch: without a daemon, while it runs, and at the end.
cat >parts.sh <<-'X'
	case $1 in
	2) echo "##reeve result={\"pages\": 17}" ;;
	3) echo "no page three" >&2; exit 3 ;;
	4) kill -KILL $$ ;;
	5) printf '{"result":"a\\tb\\u001b[2J %s"}\n' "$(head -c 500 /dev/zero | tr '\0' x)" | sed 's/^/##reeve /' ;;
	6) echo "##reeve progress=40 half of it"; echo >"$2/begun"; until [ -e "$2/go" ]; do sleep 0.02; done; echo "##reeve result=forty" ;;
	7) [ "$REEVE_ATTEMPT" -eq 2 ] && echo "##reeve result=late" ;;
	*) : ;;
	esac
X
cat >b.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	adhoc = yes
	[pool:default]
	workers = 2
	[defaults]
	env = PATH=$PATH
	backoff = none
	[task:part]
	command = sh $work/parts.sh \${arg.n} $work
	max_attempts = 1
	[task:again]
	command = sh $work/parts.sh 7 $work
	max_attempts = 2
	[task:reduce]
	command = sh -c 'reeve batch results "\$REEVE_BATCH" --json >"\$1/reduced"' sh $work
INI
chmod 600 b.ini
export REEVE_CONFIG=$work/b.ini

# Nobody has run anything: what is there is shown, in the order it was added; jobs of others are not.
expect 2 reeve batch results x
expect 2 reeve batch results
expect 0 reeve batch new --on-complete reduce
expect 0 reeve batch results 1
is "$out" ""
errs "batch 1 is open: 0 of 0 jobs are not finished; reeve batch wait 1 waits for them"
expect 0 reeve batch results 1 --json
json batch:int=1 state:text=open total:int=0 results:array=0 next:null
expect 3 reeve batch results 2
errs "there is no batch 2"
expect 3 reeve --json batch results 2
expect 0 reeve add part n=other
expect 0 reeve add --batch 1 part n=1
is "$out" 2
for n in 2 3 4 5; do expect 0 reeve add --batch 1 part n=$n; done
expect 0 reeve add --batch 1 -e PASSWORD=hush --stdin parts.sh -- sh -c 'exit 9'
expect 0 reeve add --batch 1 again
expect 0 reeve add --batch 1 --delay 1h part n=1
expect 0 reeve batch results 1
is "$(printf '%s\n' "$out" | awk '{print $1 $2}' | paste -sd,)" IDSTATE,2ready,3ready,4ready,5ready,6ready,7ready,8ready,9scheduled
says "part n=5"
expect 0 reeve batch results 1 --limit 3
is "$(printf '%s\n' "$out" | awk '{print $1}' | paste -sd,)" ID,2,3,4
errs "there are more: --cursor"
expect 0 reeve batch results 1 --limit 3 --json
json 'results[0].id:int=2' 'results[2].id:int=4' results:array=3 next:text
next=$(python3 -c 'import json; print(json.load(open(".out"))["next"])')
expect 0 reeve batch results 1 --limit 3 --cursor "$next" --json
json 'results[0].id:int=5' 'results[2].id:int=7' results:array=3
next=$(python3 -c 'import json; print(json.load(open(".out"))["next"])')
expect 0 reeve batch results 1 --limit 3 --cursor "$next" --json
json 'results[0].id:int=8' 'results[1].id:int=9' results:array=2 next:null
expect 0 reeve batch results 1 --cursor "$next"
[[ $err != *"there are more"* ]] || fail "more than there is"
expect 2 reeve batch results 1 --cursor nowhere
expect 0 reeve batch results 1 sort:-id --limit 1 --json
json 'results[0].id:int=9'
expect 2 reeve batch results 1 state:dead stat:dead
errs "column 12 of the query: there is no field stat"
errs $'\n             ^'
expect 0 reeve batch results 1 --state scheduled --json
json results:array=1 'results[0].id:int=9' 'results[0].state:text=scheduled' 'results[0].exit_code:null' 'results[0].result:null'
expect 0 reeve delete --dry-run --query 'batch:1 state:dead'
expect 0 reeve cancel 9

[ -x "$build/bin/reeved" ] || return 0
unset NOTIFY_SOCKET
reeved >daemon.log 2>&1 &
daemon=$!
await daemon.log daemon.ready "$daemon"
expect 0 reeve add --batch 1 part n=6
six=$out
expect 0 reeve batch close 1
until [ -e begun ]; do :; done
until reeve show "$six" --json | grep -q half; do :; done
expect 1 reeve wait 2 3 4 5 6 7 8
expect 0 reeve batch results 1
errs "batch 1 is closed: 1 of 9 jobs are not finished; reeve batch wait 1 waits for them"
says "40 % half of it"
expect 0 reeve batch results 1 state:running --json
json results:array=1 state:text=closed pending:int=1 "results[0].id:int=$six" 'results[0].progress.percent:int=40' 'results[0].result:null'
echo >go
expect 1 reeve batch wait 1
expect 0 reeve batch results 1
is "$err" ""
row() { printf '%s\n' "$out" | awk -v id="$1" '$1 == id { $1 = ""; print substr($0, 2) }'; }
is "$(row 2)" "succeeded 0 part n=1 -"
is "$(row 3)" 'succeeded 0 part n=2 {"pages": 17}'
is "$(row 4)" "dead 3 part n=3 exit code 3: no page three"
[[ $(row 5) == "dead signal 9 (KILL) part n=4 "* ]] || fail "$(row 5)"
[[ $(row 6) == 'succeeded 0 part n=5 a\tb\x1b[2J xxxx'*xxx… ]] || fail "$(row 6)"
[ "$(row 6 | wc -m)" -lt 160 ] || fail "a long result is not cut"
is "$(row 7)" "dead 9 $ sh -c 'exit 9' exit code 9"
is "$(row 8)" "succeeded 0 again late"
is "$(row 9)" "cancelled - part n=1 cancelled"
is "$(row "$six")" "succeeded 0 part n=6 forty"
is "$(printf '%s\n' "$out" | wc -l)" 10
expect 0 reeve batch results 1 --json
json state:text=ended total:int=9 pending:int=0 deleted:int=0 results:array=9 'results[].id:int' 'results[].state:text' \
	'results[1].result.pages:int=17' 'results[1].args.n:text=2' 'results[1].task:text=part' 'results[1].exit_code:int=0' \
	'results[2].exit_code:int=3' 'results[2].error:text=exit code 3: no page three' 'results[2].result:null' \
	'results[3].signal:int=9' 'results[3].exit_code:null' 'results[5].command:array=3' 'results[5].task:null' \
	'results[6].result:text=late' 'results[6].attempt:int=2' 'results[7].state:text=cancelled' 'results[8].result:text=forty'
[[ $out != *hush* ]] || fail "a variable of a job is shown"
[[ $out != *"no page three\" >&2"* ]] || fail "the payload of a job is shown"
expect 0 reeve batch results 1 state:dead --json
json results:array=3
expect 0 reeve batch results 1 state:succeeded
[[ $out != *dead* ]] || fail "more than what was asked for"
# What follows a batch reads the same.
expect 0 reeve wait --all
is "$(cat reduced)" "$(reeve batch results 1 --json)"
# What was deleted is told.
expect 0 reeve delete 2
expect 0 reeve batch results 1
errs "1 of its 9 jobs are deleted"
expect 0 reeve batch results 1 --json
json total:int=9 deleted:int=1 results:array=8
# One that has succeeded is waited for and shown in one go.
expect 0 reeve batch new
for n in 1 2; do expect 0 reeve add --batch 2 part n=$n; done
expect 0 reeve batch close 2
expect 0 bash -c 'reeve batch wait 2 && reeve batch results 2'
says '{"pages": 17}'
expect 0 reeve shutdown
wait "$daemon"
# And while the daemon is down.
expect 0 reeve batch results 2
says '{"pages": 17}'
