# SPDX-License-Identifier: BSD-2-Clause
"""The benches of known flows, forward and cost: see bench.py, which says what they are."""
import statistics

from candidates import Bridge, Ovs, Switchd, Twin
from lab import BenchError, progress
from measure import AlwaysSlow, SlowPath, alternate, figures, in_turn, machine, middle
from steered import SteeredOvs, SteeredSwitchd


def candidates(lab, kind, options):
    if options.pipeline or kind.has_rules(options):
        every = [SteeredSwitchd(lab, options.cpu, options.build), SteeredOvs(lab, options.cpu)]
    else:
        every = [Switchd(lab, options.cpu, options.build), Bridge(lab, options.cpu), Ovs(lab, options.cpu)]
    return [c for c in every + [Twin(lab, options.cpu)] if c.name in options.only]


def start(kind, candidate, controller, options, flows):
    if candidate.program == "own":
        kind.start(candidate, controller, options, flows)


def one(pump, controller, kind, candidate, options, flows):
    """With one candidate and one count of flows. It is stopped at the end: none inherits a full table."""
    said = "%s, %s, %d flows: " % (kind.name, candidate.name, flows)
    progress(said + "warming up")
    kind.tell(pump, options, flows)
    try:
        start(kind, candidate, controller, options, flows)
        if candidate.program == "own":
            kind.warm_up(pump, candidate, options, flows)
        progress(said + "measuring")
        bare, own = alternate(pump, candidate, options.rounds, options.frames)
        return {"kind": kind.name, "flows": flows, **figures(candidate.name, bare, own, candidate.version(), kind.copies)}
    finally:
        candidate.stop()


def measure(pump, controller, kind, candidate, options, report):
    why = candidate.available() or candidate.cannot(kind)
    if why:
        report["left_out"]["%s %s" % (kind.name, candidate.name)] = why
        return
    for flows in options.flows:
        try:
            report["results"].append(one(pump, controller, kind, candidate, options, flows))
        except SlowPath as slow:
            report["slow"]["%s %s, %d flows" % (kind.name, candidate.name, flows)] = str(slow)
            if isinstance(slow, AlwaysSlow):
                break


def forward(lab, pump, controller, options):
    report = {"machine": machine(), "vary": options.vary, "pipeline": options.pipeline, "exact": options.exact,
              "translations": options.translations, "rounds": options.rounds, "frames": options.frames,
              "results": [], "left_out": {}, "slow": {}}
    for kind in options.kinds:
        for candidate in candidates(lab, kind, options):
            measure(pump, controller, kind, candidate, options, report)
    return report


def print_forward(report):
    print("64-byte frames, flows that differ by %s, %d rounds of %d frames beside as many of bare; %s, Linux %s" %
          (report["vary"], report["rounds"], report["frames"], report["machine"]["cpu"], report["machine"]["kernel"]))
    if report["pipeline"]:
        print("Behind it a pipeline of %d OpenFlow tables, the last one NORMAL" % report["pipeline"])
    if report["exact"]:
        print("With an OpenFlow rule for the 5-tuple of each flow")
    heading = ("kind", "candidate", "flows", "frames/s", "bare/s", "ratio", "(95 %)", "delivered", "CPU s/M", "held up")
    print("%-7s %-10s %8s %12s %12s %7s %15s %10s %8s %8s" % heading)
    for r in report["results"]:
        print("%-7s %-10s %8d %12s %12s %7.3f %15s %9.3f%% %8s %7.1f%%" % (
            r["kind"], r["name"], r["flows"], format(r["frames_per_second"], ",d"),
            format(r["bare_frames_per_second"], ",d"), r["ratio_to_bare"],
            "%.3f - %.3f" % (r["ratio_low"], r["ratio_high"]), 100 * r["share_delivered"],
            "-" if r["cpu_seconds_per_million"] is None else "%.3f" % r["cpu_seconds_per_million"],
            100 * r["held_up_share"]))
    for name, why in report["left_out"].items():
        print("%s left out: %s" % (name, why))
    for name, why in report["slow"].items():
        print("%s not measured: %s" % (name, why))
    print("ratio: to bare, on the same ports in the same seconds; twin is bare against itself, the bench's own error.")


def cost_round(pump, program, number, frames):
    answer = pump.ask("cost %s %d %d" % (program, number, frames))
    if answer["verdict"] != 4:
        raise BenchError("the %s program did not redirect the frame: verdict %d" % (program, answer["verdict"]))
    return answer["work_ns"] / frames


def cost(lab, pump, controller, options):
    kind, flows = options.kinds[0], options.rounds
    candidate = candidates(lab, kind, options)[0]
    if candidate.name != "switchd" or candidate.available():
        raise BenchError(candidate.available() or "cost is switchd's alone")
    kind.tell(pump, options, flows)
    numbers = {"bare": iter(range(flows)), "own": iter(range(flows))}
    try:
        kind.start(candidate, controller, options, flows)
        kind.warm_up(pump, candidate, options, flows)
        pump.ask("attach")
        bare, own = in_turn(flows, *(lambda p=p: cost_round(pump, p, next(numbers[p]), options.frames) for p in ("bare", "own")))
        pump.ask("detach")
    finally:
        candidate.stop()
    over = middle([o - b for b, o in zip(bare, own)])
    report = {"machine": machine(), "kind": kind.name, "rounds": options.rounds, "frames": options.frames,
              "over_bare_ns": dict(zip(("median", "low", "high"), (round(ns, 2) for ns in over)))}
    for values, key in ((bare, "bare_ns"), (own, "switchd_ns")):
        report[key] = {"min": round(min(values), 2), "median": round(statistics.median(values), 2)}
    return report


def print_cost(report):
    print("The program alone, on a frame whose flow is cached (%s), BPF_PROG_TEST_RUN, %d rounds of %d; %s, Linux %s" %
          (report["kind"], report["rounds"], report["frames"], report["machine"]["cpu"], report["machine"]["kernel"]))
    for key in ("bare_ns", "switchd_ns"):
        print("%-12s min %6.2f ns   median %6.2f ns" % (key[:-3], report[key]["min"], report[key]["median"]))
    over = report["over_bare_ns"]
    print("%-12s %.2f ns a frame (95 %%: %.2f - %.2f)" % ("over bare", over["median"], over["low"], over["high"]))
