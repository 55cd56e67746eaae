# SPDX-License-Identifier: BSD-2-Clause
"""tcp      Two containers that talk by ordinary sockets with default offloads and MTU 1500 over switchd, over switchd with `hook
         xdp`, over the Linux bridge as the kernel sets it, over one without br_netfilter's hooks (`plain`), over `peer`, a bare tc
         program with bpf_redirect_peer, and over a second bridge (`twin`, the bench's own error): TCP with 1 and with 8 flows (iperf3), datagrams of 64 bytes from 8 sockets (received a second), and a
         byte there and back by TCP and by UDP (p50). --measures says which of tcp1, tcp8, core1, core8, udp, tcp-trip, udp-trip.

         Each has two namespaces, a switch and a pair of standing processes of its own, set up once; rounds only send. In a round
         each measure visits all of them before the next measure does, and the next round visits them in the other order (A B C, C
         B A), so that two that are compared are seconds apart and a drift of the machine favours neither. Ratios are of the same
         round; what is printed is their median. Many short rounds (--rounds, --seconds) say more than few long ones: a machine
         that others share changes its speed from second to second, while slow start takes milliseconds.

         The sender runs on the core before --cpu and the receiver on --cpu. A veth has no interrupt of its own: what a thread
         sends goes through the switch and up to the receiver's socket in a softirq on the thread's own core. So data take the way
         on the sender's core and ACKs on the receiver's; the receiver's core else only copies. Which of the two is busy, how
         often one wakes up the other, and whether they share a cache, makes runs of the same switch differ by a fifth and more.
         core1 and core8 therefore have both ends on --cpu: what a byte costs altogether, which repeats better. So do bits a CPU
         second, in which the sender's and the receiver's work and ksoftirqd's are one sum. All of a round trip is on one core
         too, by one thread that never sleeps, so that the scheduler is not in it.

         Held up is the share of time in which processes were ready to run while a stranger (neither ksoftirqd nor the other end)
         had their core; of the time of datagrams it is taken off. A round with more than a
         tenth is measured again, a few times. TCP's congestion control is --congestion, for its default is not everywhere the same.
"""
import contextlib
import json
import os
import subprocess
import time

from candidates import Bridge, Candidate, Switchd, other_cpu
from idle import ksoftirqds, softirq_time
from lab import BenchError, Lab, Server, progress, run
from measure import machine, middle

SENDER, RECEIVER = "10.77.0.1", "10.77.0.2"
UDP_SOCKETS, TRIPS = 8, 20000
HELD_UP, TRIES = 0.1, 3
MEASURES = {"tcp1": "TCP, 1 flow, Gbit/s", "tcp8": "TCP, 8 flows, Gbit/s",
            "core1": "TCP on 1 core, 1 flow, Gbit/s", "core8": "TCP on 1 core, 8 flows, Gbit/s",
            "udp": "UDP, 64 bytes, million/s", "tcp-trip": "TCP round trip, us", "udp-trip": "UDP round trip, us"}
GOALS = (*((what, other, ">=", goal) for what in ("tcp1", "tcp8", "core1", "core8")
           for other, goal in (("bridge", 1.1), ("peer", 0.95))),
         ("udp", "bridge", ">=", 1.3), ("tcp-trip", "bridge", "<", 1), ("udp-trip", "bridge", "<", 1))


class AsItIs(Bridge):
    """The Linux bridge without a setting."""

    def start(self):
        self.lab.do("ip", "link", "add", "br0", "type", "bridge")
        for port in self.ports:
            self.lab.do("ip", "link", "set", port, "master", "br0")
        self.lab.do("ip", "link", "set", "br0", "up")


class Plain(AsItIs):
    """The same without iptables' hooks, which a bridge's frames pass where the kernel has br_netfilter, rules or none."""
    hooks = "/proc/sys/net/bridge/bridge-nf-call-iptables"

    def available(self):
        return None if os.path.exists(self.hooks) else "frames of this kernel's bridge pass no iptables: it is what bridge is"

    def start(self):
        super().start()
        self.lab.do("sh", "-c", "echo 0 >" + self.hooks)


