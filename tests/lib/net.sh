# SPDX-License-Identifier: BSD-2-Clause
#
# What the scripts of tests/ns share: a switch of their own, namespaces of their own, and sentences that are true or not.
#
#     . "$(dirname "$0")/../lib/net.sh"
#     start_switch
#     sw bridge add br0
#     host a 10.1.0.1 && sw port add br0 "$(end a)"
#     ok "a pings b" ping_ok a 10.1.0.2
#     finish
#
# Names carry the script's process id, so that scripts can run side by side. Everything made is taken away at the end,
# also after a failure or a signal, and only that. A script needs root; without it, it says SKIP and ends with 77.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${BUILD_DIR:-$top/build}
. "$top/tests/lib/bpffs.sh"
id=$$
failed=0
hosts=() devices=() runs=() pids=()

[ "$(id -u)" = 0 ] || { echo "SKIP: needs root, for network namespaces and BPF"; exit 77; }
run=$(mktemp -d /tmp/swt.$id.XXXXXX)
export OVS_RUNDIR=$run # clients of Open vSwitch make a socket there; its own folder is where its service once ran

# ---- the switch ----

# start_switch [RUN-DIR [SWITCHD-OPTION…]]
start_switch() {
	local dir=${1:-$run}
	shift || true
	[[ " $* " == *" --conf "* ]] || set -- --conf /dev/null "$@"
	[[ " ${runs[*]} " == *" $dir "* ]] || runs+=("$dir")
	"$build/ctl/switchd" --run-dir "$dir" --detach "$@" || { echo "not ok switchd starts"; tail -20 "$dir/switchd.log"; exit 1; }
}
# The hook of a port of which the script does not say what needs one of them. Scripts that are about what users have by
# themselves say HOOK=${HOOK:-auto} before they read this file; `HOOK=tc tests/all ns_10-l2` runs one at another.
HOOK=${HOOK:-xdp}
hook() { [ "$HOOK" = auto ] || echo "hook $HOOK"; } # for configuration files
sw() {
	[[ "${*:1:2}" != "port add" || $# -lt 4 || $HOOK = auto || " $* " =~ \ (hook|mode|cpus)\  ]] || set -- "$@" hook "$HOOK"
	"$build/ctl/switchctl" --run-dir "$run" "$@"
}
switch_pid() { cat "${1:-$run}/switchd.pid"; }

# must COMMAND…: a step that the rest stands on.
must() { "$@" || { echo "not ok $*: a step that the rest stands on failed"; exit 1; }; }

# ---- hosts: a namespace NAME with an eth0, default offloads, GRO off, as a container runtime leaves it ----

ns() { echo "t$id$1"; }  # a host's namespace
end() { echo "t$id$1"; } # a host's end in the switch: an interface here
# host NAME ADDRESS[/LENGTH] [ADDRESS…]
host() {
	local name=$1 address
	shift
	ip netns add "$(ns "$name")" && hosts+=("$(ns "$name")") || return
	ip link add "$(end "$name")" type veth peer name eth0 netns "$(ns "$name")" && devices+=("$(end "$name")") || return
	on "$name" sysctl -qw net.ipv6.conf.eth0.accept_dad=0 net.ipv6.conf.eth0.router_solicitations=0
	for address in "$@"; do
		[[ $address == */* ]] || { [[ $address == *:* ]] && address+=/64 || address+=/24; }
		ip -n "$(ns "$name")" addr add "$address" dev eth0
	done
	ip -n "$(ns "$name")" link set lo up
	ip -n "$(ns "$name")" link set eth0 up
	ip link set "$(end "$name")" up
}
# on NAME COMMAND…: in the host's namespace. nsenter, because `ip netns exec` hides bpffs.
on() { local name=$1; shift; nsenter --net="/run/netns/$(ns "$name")" "$@"; }
mac() { ip -n "$(ns "$1")" -o link show eth0 | sed 's/.*ether \([0-9a-f:]*\).*/\1/'; } # not of /sys, which is this namespace's

ping_ok() { on "$1" ping -q -c "${3:-3}" -i 0.1 -W 2 "$2" >/dev/null; }
ping_fails() { ! on "$1" ping -q -c 2 -i 0.2 -W 1 "$2" >/dev/null; }
# tcp_ok FROM TO ADDRESS [MEGABYTES]
tcp_ok() { "$top/tests/lib/tcp-transfer" "$(ns "$1")" "$(ns "$2")" "$3" "${4:-16}" >/dev/null; }

# ---- questions ----

# json PYTHON-EXPRESSION COMMAND…: the expression over the reply `r` of `switchctl --json COMMAND…`.
json() {
	local expression=$1
	shift
	sw --json "$@" | python3 -c 'import json,sys; r=json.load(sys.stdin); print(eval(sys.argv[1]))' "$expression"
}
fast() { json 'r["fast_path_frames"]' stats; }
slow() { json 'r["slow_path_frames"]' stats; }
dropped() { json "r['dropped'].get('$1', 0)" stats; }
# eventually SECONDS COMMAND…: it comes true within so long.
eventually() {
	local deadline=$(($(date +%s%N) + $1 * 1000000000))
	shift
	until "$@"; do
		[ "$(date +%s%N)" -lt $deadline ] || return 1
		sleep 0.1
	done
}

# ---- verdicts ----

# ok SENTENCE COMMAND…
ok() {
	local sentence=$1 out
	shift
	if out=$("$@" 2>&1); then
		echo "ok $sentence"
	else
		failed=$((failed + 1))
		echo "not ok $sentence"
		echo "# $*"
		[ -z "$out" ] || sed 's/^/#   /' <<<"$out"
	fi
}
# refused SENTENCE STATUS PATTERN SWITCHCTL-WORD…: the command fails with this status, and its error matches the pattern.
refused() {
	local sentence=$1 status=$2 pattern=$3 out got
	shift 3
	out=$(sw "$@" 2>&1)
	got=$?
	if [ $got = "$status" ] && grep -qE -- "$pattern" <<<"$out"; then
		echo "ok $sentence"
	else
		failed=$((failed + 1))
		printf 'not ok %s\n# switchctl %s: status %s, not %s, or no /%s/ in:\n' "$sentence" "$*" $got "$status" "$pattern"
		sed 's/^/#   /' <<<"$out"
	fi
}

# ---- the end ----

stop_switch() {
	local dir=$1 pid
	pid=$(cat "$dir/switchd.pid" 2>/dev/null) || return 0
	"$build/ctl/switchctl" --run-dir "$dir" daemon stop --flush >/dev/null 2>&1
	for _ in $(seq 50); do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.1
	done
	echo "not ok switchd ends when asked"
	failed=$((failed + 1))
	kill -KILL "$pid"
}
# A daemon that was killed leaves its pins: a last one takes them away.
sweep_pins() {
	local dir=$1 pins
	pins=$(pins_of "$dir")
	[ -d "$pins" ] || return 0
	"$build/ctl/switchd" --run-dir "$dir" --detach >/dev/null 2>&1 && stop_switch "$dir"
	[ ! -d "$pins" ] || { echo "not ok nothing is left in $pins"; ls "$pins"; failed=$((failed + 1)); }
}
cleanup() {
	trap - EXIT INT TERM
	local pid dir name
	for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null; done
	for dir in "${runs[@]}"; do stop_switch "$dir"; sweep_pins "$dir"; done
	for name in "${hosts[@]}"; do ip netns del "$name" 2>/dev/null; done
	for name in "${devices[@]}"; do ip link del "$name" 2>/dev/null; done
	if [ $failed != 0 ]; then
		for dir in "${runs[@]}"; do echo "# the log in $dir:"; tail -40 "$dir/switchd.log" | sed 's/^/#   /'; done
	fi
	rm -rf "$run" "${runs[@]}"
}
trap 'cleanup; exit 1' EXIT
trap 'exit 130' INT TERM
finish() {
	trap - EXIT
	cleanup
	[ $failed = 0 ]
	exit
}
