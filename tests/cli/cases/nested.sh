# Jobs that submit jobs and wait for them: a pool of one worker must not be in its own way.
[ -x "$build/bin/reeved" ] || skip "reeved is not built"
cat >deep.sh <<-'X'
	echo "level $1"
	[ "$1" -eq 0 ] || reeve run deep n=$(($1 - 1))
X
cat >parent.sh <<-'X'
	reeve run -q later -- true
X
# What was submitted by a run that was lost is not submitted twice.
cat >again.sh <<-'X'
	echo $$ >>"$1/again.pids"
	id=$(reeve add --idempotency-key "$REEVE_JOB_ID.child" slow dir="$1")
	reeve wait "$id"
X
cat >slow.sh <<-'X'
	echo run >>"$1/slow.runs"
	until [ -e "$1/go" ]; do sleep 0.02; done
X
cat >map.sh <<-'X'
	set -e
	batch=$(reeve batch new --on-success reduce dir="$1")
	for n in 1 2 3 4 5; do echo "{\"task\":\"square\",\"batch\":$batch,\"args\":{\"n\":$n,\"dir\":\"$1\"}}"; done | reeve add --from-file - >/dev/null
	reeve batch close "$batch" >/dev/null
	reeve batch wait "$batch"
	reeve wait "$(reeve batch show "$batch" --json | sed 's/.*"job":\([0-9]*\).*/\1/')"
	cat "$1/sum"
X
cat >orphan.sh <<-'X'
	reeve add slow dir="$1" >"$1/orphan.child"
	reeve wait "$(cat "$1/orphan.child")" &
	echo $! >"$1/orphan.waiter"
	until [ -e "$1/end" ]; do sleep 0.02; done
X
cat >sub.py <<-'X'
	import subprocess, sys
	sys.exit(subprocess.run(["reeve", "run", "-q", "later", "--", "true"]).returncode)
X
cat >runner.sh <<-'X'
	reeve run slow dir="$1"
X
cat >big.sh <<-'X'
	ballast=$(head -c 100000000 /dev/zero | tr '\0' x)
	until reeve status --json | grep -o '"name":"tight"[^}]*' | grep -v '"waits":null' >"$1/tight"; do sleep 0.1; done
	reeve run -q tight -- true
	echo "${#ballast}"
X
cat >twice.sh <<-'X'
	id=$(reeve add slow dir="$1")
	reeve wait "$id"
	reeve run -q later -- true
X
cat >narrow.sh <<-'X'
	echo "begin $1" >>"$2/narrow.trace"
	[ "$1" -eq 0 ] || reeve run narrow n=$(($1 - 1)) dir="$2"
	echo "end $1" >>"$2/narrow.trace"
X
cat >wide.sh <<-'X'
	set -e
	for n in 1 2 3; do reeve add narrow n=0 dir="$1"; done >"$1/wide.ids"
	reeve add lonely dir="$1" >>"$1/wide.ids"
	reeve wait $(cat "$1/wide.ids")
X
cat >library.sh <<-'X'
	"$1/wait" 60 "$("$1/enqueue" deep n=0)"
X
cat >r.ini <<-INI
	[reeve]
	state_dir = $work/state
	runtime_dir = $work/run
	adhoc = yes
	[log]
	level = debug
	[pool:default]
	workers = 1
	queues = default, later, one
	[pool:tight]
	workers = 1
	queues = tight
	max_rss_total = 60M
	[defaults]
	env = PATH=$PATH
	[task:deep]
	command = sh $work/deep.sh \${arg.n}
	[task:parent]
	command = sh $work/parent.sh
	[task:again]
	command = sh $work/again.sh \${arg.dir}
	[task:slow]
	queue = later
	command = sh $work/slow.sh \${arg.dir}
	[task:map]
	command = sh $work/map.sh \${arg.dir}
	[task:square]
	queue = later
	command = sh -c 'echo \$((\$1 * \$1)) >"\$2/square.\$1"' sh \${arg.n} \${arg.dir}
	[task:reduce]
	queue = later
	command = sh -c 'cat "\$1"/square.* | paste -sd+ | tee "\$1/terms"; echo \$((\$(cat "\$1/terms"))) >"\$1/sum"' sh \${arg.dir}
	[task:orphan]
	command = sh $work/orphan.sh \${arg.dir}
	[task:runner]
	command = sh $work/runner.sh \${arg.dir}
	[task:big]
	queue = tight
	command = sh $work/big.sh \${arg.dir}
	[task:twice]
	command = sh $work/twice.sh \${arg.dir}
	[queue:one]
	key_concurrency = 1
	[task:narrow]
	queue = one
	command = sh $work/narrow.sh \${arg.n} \${arg.dir}
	[task:wide]
	queue = one
	command = sh $work/wide.sh \${arg.dir}
	[task:lonely]
	queue = one
	concurrency = 1
	command = sh $work/narrow.sh 0 \${arg.dir}
	[task:library]
	command = sh $work/library.sh $work
	[task:sub]
	command = python3 $work/sub.py