class Peer(Candidate):
    """No switch: each port's frames go to the other end of the other one."""

    def __init__(self, lab, cpu, build):
        super().__init__(lab, cpu)
        self.tool, self.joined = os.path.join(build, "tests/bench.d/peer"), None

    def start(self):
        self.joined = Server(self.lab, self.tool, *self.ports)
        self.joined.answer("join")

    def stop(self):
        if self.joined:
            self.joined.__exit__()


class Hooked(Switchd):
    """switchd with its ports at the XDP hook."""

    def available(self):
        why = super().available()
        if not why and not self.knows_hooks():
            why = "this build has no other hook: it is what switchd is"
        return why


class Chosen(Switchd):
    """switchd as its ports choose their hook."""
    hook = "auto"


VARIANTS = {"bridge": lambda lab, options: AsItIs(lab, options.cpu),
            "plain": lambda lab, options: Plain(lab, options.cpu),
            "peer": lambda lab, options: Peer(lab, options.cpu, options.build),
            "switchd": lambda lab, options: Chosen(lab, options.cpu, options.build),
            "xdp": lambda lab, options: Hooked(lab, options.cpu, options.build),
            "twin": lambda lab, options: AsItIs(lab, options.cpu)}


def schedstat(pid):
    """Time on a CPU and time ready to run, in ns, of a process of one thread; also of one that has ended and is not waited for."""
    with open("/proc/%d/schedstat" % pid) as stat:
        return [int(word) for word in stat.read().split()[:2]]


