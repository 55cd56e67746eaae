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
RESULT = re.compile(r"^    (\S.*?)\s+(OK|ERROR)$")
REASON = re.compile(r"^        (\S.*)$")


class Pattern:
    def __init__(self, file, body):
        self.file, self.body = file, body
        self.passed, self.reason = None, ""

    def __str__(self):
        return "%s: %s" % (self.file, self.body["description"])

    def seconds(self):
        tests = self.body["tests"]
        misses = sum("table-miss" in t for t in tests)
        measured = sum(p.get("packets", {}).get("duration_time", 0) for t in tests
                       for p in (t["ingress"] if isinstance(t["ingress"], list) else [t["ingress"]])
                       if isinstance(p, dict))
        return ORDINARY_SECONDS * len(tests) + MISS_SECONDS * misses + measured


def files_below(path):
    if os.path.isfile(path):
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(".json"))


def read(path):
    """Every pattern of a file, or of all files below a folder, named by the path from that folder's parent."""
    root = os.path.dirname(os.path.abspath(path))
    for file in files_below(os.path.abspath(path)):
        with open(file, encoding="utf-8") as text:
            bodies = [body for body in json.load(text) if not isinstance(body, str)]
        for body in bodies:
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
        lines = [line.rstrip("\r\n") for line in text]
    rest, latest = list(patterns), None
    for line in lines:
        if line.startswith("---  Test end"):
            break
        result, reason = RESULT.match(line), REASON.match(line)
        if result and rest and result[1] == rest[0].body["description"].strip():
            latest = rest.pop(0)
            latest.passed = result[2] == "OK"
        elif reason and latest and not latest.passed and not latest.reason:
            latest.reason = reason[1]
    return rest
