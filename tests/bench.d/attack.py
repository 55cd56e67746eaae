# SPDX-License-Identifier: BSD-2-Clause
"""attack   What one port, the attacker's, costs another, the victim's, on a bridge of its own (apart) or on the same (together);
         rounds under attack alternate with quiet ones. Upcall limits are the default ones. --attacks says which:
         storm   a million new flows a second. The victim sends 4,000 frames a second of flows that are known, and of one
                 new flow in eight frames, which comes once more 10 ms later: what is lost, how long frames are on their way,
                 how many flows are not set up by then (late).
         masks   an access list that names one field in each of four rules, and 5,000 frames a second that differ from them
                 in ever other bits, so that each wants another mask; in quiet rounds they are all alike. How much of its rate
                 the victim keeps, with one flow and with 1,000 under rules of their own.
         full    flow table, rewrites and rings are filled; what that costs the victim, and when new flows are set up again.
         vanish  the attacker's device goes in the middle of a storm.
         Frames of the attack that neither arrive nor have a name among `switchctl drops` are an error, and so is a frame
         of the slow path that is not back in its place afterwards (X1).
"""
import json
import os
import re
import signal
import statistics
import subprocess
import time

from candidates import other_cpu
from lab import BenchError, Pump, Server, progress, run
from measure import in_turn, machine, middle, one_round
from steered import PORTS, SteeredSwitchd

HOSTILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib", "hostile-frames")
ATTACKS = ("storm", "masks", "full", "vanish")
STORM_RATE, STORM_FLOWS = 1000000, 1 << 24
PACE, PACED, KNOWN, EVERY, AGAIN = 4000, 8000, 200, 8, 6  # see pingpong.c; 41 frames lie between the two of a new flow
FIRST_NEW, LAST_NEW = 1000, 60000
LEAD_S = 0.3              # a storm begins so much before what is measured, and ends so much after it
MASKS_RATE, MASKS_S = 5000, 2.5
SMALL_TABLE, FULL_RATE, REWRITES, REWRITES_RATE = 131072, 100000, 6000, 20000
AGAIN_FLOWS, AGAIN_S = 100, 15
MORE_RUNS = 3


class Besieged(SteeredSwitchd):
    """Ports 1 and 2 are the victim's, 3 and 4 the attacker's: on the same bridge, or on one of their own."""

    def __init__(self, lab, cpu, build, together, flows=None):
        super().__init__(lab, cpu, build)
        self.ports, self.together, self.flows = ["p1", "p2", "p3", "p4"], together, flows

    def options(self):
        return ["--flows", str(self.flows)] if self.flows else []

    def bridges(self):
        return ["br0"] if self.together else ["br0", "br1"]

    def start(self):
        os.makedirs(self.directory, exist_ok=True)
        self.launch()
        for bridge in self.bridges():
            self.control("bridge", "add", bridge)
            self.control("bridge", "set", bridge, "fail-mode", "secure")
        for number, port in enumerate(self.ports, 1):
            self.control("port", "add", self.bridges()[0 if number <= 2 else -1], port, "of-port", str(number),
                         *self.at_hook())

    def listen(self):
        for i, bridge in enumerate(self.bridges()):
            self.control("openflow", "listen", bridge, "tcp:127.0.0.1:%d" % (PORTS["tcp"] + i))

    def besiege(self, controller, build, acl):
        self.start_steered(controller, build)
        for i in range(len(self.bridges())):
            controller.ask("connect %d 127.0.0.1 %d -" % (i, PORTS["tcp"] + i))
            self.steer("acl %d %s" % (i, acl))

    def ask(self, *words):
        return json.loads(self.control("--json", *words))

    def counters(self):
        """What can be compared with what it was a while ago."""
        stats = self.ask("stats")
        counters = {"%s %s" % (p["name"], key): p[key] for p in stats["ports"] for key in ("rx_frames", "tx_frames", "upcalls")}
        counters.update(stats["dropped"], flows=stats["flows"], masks=stats["masks"])
        counters.update({"cache " + k: n for k, n in self.ask("show", "xdp")["cache"].items()})
        return counters

    def dropped(self):
        return self.ask("stats")["dropped"]

    def at_rest(self):
        """Every frame of the slow path is where it belongs when nothing is under way (X1)."""
        facts = {f["name"]: f["value"] for f in self.ask("show", "xdp")["facts"]}
        total, free, fill, lent, sent = map(int, re.match(r"(\d+) of \d+ bytes: (\d+) free, (\d+) to be filled, (\d+) lent, (\d+) being",
                                                          facts["slow path frames"]).groups())
        return total == free + fill and not lent and not sent


