# SPDX-License-Identifier: BSD-2-Clause
"""masks    Frames of flows of which none comes twice, under rules that take so many masks (1, 4, 16 and 64): nested
         prefixes of destination and source. No hint helps, and every mask is the right one as often as every other.
"""
from candidates import Twin
from lab import BenchError, progress
from measure import SlowPath, alternate, figures, machine
from steered import SteeredOvs, SteeredSwitchd

LEAD_IN, LEAD_IN_RATE, LEAD_IN_TRIES = 20000, 20000, 12


def warm_up(pump, candidate):
    """Until none of so many frames takes the slow path."""
    for _ in range(LEAD_IN_TRIES):
        slow = candidate.slow_frames()
        answer = pump.ask("rush %d %d" % (LEAD_IN, LEAD_IN_RATE))
        slow = candidate.slow_frames() - slow if slow is not None else 0
        if answer["received"] >= answer["sent"] and not slow:
            return
    raise SlowPath("%s: of %d frames %d arrived, %d by the slow path" %
                   (candidate.name, answer["sent"], answer["received"], slow))


def with_masks(pump, controller, candidate, options, n_masks):
    progress("%s, %d masks" % (candidate.name, n_masks))
    pump.ask("masks %d" % n_masks)
    extra = {}
    try:
        if candidate.program == "own":
            candidate.start_steered(controller, options.build)
            candidate.connect("tcp", 0)
            candidate.steer("masks 0")
            warm_up(pump, candidate)
            extra["masks_in_use"] = candidate.masks()
            if extra["masks_in_use"] is not None and extra["masks_in_use"] < n_masks:
                raise BenchError("%s has %d masks, not %d" % (candidate.name, extra["masks_in_use"], n_masks))
        bare, own = alternate(pump, candidate, options.rounds, options.frames)
        return {"masks": n_masks, **extra, **figures(candidate.name, bare, own, candidate.version())}
    finally:
        candidate.stop()


def masks(lab, pump, controller, options):
    report = {"machine": machine(), "rounds": options.rounds, "frames": options.frames, "results": [], "left_out": {}}
    every = [SteeredSwitchd(lab, options.cpu, options.build), SteeredOvs(lab, options.cpu), Twin(lab, options.cpu)]
    for candidate in (c for c in every if c.name in options.only):
        if candidate.available():
            report["left_out"][candidate.name] = candidate.available()
            continue
        for n_masks in options.masks if candidate.program == "own" else options.masks[:1]:
            try:
                report["results"].append(with_masks(pump, controller, candidate, options, n_masks))
            except SlowPath as slow:
                report["left_out"]["%s, %d masks" % (candidate.name, n_masks)] = str(slow)
    return report


def print_masks(report):
    print("64-byte frames, no flow of which comes twice, evenly by masks; %d rounds of %d frames beside as many of bare" %
          (report["rounds"], report["frames"]))
    heading = ("candidate", "masks", "in use", "frames/s", "bare/s", "ratio", "(95 %)", "ns over", "delivered", "held up")
    print("%-10s %6s %6s %12s %12s %7s %15s %8s %10s %8s" % heading)
    for r in report["results"]:
        over = 1e9 / r["frames_per_second"] - 1e9 / r["bare_frames_per_second"]
        print("%-10s %6d %6s %12s %12s %7.3f %15s %8.0f %9.3f%% %7.1f%%" % (
            r["name"], r["masks"], "-" if r.get("masks_in_use") is None else r["masks_in_use"],
            format(r["frames_per_second"], ",d"), format(r["bare_frames_per_second"], ",d"), r["ratio_to_bare"],
            "%.3f - %.3f" % (r["ratio_low"], r["ratio_high"]), over, 100 * r["share_delivered"], 100 * r["held_up_share"]))
