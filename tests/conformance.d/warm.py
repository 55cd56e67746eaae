# SPDX-License-Identifier: BSD-2-Clause
"""For tests/conformance --warm: each frame is judged twice, the second time when its flow is in the switch's cache.

The tool goes through the frames of a pattern one after the other, and answers to what it sent before it asks for the
next. So it is enough to hand each of them out twice: nothing of the tool is copied or changed. Between the two the
switch has answered a request for its ports' statistics, and with that it has settled its cache. A flood is not sent
twice, for it warms itself; a frame of it goes ahead.

How a frame was answered the tool does not know. A target that can tell has put a program `switchctl` into its run
directory, which is asked before and after: by how much the ports' counters and those of each cached flow rose. A switch
may take its time before it caches a flow: a frame that met none is handed out again, and judged again.
"""
import json
import os
import subprocess

from eventlet import patcher
from os_ken.lib import hub

run = patcher.original("subprocess").run  # the green one sleeps between two looks at a process
NO_FLOW, GIVEN_UP = "no flow of the cache matched", "the program gave up on a flow that it has"
MAX_ATTEMPTS = 4  # to find a frame's flow in the cache
ARRIVAL_SECONDS = 0.2


class Target:
    """Looks into the switch under test; a look is frames that came in, those that went up, and {flow: (why up, frames)}."""

    def __init__(self, run_dir):
        self.switchctl = os.path.join(run_dir, "switchctl")

    def ask(self, *words):
        told = run([self.switchctl, "--json", *words], check=True, stdout=subprocess.PIPE, timeout=20)
        return json.loads(told.stdout)

    def look(self):
        if not os.access(self.switchctl, os.X_OK):
            return None
        ports = self.ask("stats")["ports"]
        flows = self.ask("cache", "show", "limit", "20000")["flows"]
        return (sum(port["rx_frames"] for port in ports), sum(port["upcalls"] for port in ports),
                {(flow["match"], flow["actions"]): (flow.get("why"), flow["packets"]) for flow in flows})


def account(before, after):
    """How many frames the program answered, and by reason how many went up, from one look to the next."""
    came, went_up = after[0] - before[0], after[1] - before[1]
    up, n_matched = {}, 0
    for flow, (why, frames) in after[2].items():
        rise = frames - before[2].get(flow, (None, 0))[1]
        n_matched += rise
        if rise and why:
            up[why] = up.get(why, 0) + rise
    up[NO_FLOW] = came - n_matched
    up[GIVEN_UP] = went_up - sum(up.values())
    return came - went_up, {why: n for why, n in up.items() if n > 0}


class Warmed:
    """Stands in for a pattern of the tool's: the same, but for its frames."""

    def __init__(self, test, send, target):
        self.test, self.send, self.target = test, send, target
        self.description, self.prerequisite = test.description, test.prerequisite
        self.phase, self.n_fast, self.up = "cold", 0, {}

    @property
    def tests(self):
        for frame in self.test.tests:
            self.phase = "cold"
            if "packets" in frame:
                self.send_ahead(frame["packets"]["packet_binary"])
            else:
                yield frame
            self.phase = "warm"
            yield from self.again(frame, 1 if "packets" in frame else MAX_ATTEMPTS)

    def send_ahead(self, binary):
        """One frame of a flood, until its flow is in the cache. Nobody waits for what becomes of it."""
        for _ in range(MAX_ATTEMPTS):
            before = self.target.look()
            self.send({"ingress": binary})
            hub.sleep(ARRIVAL_SECONDS)
            if before is None or NO_FLOW not in account(before, self.target.look())[1]:
                return

    def again(self, frame, n_attempts):
        """Until its flow was in the cache, or so often."""
        for left in reversed(range(n_attempts)):
            before = self.target.look()
            yield frame
            if before is None:
                return
            n_fast, up = account(before, self.target.look())
            if not left or NO_FLOW not in up:
                self.count(n_fast, up)
                return

    def count(self, n_fast, up):
        self.n_fast += n_fast
        for why, n in up.items():
            self.up[why] = self.up.get(why, 0) + n

    def told(self):
        return json.dumps({"phase": self.phase, "fast": self.n_fast, "up": self.up})


def warm(tester, run_dir):
    """Makes the tool's class go through each pattern warm; after its result it logs a line `warm {…}`."""
    target, execute = Target(run_dir), tester._test_execute

    def execute_warm(self, test, description):
        warmed = Warmed(test, self._one_time_packet_send, target)
        result = execute(self, warmed, description)
        self.logger.info("warm %s", warmed.told())
        return result

    tester._test_execute = execute_warm