INI
chmod 600 r.ini
unset NOTIFY_SOCKET
# The jobs have no configuration to look at: they find their own reeve by their environment.
reeved -c r.ini >daemon.log 2>&1 &
daemon=$!
export REEVE_CONFIG=$work/r.ini
await daemon.log daemon.ready "$daemon"
only() { # exactly one worker is left, when what it ran has ended
	for ((i = 0; i < 500; i++)); do
		[ "$("$bin" worker ls | grep -c '^default/')" = 1 ] && return
		sleep 0.02
	done
	fail "the pool did not go back to one worker: $("$bin" worker ls)"
}

# Three deep, with what is inherited.
expect 0 timeout 60 reeve run --deadline +1h --key k --label red deep n=3
is "$out" $'level 3\nlevel 2\nlevel 1\nlevel 0'
expect 0 reeve jobs parent:1 --json
json jobs:array=1 'jobs[0].id:int=2' 'jobs[0].parent:int=1' 'jobs[0].key:text=k' 'jobs[0].deadline:text'
says '"labels":["red"]'
expect 0 reeve show 4
says "parent       job 3"
expect 0 reeve why 4
says "job 3 submitted it"
expect 0 reeve show 1 --json
json parent:null
only

# Many parents before the first child, which is in a queue behind theirs: never more at once than
# there are workers, and one nested.
for ((n = 0; n < 30; n++)); do echo '{"task":"parent"}'; done >parents
expect 0 reeve add --from-file parents
last=$(tail -n 1 <<<"$out")
expect 0 timeout 120 reeve wait $(seq $((last - 29)) "$last")
expect 0 reeve jobs task:parent --limit 0 --json
spans=$(grep -o '"started_at":"[^"]*","finished_at":"[^"]*"' <<<"$out" | sort)
is "$(wc -l <<<"$spans")" 30
is "$(awk -F'"' '$4 < last { n++ } { last = $8 } END { print n + 0 }' <<<"$spans")" 0
only

# Map and reduce.
expect 0 timeout 60 reeve run map dir="$work"
[ "$(tail -n 1 <<<"$out")" = 55 ] || fail "the sum is $out"

# The worker of a parent that waits is killed: the parent runs again, the child once.
expect 0 reeve add again dir="$work"
parent=$out
until grep -q run slow.runs 2>/dev/null; do kill -0 "$daemon" || break; done
first=$(head -n 1 again.pids)
expect 0 reeve show "$parent" --json
holder=$(sed 's/.*"worker":"\([^"]*\)".*/\1/' <<<"$out")
worker=$("$bin" worker ls | awk -v name="$holder" '$1 == name { print $2 }')
kill -KILL "$worker"
until [ "$(wc -l <again.pids)" = 2 ]; do kill -0 "$daemon" || break; done
[ -e "/proc/$first" ] && fail "the first run of the parent outlived its worker"
touch go
expect 0 timeout 60 reeve wait "$parent"
is "$(wc -l <slow.runs)" 1
expect 0 reeve show "$parent" --json
json state:text=succeeded crashes:int=1
only
rm -f go slow.runs

# A waiter that is killed: its job goes on, and what was there for it goes with the job.
expect 0 reeve add orphan dir="$work"
parent=$out
until grep -q run slow.runs 2>/dev/null; do kill -0 "$daemon" || break; done
kill -KILL "$(cat orphan.waiter)"
touch go
expect 0 timeout 60 reeve wait "$(cat orphan.child)"
touch end
expect 0 timeout 60 reeve wait "$parent"
only
rm -f go end slow.runs

# A plain cancel ends the parent alone; --tree ends what it has submitted as well.
expect 0 reeve add --key mine again dir="$work"
parent=$out
until grep -q run slow.runs 2>/dev/null; do kill -0 "$daemon" || break; done
expect 0 reeve cancel "$parent"
expect 1 timeout 60 reeve wait "$parent"
expect 0 reeve jobs "parent:$parent" --json
json jobs:array=1 'jobs[0].state:text=running' 'jobs[0].key:text=mine'
expect 0 reeve cancel --tree "$parent"
expect 1 timeout 60 reeve wait $((parent + 1))
expect 0 reeve show $((parent + 1)) --json
json state:text=cancelled
expect 0 reeve cancel --tree "$parent"
expect 5 reeve add --parent "$parent" deep n=0
errs "is cancelled: it can have no more children"
rm -f slow.runs
expect 0 reeve add again dir="$work"
parent=$out
until grep -q run slow.runs 2>/dev/null; do kill -0 "$daemon" || break; done
expect 0 reeve cancel --tree "$parent"
expect 1 timeout 60 reeve wait "$parent" $((parent + 1))
only
rm -f slow.runs
# What a reeve run of it waits for goes with it, as by ^C.
expect 0 reeve add runner dir="$work"
parent=$out
until grep -q run slow.runs 2>/dev/null; do kill -0 "$daemon" || break; done
expect 0 reeve cancel "$parent"
expect 1 timeout 60 reeve wait "$parent" $((parent + 1))
expect 0 reeve show $((parent + 1)) --json
json state:text=cancelled
only

