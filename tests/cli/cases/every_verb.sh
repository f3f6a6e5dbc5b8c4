# Every verb of the registry: help, bad arguments, used with success, and asked for JSON.
# Verbs that print no data of their own have no JSON; those that need a daemon are used by daemon.sh.
no_json="completion"
needs_daemon="run logs reload reopen shutdown worker_ls pool_ls pool_scale pool_restart pool_quiet pool_drain pool_resume upgrade"

while IFS= read -r verb; do
	# shellcheck disable=SC2086
	expect 0 reeve $verb --help
	says "reeve $verb"
	says "examples"
	# shellcheck disable=SC2086
	expect 0 reeve help $verb
	says "usage"
	# shellcheck disable=SC2086
	expect 2 reeve $verb --no-such-option
	errs "there is no option --no-such-option"
	grep -qF "## reeve $verb" <("$bin" help --man) || fail "the manual does not have $verb"
	case " $needs_daemon " in
	*" ${verb// /_} "*) [ -x "$build/bin/reeved" ] || continue ;;
	esac
	grep -qP "^(0|10)\t(.* )?$verb( |\$)(?!.*--help)" "$RV_USED" || fail "$verb was never used"
	case " $no_json " in *" $verb "*) continue ;; esac
	grep -qP "^(0|10)\t(.*--json.* $verb|(.* )?$verb .*--json)" "$RV_USED" || fail "$verb --json was never used"
done < <("$bin" help --list)

expect 2 reeve
errs "usage:"
expect 2 reeve ad
errs 'did you mean "add"?'
expect 2 reeve queue lss
errs 'did you mean "queue ls"?'
expect 2 reeve queue
errs "queue what?"
expect 0 reeve queue --help
