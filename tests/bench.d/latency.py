# SPDX-License-Identifier: BSD-2-Clause
"""latency  A round trip between two namespaces, one frame at a time, and the same through bare in both directions, in turn:
         the medians and the 99th percentiles of rounds of so many trips (--trips). Then the first frame of one new flow
         after the other, one way, under a rule for the 5-tuple of each, with a pause before it in which the daemon goes
         to sleep; once more, those during which neither the generator nor the switch's thread waited for its core while
         something else ran there; and the last of the same flows again, which are known then.
"""
import os
import statistics

from candidates import Bridge, Ovs, Switchd, Twin
from lab import BenchError, Server, progress, run
from measure import SlowPath, in_turn, machine, ratio_of
from steered import SteeredOvs, SteeredSwitchd

TRIPS_TO_LEARN = 200
RULES = 65536  # as pingpong.c numbers flows
PAUSE_US = 1000
KNOWN = 1000   # the last flows of these are sent again
HELD_UP, TRIES = 0.02, 4  # a round that other tasks held up for more than this share is measured again, a few times


def take_up(lab):
    """What the sinks do elsewhere: the far ends of the ports get the NAPI without which nothing can be redirected to them."""
    for netns, device in ((lab.sender, "s0"), (lab.receiver, "r0")):
        run("nsenter", "--net=/run/netns/" + netns, "ethtool", "-K", device, "gro", "on")


def one_round(pingpong, program, trips):
    for _ in range(TRIES):
        pingpong.ask("put " + program)
        answer = pingpong.ask("trips %d" % trips)
        if answer["lost"]:
            raise BenchError("%d of %d frames or their answers were lost (%s)" % (answer["lost"], trips, program))
        if answer["held_up_ns"] < HELD_UP * answer["wall_ns"]:
            break
    return answer["all"]


def learn(pingpong, candidate):
    """Until a batch of trips passes whole and without a slow path."""
    for _ in range(10):
        slow = candidate.slow_frames()
        lost = pingpong.ask("trips %d" % TRIPS_TO_LEARN)["lost"]
        if not lost and (slow is None or candidate.slow_frames() == slow):
            return
    raise SlowPath("%s: frames of a known flow are lost or take the slow path" % candidate.name)


def trips(pingpong, candidate, options):
    progress("%s: round trips" % candidate.name)
    try:
        candidate.start()
        if candidate.program == "own":
            learn(pingpong, candidate)
        pingpong.ask("attach")
        try:
            bare, own = in_turn(options.rounds, lambda: one_round(pingpong, "bare", options.trips),
                                lambda: one_round(pingpong, candidate.program, options.trips))
        finally:
            pingpong.ask("detach")
    finally:
        candidate.stop()
    result = {"name": candidate.name, "version": candidate.version()}
    for point in ("p50_ns", "p99_ns"):
        result[point] = {"own": round(statistics.median(r[point] for r in own)),
                         "bare": round(statistics.median(r[point] for r in bare)),
                         **ratio_of([r[point] for r in own], [r[point] for r in bare])}
    return result


def first(pingpong, controller, candidate, options):
    progress("%s: the first frame of %d flows" % (candidate.name, options.first_flows))
    try:
        candidate.start_steered(controller, options.build)
        candidate.connect("tcp", 0)
        candidate.load(RULES, 1)
        slow = candidate.slow_frames()
        new = pingpong.ask("first %d 0 %d %d" % (options.first_flows, PAUSE_US, candidate.worker()))
        slow = candidate.slow_frames() - slow if slow is not None else None
        n_known = min(options.first_flows, KNOWN)
        known = pingpong.ask("first %d %d 0 0" % (n_known, options.first_flows - n_known))["all"]
    finally:
        candidate.stop()
    if new["lost"] or (slow is not None and slow < options.first_flows):
        raise BenchError("%s: of %d first frames %d were lost and %s took the slow path" %
                         (candidate.name, options.first_flows, new["lost"], slow))
    return {"name": candidate.name, "version": candidate.version(), "first": new["all"], "unhindered": new["unhindered"],
            "known": known}


def latency(lab, _pump, controller, options):
    report = {"machine": machine(), "trips": options.trips, "rounds": options.rounds, "results": [], "first": [],
              "left_out": {}}
    take_up(lab)
    tool = os.path.join(options.build, "tests/bench.d/pingpong")
    with Server(lab, tool, options.cpu, lab.sender, "s0", "p1", lab.receiver, "r0", "p2") as pingpong:
        every = [Switchd(lab, options.cpu, options.build), Bridge(lab, options.cpu), Ovs(lab, options.cpu),
                 Twin(lab, options.cpu)]
        for candidate in (c for c in every if c.name in options.only):
            if candidate.available():
                report["left_out"][candidate.name] = candidate.available()
            else:
                report["results"].append(trips(pingpong, candidate, options))
        for candidate in (SteeredSwitchd(lab, options.cpu, options.build), SteeredOvs(lab, options.cpu)):
            if candidate.name in options.only and not candidate.available():
                report["first"].append(first(pingpong, controller, candidate, options))
    return report


def print_latency(report):
    print("Round trips of 64-byte frames between two namespaces, microseconds; %d rounds of %d beside as many of bare" %
          (report["rounds"], report["trips"]))
    print("%-10s %8s %8s %7s %15s %8s %8s %7s %15s" % ("candidate", "p50", "bare", "ratio", "(95 %)", "p99", "bare", "ratio", "(95 %)"))
    for r in report["results"]:
        cells = []
        for p in (r["p50_ns"], r["p99_ns"]):
            cells.append("%8.2f %8.2f %7.3f %15s" % (p["own"] / 1e3, p["bare"] / 1e3, p["ratio_to_bare"],
                                                    "%.3f - %.3f" % (p["ratio_low"], p["ratio_high"])))
        print("%-10s %s" % (r["name"], " ".join(cells)))
    if report["first"]:
        print("One way, microseconds: the first frame of a flow; where no other task had the core; and the same flow known")
        print("%-10s %7s %8s %8s %8s %8s %11s %8s %8s %9s %9s" % (
            "candidate", "flows", "p50", "p90", "p99", "max", "unhindered", "p50", "p99", "known p50", "known p99"))
    for r in report["first"]:
        new, free, known = r["first"], r["unhindered"], r["known"]
        print("%-10s %7d %s %11d %s  %s" % (r["name"], new["n"], times(new, "p50", "p90", "p99", "max"), free["n"],
                                            times(free, "p50", "p99"), times(known, "p50", "p99")))


def times(answer, *points):
    return " ".join("%8.1f" % (answer[p + "_ns"] / 1e3) if answer["n"] else "       -" for p in points)
