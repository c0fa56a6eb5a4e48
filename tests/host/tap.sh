# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by the tests of our own scripts: a case is a function named case_...
# whose first line says what it shows; its exit status is the verdict.

PROJECT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
WORK=$(mktemp -d "${TMPDIR:-/tmp}/dma-buf-host.XXXXXX")
trap 'chmod -R u+rwX -- "$WORK" && rm -rf -- "$WORK"' EXIT
export PROJECT WORK

# The text after ": " in the first line of a case.
describe() {
	declare -f "$1" | sed -n 's/^ *: "\{0,1\}\(.*[^";]\)"\{0,1\};$/\1/p' | head -n 1
}

run_cases() {
	local name number=0 failed=0 status cases

	mapfile -t cases < <(declare -F | sed -n 's/^declare -f \(case_.*\)/\1/p')
	echo "TAP version 13"
	echo "1..${#cases[@]}"
	for name in "${cases[@]}"; do
		number=$((number + 1))
		# Not as a condition: there "set -e" would mean nothing.
		(set -eu; "$name") >"$WORK/output" 2>&1
		status=$?
		if [ "$status" -eq 0 ]; then
			echo "ok $number $(describe "$name")"
		else
			sed 's/^/# /' "$WORK/output"
			echo "not ok $number $(describe "$name")"
			failed=1
		fi
	done
	return "$failed"
}

# Complain and fail, whatever the context.
fail() {
	echo "$*"
	exit 1
}

same() { # WHAT EXPECTED FOUND
	[ "$2" = "$3" ] || fail "$1: expected '$2', found '$3'"
}

has() { # TEXT PATTERN
	grep -qE -- "$2" <<<"$1" || fail "'$2' is not in: $1"
}
