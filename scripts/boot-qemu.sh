#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Boot an x86-64 kernel in QEMU with two CPUs, an IOMMU and an "edu" device.
# See --help; ACCEL=kvm in the environment replaces software emulation, EDU=N
# plugs in N edu devices, NODES=N divides memory and CPUs into NUMA nodes, NVME=1 plugs
# in a disk with three namespaces (empty, ext4, xfs), QEMU_ARGS has more words for QEMU.
# ACCEL=icount emulates one CPU whose clock is its count of instructions, a nanosecond
# each: for measurements.

set -euo pipefail
# shellcheck source=scripts/places.sh
. "$(dirname -- "$0")/places.sh"
# shellcheck source=scripts/guest.sh
. "$ROOT/scripts/guest.sh"
# shellcheck disable=SC2034,SC2154

default_kernel="qemu-demo"
default_memory=1G

# A disk of three namespaces: nothing on it, ext4, xfs. All are sparse files.
make_disks() {
	local i

	for i in raw ext4 xfs; do
		rm -f -- "$out/$i.disk"
		truncate -s 512M "$out/$i.disk"
	done
	PATH=$PATH:/sbin:/usr/sbin mkfs.ext4 -q "$out/ext4.disk"
	PATH=$PATH:/sbin:/usr/sbin mkfs.xfs -q "$out/xfs.disk"
}

start_guest() {
	local accel=${ACCEL:-tcg} cpu cpus=2 tar=$out/out.tar result=0 i
	local -a qemu line words clock=()
	local share

	# Emulated string instructions, which the kernel and libc use to set and
	# copy memory where ERMS and FSRM say that they are fast, take a round for
	# each byte, and -icount counts each round.
	cpu=max,-erms,-fsrm
	case $accel in
	tcg)	accel="tcg,thread=multi" ;;
	kvm)	cpu=host ;;
	icount)	accel="tcg,thread=single" cpus=1 clock=(-icount "shift=0,sleep=off") ;;
	esac
	[ -n "$image" ] || image=$kernel_dir/arch/x86/boot/bzImage
	"$ROOT/scripts/need-packages" qemu

	# shellcheck disable=SC2054
	qemu=(qemu-system-x86_64 -accel "$accel" "${clock[@]}" -M "q35,kernel-irqchip=split"
	      -cpu "$cpu" -smp "$cpus,sockets=$cpus" -m "$memory"
	      -nodefaults -display none -no-reboot -no-user-config
	      -device "intel-iommu,intremap=on"
	      -device virtio-serial-pci
	      -chardev "file,id=out,path=$tar" -device virtserialport,chardev=out,name=out
	      -kernel "$image" -initrd "$initramfs")
	for ((i = 0; i < ${EDU:-1}; i++)); do
		qemu+=(-device edu)
	done
	if [ "${NODES:-1}" -gt 1 ]; then
		share=$(($(numfmt --from=iec "$memory") / NODES))
		for ((i = 0; i < NODES; i++)); do
			qemu+=(-object "memory-backend-ram,id=node$i,size=$share"
			       -numa "node,nodeid=$i,memdev=node$i"
			       -numa "cpu,node-id=$i,socket-id=$i")
		done
	fi
	if [ -n "${NVME:-}" ]; then
		"$ROOT/scripts/need-packages" nvme
		make_disks
		qemu+=(-device "nvme,id=nvme0,serial=dmabuf")
		for i in raw ext4 xfs; do
			qemu+=(-drive "file=$out/$i.disk,if=none,id=$i,format=raw,cache=unsafe"
			       -device "nvme-ns,drive=$i,bus=nvme0")
		done
	fi
	read -ra words <<<"${QEMU_ARGS:-}"
	qemu+=("${words[@]}")
	# An emulated timer on a busy machine is late, which with interrupt
	# remapping the kernel takes for a broken one, and panics.
	line=(console=ttyS0 guest=qemu no_timer_check "cma=${CMA:-96M}@0-4G" "$append")
	rm -f -- "$tar"
	if [ -n "$shell" ] && [ -t 0 ]; then
		"${qemu[@]}" -append "${line[*]}" -serial mon:stdio
	elif [ -n "$shell" ]; then
		guest_input | "${qemu[@]}" -append "${line[*]}" -serial mon:stdio
	else
		# The pipe ends when all of it has been written, which a process
		# substitution does not wait for.
		guest_run "${qemu[@]}" -append "${line[*]} quiet loglevel=7" \
			-serial "file:$kernel_log" \
			-chardev "file,id=user,path=/dev/fd/3" \
			-device "virtserialport,chardev=user,name=user" \
			3>&1 >&2 </dev/null | guest_output || result=$?
	fi
	if [ -s "$tar" ]; then
		tar -xmf "$tar" -C "$out" --no-same-owner || result=1
	fi
	rm -f -- "$tar" "$out"/*.disk
	return "$result"
}

guest_main "$@"
