# What would be run, and nothing stored.
cat >d.ini <<-INI
	[reeve]
	state_dir = $work/state
	adhoc = yes
	[task:thumb]
	command = /usr/lib/app/thumb --in \${arg.in} 'two words' --size=\${arg.size}
	queue = pictures
	nice = 5
	limit_nofile = 64
	timeout = 2m
	[task:line]
	shell = yes
	command = echo "\$REEVE_ARG_who" | cat
	[pool:art]
	queues = pictures
	[pool:rest]
	queues = default
INI
export REEVE_CONFIG=$work/d.ini
py() { # PATH VALUE: within the JSON that was printed
	is "$(python3 -c 'import json, sys
at = json.load(sys.stdin)
for name in sys.argv[1].split():
	at = at[int(name) if name.isdigit() else name]
print(at)' "$1" <<<"$out")" "$2"
}

expect 0 reeve add --dry-run thumb in='a b.png' size=3
[[ $out == *"runs         \$ /usr/lib/app/thumb --in 'a b.png' 'two words' --size=3"* ]] || fail "$out"
[[ $out == *"queue        pictures"*"pool         art"*"nice         5"* ]] || fail "$out"
[[ $out == *"limit_nofile 64"* ]] || fail "$out"
errs "nothing was stored"
[ ! -e state ] || fail "there is a store"

expect 0 reeve run --dry-run --json --priority 7 --label eu thumb in=x size=1
json dry_run:bool=true
py "argv 0" /usr/lib/app/thumb
py "argv 4" --size=1
py "settings timeout" 2m
py "pools 0" art
py "job priority" 7

expect 0 reeve add --dry-run line
[[ $out == *"runs         \$ /bin/sh -c 'echo "* ]] || fail "$out"
expect 0 reeve run --dry-run -- ls -l 'a b'
[[ $out == *"runs         \$ ls -l 'a b'"*"pool         rest"* ]] || fail "$out"

# Misuse.
expect 3 reeve add --dry-run thump in=x
errs "did you mean thumb?"
expect 2 reeve add --dry-run thumb in=x
errs "size"
expect 2 reeve add --dry-run --priority 99999 thumb in=x size=1
expect 2 reeve add --dry-run --from-file d.ini
expect 6 reeve -o reeve.adhoc=no add --dry-run -- true
[ ! -e state ] || fail "there is a store"