class Stand:
    """One variant, and the containers behind its ports."""

    def __init__(self, name, lab, candidate, options):
        self.name, self.lab, self.candidate, self.options = name, lab, candidate, options
        self.cpus = other_cpu(options.cpu), options.cpu
        self.server = self.talk = None
        self.softirqs = ksoftirqds()

    def open(self, stack):
        for netns, device, address in ((self.lab.sender, "s0", SENDER), (self.lab.receiver, "r0", RECEIVER)):
            run("ip", "-n", netns, "address", "add", address + "/24", "dev", device)
        stack.callback(self.candidate.stop)
        self.candidate.start()
        self.await_way()
        self.talk = stack.enter_context(Server(
            self.lab, os.path.join(self.options.build, "tests/bench.d/talk"), *self.cpus, self.lab.sender, "s0",
            self.lab.receiver, "r0", RECEIVER))
        self.server = self.process(self.lab.receiver, "iperf3", "-s", stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)  # it would tell that it was asked to end
        stack.callback(self.end_server)

    def end_server(self):
        self.server.terminate()
        self.server.wait()

    def await_way(self):
        """Until there is one; both know the other's address by then, and the switch both."""
        deadline = time.monotonic() + 20
        while subprocess.run(["nsenter", "--net=/run/netns/" + self.lab.sender, "ping", "-q", "-c1", "-W1", RECEIVER],
                             stdout=subprocess.DEVNULL).returncode:
            if time.monotonic() > deadline:
                raise BenchError("%s: the containers do not reach each other" % self.name)

    def process(self, netns, *words, **options):
        """In a container. It ends with this one, and goes before others' work."""
        words = ["nsenter", "--net=/run/netns/" + netns, "setpriv", "--pdeathsig", "TERM", *(str(w) for w in words)]
        process = subprocess.Popen(words, start_new_session=True, text=True, **options)
        Lab.go_first(process.pid)
        return process

    def stream(self, flows, cpus):
        """iperf3 with so many flows, its sender and its receiver on these cores."""
        for _ in range(TRIES):
            answer, ran, waited, soft, wall = self.run_iperf(flows, cpus)
            if "error" not in answer:
                break
            time.sleep(0.5)  # its server is not there yet, or has not ended the last run
        else:
            raise BenchError("%s: iperf3: %s" % (self.name, answer["error"]))
        end = answer["end"]
        received = end["sum_received"]
        busy = [end["cpu_utilization_percent"][side + "_total"] / 100 for side in ("host", "remote")]
        others = waited - soft
        if cpus[0] == cpus[1]:
            others -= sum(busy) * end["sum_sent"]["seconds"]  # each waits while the other runs
        return {"value": received["bits_per_second"] / 1e9, "of_work": 8 * received["bytes"] / 1e9 / (ran + soft),
                "held_up": max(0, others / 2 / wall), "ksoftirqd": soft / wall, "cpu_sender": busy[0], "cpu_receiver": busy[1],
                "retransmits": end["sum_sent"]["retransmits"]}

    def run_iperf(self, flows, cpus):
        """Its answer; for how long its ends ran, and were ready to while others did; ksoftirqd's time; the clock's. Seconds."""
        client = self.process(self.lab.sender, "iperf3", "-c", RECEIVER, "-J", "-A", "%d,%d" % cpus, "-P", flows, "-t",
                              self.options.seconds, "-C", self.options.congestion, stdout=subprocess.PIPE)
        began, served, soft = time.monotonic(), schedstat(self.server.pid), softirq_time(self.softirqs)
        said = client.stdout.read()
        os.waitid(os.P_PID, client.pid, os.WEXITED | os.WNOWAIT)
        wall = time.monotonic() - began
        ran, waited = (c + s - before for c, s, before in zip(schedstat(client.pid), schedstat(self.server.pid), served))
        soft = softirq_time(self.softirqs) - soft
        answer = json.loads(said) if client.wait() == 0 else {"error": said.strip()}
        return answer, ran / 1e9, waited / 1e9, soft / 1e9, wall

    def datagrams(self):
        answer = self.talk.ask("udp %d %d" % (1000 * self.options.seconds, UDP_SOCKETS))
        seconds = (answer["wall_ns"] - answer["held_up_ns"]) / 1e9
        return {"value": answer["received"] / seconds / 1e6, "loss": 1 - answer["received"] / answer["sent"],
                "held_up": answer["held_up_ns"] / answer["wall_ns"], "ksoftirqd": answer["ksoftirqd_ns"] / answer["wall_ns"]}

    def trips(self, protocol):
        answer = self.talk.ask("trips %d %s" % (TRIPS, protocol))
        return {"value": answer["all"]["p50_ns"] / 1e3, "p99": answer["all"]["p99_ns"] / 1e3,
                "held_up": answer["held_up_ns"] / answer["wall_ns"]}

    def measure(self, what):
        alone = self.options.cpu, self.options.cpu
        way = {"tcp1": lambda: self.stream(1, self.cpus), "tcp8": lambda: self.stream(8, self.cpus),
               "core1": lambda: self.stream(1, alone), "core8": lambda: self.stream(8, alone),
               "udp": self.datagrams, "tcp-trip": lambda: self.trips("tcp"), "udp-trip": lambda: self.trips("udp")}[what]
        for _ in range(TRIES):
            came = way()
            if came["held_up"] < HELD_UP:
                break
        return came


def all_stands(options, stack, left_out):
    stands = []
    for letter, name in zip("abcdefgh", (n for n in VARIANTS if n in options.only)):
        lab = stack.enter_context(Lab(letter=letter))
        candidate = VARIANTS[name](lab, options)
        why = candidate.available()
        if why:
            left_out[name] = why
            continue
        progress("%s: starting" % name)
        stand = Stand(name, lab, candidate, options)
        stand.open(stack)
        stands.append(stand)
    return stands


def tcp(options):
    report = {"machine": machine(), "rounds": options.rounds, "seconds": options.seconds, "congestion": options.congestion,
              "measures": {}, "slow_path_frames": {}, "left_out": {}}
    rounds = {what: {} for what in options.measures}
    with contextlib.ExitStack() as stack:
        stands = all_stands(options, stack, report["left_out"])
        for number in range(options.rounds):
            for what in options.measures:
                for stand in stands if number % 2 == 0 else reversed(stands):
                    progress("round %d of %d: %s, %s" % (number + 1, options.rounds, what, stand.name))
                    rounds[what].setdefault(stand.name, []).append(stand.measure(what))
        for stand in stands:
            slow = stand.candidate.slow_frames()
            if slow is not None:
                report["slow_path_frames"][stand.name] = slow
    for what, came in rounds.items():
        report["measures"][what] = {name: figures(came, name) for name in came}
    report["goals"] = goals(report["measures"])
    return report


