# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by boot-uml.sh and boot-qemu.sh: command line, time limits and exit status
# of a guest. The sourcing script sets
#
#   default_kernel   name of the configuration to boot
#   default_memory   in the guest's own notation
#
# and then calls guest_main "$@", which calls its start_guest(); that starts
# the guest by guest_run(), with the kernel log going to $kernel_log, what the command
# prints through guest_output() to standard output, and /out to $out.
#
# shellcheck disable=SC2034,SC2154

default_cap=14400

guest_usage() {
	cat <<-EOF
	usage: ${0##*/} [option]... [--] COMMAND...

	Build a kernel, boot it, run COMMAND in it and exit with its status.

	  --kernel NAME      scripts/config/NAME.config (default: $default_kernel)
	  --image FILE       boot this kernel and build nothing
	  --stock            the kernel tree as it comes, without this project
	  --add HOST=GUEST   a file or folder for the guest; may be repeated
	  --out DIR          where /out of the guest and its logs go (default: a
	                     folder below build/guest)
	  --append STRING    more kernel parameters; may be repeated
	  --memory SIZE      default: $default_memory
	  --timeout SECONDS  stop a guest which has printed nothing, neither on its
	                     kernel log nor by COMMAND, for so long (default: 120)
	  --cap SECONDS      stop any guest after that (default: $default_cap)
	  --shell            an interactive shell instead of COMMAND, no time limit;
	                     ends with its input

	Exit status: the command's; 124 when time is up; 70 when the kernel
	complained or the guest did not come to an end.
	EOF
}

guest_options() {
	kernel=$default_kernel
	memory=$default_memory
	image=
	out=
	append=
	limit=120
	cap=$default_cap
	shell=
	command=
	adds=()
	build_options=()
	while [ $# -gt 0 ]; do
		case $1 in
		--stock)	build_options=(--stock); shift; continue ;;
		--shell)	shell=1; shift; continue ;;
		--help)		guest_usage; exit 0 ;;
		--)		shift; break ;;
		-*)		;;
		*)		break ;;
		esac
		[ $# -ge 2 ] || die "$1: wants a value, see --help"
		case $1 in
		--kernel)	kernel=$2 ;;
		--image)	image=$2 ;;
		--add)		adds+=("$2") ;;
		--out)		out=$2 ;;
		--append)	append+=" $2" ;;
		--memory)	memory=$2 ;;
		--timeout)	limit=$2 ;;
		--cap)		cap=$2 ;;
		*)		die "$1: no such option, see --help" ;;
		esac
		shift 2
	done
	command=$*
	[ -n "$command$shell" ] || die "no COMMAND, see --help"
}

# The one line that init leaves on the kernel log.
guest_status() {
	sed -n 's/.*guest: exit status \([0-9]*\).*/\1/p' "$kernel_log" | tail -n 1
}

# guest_run COMMAND...: the guest itself, which guest_watch() may end. In a process of
# its own: one side of a pipe, or in parentheses.
guest_run() {
	printf '%s\n' "$BASHPID" >"$out/guest.pid.$$"
	exec timeout -k 5 "$cap" "$@"
}

# What the command prints, on its way to standard output.
guest_output() {
	tee -- "$out/output.log"
}

# How much the guest has printed so far. A kernel that is stuck reports that again and
# again, which is no progress: then only the output of the command counts.
guest_progress() {
	local logs=("$out/output.log")

	grep -qE 'soft lockup|hard LOCKUP|detected stalls|blocked for more than' "$kernel_log" ||
		logs+=("$kernel_log")
	stat -c %s -- "${logs[@]}" 2>/dev/null || true
}

# End the guest when it has been silent for too long, or when this script is gone. How
# long a test takes depends on the load of the machine; silence does not.
guest_watch() {
	local seen='' now silent=0 pid

	trap '' INT TERM HUP
	while sleep 1 && kill -0 $$ 2>/dev/null; do
		[ -e "$out/guest.pid.$$" ] || return 0
		silent=$((silent + 1))
		now=$(guest_progress)
		if [ "$now" != "$seen" ]; then
			seen=$now
			silent=0
		elif [ "$silent" -ge "$limit" ]; then
			: >"$out/guest.silent"
			break
		fi
	done
	pid=$(cat -- "$out/guest.pid.$$" 2>/dev/null) || return 0
	[ -z "$pid" ] || kill "$pid" 2>/dev/null || true
}

# The input of a shell. Its end is sent again and again, as a program in the guest may
# read it instead of the shell.
guest_input() {
	cat
	while sleep 1; do
		printf '\n\004' 2>/dev/null || break
	done
}

# The first report of the kernel, as later ones follow from it, or the last lines.
guest_log_shown() {
	! "$ROOT/scripts/guest-log" --first 25 "$kernel_log" || tail -n 15 "$kernel_log"
}

guest_stopped() {
	printf '%s: %s, the guest was stopped; its log is %s\n' "${0##*/}" "$1" "$kernel_log" >&2
	guest_log_shown >&2
}

guest_main() {
	local result=0 status modules

	guest_options "$@"
	"$ROOT/scripts/need-packages" guest
	[ -n "$image" ] || kernel_dir=$("$ROOT/scripts/build-kernel" "${build_options[@]}" "$kernel")

	out=${out:-$BUILD/guest/$kernel}
	mkdir -p -- "$out"
	out=$(cd -- "$out" && pwd -P)
	kernel_log=$out/kernel.log
	initramfs=$out/initramfs.gz
	rm -f -- "$kernel_log" "$out/output.log" "$out"/guest.pid.* "$out/guest.silent"
	: >"$kernel_log"
	# Modules of the kernel that is booted lie where build-kernel put them.
	modules=${image:-$kernel_dir/linux}
	modules=${modules%/arch/*}
	modules=${modules%/linux}/modules/lib/modules
	[ ! -d "$modules" ] || adds+=("$modules=/lib/modules")
	"$ROOT/scripts/make-initramfs" "$initramfs" "$command" "${adds[@]}"

	append="panic=-1 oops=panic $append"
	[ -z "$shell" ] || append+=" shell=1"
	if [ -n "$shell" ]; then
		start_guest || true
		return 0
	fi
	: >"$out/guest.pid.$$"
	guest_watch </dev/null >/dev/null 2>&1 &
	start_guest || result=$?
	rm -f -- "$out/guest.pid.$$"

	status=$(guest_status)
	if [ -e "$out/guest.silent" ]; then
		guest_stopped "no output for $limit seconds"
		status=124
	elif [ "$result" -eq 124 ] || [ "$result" -eq 137 ]; then
		guest_stopped "$cap seconds are up"
		status=124
	elif [ -z "$status" ]; then
		printf '%s: the guest did not come to an end; its log is %s\n' \
			"${0##*/}" "$kernel_log" >&2
		guest_log_shown >&2
		status=70
	fi
	if ! "$ROOT/scripts/guest-log" "$kernel_log" >&2; then
		[ "$status" -ne 0 ] || status=70
	fi
	return "$status"
}
