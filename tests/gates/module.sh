#!/usr/bin/env bash
# A module as somebody writes it who has reeve installed and nothing of its tree: the example builds in
# a folder of its own, by its Makefile and `pkg-config reeve-module` alone, is checked, and runs jobs.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=${RV_BUILD:-build/dev}
if [ ! -e "$build/cmake_install.cmake" ] || [ ! -e "$build/libexec/reeve-runner" ] || [ ! -e "$build/share/reeve.bash" ]; then
	echo "skipped: $build is not built"
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
	echo "module: $*"
	fails=1
}

cmake --install "$build" --prefix "$scratch/usr" >"$scratch/log" 2>&1 || {
	cat "$scratch/log"
	exit 1
}
lib=$scratch/usr/$(sed -n 's/^CMAKE_INSTALL_LIBDIR:[A-Z]*=//p' "$build/CMakeCache.txt")
export PKG_CONFIG_PATH=$lib/pkgconfig PKG_CONFIG_LIBDIR=$lib/pkgconfig
runner=$(pkg-config --variable=runner reeve-module)
[ -x "$runner" ] || bad "reeve-module.pc names no runner: $runner"
[ "$(pkg-config --libs reeve-module)" = "" ] || bad "a module is to link nothing of ours"

# The runner has no library but libc: what it had, a module's symbols would be bound to.
[ "$(readelf -d "$runner" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -v '^lib[a-z]*san\.so' | tr '\n' ' ')" = "libc.so.6 " ] ||
	bad "the runner needs: $(readelf -d "$runner" | grep NEEDED)"
if ! grep -q '^RV_SANITIZE:[A-Z]*=.' "$build/CMakeCache.txt"; then
	shown=$(nm -D --defined-only "$runner" | grep -v '@GLIBC')
	[ -z "$shown" ] || bad "the runner shows symbols of its own: $shown"
fi

# The example, outside of the tree, strictly; and the header for C++ and for old C.
mkdir "$scratch/words"
cp "$scratch/usr/share/doc/reeve/examples/module/"* "$scratch/words"
(cd "$scratch/words" && make -s CFLAGS='-O2 -std=c99 -Wpedantic -Wconversion -Werror' && make -s install PREFIX="$scratch/app") >"$scratch/log" 2>&1 ||
	bad "the example does not build: $(cat "$scratch/log")"
module=$scratch/app/lib/reeve/words.so
[ "$(nm -D --defined-only "$module" | awk '{ print $3 }' | tr '\n' ' ')" = "reeve_module " ] || bad "the example shows: $(nm -D --defined-only "$module")"
if command -v c++ >/dev/null; then
	printf '#include <reeve_module.h>\nstatic int run(void *, struct reeve_run *r) { r->log(r, 0, "plus"); return REEVE_RUN_DONE; }\nconst struct reeve_module reeve_module = {REEVE_MODULE_ABI, sizeof(struct reeve_module), "plus", 0, nullptr, run, nullptr, nullptr};\n' >"$scratch/plus.cc"
	read -ra flags <<<"$(pkg-config --cflags reeve-module)"
	c++ -Wall -Wextra -Wpedantic -Werror -shared -fPIC -o "$scratch/plus.so" "$scratch/plus.cc" "${flags[@]}" || bad "reeve_module.h is no C++"
else
	cp "$module" "$scratch/plus.so"
fi

# The check, by what is installed.
mkdir "$scratch/state"
printf '[reeve]\nstate_dir = %s/state\nruntime_dir = %s/state\n[pool:default]\nworkers = 2\n[defaults]\nmax_attempts = 1\n[task:words]\nhandler = module\nmodule = %s\n[task:commas]\nhandler = module\nmodule = %s\nenv = WORDS_BETWEEN=,\n[task:wrong]\nhandler = module\nmodule = %s\nenv = WORDS_BETWEEN=\n[task:plus]\nhandler = module\nmodule = %s/plus.so\n' \
	"$scratch" "$scratch" "$module" "$module" "$module" "$scratch" >"$scratch/reeve.ini"
chmod 600 "$scratch/reeve.ini"
export REEVE_CONFIG=$scratch/reeve.ini
reeve=$scratch/usr/bin/reeve
"$reeve" config check >"$scratch/log" || bad "config check: $(cat "$scratch/log")"
"$scratch/usr/bin/reeved" -t >"$scratch/log" 2>&1 || bad "reeved -t: $(cat "$scratch/log")"
"$runner" --check "$module" | grep -qx "$module: a module of reeve, ABI 1: words" || bad "reeve-runner --check"
cp "$module" "$scratch/open.so"
chmod 666 "$scratch/open.so"
printf '[task:open]\nhandler = module\nmodule = %s/open.so\n' "$scratch" | cat "$scratch/reeve.ini" - >"$scratch/bad.ini"
chmod 600 "$scratch/bad.ini"
for check in "$reeve -c $scratch/bad.ini config check" "$scratch/usr/bin/reeved -t -c $scratch/bad.ini"; do
	said=$($check 2>&1) && bad "$check passes"
	[[ $said == *"bad.ini:$(grep -n open.so "$scratch/bad.ini" | cut -d : -f 1): module: $scratch/open.so: everybody may write it"* ]] || bad "$check said: $said"
done

# Jobs.
"$scratch/usr/bin/reeved" 2>"$scratch/reeved.log" &
daemon=$!
[ "$("$reeve" run words text="one two three" 2>>"$scratch/log")" = counted ] || bad "its log is not its output"
result() {
	"$reeve" wait --timeout 1m "$1" >/dev/null && "$reeve" result "$1"
}
[ "$(result "$("$reeve" add words text="one two three")")" = '{"words":3}' ] || bad "words by an argument"
printf 'a b' >"$scratch/in"
[ "$(result "$("$reeve" add --stdin "$scratch/in" words)")" = '{"words":2}' ] || bad "words of a payload"
[ "$(result "$("$reeve" add commas text="one two,three")")" = '{"words":2}' ] || bad "its environment"
id=$("$reeve" add words)
"$reeve" wait --timeout 1m "$id" >/dev/null 2>&1 && bad "a job without a text succeeded"
"$reeve" show "$id" | grep -q 'there is no text to count' || bad "its error"
id=$("$reeve" add wrong text=x)
"$reeve" wait --timeout 1m "$id" >/dev/null 2>&1 && bad "a module that refuses ran"
"$reeve" show "$id" | grep -q 'WORDS_BETWEEN is empty' || bad "its refusal"
"$reeve" wait --timeout 1m "$("$reeve" add plus)" || bad "the C++ module"
for ((n = 0; n < 500; n++)); do echo '{"task":"words","args":{"text":"a b"}}'; done >"$scratch/many"
"$reeve" add --from-file "$scratch/many" >"$scratch/ids"
# shellcheck disable=SC2046
"$reeve" wait --timeout 1m $(cat "$scratch/ids") >/dev/null || bad "many"
kill -TERM "$daemon"
wait "$daemon" || bad "reeved ended with $?"
daemon=
exit "$fails"
