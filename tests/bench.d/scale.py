# SPDX-License-Identifier: BSD-2-Clause
"""scale    Two things. Ports: how long the daemon takes to start with --ports of them in its configuration, the memory that it
         and its maps hold, and the ratio to bare between two of them, beside what all that is with two ports. Cores: a pair of
         ports and a generator for each of 2, 3 and all cores, alone in turn and all at once; linear is 1, and bare beside it
         says what the machine itself can do. One port: its frames handled by two CPUs (`port set ... cpus`), beside what
         either of them handles alone and what comes through where nothing is spread; under rules that take 1 mask and 64.
         The generator has its core to itself no more, but shares it with the thread that handles frames there, in all
         three cases alike, and always sends more than can be handled; so rates are of what comes through, by the clock.
"""
import glob
import json
import os
import re
import statistics
import time

from candidates import Bridge, Switchd
from lab import BenchError, Pump, progress
from measure import alternate, figures, machine, middle, one_round, warm_up
from ports import add_ports
from spread import print_spread, spread_part

FLOWS = 1000
START_SECONDS = 300


class ConfiguredSwitchd(Switchd):
    """Its ports come from its configuration file, not one by one."""

    def options(self):
        path = os.path.join(self.lab.directory, "switchd.conf")
        with open(path, "w") as conf:
            conf.write("bridge add br0\n")
            conf.writelines("port add br0 %s\n" % " ".join((port, *self.at_hook())) for port in self.ports)
        return super().options() + ["--conf", path]

    def start(self):
        os.makedirs(self.directory, exist_ok=True)
        begin = time.monotonic()
        self.launch()
        self.answer_seconds = time.monotonic() - begin
        while self.n_up() < len(self.ports):
            if time.monotonic() > begin + START_SECONDS:
                raise BenchError("of %d ports %d are up" % (len(self.ports), self.n_up()))
            time.sleep(0.05)
        self.up_seconds = time.monotonic() - begin

    def n_up(self):
        return sum(p["state"] == "up" for p in json.loads(self.control("--json", "port", "show"))["ports"])

    def memory(self):
        with open("/proc/%d/status" % self.process.pid) as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1)) * 1024

    def map_memory(self):
        """Of every map that it has open, each counted once."""
        sizes = {}
        for path in glob.glob("/proc/%d/fdinfo/*" % self.process.pid):
            try:
                with open(path) as info:
                    facts = dict(line.split(":", 1) for line in info if ":" in line)
            except OSError:
                continue
            if "map_id" in facts:
                sizes[facts["map_id"].strip()] = int(facts["memlock"])
        return sum(sizes.values())


def with_ports(pump, candidate, options):
    name, n = candidate.name, len(candidate.ports)
    progress("%s, %d ports: starting" % (name, n))
    pump.ask("flows %d %s" % (FLOWS, options.vary))
    try:
        begin = time.monotonic()
        candidate.start()
        result = {"ports": n, "start_seconds": round(time.monotonic() - begin, 2)}
        if name == "switchd":
            result.update(start_seconds=round(candidate.up_seconds, 2), answers_seconds=round(candidate.answer_seconds, 2),
                          memory_bytes=candidate.memory(), map_bytes=candidate.map_memory())
        warm_up(pump, candidate, FLOWS)
        progress("%s, %d ports: measuring" % (name, n))
        bare, own = alternate(pump, candidate, options.rounds, options.frames)
        return {**result, "flows": FLOWS, **figures(name, bare, own, candidate.version())}
    finally:
        candidate.stop()


def ports_part(lab, pump, options):
    results = []
    for n in (2, options.ports):
        ports = add_ports(lab, n)
        for candidate in (ConfiguredSwitchd(lab, options.cpu, options.build), Bridge(lab, options.cpu)):
            if candidate.name in options.only:
                candidate.ports = ports
                results.append(with_ports(pump, candidate, options))
    return results


def all_at_once(pumps, program, frames):
    """A round of all pumps at the same time; the sum of their rates."""
    for pump in pumps:
        pump.ask("put " + program)
    command = "round %d" % frames
    for pump in pumps:
        pump.order(command)
    answers = [pump.answer(command) for pump in pumps]
    for answer in answers:
        if program == "own" and (answer["unlike"] or answer["received"] < 0.99 * answer["sent"]):
            raise BenchError("of %(sent)d frames %(received)d arrived, %(unlike)d otherwise than they should" % answer)
    return sum(a["in_time"] * 1e9 / a["work_ns"] for a in answers)


