# Sourced by the programs of tools/: which Debian packages each purpose needs, and how to get them.
# shellcheck shell=bash disable=SC2034

# To build and run reeve.
packages_build="gcc libc6-dev cmake ninja-build pkg-config libsqlite3-dev libev-dev libinih-dev libjansson-dev"
# To test it.
packages_test="$packages_build libcriterion-dev sqlite3 strace procps python3 shellcheck scdoc systemd spin"
# To test it wholly (tools/test --all, tools/lint).  Node's bindings of SQLite are used where they
# are, not asked for: the example needs none, and node-sqlite3 fits Debian's own nodejs only.
packages_all="$packages_test nodejs clang clang-tidy clang-format cppcheck gcovr debootstrap"

# Prints those of its arguments that are not installed.
packages_missing() {
	local package
	for package in "$@"; do
		[ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
	done
}

# Installs what is missing of its arguments.  Without apt or root: names the packages and returns 69.
packages_need() {
	local missing
	command -v dpkg-query >/dev/null 2>&1 || {
		command -v cmake >/dev/null 2>&1 && return 0
		echo "This is no Debian system: install the equivalents of: $*" >&2
		return 69
	}
	mapfile -t missing < <(packages_missing "$@")
	[ "${#missing[@]}" -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		echo "These packages are missing; install them, then run this again:" >&2
		echo "    sudo apt-get install ${missing[*]}" >&2
		return 69
	fi
	echo "Installing: ${missing[*]}" >&2
	{
		apt-get update -qq &&
			DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
	} >&2 </dev/null || {
		echo "The packages could not be installed: ${missing[*]}" >&2
		return 69
	}
}
