#!/bin/sh
# A pipe handler in shell: counts the words of a text.  A shell reads JSON with sed only as long as the
# texts have no quotes in them; use jq where there is one.
#
#     [task:words]
#     handler = pipe
#     command = sh /usr/share/doc/reeve/examples/pipe/handler.sh
#
#     reeve add words text="one two three"
#
# Jobs come on stdin and answers go to descriptor 3, a line of JSON each (docs/PROTOCOL.md, Pipe
# handlers).  Programs that it starts get another stdin: what they read there would be jobs.
set -u

number() { # NAME LINE
	printf '%s\n' "$2" | sed -n "s/^{\(.*,\)\{0,1\}\"$1\":\([0-9]*\)[,}].*/\2/p"
}

text() { # NAME LINE
	printf '%s\n' "$2" | sed -n "s/.*\"$1\":\"\([^\"\\\\]*\)\".*/\1/p"
}

echo '{"reeve":1,"health":true}' >&3
while IFS= read -r line; do
	case $line in '{"health":'*) # "are you well?": yes is the line sent back
		printf '%s\n' "$line" >&3
		continue
		;;
	esac
	about="\"job\":$(number job "$line"),\"run\":$(number run "$line")"
	words=$(text text "$line")
	if [ -z "$words" ]; then
		echo "{$about,\"ok\":false,\"error\":\"there is no text to count\",\"permanent\":true}" >&3
		continue
	fi
	echo "counting ${#words} characters"
	count=$(printf '%s\n' "$words" | wc -w)
	echo "{$about,\"ok\":true,\"result\":{\"words\":$((count))}}" >&3
done