def figures(came, name):
    """Of one measure and variant: medians, and the ratio to others of the same rounds."""
    own = came[name]
    said = {key: round(middle([r[key] for r in own])[0], 5) for key in own[0]}
    others = [other for other in ("bridge", "peer") if other in came and other != name]
    said["ratio_to"] = {other: ratio_of(own, came[other], "value") for other in others}
    if "of_work" in said:
        said["work_ratio_to"] = {other: ratio_of(own, came[other], "of_work") for other in others}
    return said


def ratio_of(own, other, key):
    ratio = middle([o[key] / b[key] for o, b in zip(own, other)])
    return dict(zip(("ratio", "low", "high"), (round(v, 4) for v in ratio)))


def goals(measures):
    said = []
    for what, other, sign, goal in GOALS:
        ratio = measures.get(what, {}).get("switchd", {}).get("ratio_to", {}).get(other)
        if ratio:
            met = ratio["ratio"] >= goal if sign == ">=" else ratio["ratio"] < goal
            said.append({"measure": what, "beside": other, "ratio": ratio["ratio"], "goal": "%s %g" % (sign, goal), "met": met})
    return said


def print_tcp(report):
    print("Two containers, default offloads, MTU 1500; %d rounds of each in turn, of %d seconds; congestion control %s" %
          (report["rounds"], report["seconds"], report["congestion"]))
    print("%-30s %-8s %8s %8s %15s %8s %15s  %s" % ("", "", "median", "/bridge", "(95 %)", "/peer", "(95 %)", ""))
    for what, by_name in report["measures"].items():
        for name, r in by_name.items():
            print("%-30s %-8s %8.3f %s %s  %s" % (MEASURES[what], name, r["value"], cells(r["ratio_to"], "bridge"),
                                                                    cells(r["ratio_to"], "peer"), aside(r)))
    print_work(report["measures"])
    for goal in report["goals"]:
        print("goal: %s, switchd/%s %s: %.3f, %s" % (MEASURES[goal["measure"]].rsplit(",", 1)[0], goal["beside"], goal["goal"],
                                                    goal["ratio"], "met" if goal["met"] else "not met"))
    for name, frames in report["slow_path_frames"].items():
        print("%s: %d frames took the slow path, all rounds together" % (name, frames))
    if any("twin" in by_name for by_name in report["measures"].values()):
        print("twin is a second bridge: what it is off 1 is the bench's own error.")


def print_work(measures):
    """The same bits by what they cost. On one core it is the same figure."""
    for what in (w for w in ("tcp1", "tcp8") if w in measures):
        for name, r in measures[what].items():
            print("%-30s %-8s %8.3f %s %s" % (MEASURES[what].replace("Gbit/s", "Gbit/CPU s"), name, r["of_work"],
                                             cells(r["work_ratio_to"], "bridge"), cells(r["work_ratio_to"], "peer")))


def cells(ratios, other):
    r = ratios.get(other)
    return "%8.3f %15s" % (r["ratio"], "%.3f - %.3f" % (r["low"], r["high"])) if r else "%8s %15s" % ("-", "")


def aside(result):
    said = ["held up %.1f%%" % (100 * result["held_up"])]
    if "loss" in result:
        said.append("lost %.2f%%" % (100 * result["loss"]))
    if "p99" in result:
        said.append("p99 %.2f" % result["p99"])
    if "cpu_sender" in result:
        said.append("CPU of sender %.0f%%, receiver %.0f%%, ksoftirqd %.0f%%" %
                    (100 * result["cpu_sender"], 100 * result["cpu_receiver"], 100 * result["ksoftirqd"]))
        said.append("%d retransmits" % result["retransmits"])
    return ", ".join(said)
