# Bytes and words go in as they are: payloads with NULs, broken UTF-8, 16 MiB; arguments with
# everything a shell would touch.  What came in is read back from the store.
s="--store s/s.db -o reeve.adhoc=yes"
payload_of() { reeve --store s/s.db db sql "SELECT hex(payload) AS h FROM job WHERE id = $1" | tail -n 1; }

# shellcheck disable=SC2086
{
	printf 'a\0b\xff\xfe\r\n\n' >p1
	expect 0 reeve $s add --stdin p1 -- cat
	is "$(payload_of 1)" "610062FFFE0D0A0A"
	printf '' >p2
	expect 0 reeve $s add --stdin p2 -- cat
	is "$(payload_of 2)" ""
	head -c 16777216 /dev/urandom >p3
	expect 0 reeve $s add --stdin p3 -- cat
	reeve --store s/s.db db sql "SELECT hex(payload) AS h FROM job WHERE id = 3" | tail -n 1 | tr -d '\n' >p3.hex
	is "$(sha256sum <p3.hex)" "$(od -An -v -tx1 p3 | tr -d ' \n' | tr a-f A-F | sha256sum)"
	printf x >>p3
	expect 2 reeve $s add --stdin p3 -- cat
	errs "more than 16 MiB"
	expect 3 reeve $s add --stdin absent -- cat
	expect 74 reeve $s add --stdin "$work" -- cat
	out=$(printf 'piped' | reeve $s add --stdin - -- cat 2>/dev/null)
	is "$(payload_of "$out")" "7069706564"
	out=$(reeve $s add --stdin <(printf 'sub') -- cat 2>/dev/null)
	is "$(payload_of "$out")" "737562"

	words=('two  words' $'new\nline\ttab' "it's \"quoted\"" '$(touch hacked) `id` $HOME ${arg.x}' '\' '' '-x' '--' '*' 'ä€😀' ';|&#')
	expect 0 reeve $s add --json -- printf '%s' "${words[@]}"
	id=$(sed 's/.*"id":\([0-9]*\).*/\1/' .out)
	expect 0 reeve $s show --json "$id"
	json command:array=13
	n=2
	for word in "${words[@]}"; do
		json "command[$n]:text=$word"
		n=$((n + 1))
	done
	[ ! -e hacked ] || fail "a substitution was run"
	expect 2 reeve $s add -- printf $'broken \xff utf-8'
	errs "not UTF-8"
	expect 2 reeve $s add -- ""
	errs "empty"

	# Environment and folder.
	mkdir -p 'a folder'
	A=1 expect 0 reeve $s add --json -C 'a folder' -e 'X=1 2' -e Y= --pass-env HOME --pass-env NOT_SET -- true
	id=$((id + 1))
	expect 0 reeve $s show --json "$id"
	json cwd:text="$work/a folder" 'env.X:text=1 2' env.Y:text= env.HOME:text="$HOME" env:object=3
	expect 3 reeve $s add -C nowhere -- true
	expect 2 reeve $s add -C p1 -- true
}
