# SPDX-License-Identifier: BSD-2-Clause
"""Where a run takes place: two network namespaces, and in them the tool, the tester switch and the switch under test.

         [ tool = controller ]----- ctl0 ------ (management) ------ ctl0 -----+
                 |                                                            |
         [ tester switch ] tst1 ========= dut1 = port 1 [ switch under test ]-+
         [ Open vSwitch  ] tst2 ========= dut2 = port 2 [   HOOK            ]
                           tst3 ========= dut3 = port 3

The tool sends a frame out of tst1 and sees by the tester switch what comes back by tst2 and tst3. Everything made here
goes when the stage closes, and only that.
"""
import os
import shutil
import subprocess
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOOL_ADDRESS, TARGET_ADDRESS, PORT = "169.254.77.1", "169.254.77.2", 6653
TARGET_DPID, TESTER_DPID = "0000000000000001", "0000000000000002"
JOIN_SECONDS = 40
# The tool's longest silence is its measuring for 30 s. Where a reply surprised it, its thread is dead, and it is silent.
SILENT_SECONDS, SILENT_AFTER_TRACEBACK_SECONDS = 60, 10


stop = threading.Event()  # set: every stage is to close


class StageError(Exception):
    """What a user is told in one line."""


def run(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise StageError("%s: %s" % (" ".join(words), done.stdout.strip() or done.returncode))


def go_first(pid):
    """Before whatever else runs here: rates are measured. Sessions share the CPU evenly, where they do (autogroup)."""
    try:
        with open("/proc/%d/autogroup" % pid, "w", encoding="ascii") as group:
            group.write("-10")
    except OSError:
        pass


class Stage:
    def __init__(self, name, folder, hook, warm=False):
        self.folder, self.hook, self.warm = folder, hook, warm
        self.near, self.far = "cf%d%st" % (os.getpid(), name), "cf%d%sd" % (os.getpid(), name)
        self.processes = {}
        os.makedirs(folder)

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def build(self):
        for netns in (self.near, self.far):
            run("ip", "netns", "add", netns)
            run("ip", "-n", netns, "link", "set", "lo", "up")
            # No frame but the tool's: neighbour discovery would be counted as one.
            for scope in ("all", "default"):
                run("ip", "netns", "exec", netns, "sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % scope)
        self.link("ctl0", "ctl0")
        run("ip", "-n", self.near, "addr", "add", TOOL_ADDRESS + "/30", "dev", "ctl0")
        run("ip", "-n", self.far, "addr", "add", TARGET_ADDRESS + "/30", "dev", "ctl0")
        for number in "123":
            self.link("tst" + number, "dut" + number, data=True)

    def link(self, near, far, data=False):
        run("ip", "-n", self.near, "link", "add", near, "type", "veth", "peer", "name", far, "netns", self.far)
        for netns, device in ((self.near, near), (self.far, far)):
            if data:  # with room for the tags that are pushed, and what the tool made is what arrives
                run("ip", "-n", netns, "link", "set", device, "mtu", "2000", "arp", "off")
                run(*self.inside(netns), "ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro",
                    "off")
            run("ip", "-n", netns, "link", "set", device, "up")

    @staticmethod
    def inside(netns):
        """Not `ip netns exec`, which hides bpffs."""
        return ("nsenter", "--net=/run/netns/" + netns)

    def log(self, name):
        return os.path.join(self.folder, name + ".log")

    def launch(self, name, netns, words, **environment):
        with open(self.log(name), "w") as out:
            self.processes[name] = subprocess.Popen(
                [*self.inside(netns), "setpriv", "--pdeathsig", "TERM", *words], stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True, env=dict(os.environ, **environment))
        go_first(self.processes[name].pid)

    def start(self, patterns):
        """The tool with a folder of patterns, and both switches; the tool begins when both have joined."""
        self.launch("tool", self.near, [
            os.path.join(HERE, "osken-tool"), "--ofp-listen-host", "0.0.0.0", "--ofp-tcp-listen-port", str(PORT),
            "--test-switch-target", TARGET_DPID, "--test-switch-tester", TESTER_DPID, "--test-switch-target-version",
            "openflow13", "--test-switch-tester-version", "openflow13", "--test-switch-interval", "0",
            "--test-switch-dir", patterns], PYTHONUNBUFFERED="1", **({"WARM": self.path("target")} if self.warm else {}))
        self.launch("tester", self.near, [
            os.path.join(HERE, "ovs-switch"), "tst1", "tst2", "tst3", "127.0.0.1", str(PORT), TESTER_DPID, "of13",
            os.path.join(self.folder, "tester")])
        self.launch("target", self.far, [*self.hook, "dut1", "dut2", "dut3", TOOL_ADDRESS, str(PORT), TARGET_DPID, "of13",
                                         os.path.join(self.folder, "target")])

    def text(self, name):
        with open(self.log(name), errors="replace") as log:
            return log.read()

    def ended(self, name):
        return self.processes[name].poll() is not None

    def wait_until_joined(self):
        deadline = time.monotonic() + JOIN_SECONDS
        while not all("Join %s SW." % who in self.text("tool") for who in ("target", "tester")):
            for name in ("tool", "tester", "target"):
                if self.ended(name):
                    raise StageError("the %s ended before the switches had joined:\n%s" % (name, self.text(name)[-1500:]))
            if time.monotonic() > deadline:
                raise StageError("the switches did not join within %d s:\n%s%s" % (
                    JOIN_SECONDS, self.text("target")[-1500:], self.text("tool")[-1500:]))
            self.pause(0.1)

    @staticmethod
    def pause(seconds):
        if stop.wait(seconds):
            raise StageError("interrupted")

    def wait_until_done(self):
        """None, or why the tool did not come to its end."""
        size, changed = 0, time.monotonic()
        while not self.ended("tool"):
            if self.ended("target"):
                return "the switch under test ended: " + (self.text("target").strip().splitlines() or [""])[-1]
            if os.path.getsize(self.log("tool")) != size:
                size, changed = os.path.getsize(self.log("tool")), time.monotonic()
            silent = time.monotonic() - changed
            if silent > SILENT_AFTER_TRACEBACK_SECONDS and "Traceback" in self.text("tool"):
                return "a reply that the tool does not understand: " + self.complaint()
            if silent > SILENT_SECONDS:
                return "the tool fell silent"
            self.pause(0.2)
        return None if "Test end" in self.text("tool") else "the tool ended: " + self.complaint()

    def complaint(self):
        """The last line of the last traceback."""
        lines = [line for line in self.text("tool").split("Traceback")[-1].splitlines() if line and not line[0].isspace()]
        return (lines[1:] or lines or [""])[0]

    def close(self):
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for netns in (self.near, self.far):
            left = subprocess.run(["ip", "netns", "pids", netns], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            for pid in left.stdout.split():
                subprocess.run(["kill", "-KILL", pid], stderr=subprocess.DEVNULL)
            subprocess.run(["ip", "netns", "del", netns], stderr=subprocess.DEVNULL)
        for name in ("tester", "target"):
            if os.path.exists(self.path(name, "vswitchd.log")):
                shutil.copy(self.path(name, "vswitchd.log"), self.log(name + "-ovs"))

    def path(self, *names):
        return os.path.join(self.folder, *names)
