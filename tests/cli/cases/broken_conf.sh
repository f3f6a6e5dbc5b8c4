# A configuration with a mistake: named by every verb that needs one, with exit 78; the others work.
printf '[reeve]\nstate_dir = %s/state\n[pool:default]\nworkerz = 3\n' "$work" >broken.ini
export REEVE_CONFIG=$work/broken.ini
while read -r verb; do
	case $verb in
	help | version | completion | "config check" | "config explain" | "") continue ;;
	esac
	word=
	case $verb in
	add | run | advise) word=job ;;
	show | result | why | logs | wait | cancel | retry | delete | hold | release) word=1 ;;
	edit) word="--priority 1 1" ;;
	"batch show" | "batch results" | "batch close" | "batch wait" | "batch cancel" | "batch delete") word=1 ;;
	"queue show" | "queue pause" | "queue resume" | "queue purge" | "queue drain") word=default ;;
	"pool scale") word="default 2" ;;
	"dlq import" | "db restore") word=file ;;
	"cron ls") ;;
	"cron add") word="x @daily job" ;;
	cron*) word=x ;;
	"db sql") word="SELECT" ;;
	esac
	# shellcheck disable=SC2086
	expect 78 reeve $verb $word
	is "$out" ""
	errs "broken.ini:4: "
	errs 'did you mean workers?'
done < <(reeve help --list)
[ ! -e state ] || fail "a store was made"
expect 78 reeve config check
says "broken.ini:4: "
expect 0 reeve config explain pool.workers
expect 0 reeve help add
expect 0 reeve add --help
expect 0 reeve version
expect 0 reeve version --json
for shell in bash zsh fish; do
	expect 0 reeve completion $shell
done
# The way out: another file, or none at all.
: >empty.ini
expect 0 reeve -c empty.ini config check
expect 3 reeve -c empty.ini --store "$work/none.db" jobs
