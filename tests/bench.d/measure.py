# SPDX-License-Identifier: BSD-2-Clause
"""What benches of frames have in common: warming up, rounds of the generator, ratios with their bounds."""
import os
import statistics
import time

from lab import BenchError

WARM_UP_RATE = 20000  # frames a second: below the switch's limit of new flows a port, and what its peers can take
WARM_UP_SECONDS = 180
WARM_PASS_SECONDS = 4  # a pass takes no longer: a flow that rests for ten seconds is forgotten
CALM_PASS_SECONDS = 20  # by those who are told to forget none
HELD_UP = 0.25  # a round that other tasks held up for more than this share is measured again, a few times
SLOW_PASSES = 4  # after so many passes of which each frame takes the slow path, all of them will


class SlowPath(BenchError):
    """The candidate does this by a slow path: there is no rate to compare."""


class AlwaysSlow(SlowPath):
    """It never does otherwise, so that more flows need not be tried."""


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
    if program == "own" and latest.unlike:
        raise BenchError("%d of %d frames arrived otherwise than they should" % (latest.unlike, latest.received))
    return latest


def warm_up(pump, candidate, flows, copies=1, learn=True):
    """Every flow, slowly, until a whole pass gets through, none of it by a slow path, and each frame as it should be."""
    rate = max(WARM_UP_RATE, flows // (WARM_PASS_SECONDS if candidate.forgets else CALM_PASS_SECONDS))
    if learn:
        pump.ask("learn %d" % min(WARM_UP_RATE, 2000))
    deadline = time.monotonic() + WARM_UP_SECONDS
    n_slow_passes = 0
    while True:
        slow = candidate.slow_frames()
        answer = pump.ask("pass %d" % rate)
        slow = candidate.slow_frames() - slow if slow is not None else 0
        if answer["unlike"]:
            raise BenchError("%s: %d of %d frames arrived otherwise than they should" %
                             (candidate.name, answer["unlike"], answer["received"]))
        if answer["received"] >= copies * answer["sent"] and slow <= flows / 1000:
            return answer
        n_slow_passes = n_slow_passes + 1 if slow >= answer["sent"] else 0
        if n_slow_passes >= SLOW_PASSES and flows < WARM_UP_RATE:
            raise AlwaysSlow("%s: every frame of a known flow takes the slow path" % candidate.name)
        if time.monotonic() > deadline:
            raise SlowPath("%s does not warm up: of %d frames of %d flows at %d a second %d came through, %d the slow way" %
                           (candidate.name, answer["sent"], flows, rate, answer["received"], slow))


def middle(values):
    """The median, and the bounds that hold it with 95 % by their rank."""
    values = sorted(values)
    n = len(values)
    reach = int(0.98 * n ** 0.5)
    low, high = max(0, (n - 1) // 2 - reach), min(n - 1, n // 2 + reach)
    return statistics.median(values), values[low], values[high]


def in_turn(rounds, first, second):
    """Calls them A B, B A, A B …; gives the two lists of what came of it, in pairs."""
    lists = [], []
    for number in range(rounds):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            lists[which].append((first, second)[which]())
    return lists


def alternate(pump, candidate, rounds, frames):
    """Rounds of bare and of the candidate, in turn."""
    pump.ask("attach")
    try:
        return in_turn(rounds, lambda: one_round(pump, "bare", frames, False),
                       lambda: one_round(pump, candidate.program, frames, candidate.own_core))
    finally:
        pump.ask("detach")


def ratio_of(own, bare):
    """The ratio of two lists of numbers in pairs, rounded, with its bounds."""
    return dict(zip(("ratio_to_bare", "ratio_low", "ratio_high"),
                    (round(v, 4) for v in middle([o / b for b, o in zip(bare, own)]))))


def figures(name, bare, own, version, copies=1):
    received = sum(r.received for r in own)
    return {
        "name": name, "version": version,
        "frames_per_second": round(statistics.median(r.rate for r in own)),
        "bare_frames_per_second": round(statistics.median(r.rate for r in bare)),
        **ratio_of([r.rate for r in own], [r.rate for r in bare]),
        "share_delivered": round(received / sum(copies * r.sent for r in own), 6),
        "cpu_seconds_per_million": round(sum(r.busy_ns for r in own) / 1000 / received, 4) if received else None,
        "held_up_share": round(statistics.mean(r.held_up for r in bare + own), 4),
        "rounds": len(own),
    }


def machine():
    model = ""
    with open("/proc/cpuinfo") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": os.uname().release}
