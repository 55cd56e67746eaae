# SPDX-License-Identifier: BSD-2-Clause
"""The benches of OpenFlow. Each gives a report, and prints one.

flowmod  Rules are loaded in one go, over TCP and over TLS: from the first byte to the reply of the barrier behind them.
         In a fresh daemon: what the process has grown by for each rule, and the longest time that an echo on another
         connection took while every rule was dumped, and while nothing was.
setup    Exact rules of 5-tuples are there, and no flow is cached. The generator sends the first frame of one flow after
         the other, evenly; the greatest rate at which 99 of 100 arrive is looked for by halving. Frames that wait in
         rings when the generator stops count too: of 200,000 they are few. The daemon has a core, the generator the
         other.
churn    So many flows are cached and forward as fast as they can. Rounds in which a controller adds and deletes
         unrelated rules alternate with rounds in which it does not.
"""
import statistics
import time

from lab import BenchError, progress
from measure import in_turn, middle, one_round, warm_up
from steered import SteeredOvs, SteeredSwitchd

GOOD = 0.99           # of the frames of new flows, to arrive
FIRST_RATE = 10000    # flows a second that anything can set up
LADDER_STEP, HALVINGS = 1.5, 5
MAX_RATE = 2000000
TRIAL_SECONDS, TRIAL_MIN_FRAMES = 0.7, 20000
NEAR, TRIES = 0.9, 6  # what counts as having sent at a rate, and how often that is tried
DRIP_MS = 2000
OVS_HELD_RULES = 100000  # where switchd has more


def candidates(lab, options, ports=None):
    """Those that were asked for and can run; and why others were left out."""
    every = [SteeredSwitchd(lab, options.cpu, options.build), SteeredOvs(lab, options.cpu, ports)]
    chosen = [c for c in every if c.name in options.only]
    return [c for c in chosen if not c.available()], {c.name: c.available() for c in chosen if c.available()}


# ---- flowmod ----

def loading(candidate, options):
    rates = {}
    for way in ("tcp", "tls"):
        rates[way] = []
        candidate.connect(way, 0)
        for number in range(options.loads):
            progress("%s, %s: loading %d rules, %d of %d" % (candidate.name, way, options.rules, number + 1, options.loads))
            rates[way].append(candidate.load(options.rules, options.priorities))
            candidate.controller.ask("clear 0")
    return rates


