#!/usr/bin/env bash
# libreeve as a program finds it that is not ours: installed, by pkg-config.  It shows reeve_* and
# nothing else, every symbol with its version; the examples build against it without a warning, from C and C++, shared
# and static, and work with a daemon.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=${RV_BUILD:-build/dev}
if [ ! -e "$build/cmake_install.cmake" ] || [ ! -e "$build/lib/libreeve.a" ] || [ ! -e "$build/share/reeve.bash" ]; then
	echo "skipped: $build is not built"
	exit 0
fi
if grep -q '^RV_SANITIZE:[A-Z]*=.' "$build/CMakeCache.txt"; then
	echo "skipped: $build has sanitizers, the examples have not"
	exit 0
fi
scratch=$(mktemp -d)
scratch=$(cd "$scratch" && pwd -P)
daemon=
# shellcheck disable=SC2317
end() {
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null
	wait
	rm -rf "$scratch"
}
trap end EXIT
fails=0
bad() {
	echo "library: $*"
	fails=1
}

cmake --install "$build" --prefix "$scratch/usr" >"$scratch/log" 2>&1 || {
	cat "$scratch/log"
	exit 1
}
lib=$scratch/usr/$(sed -n 's/^CMAKE_INSTALL_LIBDIR:[A-Z]*=//p' "$build/CMakeCache.txt")
export PKG_CONFIG_PATH=$lib/pkgconfig

# What the dynamic linker sees.
[ "$(readelf -d "$lib/libreeve.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')" = libreeve.so.0 ] || bad "the soname"
nm -D --defined-only "$lib/libreeve.so" | awk '$2 != "A" { print $3 }' | LC_ALL=C sort >"$scratch/shown"
grep -oE '\breeve_[a-z_]+\(' common/client/reeve.h | tr -d '(' | LC_ALL=C sort -u | sed 's/$/@@REEVE_0/' >"$scratch/wanted"
diff -u "$scratch/wanted" "$scratch/shown" || bad "the symbols are not those of the header"
nm --defined-only -g "$lib/libreeve.a" 2>/dev/null | awk 'NF == 3 { print $3 "@@REEVE_0" }' | LC_ALL=C sort >"$scratch/static"
diff -u "$scratch/wanted" "$scratch/static" || bad "the static library shows something else"

# The examples, with what a careful program is compiled with.
read -ra flags <<<"$(pkg-config --cflags --libs reeve)"
read -ra static <<<"$(pkg-config --static --cflags --libs reeve | sed 's/-lreeve/-l:libreeve.a/')"
strict=(-std=c11 -Wall -Wextra -Wpedantic -Wconversion -Wno-sign-conversion -Werror)
for name in enqueue batch wait list; do
	cc "${strict[@]}" -o "$scratch/$name" "$scratch/usr/share/doc/reeve/examples/c/$name.c" "${flags[@]}" || bad "$name.c does not build"
	cc "${strict[@]}" -o "$scratch/$name.static" "$scratch/usr/share/doc/reeve/examples/c/$name.c" "${static[@]}" || bad "$name.c does not build with the static library"
done
readelf -d "$scratch/enqueue" | grep -q 'NEEDED.*libreeve\.so\.0' || bad "enqueue does not need libreeve.so.0"
readelf -d "$scratch/enqueue.static" | grep -q 'NEEDED.*libreeve' && bad "enqueue.static needs libreeve.so"
if command -v c++ >/dev/null; then
	printf '#include <reeve.h>\nint main() { struct reeve_open how = REEVE_OPEN_INIT; struct reeve_new job; reeve_new_init(&job, sizeof(job)); return how.size == 0 || reeve_version()[0] == 0; }\n' >"$scratch/plus.cc"
	c++ -Wall -Wextra -Wpedantic -Werror -o "$scratch/plus" "$scratch/plus.cc" "${flags[@]}" || bad "reeve.h is no C++"
	LD_LIBRARY_PATH=$lib "$scratch/plus" || bad "the C++ program failed"
fi

# They work: without a daemon, then with one.
export LD_LIBRARY_PATH=$lib REEVE_CONFIG=$scratch/reeve.ini
mkdir "$scratch/state"
# shellcheck disable=SC2016
printf '[reeve]\nstate_dir = %s/state\nruntime_dir = %s/state\n[pool:default]\nworkers = 2\n[task:greet]\nhandler = exec\ncommand = /bin/echo ${arg.who}\n[task:noop]\nhandler = builtin\nbuiltin = noop\n[task:bad]\nhandler = exec\ncommand = /bin/false\nmax_attempts = 1\n' "$scratch" "$scratch" >"$scratch/reeve.ini"
chmod 600 "$scratch/reeve.ini"
[ "$("$scratch/enqueue" greet who=you)" = 1 ] || bad "enqueue"
[ "$("$scratch/enqueue.static" bad)" = 2 ] || bad "enqueue.static"
"$scratch/enqueue" gret 2>"$scratch/err" && bad "enqueue took an unknown task"
grep -q 'did you mean "\?greet' "$scratch/err" || bad "no near name: $(cat "$scratch/err")"
[ "$("$scratch/batch" noop 10001)" = "10001 stored
10003 ready" ] || bad "batch"
"$scratch/wait" 0 1 2>/dev/null
[ $? -eq 124 ] || bad "wait did not time out"
[ "$("$scratch/list" 'task:greet state:ready')" = "1 ready default greet" ] || bad "list"
[ "$("$scratch/list" 'task:noop' | wc -l)" = 10001 ] || bad "list does not turn pages"
"$scratch/list" 'colour:red' 2>"$scratch/err" && bad "list took a bad query"
grep -q 'column 1 of the query' "$scratch/err" || bad "the bad query: $(cat "$scratch/err")"

"$scratch/usr/bin/reeved" 2>"$scratch/reeved.log" &
daemon=$!
"$scratch/list" --follow 5 >"$scratch/followed" &
follower=$!
said=$("$scratch/wait" 60 1 2)
[ $? -eq 1 ] || bad "wait: a dead job"
[ "$(head -n 1 <<<"$said")" = "1 succeeded" ] || bad "wait said: $said"
[[ $said == *"2 dead: "* ]] || bad "wait said: $said"
"$scratch/wait.static" 60 10003 >/dev/null || bad "wait.static"
id=$("$scratch/enqueue" noop)
"$scratch/wait" 60 "$id" >/dev/null || bad "wait for a job of its own"
wait "$follower" || bad "list --follow"
grep -qx "$id succeeded" "$scratch/followed" || bad "list --follow did not see job $id: $(tail -n 2 "$scratch/followed")"
kill -TERM "$daemon"
wait "$daemon" || bad "reeved ended with $?"
daemon=
exit "$fails"