def difference(before, after):
    return {k: after[k] - before.get(k, 0) for k in after}


def settle(candidate):
    """Until no frame is on its way; then each slow-path frame must be back."""
    deadline, seen = time.monotonic() + 5, None
    while time.monotonic() < deadline:
        now = candidate.counters()
        if now == seen and candidate.at_rest():
            return now
        seen = {k: n for k, n in now.items() if k not in ("flows", "masks", "cache expired", "cache evicted")}
        now = {k: n for k, n in candidate.counters().items() if k in seen}
        if now == seen and candidate.at_rest():
            return candidate.counters()
        time.sleep(0.1)
    raise BenchError("frames of the slow path are not back in their places (X1)")


def account(candidate, before, after):
    """By name what became of the attack's frames that did not come out. Others are none of them lost, or the sum is wrong."""
    grown = difference(before, after)
    names = {k: grown[k] for k in candidate.dropped() if grown[k]}
    taken = sum(grown[p + " rx_frames"] for p in candidate.ports)
    out = sum(grown[p + " tx_frames"] for p in candidate.ports)
    if taken != out + sum(names.values()):
        raise BenchError("of %d frames %d came out, and %s were named" % (taken, out, names))
    return names


class Field:
    """The lab with an attacker's ports beside the victim's."""

    def __init__(self, lab, controller, options):
        self.lab, self.controller, self.options = lab, controller, options
        self.tools = os.path.join(options.build, "tests/bench.d")
        self.new = FIRST_NEW
        lab.add_port("p3", "s1", lab.sender)
        lab.add_port("p4", "r1", lab.receiver)
        self.take_up("s0", "r0", "s1", "r1")

    def take_up(self, *devices):
        for device in devices:
            netns = self.lab.sender if device.startswith("s") else self.lab.receiver
            run("nsenter", "--net=/run/netns/" + netns, "ethtool", "-K", device, "gro", "on")

    def pingpong(self):
        """Beside the daemon, whose core it leaves alone while it waits: the storm has the other."""
        return Server(self.lab, os.path.join(self.tools, "pingpong"), other_cpu(self.options.cpu), self.lab.sender, "s0", "p1",
                      self.lab.receiver, "r0", "p2")

    def storm_pump(self):
        pump = Pump(self.lab, os.path.join(self.tools, "pump"), self.options.cpu, "s1", "p3", [("r1", "p4")])
        pump.ask("flows %d tuple" % STORM_FLOWS)
        return pump

    def victim_pump(self):
        return Pump(self.lab, os.path.join(self.tools, "pump"), self.options.cpu, "s0", "p1", [("r0", "p2")])

    def paced(self, pingpong, frames=PACED):
        """What became of the victim's frames."""
        if self.new + frames // EVERY > LAST_NEW:
            self.new = FIRST_NEW
        first, self.new = self.new, self.new + frames // EVERY
        return pingpong.ask("paced %d %d %d %d %d %d" % (frames, PACE, KNOWN, first, EVERY, AGAIN))

    def besieged(self, together, acl, flows=None):
        candidate = Besieged(self.lab, self.options.cpu, self.options.build, together, flows)
        try:
            candidate.besiege(self.controller, self.options.build, acl)
        except BaseException:
            candidate.stop()
            raise
        return candidate


