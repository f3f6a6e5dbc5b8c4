#!/usr/bin/env bash
# Line coverage of the rooms that run in a debugger-like build; fails below the bounds:
# 90 % of common/core and common/store, 85 % overall.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tools/lib/packages.sh
. tools/lib/packages.sh
# shellcheck disable=SC2086
packages_need $packages_test gcovr || exit $?
tools/build coverage || exit 1
find build/coverage -name '*.gcda' -delete
if ! ctest --test-dir build/coverage -L '^(unit|contract|sim|process|cli|fault)$' --output-on-failure \
	>build/coverage/ctest.log 2>&1; then
	grep -E '\[(FAIL|CRASH)|Assertion Failed|check failed|FAIL' -A 4 build/coverage/ctest.log | head -40
	sed -n '/The following tests FAILED/,$p' build/coverage/ctest.log
	echo "the tests themselves fail under coverage"
	exit 1
fi

failed=0
# gcovr puts a new file in the place of the one it is told: never a device.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
bound() { # NAME PERCENT FILTER…
	local name=$1 percent=$2 line code
	shift 2
	gcovr -r . build/coverage --fail-under-line "$percent" --print-summary -o "$scratch/report" "$@" \
		>"$scratch/out" 2>/dev/null
	code=$?
	line=$(grep '^lines:' "$scratch/out")
	if [ "$code" -eq 0 ] && [ -n "$line" ]; then
		echo "$name: $line (bound $percent %)"
	else
		echo "FAIL: $name is under $percent %: $line"
		failed=$((failed + 1))
	fi
}
bound common/core 90 --filter 'common/core/'
bound common/store 90 --filter 'common/store/'
bound everything 85 --filter 'common/' --filter 'supervisor/' --filter 'worker/' --filter 'tools/reeve/'
echo "$((3 - failed)) passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
