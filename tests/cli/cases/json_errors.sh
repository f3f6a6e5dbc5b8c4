# With --json an error is one JSON object on stderr, and the exit code is what it was.
s="--store s/s.db -o reeve.adhoc=yes"
error() { # CODE NAME FIELD:TYPE…: the last stderr is one error
	local code=$1 name_of=$2
	shift 2
	is "$(grep -c . <<<"$err")" 1
	jsoncheck v:int=1 error.code:int="$code" error.name:text="$name_of" error.message:text "$@" \
		<"$work/.err" 2>"$work/.json" || fail "$(cat "$work/.json")"$'\n'"in: ${err:0:500}"
}

# shellcheck disable=SC2086
{
	expect 3 reeve $s --json jobs
	error 3 NOTFOUND
	is "$out" ""
	expect 0 reeve $s --json add -- true
	is "$(grep -c . <<<"$err")" 1
	jsoncheck v:int=1 'note:text=stored; reeved is not running' <.err 2>.json || fail "$(cat .json): $err"
	expect 3 reeve $s show 99 --json
	error 3 NOTFOUND 'error.message:text=there is no job 99'
	expect 2 reeve --json shw 1
	error 2 USAGE
	expect 2 reeve show --json
	error 2 USAGE
	expect 2 reeve shw --json 1
	error 2 USAGE
	expect 2 reeve $s --json jobs --state deed
	error 2 USAGE
	expect 6 reeve --store s/s.db -o reeve.adhoc=no add --json -- true
	error 6 REFUSED
	expect 7 reeve $s reload --json
	error 7 NOTRUN
	expect 124 reeve $s wait 1 --timeout 1ms --json
	error 124 TIMEOUT
	says '"timed_out":true'
	expect 3 reeve $s cancel 77 78 1 --json
	error 3 NOTFOUND 'error.message:text=no such job 77'
	json jobs:array=3 'jobs[1].error:text=no such job 78' 'jobs[2].error:null'
	expect 2 reeve $s db sql --json 'SELEC 1'
	error 2 USAGE
	printf '[reeve]\nstop_timeut = 1s\n[pool:default]\nworkers = many\n' >bad.ini
	expect 78 reeve -c bad.ini jobs --json
	error 78 CONF error.findings:array=2 'error.findings[0].where:text=bad.ini:2'
	expect 3 reeve $s show 99
	is "$err" "reeve: there is no job 99"
	# The words of a command are its own.
	expect 3 reeve $s add -q none -- echo --json
	errs "reeve: no such queue"
	reeve $s --json jobs >/dev/full 2>.err
	is "$?" 74
	err=$(cat .err)
	error 74 IO
}