def holding(candidate, n_rules, options):
    before = candidate.memory()
    candidate.connect("tcp", 0)
    candidate.connect("tcp", 1)
    candidate.controller.ask("clear 0")
    progress("%s: loading %d rules" % (candidate.name, n_rules))
    candidate.load(n_rules, options.priorities)
    each = (candidate.memory() - before) / n_rules
    progress("%s: dumping %d rules" % (candidate.name, n_rules))
    dump = candidate.controller.ask("dump 0 1")
    if dump["flows"] != n_rules:
        raise BenchError("%s dumps %d of %d rules" % (candidate.name, dump["flows"], n_rules))
    quiet = candidate.controller.ask("quiet 1 %d" % max(500, dump["ns"] // 1000000))
    return {"rules_held": n_rules, "bytes_a_rule": round(each, 1), "dump_seconds": round(dump["ns"] / 1e9, 3),
            "dump_messages": dump["messages"], "longest_echo_ms": round(dump["longest_echo_ns"] / 1e6, 3),
            "longest_echo_quiet_ms": round(quiet["longest_echo_ns"] / 1e6, 3), "echoes": dump["echoes"]}


def with_candidate(candidate, controller, options, work):
    try:
        candidate.start_steered(controller, options.build)
        return work()
    finally:
        candidate.stop()


def flowmod(lab, _pump, controller, options):
    chosen, left_out = candidates(lab, options, ports=())
    report = {"rules": options.rules, "priorities": options.priorities, "results": [], "left_out": left_out}
    for candidate in chosen:
        held = options.held_rules if candidate.name == "switchd" else min(OVS_HELD_RULES, options.held_rules)
        rates = with_candidate(candidate, controller, options, lambda: loading(candidate, options))
        result = {"name": candidate.name, "version": candidate.version()}
        for way, values in rates.items():
            result[way + "_flow_mods_per_second"] = round(statistics.median(values))
            result[way + "_range"] = [round(min(values)), round(max(values))]
        result.update(with_candidate(candidate, controller, options, lambda: holding(candidate, held, options)))
        report["results"].append(result)
    return report


def print_flowmod(report):
    print("%d rules of exact 5-tuples with %d priorities, in one go, to the barrier's reply" %
          (report["rules"], report["priorities"]))
    heading = ("candidate", "TCP /s", "TLS /s", "rules held", "bytes/rule", "dump s", "longest echo", "when quiet")
    print("%-10s %11s %11s %11s %11s %8s %13s %11s" % heading)
    for r in report["results"]:
        print("%-10s %11s %11s %11s %11.0f %8.2f %10.2f ms %8.2f ms" % (
            r["name"], format(r["tcp_flow_mods_per_second"], ",d"), format(r["tls_flow_mods_per_second"], ",d"),
            format(r["rules_held"], ",d"), r["bytes_a_rule"], r["dump_seconds"], r["longest_echo_ms"],
            r["longest_echo_quiet_ms"]))


# ---- setup ----

def trial(pump, candidate, n_flows, rate):
    """The share that arrived, or None where the generator did not come near the rate: other tasks held it up."""
    n = min(n_flows, max(TRIAL_MIN_FRAMES, int(rate * TRIAL_SECONDS)))
    for _ in range(TRIES):
        candidate.forget()
        slow = candidate.slow_frames()
        answer = pump.ask("rush %d %d" % (n, rate))
        if slow is not None and candidate.slow_frames() - slow < NEAR * answer["received"]:
            raise BenchError("%s knew flows that were to be new: %d of %d frames went the slow way" % (
                candidate.name, candidate.slow_frames() - slow, answer["received"]))
        reached = (answer["sent"] - 1) / answer["sending_ns"] * 1e9
        if reached > NEAR * rate:
            share = answer["received"] / answer["sent"]
            progress("%s: %d new flows, %d a second: %.2f %% arrived" % (candidate.name, n, reached, 100 * share))
            return {"asked": round(rate), "reached": round(reached), "share": round(share, 5)}
        progress("%s: the generator was held up: %d a second, not %d" % (candidate.name, reached, rate))
    return None


class Search:
    """For the greatest rate. `trials` has them all; `held_up` says that it ended for want of a generator."""

    def __init__(self, pump, candidate, n_flows):
        self.pump, self.candidate, self.n_flows = pump, candidate, n_flows
        self.best, self.trials, self.held_up = 0, [], False

    def good(self, rate):
        """A failure is tried once more: a neighbour may have been its reason."""
        for _ in range(2):
            one = trial(self.pump, self.candidate, self.n_flows, rate)
            if not one:
                self.held_up = True
                return False
            self.trials.append(one)
            if one["share"] >= GOOD:
                self.best = max(self.best, one["reached"])
                return True
        return False

    def run(self):
        low, high = 0, FIRST_RATE
        while high <= MAX_RATE and self.good(high):
            low, high = high, high * LADDER_STEP
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if self.held_up:
                break
            low, high = (middle, high) if self.good(middle) else (low, middle)


def setup(lab, pump, controller, options):
    chosen, left_out = candidates(lab, options)
    n_flows = options.new_flows
    report = {"flows": n_flows, "results": [], "left_out": left_out}
    pump.ask("flows %d tuple" % n_flows)
    for candidate in chosen:
        try:
            candidate.start_steered(controller, options.build)
            candidate.connect("tcp", 0)
            progress("%s: loading %d rules" % (candidate.name, n_flows))
            candidate.load(n_flows, 1)
            search = Search(pump, candidate, n_flows)
            search.run()
        finally:
            candidate.stop()
        report["results"].append({"name": candidate.name, "version": candidate.version(),
                                  "new_flows_per_second": search.best, "generator_held_up": search.held_up,
                                  "trials": search.trials})
    return report


def print_setup(report):
    print("New flows a second of which 99 %% arrive; %d exact rules of 5-tuples, daemon and generator on a core each" % report["flows"])
    for r in report["results"]:
        print("%-10s %11s   (%d trials%s)" % (r["name"], format(r["new_flows_per_second"], ",d"), len(r["trials"]),
                                              "; no more, because other tasks held up the generator" if r["generator_held_up"] else ""))


# ---- churn ----

def churning(controller, rate, work):
    command = "drip 0 %d %d" % (rate, DRIP_MS)
    controller.order(command)
    time.sleep(0.1)
    try:
        return work()
    finally:
        answer = controller.answer(command)
        if answer["errors"] or answer["wall_ns"] > 1.2e6 * DRIP_MS:
            raise BenchError("the controller did not get rid of %d flow-mods a second: %s" % (rate, answer))


def churn_rounds(pump, controller, candidate, options):
    def work():
        progress("%s: a round" % candidate.name)
        return one_round(pump, "own", options.frames, candidate.own_core)
    pump.ask("attach")
    try:
        return in_turn(options.rounds, work, lambda: churning(controller, options.flow_mods, work))
    finally:
        pump.ask("detach")


def churn(lab, pump, controller, options):
    chosen, left_out = candidates(lab, options)
    n_flows = options.live_flows
    report = {"flows": n_flows, "flow_mods_per_second": options.flow_mods, "rounds": options.rounds, "results": [],
              "left_out": left_out}
    pump.ask("flows %d tuple" % n_flows)
    for candidate in chosen:
        try:
            candidate.start_steered(controller, options.build)
            candidate.connect("tcp", 0)
            candidate.load(n_flows, 1)
            progress("%s: warming up" % candidate.name)
            warm_up(pump, candidate, n_flows)
            quiet, busy = churn_rounds(pump, controller, candidate, options)
        finally:
            candidate.stop()
        ratio, low, high = middle([b.rate / q.rate for q, b in zip(quiet, busy)])
        report["results"].append({
            "name": candidate.name, "version": candidate.version(),
            "quiet_frames_per_second": round(statistics.median(r.rate for r in quiet)),
            "busy_frames_per_second": round(statistics.median(r.rate for r in busy)),
            "ratio": round(ratio, 4), "ratio_low": round(low, 4), "ratio_high": round(high, 4),
            "share_delivered_quiet": round(sum(r.received for r in quiet) / sum(r.sent for r in quiet), 6),
            "share_delivered_busy": round(sum(r.received for r in busy) / sum(r.sent for r in busy), 6)})
    return report


def print_churn(report):
    print("%d live flows, while %d unrelated flow-mods a second arrive; %d pairs of rounds" %
          (report["flows"], report["flow_mods_per_second"], report["rounds"]))
    heading = ("candidate", "quiet frames/s", "delivered", "busy frames/s", "delivered", "ratio", "(95 %)")
    print("%-10s %14s %10s %14s %10s %7s %15s" % heading)
    for r in report["results"]:
        print("%-10s %14s %9.3f%% %14s %9.3f%% %7.3f %15s" % (
            r["name"], format(r["quiet_frames_per_second"], ",d"), 100 * r["share_delivered_quiet"],
            format(r["busy_frames_per_second"], ",d"), 100 * r["share_delivered_busy"], r["ratio"],
            "%.3f - %.3f" % (r["ratio_low"], r["ratio_high"])))
