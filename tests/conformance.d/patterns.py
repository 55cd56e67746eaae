# SPDX-License-Identifier: BSD-2-Clause
"""Test patterns: read from files, dealt out to several tools, and what a tool's log says of each.

A file is a JSON list of one string, which names the file, and of patterns. The tool keeps its files by that string, and
of two with the same one it would drop one; so what is handed to it is named by the path of the file instead.
"""
import json
import os
import re

# Seconds that the tool takes for one, about: it waits for a second where nothing is to match, and measures for thirty.
ORDINARY_SECONDS, MISS_SECONDS = 0.1, 1.0
FAST = 5000  # frames a second: more than several tools side by side can send
SENT_ENOUGH = 97  # in per cent: the tool allows the switch a tenth in all
SENT = re.compile(r"^generator sent (\d+) %$")
RESULT = re.compile(r"^    (\S.*?)\s+(OK|ERROR)$")
REASON = re.compile(r"^        (\S.*)$")
WARM = re.compile(r"^warm (\{.*\})$")


class Pattern:
    def __init__(self, file, body):
        self.file, self.body = file, body
        self.forget()

    def __str__(self):
        return "%s: %s" % (self.file, self.body["description"])

    def floods(self):
        """What it says of the frames that it sends for a while, to measure their rate."""
        sends = [test["ingress"] for test in self.body["tests"]]
        return [send["packets"] for send in sends if isinstance(send, dict)]

    def seconds(self):
        tests = self.body["tests"]
        misses = sum("table-miss" in test for test in tests)
        return ORDINARY_SECONDS * len(tests) + MISS_SECONDS * misses + sum(f.get("duration_time", 30) for f in self.floods())

    def is_fast(self):
        return any(flood.get("pktps", 1000) > FAST for flood in self.floods())

    def forget(self):
        self.passed, self.reason, self.sent = None, "", 100
        self.n_fast, self.up = 0, {}  # frames of a warm run: answered by the fast path, and sent up, by the reason

    def n_warm(self):
        return self.n_fast + sum(self.up.values())

    def told_warm(self, told):
        self.n_fast, self.up = told["fast"], told["up"]
        if not self.passed and told["phase"] == "warm":
            self.reason = "when its flow was known: " + self.reason


def files_below(path):
    if os.path.isfile(path):
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(".json"))


def read(path, step=1):
    """Every step-th pattern of a file, or of all files below a folder, named by the path from that folder's parent."""
    root = os.path.dirname(os.path.abspath(path))
    for number, file in enumerate(files_below(os.path.abspath(path))):
        with open(file, encoding="utf-8") as text:
            bodies = [body for body in json.load(text) if not isinstance(body, str)]
        for body in bodies[min(number % step, len(bodies) - 1)::step]:
            yield Pattern(os.path.relpath(file, root), body)


def deal(patterns, n_hands):
    """Into so many hands of about the same length in time; within a hand they keep their order."""
    hands, loads = [[] for _ in range(n_hands)], [0.0] * n_hands
    for index in sorted(range(len(patterns)), key=lambda i: -patterns[i].seconds()):
        lightest = loads.index(min(loads))
        hands[lightest].append(index)
        loads[lightest] += patterns[index].seconds()
    return [[patterns[index] for index in sorted(hand)] for hand in hands if hand]


def write(patterns, folder):
    """For the tool to read. Gives them back in the order in which it will go through them."""
    by_file = {}
    for pattern in patterns:
        by_file.setdefault(pattern.file, []).append(pattern)
    os.makedirs(folder)
    for number, (file, members) in enumerate(by_file.items()):
        with open(os.path.join(folder, "%d.json" % number), "w", encoding="utf-8") as out:
            json.dump([file] + [pattern.body for pattern in members], out)
    return [pattern for file in sorted(by_file) for pattern in by_file[file]]


def mark(patterns, log):
    """Writes the results in the tool's log to the patterns, which come in its order. Gives those that it did not reach."""
    with open(log, encoding="utf-8", errors="replace") as text:
        # Its dots of progress may come late, before another line.
        lines = [line.rstrip("\r\n").lstrip(".\r") for line in text]
    rest, latest, sent = list(patterns), None, 100
    for line in lines:
        if line.startswith("---  Test end"):
            break
        result, reason, told, warm = (kind.match(line) for kind in (RESULT, REASON, SENT, WARM))
        if told:
            sent = int(told[1])
        if result and rest and result[1] == rest[0].body["description"].strip():
            latest = rest.pop(0)
            latest.passed, latest.sent, sent = result[2] == "OK", sent, 100
        elif reason and latest and not latest.passed and not latest.reason:
            latest.reason = reason[1]
            if latest.sent < SENT_ENOUGH:
                latest.reason += "; but the tool itself sent only %d %% of what it should" % latest.sent
        elif warm and latest:
            latest.told_warm(json.loads(warm[1]))
    return rest
