# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by every script here: where things lie, and how to stop.
#
# ROOT    this project
# BUILD   everything that can be made again (DMA_BUF_BUILD overrides it)

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=${DMA_BUF_BUILD:-$ROOT/build}
export ROOT BUILD
mkdir -p -- "$BUILD"

# Print one line and exit.
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

say() {
	printf '  %-8s%s\n' "$1" "${2#"$ROOT"/}" >&2
}

# Only one process at a time makes the thing called $1; the others wait and
# then find it made. The lock is dropped when the caller's shell ends.
lock_place() {
	mkdir -p -- "$BUILD/lock"
	exec {place_lock}>"$BUILD/lock/$1"
	flock "$place_lock"
}

# For run-programs -x: the examples of the documentation, which examples_test
# runs.
example_programs() {
	(cd -- "$ROOT/tests/user" && basename -s .c -a -- example_*.c | tr '\n' ' ')
}