def alone(pump, program, frames, others):
    for other in others:
        other.ask("put " + program)
    return one_round(pump, program, frames, False).rate


def core_rounds(pumps, options):
    """Of each program, how much of the sum of what cores do alone they do at once."""
    shares, rates = {"bare": [], "own": []}, {"bare": [], "own": []}
    for pump in pumps:
        pump.ask("attach")
    try:
        for number in range(options.rounds):
            for program in ("bare", "own") if number % 2 == 0 else ("own", "bare"):
                singly = sum(alone(p, program, options.frames, [o for o in pumps if o is not p]) for p in pumps)
                together = all_at_once(pumps, program, options.frames)
                shares[program].append(together / singly)
                rates[program].append(together)
    finally:
        for pump in pumps:
            pump.ask("detach")
    return shares, rates


def with_cores(pumps, options):
    progress("%d cores: measuring" % len(pumps))
    shares, rates = core_rounds(pumps, options)
    results = []
    for program in ("own", "bare"):
        share, low, high = middle(shares[program])
        results.append({"name": "switchd" if program == "own" else "bare", "cores": len(pumps), "flows": FLOWS,
                        "frames_per_second": round(statistics.median(rates[program])), "linear": round(share, 4),
                        "linear_low": round(low, 4), "linear_high": round(high, 4)})
    return results


def lay_ports(lab, n):
    """A pair of ports for each core: p1 p2 are there, p3 p4 … are laid."""
    for i in range(1, n):
        lab.add_port("p%d" % (2 * i + 1), "s%d" % i, lab.sender)
        lab.add_port("p%d" % (2 * i + 2), "r%d" % i, lab.receiver)
    return ["p%d" % i for i in range(1, 2 * n + 1)]


def cores_part(lab, first, options):
    cpus = [options.cpu] + sorted(os.sched_getaffinity(0) - {options.cpu})
    ports = lay_ports(lab, len(cpus))
    tool, pumps = os.path.join(options.build, "tests/bench.d/pump"), [first]
    candidate = Switchd(lab, options.cpu, options.build)
    candidate.ports = ports
    try:
        for i, cpu in enumerate(cpus[1:], 1):
            pumps.append(Pump(lab, tool, cpu, "s%d" % i, ports[2 * i], [("r%d" % i, ports[2 * i + 1])]))
            pumps[i].ask("station %d" % i)
        candidate.start()
        for pump in pumps:
            pump.ask("flows %d %s" % (FLOWS, options.vary))
            warm_up(pump, candidate, FLOWS)
        return [line for n in range(2, len(pumps) + 1) for line in with_cores(pumps[:n], options)]
    finally:
        candidate.stop()
        for pump in pumps[1:]:
            pump.__exit__()


def scale(lab, pump, controller, options):
    report = {"machine": machine(), "rounds": options.rounds, "frames": options.frames, "left_out": {}}
    report["cores"] = cores_part(lab, pump, options) if "switchd" in options.only else []
    report["spread"] = spread_part(lab, pump, controller, options) if "switchd" in options.only else []
    report["results"] = ports_part(lab, pump, options)
    return report


def print_scale(report):
    print("%d flows, %d rounds of %d frames; memory: the daemon's own, and its maps'" %
          (FLOWS, report["rounds"], report["frames"]))
    heading = ("candidate", "ports", "start s", "memory MB", "maps MB", "frames/s", "bare/s", "ratio", "(95 %)", "delivered")
    print("%-10s %6s %8s %10s %8s %12s %12s %7s %15s %10s" % heading)
    for r in report["results"]:
        print("%-10s %6d %8.2f %10s %8s %12s %12s %7.3f %15s %9.3f%%" % (
            r["name"], r["ports"], r["start_seconds"],
            *("%.1f" % (r[k] / 1e6) if k in r else "-" for k in ("memory_bytes", "map_bytes")),
            format(r["frames_per_second"], ",d"), format(r["bare_frames_per_second"], ",d"), r["ratio_to_bare"],
            "%.3f - %.3f" % (r["ratio_low"], r["ratio_high"]), 100 * r["share_delivered"]))
    if report["cores"]:
        print("%-10s %6s %14s %8s %15s" % ("candidate", "cores", "frames/s in all", "linear", "(95 %)"))
    for r in report["cores"]:
        print("%-10s %6d %14s %8.3f %15s" % (r["name"], r["cores"], format(r["frames_per_second"], ",d"), r["linear"],
                                             "%.3f - %.3f" % (r["linear_low"], r["linear_high"])))
    print_spread(report["spread"])