# A parent that has the only unit of its key lends it to its children, and they to theirs, one at a
# time: of two families the second begins when the first has ended.
expect 0 reeve add --key k narrow n=2 dir="$work"
first=$out
expect 0 reeve add --key k narrow n=2 dir="$work"
expect 0 timeout 60 reeve wait "$first" "$out"
family=$'begin 2\nbegin 1\nbegin 0\nend 0\nend 1\nend 2'
is "$(cat narrow.trace)" "$family"$'\n'"$family"
rm narrow.trace
expect 0 timeout 60 reeve run --key k wide dir="$work"
is "$(sort narrow.trace | uniq -c | tr -s ' \n' ' ')" " 4 begin 0 4 end 0 "
is "$(sed -n '1~2p' narrow.trace | sort -u)" "begin 0"
expect 0 reeve limits --json
json limits:array=0
only

# A parent that has all the memory of its pool does not wait for a child that waits for memory.
expect 0 timeout 120 reeve run big dir="$work"
is "$out" 100000000
grep -q tight tight || fail "the pool was never over its bound"

# A pool that is drained ends what it has begun, with all that this waits for, and nothing else.
rm -f slow.runs
expect 0 reeve add twice dir="$work"
parent=$out
until grep -q run slow.runs 2>/dev/null; do kill -0 "$daemon" || break; done
expect 0 reeve add -q later -- true
other=$out
expect 0 reeve pool drain default
touch go
expect 0 timeout 60 reeve wait "$parent"
expect 0 reeve show "$other" --json
json state:text=ready
expect 0 reeve pool resume default
expect 0 timeout 60 reeve wait "$other"
only
rm -f go slow.runs

# By hand, from a program that hands nothing down, and misused.
expect 0 reeve add --delay 1h -- true
parent=$out
expect 0 reeve add --delay 1h --parent "$parent" --key own --label blue -- true
expect 0 reeve show "$out" --json
json parent:int="$parent" key:text=own
echo "{\"command\":[\"true\"],\"delay\":\"1h\",\"parent\":$parent}" >line
expect 0 reeve add --from-file line
expect 0 reeve jobs "parent:$parent" --json
json jobs:array=2
expect 3 reeve add --parent 99999 -- true
errs "there is no job 99999 to be a child of"
expect 2 reeve add --parent x -- true
expect 3 reeve cancel --tree 99999
export REEVE_JOB_ID=$parent
expect 0 reeve add --delay 1h -- true
expect 0 reeve show "$out" --json
json parent:null
export REEVE_STORE=$work/state/reeve.db
expect 0 reeve add --delay 1h -- true
expect 0 reeve show "$out" --json
json parent:int="$parent"
expect 0 reeve add --delay 1h --parent none -- true
expect 0 reeve show "$out" --json
json parent:null
# A job that runs elsewhere, or not at all: who says so waits like anybody else.
export REEVE_FENCE=12345
expect 0 timeout 60 reeve run -- true
for id in 99999 0 -3 nonsense; do
	export REEVE_JOB_ID=$id
	expect 0 reeve add --delay 1h -- true
	expect 0 reeve show "$out" --json
	json parent:null
done
unset REEVE_JOB_ID REEVE_STORE REEVE_FENCE
if command -v python3 >/dev/null; then
	expect 0 timeout 60 reeve run sub
fi
# The library within a job does the same.
if command -v cc >/dev/null; then
	sanitize=$(sed -n 's/^RV_SANITIZE:[A-Z]*=\(.\)/-fsanitize=\1/p' "$build/CMakeCache.txt")
	for part in enqueue wait; do
		cc ${sanitize:+"$sanitize"} -o "$work/$part" "$here/../../conf/examples/c/$part.c" \
			-I "$here/../../common/client" -L "$build/lib" -Wl,-rpath,"$build/lib" -lreeve 2>cc.log ||
			fail "$part.c does not compile: $(cat cc.log)"
	done
	expect 0 timeout 60 reeve run library
	says succeeded
	expect 0 reeve jobs task:library --json
	library=$(sed 's/.*"id":\([0-9]*\).*/\1/' <<<"$out")
	expect 0 reeve jobs "parent:$library" --json
	json jobs:array=1 'jobs[0].task:text=deep'
fi
only
grep -q '"level":"error"' daemon.log && fail "$(grep '"level":"error"' daemon.log)"
kill "$daemon"
wait "$daemon"
expect 0 reeve db check