def learn(pingpong):
    """The flows that are to be known."""
    pingpong.ask("paced %d %d %d 0 0 0" % (PACE // 2, PACE, KNOWN))


# ---- storm ----

def late(before, after):
    """Frames of the victim that went up beside the first ones of its new flows."""
    return max(0, after["p1 upcalls"] - before["p1 upcalls"] - PACED // EVERY)


def quiet_round(field, candidate, pingpong):
    before = candidate.counters()
    answer = field.paced(pingpong)
    return {**answer, "late": late(before, candidate.counters())}


def storm_round(field, candidate, pingpong, pump):
    before = settle(candidate)
    command = "storm %d %d" % (STORM_RATE * (PACED / PACE + 2 * LEAD_S), STORM_RATE)
    pump.order(command)
    time.sleep(LEAD_S)
    answer = field.paced(pingpong)
    storm = pump.answer(command)
    after = settle(candidate)
    return {**answer, "late": late(before, after), "rate": storm["sent"] / storm["sending_ns"] * 1e9, "frames": storm["sent"],
            "up": difference(before, after)["p3 upcalls"], "names": account(candidate, before, after)}


def summed(rounds):
    names = {}
    for one in rounds:
        for name, n in one["names"].items():
            names[name] = names.get(name, 0) + n
    return names


def victim(rounds):
    def at(kind, point):
        return round(statistics.median(r[kind][point] for r in rounds) / 1e3, 1)
    return {"known_sent": sum(r["known"]["n"] + r["known_lost"] for r in rounds), "known_lost": sum(r["known_lost"] for r in rounds),
            "new_sent": sum(r["new"]["n"] + r["new_lost"] for r in rounds), "new_lost": sum(r["new_lost"] for r in rounds),
            "late": sum(r["late"] for r in rounds), "known_p99_us": at("known", "p99_ns"), "new_p50_us": at("new", "p50_ns"),
            "new_p99_us": at("new", "p99_ns"), "worst_new_p99_us": round(max(r["new"]["p99_ns"] for r in rounds) / 1e3, 1)}


def storm(field, together):
    progress("storm, %s" % ("together" if together else "apart"))
    candidate = field.besieged(together, "exact")
    try:
        with field.pingpong() as pingpong, field.storm_pump() as pump:
            learn(pingpong)
            quiet, stormy = in_turn(field.options.rounds, lambda: quiet_round(field, candidate, pingpong),
                                    lambda: storm_round(field, candidate, pingpong, pump))
    finally:
        candidate.stop()
        field.take_up("s1", "r1")
    return {"attack": "storm", "together": together, "quiet": victim(quiet), "attacked": victim(stormy),
            "storm_per_second": round(statistics.median(r["rate"] for r in stormy)), "storm_frames": sum(r["frames"] for r in stormy),
            "storm_up": sum(r["up"] for r in stormy), "names": summed(stormy)}


# ---- masks ----

class Sending:
    """Frames at the attacker's port, while it lasts: crafted ones, or as many that are all alike."""

    def __init__(self, field, crafted):
        self.process = subprocess.Popen(
            ["nsenter", "--net=/run/netns/" + field.lab.sender, "taskset", "--cpu-list", str(other_cpu(field.options.cpu)),
             "setpriv", "--pdeathsig", "TERM", HOSTILE, "masks", "s1", str(MASKS_RATE), "3600", "0" if crafted else "1"], stdout=subprocess.DEVNULL)

    def __enter__(self):
        time.sleep(MASKS_S)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def mask_round(field, candidate, pump, flows, attacked):
    candidate.forget()
    with Sending(field, attacked):
        for _ in range(3):
            pump.ask("pass 20000")  # slow frames are the attack's too, and say nothing of the victim
            time.sleep(0.5)  # a sweep, by which masks are ordered
        return one_round(pump, "own", field.options.frames, False), candidate.counters()["masks"]


def explode(field, together, flows):
    progress("masks, %s, %d flows" % ("together" if together else "apart", flows))
    candidate = field.besieged(together, "fields")
    try:
        with field.victim_pump() as pump:
            pump.ask("flows %d tuple" % flows)
            if flows > 1:
                candidate.load(flows, 1)
            pump.ask("attach")
            before = candidate.ask("show", "xdp")["lookups"]
            quiet, attacked = in_turn(field.options.rounds, lambda: mask_round(field, candidate, pump, flows, False),
                                      lambda: mask_round(field, candidate, pump, flows, True))
            pump.ask("detach")
            lookups = difference(before, candidate.ask("show", "xdp")["lookups"])
    finally:
        candidate.stop()
        field.take_up("s0", "r0")
    ratio, low, high = middle([a.rate / q.rate for (q, _), (a, _) in zip(quiet, attacked)])
    return {"attack": "masks", "together": together, "flows": flows, "ratio": round(ratio, 4), "ratio_low": round(low, 4),
            "ratio_high": round(high, 4), "quiet_frames_per_second": round(statistics.median(r.rate for r, _ in quiet)),
            "attacked_frames_per_second": round(statistics.median(r.rate for r, _ in attacked)),
            "share_delivered": round(sum(r.received for r, _ in attacked) / sum(r.sent for r, _ in attacked), 6),
            "masks_quiet": max(n for _, n in quiet), "masks": max(n for _, n in attacked),
            "probes_a_search": round(lookups["probes"] / max(1, lookups["searches"]), 1)}


# ---- full and vanish ----

def set_up_again(candidate, pump):
    """Seconds until new flows of the attacker's port are set up as ever."""
    begin = time.monotonic()
    while time.monotonic() < begin + AGAIN_S:
        before = candidate.counters()
        pump.ask("storm %d %d" % (AGAIN_FLOWS, 2000))
        time.sleep(0.05)
        if difference(before, candidate.counters())["cache put"] >= AGAIN_FLOWS:
            return round(time.monotonic() - begin, 2)
    raise BenchError("new flows are not set up again, %d seconds after the attack" % AGAIN_S)


def flood(pump, work, rate=FULL_RATE):
    """A storm that fills what is small, with work done in the middle of it."""
    command = "storm %d %d" % (rate * (PACED / PACE + 2 * LEAD_S), rate)
    pump.order(command)
    time.sleep(LEAD_S)
    try:
        return work()
    finally:
        pump.answer(command)


def stopped(candidate):
    """The daemon does not come to read for half a second."""
    os.kill(candidate.pid(), signal.SIGSTOP)
    time.sleep(0.5)
    os.kill(candidate.pid(), signal.SIGCONT)


def prepare_nothing(_candidate, _pump):
    pass


def fill_table(field, candidate, pingpong, pump):
    return flood(pump, lambda: field.paced(pingpong))


def fill_rings(field, candidate, pingpong, pump):
    """The victim's frames are of known flows: what is new has to wait for the daemon."""
    frames = PACE // 2
    order = "paced %d %d %d 0 0 0" % (frames, PACE, KNOWN)

    def work():
        pingpong.order(order)
        stopped(candidate)
        return pingpong.answer(order)
    return flood(pump, work)


def prepare_rewrites(candidate, pump):
    """More translations than there is room for, at the attacker's port; its frames leave by the victim's."""
    candidate.steer("steer 0 nat udp4 %d %d" % (REWRITES, REWRITES))
    pump.ask("flows %d tuple" % REWRITES)


def fill_rewrites(field, candidate, pingpong, pump):
    answer = flood(pump, lambda: field.paced(pingpong), REWRITES_RATE)
    candidate.steer("clear 0")
    candidate.steer("acl 0 exact")
    pump.ask("flows %d tuple" % STORM_FLOWS)
    return answer


# How, what of the cache's counters tells that it was, whether that is together with the victim, and how large the table is.
FULL = {"flow table": (prepare_nothing, fill_table, "refused", False, SMALL_TABLE),
        "rings": (prepare_nothing, fill_rings, None, False, None),
        "rewrites": (prepare_rewrites, fill_rewrites, "lacking", True, None)}


def full_once(field, candidate, pingpong, pump, what):
    prepare, fill, counted, _, _ = FULL[what]
    prepare(candidate, pump)
    learn(pingpong)
    before = settle(candidate)
    answer = fill(field, candidate, pingpong, pump)
    after = settle(candidate)
    names = account(candidate, before, after)
    answer["counted"] = difference(before, after)["cache " + counted] if counted else names.get("upcall_full", 0)
    if not answer["counted"]:
        raise BenchError("it did not get full: %s" % names)
    return {**answer, "names": names, "late": late(before, after) if answer["new"]["n"] else 0,
            "again": set_up_again(candidate, pump)}


def small(rounds):
    """Of rounds that may have had no new flows."""
    new = [r["new"] for r in rounds if r["new"]["n"]]
    return {"known_lost": sum(r["known_lost"] for r in rounds), "known_sent": sum(r["known"]["n"] + r["known_lost"] for r in rounds),
            "new_lost": sum(r["new_lost"] for r in rounds), "new_p99_us": round(max(n["p99_ns"] for n in new) / 1e3, 1) if new else None,
            "late": sum(r["late"] for r in rounds), "counted": sum(r["counted"] for r in rounds), "names": summed(rounds),
            "again_seconds": max(r["again"] for r in rounds), "runs": len(rounds)}


def full(field, what):
    _, _, _, together, flows = FULL[what]
    progress("full, %s" % what)
    candidate = field.besieged(together, "exact", flows)
    try:
        with field.pingpong() as pingpong, field.storm_pump() as pump:
            rounds = [full_once(field, candidate, pingpong, pump, what) for _ in range(min(MORE_RUNS, field.options.rounds))]
    finally:
        candidate.stop()
        field.take_up("s1", "r1")
    return {"attack": "full", "what": what, **small(rounds)}


def vanish_once(field, candidate, pingpong):
    order = "paced %d %d %d 0 0 0" % (PACED, PACE, KNOWN)
    with field.storm_pump() as pump:
        before = settle(candidate)
        command = "storm %d %d" % (STORM_RATE, STORM_RATE)
        pingpong.order(order)
        pump.order(command)
        time.sleep(LEAD_S)
        run("ip", "-n", field.lab.switch, "link", "del", "p3")
        answer = pingpong.answer(order)
        pump.answer(command)
    after = settle(candidate)
    names = account(candidate, before, after)
    begin = time.monotonic()
    field.lab.add_port("p3", "s1", field.lab.sender)
    field.take_up("s1")
    while not any(p["name"] == "p3" and p["state"] == "up" for p in candidate.ask("port", "show")["ports"]):
        if time.monotonic() > begin + AGAIN_S:
            raise BenchError("p3 does not come back")
        time.sleep(0.05)
    with field.storm_pump() as pump:
        set_up_again(candidate, pump)
    field.take_up("s1", "r1")
    taken = difference(before, after)["p3 rx_frames"]
    return {**answer, "late": 0, "counted": taken, "names": names, "again": round(time.monotonic() - begin, 2)}


def vanish(field):
    progress("vanish")
    candidate = field.besieged(False, "exact")
    try:
        with field.pingpong() as pingpong:
            learn(pingpong)
            rounds = [vanish_once(field, candidate, pingpong) for _ in range(min(MORE_RUNS, field.options.rounds))]
    finally:
        candidate.stop()
    return {"attack": "vanish", "what": "device", **small(rounds)}


def attack(lab, _pump, controller, options):
    field = Field(lab, controller, options)
    report = {"machine": machine(), "rounds": options.rounds, "frames": options.frames, "results": [], "left_out": {}}
    if "storm" in options.attacks:
        report["results"] += [storm(field, together) for together in (False, True)]
    if "masks" in options.attacks:
        report["results"] += [explode(field, together, flows) for together in (False, True) for flows in (1, 1000)]
    if "full" in options.attacks:
        report["results"] += [full(field, what) for what in FULL]
    if "vanish" in options.attacks:
        report["results"].append(vanish(field))
    return report


def named(names):
    return ", ".join("%s %s" % (name, format(n, ",d")) for name, n in sorted(names.items())) or "-"


def print_storm(results):
    if not results:
        return
    print("New flows at another port, %s a second; times in microseconds, of frames of known flows and of the first of new ones" %
          format(STORM_RATE, ",d"))
    print("%-10s %-8s %9s %6s %9s %9s %6s %9s %9s %9s %6s" % (
        "victim", "", "known", "lost", "p99", "new", "lost", "p50", "p99", "worst p99", "late"))
    for r in results:
        for name in ("quiet", "attacked"):
            v = r[name]
            print("%-10s %-8s %9d %6d %9.1f %9d %6d %9.1f %9.1f %9.1f %6d" % (
                "together" if r["together"] else "apart", name, v["known_sent"], v["known_lost"], v["known_p99_us"], v["new_sent"],
                v["new_lost"], v["new_p50_us"], v["new_p99_us"], v["worst_new_p99_us"], v["late"]))
        print("%-10s the storm: %s frames, %s a second; %s went up; dropped: %s" % (
            "", format(r["storm_frames"], ",d"), format(r["storm_per_second"], ",d"), format(r["storm_up"], ",d"), named(r["names"])))


def print_masks(results):
    if not results:
        return
    print("Frames at another port that want ever other masks, %s a second" % format(MASKS_RATE, ",d"))
    print("%-10s %6s %12s %12s %7s %15s %10s %6s %9s %8s" % (
        "victim", "flows", "quiet /s", "attacked /s", "kept", "(95 %)", "delivered", "masks", "(quiet)", "probes"))
    for r in results:
        print("%-10s %6d %12s %12s %7.3f %15s %9.3f%% %6d %9d %8.1f" % (
            "together" if r["together"] else "apart", r["flows"], format(r["quiet_frames_per_second"], ",d"),
            format(r["attacked_frames_per_second"], ",d"), r["ratio"], "%.3f - %.3f" % (r["ratio_low"], r["ratio_high"]),
            100 * r["share_delivered"], r["masks"], r["masks_quiet"], r["probes_a_search"]))


def print_rest(results):
    if not results:
        return
    print("Full tables and rings, and a device that goes; the victim's frames, and when the attacker's port has new flows again")
    print("%-8s %-11s %5s %9s %6s %8s %10s %6s %10s %8s   %s" % (
        "attack", "of", "runs", "known", "lost", "new lost", "worst p99", "late", "counted", "again", "dropped"))
    for r in results:
        print("%-8s %-11s %5d %9d %6d %8d %10s %6d %10d %6.2f s   %s" % (
            r["attack"], r["what"], r["runs"], r["known_sent"], r["known_lost"], r["new_lost"],
            "-" if r["new_p99_us"] is None else r["new_p99_us"], r["late"], r["counted"], r["again_seconds"], named(r["names"])))


def print_attack(report):
    print("%d rounds under attack beside as many quiet ones" % report["rounds"])
    for show, kinds in ((print_storm, ("storm",)), (print_masks, ("masks",)), (print_rest, ("full", "vanish"))):
        show([r for r in report["results"] if r["attack"] in kinds])
