# SPDX-License-Identifier: BSD-2-Clause
#
# What the scripts of tests/ns share that speak OpenFlow: a bridge with numbered ports, and who may steer it.
#
#     . "$(dirname "$0")/../lib/net.sh"
#     . "$(dirname "$0")/../lib/openflow.sh"
#     need ovs-ofctl
#     of_start
#     of_port a 1
#     of_listen 6634                      # or: of_listen_tls 6634, of_controller 127.0.0.1 6653 [tls]
#
# TARGET=ovs tests/ns/25-ofctl runs a script against Open vSwitch's userspace datapath in place of switchd. What passes
# there and not here is a fault of the switch; what fails on both is more likely one of the script.

target=${TARGET:-switchd}
dpid=00000000000000a1
pki=$run/pki
bridge=br0 # Open vSwitch makes a device of this name, so there it carries the script's number
[ $target = switchd ] || bridge=o$id

# need PROGRAM…: or the script is skipped.
need() {
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null && continue
		trap - EXIT
		rm -rf "$run"
		echo "SKIP: $program is not here: tests/install-deps clients"
		exit 77
	done
}
need_osken() {
	/usr/bin/python3 -c 'import os_ken, eventlet' 2>/dev/null && return
	trap - EXIT
	rm -rf "$run"
	echo "SKIP: os-ken is not here: tests/install-deps clients"
	exit 77
}

# free_port: one of 127.0.0.1 that nobody has, for now. Not one that the kernel would give: it gives the next test, which runs
# beside this one, or somebody's connection, the same again.
free_port() {
	python3 -c '
import random, socket
while True:
    port = random.randrange(10000, 32000)
    try:
        socket.socket().bind(("127.0.0.1", port))
        break
    except OSError:
        pass
print(port)'
}
background() { "$@" & pids+=($!); }
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# ---- Open vSwitch in the place of switchd ----

ovs_vsctl() { OVS_RUNDIR=$run ovs-vsctl --timeout=20 --retry --db=unix:"$run/db.sock" "$@"; }
ovs_start() {
	export OVS_RUNDIR=$run OVS_LOGDIR=$run OVS_DBDIR=$run OVS_SYSCONFDIR=$run
	ip link show ovs-netdev >/dev/null 2>&1 || devices+=(ovs-netdev) # which it makes, and leaves behind
	ovsdb-tool create "$run/conf.db" /usr/share/openvswitch/vswitch.ovsschema || return
	background ovsdb-server "$run/conf.db" --remote=punix:"$run/db.sock" --unixctl="$run/db.ctl" --log-file="$run/ovsdb.log" -vconsole:off 2>/dev/null
	eventually 5 test -S "$run/db.sock" || return
	ovs_vsctl --no-wait init
	ovs_vsctl --no-wait set Open_vSwitch . other_config:flow-limit=0
	background ovs-vswitchd unix:"$run/db.sock" --unixctl="$run/vs.ctl" --log-file="$run/vswitchd.log" -vconsole:off 2>/dev/null
	ovs_vsctl add-br $bridge -- set bridge $bridge datapath_type=netdev fail_mode=secure protocols=OpenFlow13 \
		other-config:datapath-id=$dpid other-config:disable-in-band=true
	devices+=("$bridge")
}

# ---- either ----

# of_start: a switch with one bridge, secure, and no ports.
of_start() {
	if [ $target = ovs ]; then
		must ovs_start
	else
		start_switch
		must sw bridge add $bridge
		must sw bridge set $bridge datapath-id $dpid
		must sw bridge set $bridge fail-mode secure
	fi
}
# of_port HOST NUMBER: the host's end becomes this port.
of_port() {
	if [ $target = ovs ]; then
		on "$1" ethtool -K eth0 tx off >/dev/null 2>&1 # it leaves unfinished checksums as they are
		must ovs_vsctl add-port $bridge "$(end "$1")" -- set interface "$(end "$1")" ofport_request="$2"
	else
		must sw port add $bridge "$(end "$1")" of-port "$2"
	fi
}
# of_pki: certificates of one CA: "server" for who listens, "client" for who comes.
of_pki() { [ -d "$pki" ] || must sw pki init "$pki" >/dev/null; }
# ovs_goes_by TARGET…: what Open vSwitch listens on and goes to from now on.
ovs_targets=()
ovs_goes_by() {
	ovs_targets=("$@")
	must ovs_vsctl set-controller $bridge "$@" -- set bridge $bridge fail_mode=secure
	local row
	for row in $(ovs_vsctl get bridge $bridge controller | tr -d '[],'); do
		ovs_vsctl set controller "$row" connection-mode=out-of-band max_backoff=1000
	done
}

