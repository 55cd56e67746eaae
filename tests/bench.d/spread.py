# SPDX-License-Identifier: BSD-2-Clause
"""One port, spread over CPUs: the third part of `scale`."""
import glob
import json
import os
import re
import statistics
import time

from candidates import other_cpu
from lab import progress
from masks import warm_up
from measure import middle
from steered import SteeredSwitchd

MASKS = (1, 64)  # rules that take so many: what a frame costs where it is handled
SETTLE_SECONDS = 1  # a port that is spread for the first time waits for a grace period


def go_first(candidate):
    """The threads that handle frames have the generator's priority: it shares its core with one of them, evenly, and neither
    waits for others' work."""
    maps = json.loads(candidate.control("--json", "show", "xdp"))["maps"]
    name = re.compile(r"cpumap/\d+/map:%d$" % next(m["id"] for m in maps if m["name"] == "workers"))
    for comm in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(comm) as file:
                if name.match(file.read().strip()):
                    os.setpriority(os.PRIO_PROCESS, int(comm.split("/")[2]), -20)
        except OSError:
            pass  # it has ended


def spread_over(pump, candidate, cpus):
    pump.ask("detach")
    candidate.control("port", "set", "br0", candidate.ports[0], "cpus", cpus)
    pump.ask("attach")
    go_first(candidate)


def one_round(pump, frames):
    """Frames a second that came through, by the clock: the generator offers more than can be handled, and what it and the
    threads take of its core is nobody's to subtract."""
    answer = pump.ask("round %d" % frames)
    return answer["in_time"] * 1e9 / (answer["work_ns"] + answer["held_up_ns"])


def rounds_of(pump, candidate, lists, options):
    rates = {cpus: [] for cpus in lists}
    for number in range(options.rounds):
        for cpus in lists if number % 2 == 0 else reversed(lists):
            spread_over(pump, candidate, cpus)
            rates[cpus].append(one_round(pump, options.frames))
    return rates


def with_masks(pump, controller, candidate, options, n_masks):
    cpus = [options.cpu, other_cpu(options.cpu)]
    singly, both = [str(cpu) for cpu in cpus], "%d,%d" % tuple(cpus)
    progress("one port over %d CPUs, %d masks" % (len(cpus), n_masks))
    pump.ask("masks %d" % n_masks)
    try:
        candidate.start_steered(controller, options.build)
        candidate.connect("tcp", 0)
        candidate.steer("masks 0")
        warm_up(pump, candidate)
        spread_over(pump, candidate, both)
        time.sleep(SETTLE_SECONDS)
        rates = rounds_of(pump, candidate, ["none", *singly, both], options)
    finally:
        pump.ask("detach")
        candidate.stop()
    linear, low, high = middle([b / (x + y) for b, x, y in zip(rates[both], rates[singly[0]], rates[singly[1]])])
    gain, gain_low, gain_high = middle([b / n for b, n in zip(rates[both], rates["none"])])
    return {"name": "switchd", "masks": n_masks, "cpus": both,
            "frames_per_second": {cpus: round(statistics.median(values)) for cpus, values in rates.items()},
            "linear": round(linear, 4), "linear_low": round(low, 4), "linear_high": round(high, 4),
            "to_unspread": round(gain, 4), "to_unspread_low": round(gain_low, 4), "to_unspread_high": round(gain_high, 4)}


def spread_part(lab, pump, controller, options):
    if len(os.sched_getaffinity(0)) < 2:
        return []
    return [with_masks(pump, controller, SteeredSwitchd(lab, options.cpu, options.build), options, n) for n in MASKS]


def print_spread(results):
    if results:
        print("%-10s %6s %8s %14s %8s %15s %9s" % ("one port", "masks", "cpus", "frames/s", "linear", "(95 %)", "unspread"))
    for r in results:
        for cpus, rate in r["frames_per_second"].items():
            whole = cpus == r["cpus"]
            print("%-10s %6d %8s %14s %8s %15s %9s" % (
                r["name"], r["masks"], cpus, format(rate, ",d"), "%.3f" % r["linear"] if whole else "",
                "%.3f - %.3f" % (r["linear_low"], r["linear_high"]) if whole else "",
                "x %.3f" % r["to_unspread"] if whole else ""))
