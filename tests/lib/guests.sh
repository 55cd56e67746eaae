# SPDX-License-Identifier: BSD-2-Clause
#
# Guests that a script of tests/ns speaks to: QEMU by software emulation, virtio-net with every offload as QEMU gives it.
# Around lib/net.sh:
#
#     HOOK=${HOOK:-auto}
#     . "$(dirname "$0")/../lib/net.sh"
#     . "$(dirname "$0")/../lib/guests.sh"
#     boot g1 1 "tap,ifname=g1.$id" [CPUS [DEVICE-OPTIONS]]      guest 1 has 10.91.0.1 and fd91::1 and 52:54:00:91:00:01
#     ok "it pings the container" at g1 ping -q -c 3 10.91.0.21
#     kill_guest g1                                              at once, as `kill -9` does
#
# `at PLACE COMMAND…` runs a command and has its output and status: in a guest, through its second serial port, on which
# tests/guest/agent listens; in a `host` of lib/net.sh; or, at `here`, in this namespace. tests/tools are in each PATH.
#
# The script is in a network namespace of its own: what a host has one of, addresses and ports of servers, is its own too.
# HOOK is what `hook_ports PORT…` asks for; checks that only hold at one hook ask `hook_is`.

command -v qemu-system-x86_64 >/dev/null || { echo "SKIP: no qemu-system-x86_64"; trap - EXIT; cleanup; exit 77; }
PATH=$build/tests/tools:$PATH

declare -A guest_pid=() guest_to=() guest_from=() guest_boots=()
sequence=0

# The namespace of a host's own, from which no kernel can be fetched. `ip netns exec` would hide bpffs.
own_namespace() {
	[ -z "${OWN_NAMESPACE:-}" ] || return 0
	must "$top/tests/guest/kernel" >/dev/null
	trap - EXIT
	rm -rf "$run"
	OWN_NAMESPACE=1 exec unshare --net "$0" "$@"
}

# One initramfs serves all guests: what differs stands on the kernel's command line.
pack_guests() {
	kernel=$("$top/tests/guest/kernel") || { echo "not ok a kernel for guests"; exit 1; }
	must "$top/tests/guest/make-initramfs" --kernel "$kernel" --out "$run/initramfs" --script "$top/tests/guest/agent" \
		--module virtio_pci --module virtio_net --bin "$build/tests/tools/udpcheck" --bin "$build/tests/tools/tcpcheck" --bin ethtool
}

# channel NAME: the FIFOs of its second serial port, at $talk.in and $talk.out.
channel() {
	guest_boots[$1]=$((${guest_boots[$1]:-0} + 1))
	talk=$run/$1.${guest_boots[$1]}
	must mkfifo "$talk.in" "$talk.out"
	exec {guest_to[$1]}<>"$talk.in" {guest_from[$1]}<>"$talk.out"
}
cmdline() { echo "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off no_timer_check guest=$1"; }
# machine NUMBER [CPUS]: into `machine`, all of QEMU's words but for the network.
machine() {
	machine=(-M q35 -accel tcg -cpu max -smp "${2:-1}" -m 160 -nodefaults -no-user-config -display none -no-reboot
		-serial "file:$talk.console" -serial "pipe:$talk" -kernel "$kernel/vmlinuz" -initrd "$run/initramfs" -append "$(cmdline "$1")")
}
# started NAME PID: it is gone when the script is.
started() {
	guest_pid[$1]=$2
	pids+=("$2")
}
# boot NAME NUMBER NETDEV [CPUS [DEVICE-OPTIONS]]: a virtio-net-pci device at that netdev. Does not wait.
boot() {
	local talk machine
	channel "$1"
	machine "$2" "${4:-1}"
	setpriv --pdeathsig KILL qemu-system-x86_64 "${machine[@]}" -netdev "$3,id=n0" \
		-device "virtio-net-pci,netdev=n0,mac=52:54:00:91:00:0$2,romfile=${5:-}" </dev/null >"$talk.qemu" 2>&1 &
	started "$1" $!
}
alive() { kill -0 "${guest_pid[$1]}" 2>/dev/null; }
kill_guest() {
	kill -KILL "${guest_pid[$1]}"
	wait "${guest_pid[$1]}" 2>/dev/null
	exec {guest_to[$1]}<&- {guest_from[$1]}<&-
}
# booted NAME…: they can be spoken to, within a minute and a half.
booted() {
	local name
	for name in "$@"; do
		if ! heard 90 "$name" 0; then
			echo "guest $name does not answer; it said:"
			tail -n 5 "$run/$name.${guest_boots[$name]}.console" "$run/$name.${guest_boots[$name]}.qemu"
			return 1
		fi
	done
}

# heard SECONDS NAME SEQUENCE: prints and returns what the guest has to say to that command; 124 if it says nothing for so long.
heard() {
	local seconds=$1 name=$2 line
	while alive "$name" && read -r -t "$seconds" -u "${guest_from[$name]}" line; do
		[[ $line =~ ^"<done $3 "([0-9]+)">"$ ]] && return "${BASH_REMATCH[1]}"
		echo "$line"
	done
	return 124
}
ask_guest() {
	local name=$1
	shift
	sequence=$((sequence + 1))
	echo "$sequence $*" >&"${guest_to[$name]}"
	heard 70 "$name" $sequence
}
at() {
	local place=$1
	shift
	case $place in
	g*) ask_guest "$place" "$@" ;;
	here) "$@" ;;
	*) on "$place" "$@" ;;
	esac
}
# serve PLACE…: what the others ask of it, datagrams at port 7 and connections at port 8.
serve() {
	local place net=() server
	for place in "$@"; do
		case $place in
		g*)
			must at "$place" "udpcheck serve 7 >/dev/null 2>&1 & tcpcheck serve 8 >/dev/null 2>&1 &"
			must at "$place" "until grep -q ':0007 ' /proc/net/udp6 && grep -q ':0008 ' /proc/net/tcp6; do usleep 100000; done"
			continue
			;;
		here) net=() ;;
		*) net=(nsenter "--net=/run/netns/$(ns "$place")") ;;
		esac
		for server in "udpcheck serve 7" "tcpcheck serve 8"; do
			# shellcheck disable=SC2086 # words
			"${net[@]}" $server & # no function: it is this process that is to end
			pids+=($!)
		done
	done
}

# ---- the documents ----

# told WORD: what docs/vms.md tells to type, or to write, in its block of that word: ```sh WORD or ```xml WORD.
told() {
	local text
	text=$(sed -n "/^\`\`\`[a-z]* $1\$/,/^\`\`\`\$/{/^\`\`\`/d; p}" "$top/docs/vms.md")
	[ -n "$text" ] || { echo "not ok docs/vms.md has a block $1" >&2; return 1; }
	echo "$text"
}

# ---- hooks ----

# A switch that does not say where its ports' programs run has them at XDP alone.
hook_of() { json "next(p.get('hook', 'xdp') for p in r['ports'] if p['name']=='$1')" port show; }
hook_is() { [ "$(hook_of "$2")" = "$1" ]; }
hook_ports() {
	local port
	[ "$HOOK" != auto ] || return 0
	for port in "$@"; do must sw port set br0 "$port" hook "$HOOK"; done
}

# ---- ports ----

state_of() { json "next(p['state'] for p in r['ports'] if p['name']=='$1')" port show; }
state_is() { [ "$(state_of "$2")" = "$1" ]; }
