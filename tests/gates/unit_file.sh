#!/usr/bin/env bash
# conf/reeve.service is a unit that systemd accepts, its stop time covers the configuration's defaults, and
# it is verified by a check that can fail.
set -euo pipefail
cd "$(dirname "$0")/../.."
unit=conf/reeve.service
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if ! command -v systemd-analyze >/dev/null; then
	echo "skipped: systemd-analyze is not installed"
	exit 0
fi

# The programs of the unit need not be installed where it is checked: they are looked for below a root.
verify() {
	mkdir -p "$scratch/units"
	sed -E 's#/usr/bin/(reeved|reeve) #/bin/true #' "$1" >"$scratch/units/reeve.service"
	systemd-analyze verify --man=no "$scratch/units/reeve.service" >"$scratch/out" 2>&1 &&
		! grep -v '^$' "$scratch/out" | grep -q 'reeve.service'
}

if ! verify "$unit"; then
	echo "systemd-analyze verify refuses $unit:"
	cat "$scratch/out"
	exit 1
fi
sed 's/^KillMode=.*/KillMode=soft/' "$unit" >"$scratch/bad.service"
if verify "$scratch/bad.service"; then
	echo "systemd-analyze verify accepts a wrong KillMode: this check cannot fail"
	exit 1
fi

fails=0
need() {
	if ! grep -qx "$1" "$unit"; then
		echo "$unit: no line $1"
		fails=1
	fi
}
need Type=notify
need KillMode=mixed
need OOMPolicy=continue
need Delegate=yes
# systemd heeds RestartPreventExitStatus of the main process alone: what fails before it is begun again
# for ever.
grep -q '^RestartPreventExitStatus=.*\b78\b' "$unit" || { echo "$unit: 78 is begun again"; fails=1; }
! grep -q '^ExecStartPre=' "$unit" || { echo "$unit: what ExecStartPre refuses is begun again for ever"; fails=1; }
grep -q '^WatchdogSec=' "$unit" || { echo "$unit: no WatchdogSec"; fails=1; }
grep -q '^ExecReload=' "$unit" || { echo "$unit: no ExecReload"; fails=1; }

# Above stop_timeout + kill_after, as keys.def has them, + 7 s for the keeper and our own margin.
seconds() { sed -nE "s/.*KEY_[A-Z]+\($1, DURATION, [a-z_]+, \"([0-9]+)s\".*/\1/p" common/conf/keys.def; }
have=$(sed -nE 's/^TimeoutStopSec=([0-9]+)s$/\1/p' "$unit")
need_s=$(($(seconds stop_timeout) + $(seconds kill_after) + 7))
if [ "${have:-0}" -le "$need_s" ]; then
	echo "$unit: TimeoutStopSec is ${have:-missing}, at least $((need_s + 1)) is needed"
	fails=1
fi
exit "$fails"