# of_listen PORT, of_listen_tls PORT: for those who steer it and come by themselves.
of_listen() {
	if [ $target = ovs ]; then
		ovs_goes_by "${ovs_targets[@]}" "ptcp:$1:127.0.0.1"
	else
		must sw openflow listen $bridge tcp:127.0.0.1:"$1"
	fi
	eventually 5 port_open "$1" || { echo "not ok the switch listens on port $1"; exit 1; }
}
of_listen_tls() {
	of_pki
	if [ $target = ovs ]; then
		must ovs_vsctl set-ssl "$pki/server.key" "$pki/server.crt" "$pki/ca.crt"
		ovs_goes_by "${ovs_targets[@]}" "pssl:$1:127.0.0.1"
	else
		must sw openflow listen $bridge tls:127.0.0.1:"$1" cert "$pki/server.crt" key "$pki/server.key" ca "$pki/ca.crt"
	fi
	eventually 5 port_open "$1" || { echo "not ok the switch listens on port $1"; exit 1; }
}
# of_controller PORT [tls]: the switch goes to it, on 127.0.0.1.
of_controller() {
	local credentials=()
	[ "${2:-tcp}" = tcp ] || of_pki
	if [ $target = ovs ]; then
		[ "${2:-tcp}" = tcp ] || must ovs_vsctl set-ssl "$pki/client.key" "$pki/client.crt" "$pki/ca.crt"
		if [ "${2:-tcp}" = tcp ]; then ovs_goes_by "${ovs_targets[@]}" "tcp:127.0.0.1:$1"; else ovs_goes_by "${ovs_targets[@]}" "ssl:127.0.0.1:$1"; fi
		return
	fi
	[ "${2:-tcp}" = tcp ] || credentials=(cert "$pki/client.crt" key "$pki/client.key" ca "$pki/ca.crt")
	must sw controller add $bridge "${2:-tcp}:127.0.0.1:$1" max-backoff 1 "${credentials[@]}"
}
# of_no_controller PORT [tls]
of_no_controller() {
	if [ $target = ovs ]; then
		local kept=() one
		for one in "${ovs_targets[@]}"; do [[ $one == *:127.0.0.1:$1 ]] || kept+=("$one"); done
		ovs_goes_by "${kept[@]}"
	else
		must sw controller del $bridge "${2:-tcp}:127.0.0.1:$1"
	fi
}

# ---- ovs-ofctl ----

# of_at tcp|ssl PORT: from now on ofctl goes there.
of_at() {
	where=("$1:127.0.0.1:$2")
	how=()
	[ "$1" = tcp ] || how=(--private-key="$pki/client.key" --certificate="$pki/client.crt" --ca-cert="$pki/ca.crt")
}
# ofctl [--strict] COMMAND [WORD…]
ofctl() {
	local strict=() command
	[ "$1" != --strict ] || { strict=(--strict); shift; }
	command=$1
	shift
	timeout 20 ovs-ofctl -O OpenFlow13 "${how[@]}" "${strict[@]}" "$command" "${where[@]}" "$@"
}
# soon COMMAND…: it comes true within 5 seconds; what it said before its last failure is left out.
soon() {
	local out
	for _ in $(seq 50); do
		out=$("$@" 2>&1) && return
		sleep 0.1
	done
	echo "$out"
	return 1
}
# quietly COMMAND…: it succeeds, and has nothing to say on stderr.
quietly() {
	local out status
	out=$("$@" 2>&1 >/dev/null)
	status=$?
	[ $status = 0 ] && [ -z "$out" ] || { echo "status $status, stderr: $out"; return 1; }
}
# shows PATTERN COMMAND…: it succeeds without a word on stderr, and what it prints matches the pattern.
shows() {
	local pattern=$1 out err status
	shift
	out=$("$@" 2>"$run/stderr")
	status=$?
	err=$(cat "$run/stderr")
	[ $status = 0 ] && [ -z "$err" ] && grep -qE -- "$pattern" <<<"$out" && return
	printf 'status %s, no /%s/ in:\n%s\nstderr: %s\n' $status "$pattern" "$out" "$err"
	return 1
}
# shows_not PATTERN COMMAND…: the same, and no line matches.
shows_not() {
	local pattern=$1 out
	shift
	out=$("$@" 2>&1) || { echo "$out"; return 1; }
	! grep -E -- "$pattern" <<<"$out"
}
