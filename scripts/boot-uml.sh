#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Boot User Mode Linux: the kernel as an ordinary process, one CPU. See --help.

set -euo pipefail
# shellcheck source=scripts/places.sh
. "$(dirname -- "$0")/places.sh"
# shellcheck source=scripts/guest.sh
. "$ROOT/scripts/guest.sh"
# shellcheck disable=SC2034,SC2154

default_kernel=uml
default_memory=512M

# What User Mode Linux does not know about the machine, or does too often.
preload_shims() {
	local shim=$BUILD/uml-preload.so source stale=
	local -a sources=("$ROOT"/tests/host/uml_*.c)

	(
		lock_place uml-preload
		for source in "${sources[@]}"; do
			[ "$shim" -nt "$source" ] || stale=1
		done
		[ -z "$stale" ] ||
			"${CC:-gcc}" -O2 -Wall -shared -fPIC -o "$shim" "${sources[@]}"
	)
	export LD_PRELOAD=$shim
}

start_guest() {
	local -a line words

	[ -n "$image" ] || image=$kernel_dir/linux
	line=("mem=$memory" "initrd=$initramfs" guest=uml "out=$out" con=null)
	# A disk that answers after 20 ms: there is time to look at what waits for it.
	line+=(scsi_debug.dev_size_mb=16 scsi_debug.ndelay=20000000)
	read -ra words <<<"$append"
	# The guest's memory is a file that is executed from; containers often
	# have a /dev/shm that is too small for it, or that nothing may run in.
	if [ "$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')" -lt 800000 ] 2>/dev/null ||
	   findmnt -no OPTIONS -T /dev/shm 2>/dev/null | grep -qw noexec; then
		export TMPDIR=$out
	fi
	preload_shims
	if [ -n "$shell" ] && [ -t 0 ]; then
		"$image" "${line[@]}" con0=fd:0,fd:1 "${words[@]}"
	elif [ -n "$shell" ]; then
		guest_input | "$image" "${line[@]}" con0=fd:0,fd:1 "${words[@]}"
	else
		# Both consoles are pipes: UML cannot wait for a plain file.
		{
			guest_run "$image" "${line[@]}" "${words[@]}" \
				con0=null,fd:3 con1=null,fd:4 \
				3>&1 4>&5 </dev/null >"$out/uml.log" 2>&1 |
				cat >"$kernel_log"
		} 5>&1 | guest_output
	fi
}

guest_main "$@"
