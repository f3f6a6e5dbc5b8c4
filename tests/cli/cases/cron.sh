# Schedules without a daemon: what is said, refused, listed; the moments of any expression.
cat >c.ini <<-INI
	[store]
	path = $work/c.db
	[task:report]
	command = /bin/echo \${arg.to}
	[task:ping]
	command = /bin/true
	[schedule:nightly]
	cron = 30 2 * * *
	timezone = UTC
	task = report
	args = to=me
	[schedule:off]
	cron = @daily
	task = ping
	enabled = no
INI
export REEVE_CONFIG=$work/c.ini
expect 0 reeve add ping
expect 0 reeve cron ls
says "30 2 * * *"
expect 0 reeve --json cron ls
json schedules:array=2 'schedules[0].name:text=nightly' 'schedules[0].state:text=on' 'schedules[0].configured:bool=true' \
	'schedules[0].args.to:text=me' 'schedules[1].state:text=off' 'schedules[1].next:null'
expect 0 reeve cron show nightly
says "from         the configuration"
says "0 fired, 0 missed, 0 skipped, 0 refused"
expect 0 reeve --json cron show nightly
json name:text=nightly overlap:text=skip catch_up:text=last jitter:text=0 last:null last_job:null
expect 3 reeve cron show nosuch
errs "there is no schedule nosuch"
# add
expect 0 reeve --json cron add own 'every 90s' --overlap replace --catch-up 2h --jitter 5s -q default report to=you
json name:text=own cron:text='every 90s' configured:bool=false overlap:text=replace catch_up:text=2h jitter:text=5s \
	queue:text=default args.to:text=you
expect 5 reeve cron add own @daily ping
errs 'there is a schedule "own" already'
expect 0 reeve cron add once 'at 2099-12-24T18:00' ping
is "$out" "once fires next at 2099-12-24T18:00:00.000000Z"
expect 0 reeve cron add over 'at 2020-12-24T18:00' ping
is "$out" "over never fires"
expect 2 reeve cron add bad '0 25 * * *' ping
is "$err" "reeve: hour: 25 is not 0 to 23
    0 25 * * *
      ^"
expect 2 reeve cron add bad '0 0 31 4 *' ping
errs "it never fires"
expect 2 reeve --json cron add bad '0 25 * * *' ping
expect 2 reeve cron add bad @daily --timezone Europe/Nowhere ping
errs "there is no time zone Europe/Nowhere"
expect 2 reeve cron add bad @daily --overlap both ping
expect 2 reeve cron add bad @daily --catch-up some ping
expect 2 reeve cron add 'b d' @daily ping
errs "the name of a schedule"
expect 3 reeve cron add bad @daily pnig
errs 'did you mean "ping"?'
expect 2 reeve cron add bad @daily report
errs "task report needs the argument to="
expect 2 reeve cron add bad @daily
# next
expect 0 reeve cron next --expr '30 2 * * *' --since 2026-03-28T00:00:00Z -n 2
is "$(printf '%s\n' "$out" | tail -1)" "2026-03-29 02:30:00 +00:00  2026-03-29T02:30:00.000000Z  in 1.1d  -"
expect 0 reeve cron next nightly -n 3 --since 2026-03-28T00:00:00Z
is "$(printf '%s\n' "$out" | wc -l)" 4
expect 0 reeve --json cron next --expr 'every 90s' --since 1970-01-01T00:00:00Z -n 2
json next:array=2 'next[0].at:text=1970-01-01T00:01:30.000000Z' 'next[1].local:text=1970-01-01T00:03:00+00:00'
expect 0 reeve cron next --expr 'at 2020-01-01T00:00'
errs "it never fires again"
expect 0 reeve cron next off
errs "off is off: it does not fire"
expect 2 reeve cron next --expr '60 * * * *'
errs "minute: 60 is not 0 to 59"
expect 2 reeve cron next --expr @daily --timezone ../passwd
expect 2 reeve cron next --expr @daily --since yesterday
expect 2 reeve cron next --expr @daily -n 0
expect 2 reeve cron next
expect 3 reeve cron next nosuch
if [ -e /usr/share/zoneinfo/Europe/Rome ]; then
	expect 0 reeve cron next --expr '30 2 * * *' --timezone Europe/Rome --since 2026-03-28T12:00:00Z -n 1
	says "2026-03-29 03:00:00 +02:00  2026-03-29T01:00:00.000000Z  in 13h  the clocks were put forward by 1h"
	expect 0 reeve cron next --expr '30 2 * * *' --timezone Europe/Rome --since 2026-10-24T12:00:00Z -n 1
	says "2026-10-25 02:30:00 +02:00  2026-10-25T00:30:00.000000Z"
fi
# run, history
expect 0 reeve cron run nightly
is "$out" 2
expect 0 reeve show 2
says "schedule     nightly, by hand at"
expect 0 reeve why 2
says "schedule nightly, by hand at"
expect 5 reeve cron run nightly
errs "its job 2 has not ended"
expect 0 reeve cancel 2
expect 0 reeve --json cron run nightly
json id:int=3
expect 0 reeve cron history nightly
says "by hand"
expect 0 reeve --json cron history nightly --limit 1
json history:array=1 'history[0].job:int=3' 'history[0].by:text=hand' 'history[0].state:text=ready'
expect 0 reeve --json jobs meta.schedule:nightly sort:id
json jobs:array=2 'jobs[0].id:int=2'
expect 3 reeve cron run nosuch
expect 3 reeve cron history nosuch
# pause, resume, rm
expect 0 reeve cron pause nightly own
is "$out" "nightly is paused
own is paused"
expect 0 reeve --json cron pause own
expect 0 reeve --json cron show own
json state:text=paused next:null
expect 0 reeve --json cron resume own
json 'schedules[0].name:text=own' 'schedules[0].is:text=on'
expect 0 reeve --json cron show own
json state:text=on
expect 5 reeve cron rm nightly
errs "is in the configuration"
expect 0 reeve cron rm own once
is "$out" "own is removed
once is removed"
expect 0 reeve --json cron rm over
json 'schedules[0].is:text=removed'
expect 3 reeve cron show own
for verb in pause resume rm; do
	expect 3 reeve cron $verb nosuch
	expect 2 reeve cron $verb
done
expect 0 reeve db check
