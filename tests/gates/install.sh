#!/usr/bin/env bash
# `cmake --install` puts every file where Debian looks for it and none elsewhere; the manual pages are
# well-formed; what is installed runs a job.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=${RV_BUILD:-build/dev}
if [ ! -e "$build/cmake_install.cmake" ] || [ ! -e "$build/share/reeve.bash" ]; then
	echo "skipped: $build is not built"
	exit 0
fi
scratch=$(mktemp -d)
scratch=$(cd "$scratch" && pwd -P)
trap 'rm -rf "$scratch"' EXIT
fails=0
bad() {
	echo "install: $*"
	fails=1
}

DESTDIR=$scratch/root cmake --install "$build" --prefix /usr >"$scratch/log" 2>&1 || {
	cat "$scratch/log"
	exit 1
}
root=$scratch/root/usr
(cd "$scratch/root" && find . ! -type d | sed 's#^\./##' | LC_ALL=C sort) >"$scratch/have"
{
	lib=usr/$(sed -n 's/^CMAKE_INSTALL_LIBDIR:[A-Z]*=//p' "$build/CMakeCache.txt")
	printf '%s\n' "$lib"/libreeve.{a,so,so.0,so.0.1.0} "$lib/reeve/reeve_sqlite.so" "$lib/pkgconfig/"reeve{,-module}.pc
	cat <<'EOM'
usr/bin/reeve
usr/bin/reeved
usr/include/reeve.h
usr/include/reeve_module.h
usr/lib/systemd/system/reeve.service
usr/libexec/reeve/reeve-keeper
usr/libexec/reeve/reeve-runner
usr/libexec/reeve/reeve-worker
usr/share/bash-completion/completions/reeve
usr/share/doc/reeve/CHANGELOG.md
usr/share/doc/reeve/README.md
usr/share/doc/reeve/copyright
usr/share/doc/reeve/examples/c/batch.c
usr/share/doc/reeve/examples/c/enqueue.c
usr/share/doc/reeve/examples/c/list.c
usr/share/doc/reeve/examples/c/wait.c
usr/share/doc/reeve/examples/module/Makefile
usr/share/doc/reeve/examples/module/words.c
usr/share/doc/reeve/examples/node/enqueue.js
usr/share/doc/reeve/examples/pipe/handler.c
usr/share/doc/reeve/examples/pipe/handler.js
usr/share/doc/reeve/examples/pipe/handler.py
usr/share/doc/reeve/examples/pipe/handler.sh
usr/share/doc/reeve/examples/reeve.ini
usr/share/fish/vendor_completions.d/reeve.fish
usr/share/zsh/vendor-completions/_reeve
EOM
	if command -v scdoc >/dev/null; then
		printf 'usr/share/man/%s\n' man1/reeve.1 man3/reeve.3 man3/reeve_module.3 man5/reeve.ini.5 man8/reeved.8
	else
		echo "skipped: the manual pages: scdoc is not installed" >&2
	fi
} | LC_ALL=C sort >"$scratch/want"
diff -u "$scratch/want" "$scratch/have" || bad "the list of files differs"

grep -qx 'ExecStart=/usr/bin/reeved -c /etc/reeve/reeve.ini' "$root/lib/systemd/system/reeve.service" ||
	bad "the unit does not start /usr/bin/reeved"
DESTDIR=$scratch/opt cmake --install "$build" --prefix /opt/reeve >/dev/null 2>&1 || bad "not into /opt/reeve"
grep -q '^ExecStart=/opt/reeve/bin/reeved ' "$scratch/opt/opt/reeve/lib/systemd/system/reeve.service" ||
	bad "the unit does not follow the prefix"

# No warning of troff in any page.
if command -v groff >/dev/null; then
	for page in "$root"/share/man/man*/*; do
		[ -e "$page" ] || continue
		said=$(groff -man -ww -z -Tutf8 "$page" 2>&1)
		[ -z "$said" ] || bad "${page##*/}: $(head -n 3 <<<"$said")"
	done
	printf '.TH x 1\n.XX unknown\n' >"$scratch/bad.1"
	[ -n "$(groff -man -ww -z -Tutf8 "$scratch/bad.1" 2>&1)" ] || bad "groff warns of nothing: this check cannot fail"
else
	echo "skipped: the look at the manual pages: groff is not installed" >&2
fi
bash -n "$root/share/bash-completion/completions/reeve" || bad "the bash completion is no bash"
head -n 1 "$root/share/zsh/vendor-completions/_reeve" | grep -qx '#compdef reeve' || bad "the zsh completion is none"
HOME=$scratch "$root/bin/reeve" -c "$root/share/doc/reeve/examples/reeve.ini" config check >/dev/null 2>"$scratch/log" ||
	bad "the sample is refused: $(cat "$scratch/log")"

# The installed programs find each other.
mkdir "$scratch/state"
printf '[reeve]\nstate_dir = %s/state\nadhoc = yes\n[pool:default]\nworkers = 1\n' "$scratch" >"$scratch/reeve.ini"
chmod 600 "$scratch/reeve.ini"
"$root/bin/reeved" -c "$scratch/reeve.ini" 2>"$scratch/reeved.log" &
daemon=$!
said=$("$root/bin/reeve" -c "$scratch/reeve.ini" run -- echo installed 2>>"$scratch/log")
[ "$said" = installed ] || bad "no job ran: $(tail -n 1 "$scratch/log") $(tail -n 5 "$scratch/reeved.log")"
kill -TERM "$daemon"
wait "$daemon" || bad "reeved ended with $?"
exit "$fails"
