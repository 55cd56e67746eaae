#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""tests/bench: how fast the switch forwards, beside a redirect that looks at nothing, and beside its peers.

    forward   frames a second through two veth ports: switchd, the Linux bridge, Open vSwitch (AF_XDP) where installed
    cost      nanoseconds a frame of the switch's own program, by BPF_PROG_TEST_RUN
    flowmod   flow-mods a second over TCP and TLS, memory a rule, and the longest echo while all rules are dumped
    setup     new flows a second, of which 99 % arrive
    churn     what unrelated flow-mods cost flows that forward

How it is made fair. Every candidate has the same two ports in turn. While it has them, rounds of it alternate with
rounds of `bare`, which stands in for its program on p1 (slot.h), so that the two that are compared ran within a second
of each other; the ratio is the median over such pairs. Frames are 64 bytes, of flows visited in another order than the
one they were learnt in, after every flow has been seen to pass without a slow path. All is done on one core, but for
Open vSwitch, whose polling thread gets a second one.

How rates are counted. A round's rate is over the time in which the core worked for it, generator and sink included.
Time that other tasks took from the core is left out, because it says nothing of the switch, and so is the grace period
for which BPF_PROG_TEST_RUN sleeps. Open vSwitch, whose core works on while the generator's is taken, is counted by the
clock: time that other tasks took is left in.

forward and cost: --pipeline N puts N OpenFlow tables, the last of them NORMAL, behind switchd and Open vSwitch. flowmod, setup and
churn are told below.

