# SPDX-License-Identifier: BSD-2-Clause
"""idle     So many ports (--ports), a controller connected, nobody sends: the CPU time of the daemon's threads over --seconds,
         in nanoseconds (schedstat) and in the kernel's ticks (utime and stime), how often a thread woke up, and ksoftirqd's
         time, which is the whole machine's: beside it stands what it was for as long before the switch came, and how many
         frames the switch saw.
"""
import glob
import json
import os
import threading
import time

from lab import BenchError, progress
from measure import machine
from ports import add_ports
from steered import SteeredOvs, SteeredSwitchd

SETTLE_SECONDS = 25  # flows are forgotten after ten, the controller is asked for an echo after fifteen


def thread_times(pattern):
    """CPU time in ns, of all threads whose /proc folders match."""
    total = 0
    for path in glob.glob(pattern):
        try:
            with open(path + "/schedstat") as stat:
                total += int(stat.read().split()[0])
        except OSError:
            pass  # it has ended
    return total


def ticks(pid):
    with open("/proc/%d/stat" % pid) as stat:
        words = stat.read().rpartition(")")[2].split()
    return int(words[11]), int(words[12])


def wake_ups(pid):
    total = 0
    for path in glob.glob("/proc/%d/task/*/status" % pid):
        with open(path) as status:
            total += sum(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches"))
    return total


def ksoftirqds():
    found = []
    for path in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(path) as comm:
                if comm.read().startswith("ksoftirqd/"):
                    found.append(os.path.dirname(path))
        except OSError:
            pass
    return found


def softirq_time(folders):
    return sum(thread_times(folder) for folder in folders)


def over(seconds, pid, folders):
    def look():
        return (thread_times("/proc/%d/task/*" % pid), *ticks(pid), wake_ups(pid), softirq_time(folders), time.monotonic())
    before = look()
    time.sleep(seconds)
    spent = [b - a for a, b in zip(before, look())]
    tick_ns = 1e9 / os.sysconf("SC_CLK_TCK")
    return {"seconds": round(spent[5], 2), "daemon_ns": spent[0], "share": spent[0] / 1e9 / spent[5],
            "utime_ns": round(spent[1] * tick_ns), "stime_ns": round(spent[2] * tick_ns), "wake_ups": spent[3],
            "ksoftirqd_ns": spent[4]}


def frames_seen(candidate):
    stats = json.loads(candidate.control("--json", "stats"))
    return stats["slow_path_frames"] + stats["fast_path_frames"]


def attended(controller, seconds, work):
    """The controller answers echoes meanwhile; it must have been there until the end."""
    command = "attend 0 %d" % (seconds * 1000)
    controller.order(command)
    try:
        return work()
    finally:
        controller.answer(command)


def measure(candidate, controller, options, folders):
    try:
        progress("%s: starting with %d ports" % (candidate.name, len(candidate.ports)))
        candidate.start_steered(controller, options.build)
        candidate.connect("tcp", 0)
        seen = {}

        def work():
            progress("%s: settling" % candidate.name)
            time.sleep(SETTLE_SECONDS)
            if candidate.name == "switchd":
                seen["before"] = frames_seen(candidate)
                time.sleep(1)
            progress("%s: %d seconds of nothing" % (candidate.name, options.seconds))
            spent = over(options.seconds, candidate.pid(), folders)
            if candidate.name == "switchd":
                spent["frames"] = frames_seen(candidate) - seen["before"]
            return spent
        result = attended(controller, SETTLE_SECONDS + 1 + options.seconds + 2, work)
        answer = controller.ask("quiet 0 10")
        if not answer["echoes"]:
            raise BenchError("%s has lost its controller" % candidate.name)
        return {"name": candidate.name, "version": candidate.version(), "ports": len(candidate.ports), **result}
    finally:
        candidate.stop()


def idle(lab, _pump, controller, options):
    report = {"machine": machine(), "results": [], "left_out": {}}
    folders = ksoftirqds()
    progress("%d seconds without a switch" % options.seconds)
    before = softirq_time(folders)
    time.sleep(options.seconds)
    report["ksoftirqd_without_ns"] = softirq_time(folders) - before
    every = [SteeredSwitchd(lab, options.cpu, options.build), SteeredOvs(lab, options.cpu)]
    ports = add_ports(lab, options.ports)
    for candidate in (c for c in every if c.name in options.only):
        if candidate.available():
            report["left_out"][candidate.name] = candidate.available()
            continue
        if candidate.name == "switchd":
            candidate.ports = ports
        report["results"].append(measure(candidate, controller, options, folders))
    return report


def print_idle(report):
    print("Nobody sends; a controller is connected. CPU time; a share of 0.1 %% is 1 ms a second. Linux %s" %
          report["machine"]["kernel"])
    heading = ("candidate", "ports", "seconds", "daemon ms", "share", "utime ms", "stime ms", "wake-ups", "frames", "ksoftirqd ms")
    print("%-10s %6s %8s %10s %9s %9s %9s %9s %7s %13s" % heading)
    for r in report["results"]:
        print("%-10s %6d %8.0f %10.2f %8.4f%% %9.0f %9.0f %9d %7s %13.2f" % (
            r["name"], r["ports"], r["seconds"], r["daemon_ns"] / 1e6, 100 * r["share"], r["utime_ns"] / 1e6,
            r["stime_ns"] / 1e6, r["wake_ups"], r.get("frames", "-"), r["ksoftirqd_ns"] / 1e6))
    print("ksoftirqd is the whole machine's; for as long without a switch it took %.2f ms." % (report["ksoftirqd_without_ns"] / 1e6))
