# The store goes away, or another takes its place, under those who wait: they say so within seconds.
mkdir -m 0700 run
for how in removed replaced; do
	s="--store $work/$how/s.db -o reeve.adhoc=yes -o reeve.runtime_dir=$work/run"
	# shellcheck disable=SC2086
	{
		id=$(reeve $s add -- true 2>/dev/null)
		reeve $s wait --all >wait.out 2>wait.err &
		waiter=$!
		reeve $s logs -f "$id" >logs.out 2>logs.err &
		follower=$!
		reeve $s run -- true >run.out 2>run.err &
		runner=$!
		until [ "$(reeve $s db sql 'SELECT count(DISTINCT path) FROM waiter' | tail -n 1)" = 3 ]; do :; done
		mv "$how/s.db" "$how/old.db"
		rm -f "$how"/s.db-wal "$how"/s.db-shm
		[ $how = removed ] || reeve $s add -- true >/dev/null 2>&1
		start=$SECONDS
		wait $waiter
		is "$?" 74
		wait $follower
		is "$?" 74
		wait $runner
		is "$?" 125
		[ $((SECONDS - start)) -le 5 ] || fail "$how: noticed after $((SECONDS - start)) s"
		for file in wait.err logs.err run.err; do
			grep -q "the store $work/$how/s.db was removed or replaced" $file || fail "$how: $file: $(cat $file)"
		done
		is "$(find run -type s | wc -l)" 0
	}
done
