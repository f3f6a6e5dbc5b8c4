# add --from-file: 10,000 jobs; a bad line at 5,500; nothing of its thousand.
s="--store s/s.db -o reeve.adhoc=yes"
total() { reeve --store s/s.db db sql 'SELECT count(*) FROM job' | tail -n 1; }

# shellcheck disable=SC2086
{
	for ((i = 1; i <= 10000; i++)); do
		printf '{"command":["echo","%d"],"payload":"p%d"}\n' $i $i
	done >good.jsonl
	sed '5500s/.*/{"command":["echo"],"quue":"default"}/' good.jsonl >bad.jsonl

	expect 2 reeve $s add --from-file bad.jsonl
	errs "bad.jsonl:5500:"
	errs "queue"
	errs "5000 jobs were stored before line 5001"
	is "$(wc -l <"$work/.out")" 5000
	is "$(total)" 5000
	is "$(tail -n 1 "$work/.out")" 5000

	expect 0 reeve $s add --from-file good.jsonl
	is "$(wc -l <"$work/.out")" 10000
	is "$(total)" 15000
	is "$(head -n 1 "$work/.out")" 5001

	is "$(reeve $s add --from-file - <good.jsonl 2>/dev/null | wc -l)" 10000
	expect 0 reeve $s add --json --from-file good.jsonl
	json ids:array=10000 'ids[]:int' 'ids[0]:int=25001'

	# Everything a line may say; blank lines are nothing.
	cat >fields.jsonl <<-'L'
		{"command":["cat"],"queue":"default","priority":5,"payload":{"a":[1,2]},"delay":"1h","labels":["x","y"],"key":"k","meta":{"tenant":"acme","n":5}}

		{"command":["cat"],"env":{"A":"1","N":2},"cwd":"/","payload":"nul \u0000 byte","max_attempts":2,"timeout":"5s","ttl":"1d"}
		{"command":["cat"],"at":"2099-01-01T00:00:00Z","unique":"u","idempotency_key":"i","after":[1,2]}
	L
	expect 0 reeve $s add --from-file fields.jsonl
	is "$(wc -l <"$work/.out")" 3
	is "$(reeve $s db sql "SELECT hex(payload) FROM job WHERE id = 35001" | tail -n 1)" "7B2261223A5B312C325D7D"
	is "$(reeve $s db sql "SELECT hex(payload) FROM job WHERE id = 35002" | tail -n 1)" "6E756C20002062797465"
	expect 0 reeve $s show 35002 --json
	json env.N:text=2 cwd:text=/ max_attempts:int=2 expires_at:text
	expect 0 reeve $s show 35001 --json
	json priority:int=5 state:text=scheduled 'labels[1]:text=y' meta.tenant:text=acme meta.n:int=5

	before=$(total)
	n=0
	while IFS= read -r line; do
		n=$((n + 1))
		printf '%s\n' "$line" >one.jsonl
		expect 2 reeve $s add --from-file one.jsonl
		errs "one.jsonl:1:"
	done <<-'L'
		{
		[]
		{"command":[]}
		{"command":"ls"}
		{"command":["ls"],"task":"x"}
		{}
		{"command":["ls"],"priority":"high"}
		{"command":["ls"],"priority":65536}
		{"command":["ls"],"delay":5}
		{"command":["ls"],"delay":"5"}
		{"command":["ls"],"at":"soon"}
		{"command":["ls"],"after":["x"]}
		{"command":["ls"],"labels":"x"}
		{"command":["ls"],"meta":"x"}
		{"command":["ls\u0000"]}
		{"command":["ls"],"env":{"LD_PRELOAD":1,"A":[]}}
		{"command":["ls"],"command":["rm"]}
		{"command":["ls"]} {"command":["ls"]}
	L
	is "$(total)" "$before"
	expect 3 reeve $s add --from-file absent.jsonl
	printf '{"task":"nightly"}\n' >task.jsonl
	expect 3 reeve $s add --from-file task.jsonl
	errs "task.jsonl:1:"
	: >empty.jsonl
	expect 0 reeve $s add --from-file empty.jsonl
	is "$out" ""
	head -c 100 good.jsonl >cut.jsonl
	expect 2 reeve $s add --from-file cut.jsonl
}