`twin` is the bare program against itself: what it is off 1 is what the figures are good for.
"""
import argparse
import fcntl
import json
import os
import statistics
import sys
import time

import rules
from candidates import Bridge, Ovs, Switchd, Twin
from lab import BenchError, Controller, Lab, Pump, progress
from steered import SteeredOvs, SteeredSwitchd

WARM_UP_RATE = 20000  # frames a second: below the switch's limit of new flows a port, and what its peers can take
WARM_UP_SECONDS = 180
HELD_UP = 0.25  # a round that other tasks held up for more than this share is measured again, a few times


class Round:
    """One run of the generator, and what came of it."""

    def __init__(self, answer, by_clock):
        self.__dict__.update(answer)
        seconds = (self.work_ns + (self.held_up_ns if by_clock else 0)) / 1e9
        self.rate = self.in_time / seconds
        self.held_up = self.held_up_ns / (self.work_ns + self.held_up_ns)


def one_round(pump, program, frames, by_clock):
    for _ in range(4):
        pump.ask("put " + program)
        latest = Round(pump.ask("round %d" % frames), by_clock)
        if latest.held_up < HELD_UP:
            break
    return latest


def warm_up(pump, candidate, flows):
    """Every flow, slowly, until a whole pass gets through and none of it by a slow path."""
    pump.ask("learn %d" % min(WARM_UP_RATE, 2000))
    deadline = time.monotonic() + WARM_UP_SECONDS
    while True:
        slow = candidate.slow_frames()
        answer = pump.ask("pass %d" % WARM_UP_RATE)
        slow = candidate.slow_frames() - slow if slow is not None else 0
        if answer["received"] >= answer["sent"] and slow <= flows / 1000:
            return
        if time.monotonic() > deadline:
            raise BenchError("%s does not warm up: of %d frames of %d flows at %d a second %d came through, %d the slow "
                             "way" % (candidate.name, answer["sent"], flows, WARM_UP_RATE, answer["received"], slow))


def middle(values):
    """The median, and the bounds that hold it with 95 % by their rank."""
    values = sorted(values)
    n = len(values)
    reach = int(0.98 * n ** 0.5)
    low, high = max(0, (n - 1) // 2 - reach), min(n - 1, n // 2 + reach)
    return statistics.median(values), values[low], values[high]


def alternate(pump, candidate, rounds, frames):
    """Rounds of bare (A) and of the candidate (B), A B, B A, A B … Gives both lists, in pairs."""
    bare, own = [], []
    pump.ask("attach")
    try:
        for number in range(rounds):
            order = ("bare", candidate.program) if number % 2 == 0 else (candidate.program, "bare")
            for program in order:
                if program == "bare":
                    bare.append(one_round(pump, "bare", frames, False))
                else:
                    own.append(one_round(pump, program, frames, candidate.own_core))
    finally:
        pump.ask("detach")
    return bare, own


def figures(name, flows, bare, own, version):
    ratio, low, high = middle([o.rate / b.rate for b, o in zip(bare, own)])
    received = sum(r.received for r in own)
    return {
        "name": name, "version": version, "flows": flows,
        "frames_per_second": round(statistics.median(r.rate for r in own)),
        "bare_frames_per_second": round(statistics.median(r.rate for r in bare)),
        "ratio_to_bare": round(ratio, 4), "ratio_low": round(low, 4), "ratio_high": round(high, 4),
        "share_delivered": round(received / sum(r.sent for r in own), 6),
        "cpu_seconds_per_million": round(sum(r.busy_ns for r in own) / 1000 / received, 4) if received else None,
        "held_up_share": round(statistics.mean(r.held_up for r in bare + own), 4),
        "rounds": len(own),
    }


def start(candidate, controller, options):
    if options.pipeline and hasattr(candidate, "start_steered"):
        candidate.start_steered(controller, options.build, options.pipeline)
    else:
        candidate.start()


def measure(pump, controller, candidate, options, results):
    """All flow counts with one candidate, which is stopped and started between them: none inherits a full table."""
    for flows in options.flows:
        progress("%s, %d flows: warming up" % (candidate.name, flows))
        pump.ask("flows %d %s" % (flows, options.vary))
        try:
            start(candidate, controller, options)
            if candidate.program == "own":
                warm_up(pump, candidate, flows)
            progress("%s, %d flows: measuring" % (candidate.name, flows))
            bare, own = alternate(pump, candidate, options.rounds, options.frames)
            results.append(figures(candidate.name, flows, bare, own, candidate.version()))
        finally:
            candidate.stop()


def machine():
    model = ""
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": os.uname().release}


def print_forward(report):
    print("64-byte frames, flows that differ by %s, %d rounds of %d frames beside as many of bare; %s, Linux %s" %
          (report["vary"], report["rounds"], report["frames"], report["machine"]["cpu"], report["machine"]["kernel"]))
    if report["pipeline"]:
        print("Behind it a pipeline of %d OpenFlow tables, the last one NORMAL" % report["pipeline"])
    heading = ("candidate", "flows", "frames/s", "bare/s", "ratio", "(95 %)", "delivered", "CPU s/M", "held up")
    print("%-10s %8s %12s %12s %7s %15s %10s %8s %8s" % heading)
    for r in report["results"]:
        print("%-10s %8d %12s %12s %7.3f %15s %9.3f%% %8s %7.1f%%" % (
            r["name"], r["flows"], format(r["frames_per_second"], ",d"), format(r["bare_frames_per_second"], ",d"),
            r["ratio_to_bare"], "%.3f - %.3f" % (r["ratio_low"], r["ratio_high"]), 100 * r["share_delivered"],
            "-" if r["cpu_seconds_per_million"] is None else "%.3f" % r["cpu_seconds_per_million"],
            100 * r["held_up_share"]))
    for name, why in report["left_out"].items():
        print("%s left out: %s" % (name, why))
    print("ratio: to bare, on the same ports in the same seconds; twin is bare against itself, the bench's own error.")


def forward(lab, pump, controller, options):
    if options.pipeline:
        steered = [SteeredSwitchd(lab, options.cpu, options.build), SteeredOvs(lab, options.cpu)]
    else:
        steered = [Switchd(lab, options.cpu, options.build), Bridge(lab, options.cpu), Ovs(lab, options.cpu)]
    candidates = [c for c in steered + [Twin(lab, options.cpu)] if c.name in options.only]
    report = {"machine": machine(), "vary": options.vary, "pipeline": options.pipeline, "rounds": options.rounds, "frames": options.frames,
              "results": [], "left_out": {}}
    for candidate in candidates:
        why = candidate.available()
        if why:
            report["left_out"][candidate.name] = why
        else:
            measure(pump, controller, candidate, options, report["results"])
    progress("")
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print_forward(report)
    return 0 if "switchd" not in report["left_out"] or "switchd" not in options.only else 1


def cost_rounds(pump, options):
    spans = {"bare": [], "own": []}
    pump.ask("attach")
    for number in range(options.rounds):
        for program in ("bare", "own") if number % 2 == 0 else ("own", "bare"):
            answer = pump.ask("cost %s %d %d" % (program, number, options.frames))
            if answer["verdict"] != 4:
                raise BenchError("the %s program did not redirect the frame: verdict %d" % (program, answer["verdict"]))
            spans[program].append(answer["work_ns"] / options.frames)
    pump.ask("detach")
    return spans


def cost(lab, pump, controller, options):
    candidate = (SteeredSwitchd if options.pipeline else Switchd)(lab, options.cpu, options.build)
    if candidate.available():
        raise BenchError(candidate.available())
    pump.ask("flows %d %s" % (options.rounds, options.vary))
    try:
        start(candidate, controller, options)
        warm_up(pump, candidate, options.rounds)
        spans = cost_rounds(pump, options)
    finally:
        candidate.stop()
    progress("")
    report = {"machine": machine(), "rounds": options.rounds, "frames": options.frames}
    for program, key in (("bare", "bare_ns"), ("own", "switchd_ns")):
        report[key] = {"min": round(min(spans[program]), 2), "median": round(statistics.median(spans[program]), 2)}
    over, low, high = middle([o - b for b, o in zip(spans["bare"], spans["own"])])
    report["over_bare_ns"] = {"median": round(over, 2), "low": round(low, 2), "high": round(high, 2)}
    if options.json:
        print(json.dumps(report, indent=2))
        return 0
    print("The program alone, on a frame whose flow is cached, BPF_PROG_TEST_RUN, %d rounds of %d; %s, Linux %s" %
          (options.rounds, options.frames, report["machine"]["cpu"], report["machine"]["kernel"]))
    for key in ("bare_ns", "switchd_ns"):
        print("%-12s min %6.2f ns   median %6.2f ns" % (key[:-3], report[key]["min"], report[key]["median"]))
    print("%-12s %.2f ns a frame (95 %%: %.2f - %.2f)" % ("over bare", over, low, high))
    return 0


def of_rules(bench, *more):
    """A bench of rules.py, as one of this file's."""
    def measured(lab, pump, controller, options):
        report = {"machine": machine(), **getattr(rules, bench)(lab, pump, controller, options, *more)}
        progress("")
        if options.json:
            print(json.dumps(report, indent=2))
        else:
            print("%s, Linux %s" % (report["machine"]["cpu"], report["machine"]["kernel"]))
            getattr(rules, "print_" + bench)(report)
            for name, why in report["left_out"].items():
                print("%s left out: %s" % (name, why))
        return 0 if report["results"] and "switchd" not in report["left_out"] else 1
    return measured


