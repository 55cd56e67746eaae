# SPDX-License-Identifier: BSD-2-Clause
# The steps of tests/demo. Expects: top, build, run, vm, keep, failures.

title() { if [ -t 1 ]; then printf '\n\033[1m== %s\033[0m\n' "$*"; else printf '\n== %s\n' "$*"; fi; }
die() { echo "tests/demo: $*" >&2; failures=$((failures + 1)); exit 1; }

# check SENTENCE COMMAND…: runs it, says how it went, and counts a failure.
check() {
	local sentence=$1 out
	shift
	if out=$("$@" 2>&1); then
		printf '   ok   %s%s\n' "$sentence" "${out:+  ($out)}"
	else
		printf '   FAIL %s\n%s\n' "$sentence" "$(sed 's/^/        /' <<<"$out")"
		failures=$((failures + 1))
	fi
}

ctl() { echo "\$ switchctl $*"; "$build/ctl/switchctl" --run-dir "$run" "$@" || die "switchctl $* failed"; }
ctl_quiet() { "$build/ctl/switchctl" --run-dir "$run" "$@"; }

build_switchd() {
	[ -f "$build/build.ninja" ] || meson setup "$build" "$top" >"$run/build.log" 2>&1 || { tail -20 "$run/build.log"; return 1; }
	ninja -C "$build" >"$run/build.log" 2>&1 || { tail -40 "$run/build.log"; return 1; }
	echo "built $("$build/ctl/switchd" --version)"
}

address_of() { case $1 in red) echo 10.77.0.1 ;; green) echo 10.77.0.2 ;; blue) echo 10.77.0.3 ;; esac; }

# A namespace with an eth0: default offloads, GRO off, nothing else done to it. The host's end is demo-NAME.
container() {
	local name=$1 address=$2
	ip netns add "demo-$name" && made_netns="${made_netns:-} demo-$name" &&
		ip link add "demo-$name" type veth peer name eth0 netns "demo-$name" &&
		ip -n "demo-$name" addr add "$address/24" dev eth0 &&
		ip -n "demo-$name" link set lo up && ip -n "demo-$name" link set eth0 up &&
		ip link set "demo-$name" up || die "could not make container $name"
	echo "container $name: $address on eth0, the host's end is demo-$name"
}

start_switchd() {
	"$build/ctl/switchd" --conf /dev/null --run-dir "$run" --detach || die "switchd did not start: $(tail -5 "$run/switchd.log" 2>/dev/null)"
	echo "switchd runs, process $(cat "$run/switchd.pid")"
}

ping_from() { ip netns exec "demo-$1" ping -q -c 3 -i 0.2 -W 2 "$2" | sed -n 's/^rtt .* = /rtt ms /p' | grep .; }

tcp_between() { "$top/tests/lib/tcp-transfer" "demo-$1" "demo-$2" "$3" 64; }

guests() {
	local out=$run/guests
	for n in 1 2; do
		ctl port add br0 demo-vm$n type tap
	done
	check "two guests boot, ping each other and a container, and send TCP" \
		"$top/tests/guest/pair" --out "$out" demo-vm1 10.77.0.11 demo-vm2 10.77.0.12 10.77.0.3
	sed 's/^/        /' "$out/summary" 2>/dev/null
}

frames() { ctl_quiet --json stats | python3 -c 'import json,sys; s=json.load(sys.stdin); print(s["fast_path_frames"], s["slow_path_frames"])'; }

show_share() {
	local fast slow
	read -r fast slow < <(frames)
	echo "$fast frames were switched in the kernel, $slow went up to the daemon"
	ctl drops
}

stayed_in_kernel() {
	local fast slow
	read -r fast slow < <(frames)
	[ $((fast * 100)) -ge $(((fast + slow) * $1)) ] && awk "BEGIN { printf \"%.3f %%\", 100 * $fast / ($fast + $slow) }"
}

keep_running() {
	trap - EXIT
	cat <<TEXT

It goes on running. Play with it:
    alias sw='$build/ctl/switchctl --run-dir $run'
    sw port show; sw watch; sw cache show
    ip netns exec demo-red ping 10.77.0.3
End it:
    sw daemon stop --flush; ip netns del demo-red; ip netns del demo-green; ip netns del demo-blue; rm -r $run
TEXT
}

finish() {
	local pid
	pid=$(cat "$run/switchd.pid" 2>/dev/null)
	if [ -n "$pid" ]; then
		ctl_quiet daemon stop --flush >/dev/null 2>&1
		for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
		if kill -0 "$pid" 2>/dev/null; then kill -KILL "$pid"; echo "switchd did not stop when asked"; failures=$((failures + 1)); fi
	fi
	for ns in ${made_netns:-}; do ip netns del "$ns"; done
	restore_bpffs
	if [ $failures = 0 ]; then
		printf '\nIt worked: everything above is ok, and everything is cleaned up.\n'
		rm -rf "$run"
	else
		printf '\nIt did NOT work: %d of the steps above failed. The log is %s/switchd.log\n' $failures "$run"
	fi
}
