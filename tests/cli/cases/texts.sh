# What is made from verbs.def: the manual page, the completions.
src=$(cd "$here/../.." && pwd)
"$bin" help --man >reeve.1.scd
diff -u "$src/docs/man/reeve.1.scd" reeve.1.scd >&2 ||
	fail "docs/man/reeve.1.scd is not what verbs.def says: reeve help --man >docs/man/reeve.1.scd"
if command -v scdoc >/dev/null; then
	scdoc <reeve.1.scd >reeve.1 || fail "scdoc refuses reeve.1.scd"
	scdoc <"$src/docs/man/reeved.8.scd" >reeved.8 || fail "scdoc refuses reeved.8.scd"
fi
for shell in bash zsh fish; do
	expect 0 reeve completion $shell
	cp "$work/.out" complete.$shell
	while IFS= read -r verb; do
		grep -qF -- "${verb##* }" complete.$shell || fail "completion $shell does not know $verb"
	done < <("$bin" help --list)
done
bash -n complete.bash || fail "the bash completion is no bash"
if command -v zsh >/dev/null; then zsh -n complete.zsh || fail "the zsh completion is no zsh"; fi
if command -v fish >/dev/null; then fish -n complete.fish || fail "the fish completion is no fish"; fi

# complete LINE…: what bash would offer for the last word.
complete_words() {
	bash -c '. ./complete.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _reeve; printf "%s\n" "${COMPREPLY[@]}"' x "$@"
}
# shellcheck disable=SC2119
{
	out=$(complete_words reeve qu)
	is "$out" queue
	out=$(complete_words reeve queue p)
	is "$out" $'pause\npurge'
	out=$(complete_words reeve add --prio)
	is "$out" --priority
	out=$(complete_words reeve -c file jobs --st)
	is "$out" $'--store\n--state'
	out=$(complete_words reeve add -- x --pr)
	is "$out" ""
}
if [ -x "$build/bin/reeved" ]; then
	# reeved(8) names every option and signal that reeved --help names.
	"$build/bin/reeved" --help >reeved.help
	for word in $(sed '/^signals/,$d' reeved.help | grep -oE -- '--[a-z]+' | sort -u) $(sed -n '/^signals/,/^exit/s/^  \([A-Z0-9]*\) .*/\1/p' reeved.help); do
		grep -qF -- "*$word*" "$src/docs/man/reeved.8.scd" || fail "reeved.8.scd does not have $word"
	done
fi