BENCHES = {"forward": forward, "cost": cost, "flowmod": of_rules("flowmod"), "setup": of_rules("setup"),
           "churn": of_rules("churn", warm_up, one_round, middle)}


def parse(arguments):
    parser = argparse.ArgumentParser(prog="tests/bench", description=__doc__ + "\n" + rules.__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=tuple(BENCHES))
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--flows", default="1,1000,100000", help="flow counts (forward); default %(default)s")
    parser.add_argument("--vary", choices=("both", "mac", "tuple"), default="both",
                        help="what tells flows apart: MAC addresses, IP addresses and ports, or both")
    parser.add_argument("--rounds", type=int, default=25, help="pairs of rounds; default %(default)s")
    parser.add_argument("--frames", type=int, default=1000000, help="frames a round; default %(default)s")
    parser.add_argument("--only", default="switchd,bridge,ovs,twin", help="candidates; default %(default)s")
    parser.add_argument("--pipeline", type=int, default=0, metavar="N", help="tables behind it (forward, cost)")
    parser.add_argument("--rules", type=int, default=100000, help="loaded in one go (flowmod); default %(default)s")
    parser.add_argument("--priorities", type=int, default=100, help="of these rules; default %(default)s")
    parser.add_argument("--loads", type=int, default=3, help="times that they are loaded; default %(default)s")
    parser.add_argument("--held-rules", type=int, default=1000000, help="for memory and dump; default %(default)s, and for "
                        "Open vSwitch 100000 at the most")
    parser.add_argument("--new-flows", type=int, default=200000, help="rules (setup); default %(default)s")
    parser.add_argument("--live-flows", type=int, default=10000, help="that forward (churn); default %(default)s")
    parser.add_argument("--flow-mods", type=int, default=1000, help="a second meanwhile (churn); default %(default)s")
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)), help="core; default the last one")
    parser.add_argument("--build", default=os.environ.get("BUILD_DIR", "build"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    try:
        options.flows = [int(n) for n in options.flows.split(",")]
    except ValueError:
        parser.error("--flows: expected numbers with commas between, not %s" % options.flows)
    options.only = options.only.split(",")
    unknown = set(options.only) - {"switchd", "bridge", "ovs", "twin"}
    if unknown:
        parser.error("--only: no candidate is called %s" % ", ".join(sorted(unknown)))
    return options


def alone():
    """Waits until no other bench runs: two at once would measure each other. The lock goes with the process."""
    lock = open("/run/switchd-bench.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        progress("another bench is running: waiting for its end")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def main():
    options = parse(sys.argv[1:])
    lock = alone()
    try:
        tools = os.path.join(options.build, "tests/bench.d")
        with Lab() as lab, Pump(lab, os.path.join(tools, "pump"), options.cpu) as pump, \
                Controller(lab, os.path.join(tools, "ofpump"), options.cpu) as controller:
            return BENCHES[options.what](lab, pump, controller, options)
    except BenchError as error:
        progress("")
        print("tests/bench: %s" % error, file=sys.stderr)
        return 1
    finally:
        lock.close()


if __name__ == "__main__":
    sys.exit(main())
