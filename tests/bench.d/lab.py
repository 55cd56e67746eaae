# SPDX-License-Identifier: BSD-2-Clause
"""The benchmark's place: three network namespaces, two veth ports or more, and the pump between them.

    [sender  s0] ==== p1 [switch: the candidate] p2 ==== [r0  receiver]
                                                 p3 ==== [r1          ]     where a bench wants more receivers

Everything made here goes when the Lab closes, also after an error or a signal, and only that.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile


class BenchError(Exception):
    """What a user is told in one line."""


def run(*words, quiet=False):
    done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode and not quiet:
        raise BenchError("%s: %s" % (" ".join(str(w) for w in words), done.stdout.strip() or done.returncode))
    return done.stdout


def progress(text):
    """One line on stderr; on a terminal it overwrites itself."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K" + text)
    else:
        sys.stderr.write(text + "\n")
    sys.stderr.flush()


class Lab:
    def __init__(self, n_receivers=1, letter=""):
        self.receivers = ["r%d" % i for i in range(n_receivers)]
        self.ports = ["p%d" % i for i in range(1, n_receivers + 2)]
        head = "swb%d%s" % (os.getpid(), letter)
        self.sender, self.switch, self.receiver = head + "s", head + "w", head + "r"
        self.made = []
        self.directory = tempfile.mkdtemp(prefix=head + ".", dir="/tmp")

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.interrupted)
        try:
            self.build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    @staticmethod
    def interrupted(number, _frame):
        raise BenchError("interrupted by signal %d" % number)

    @staticmethod
    def sweep():
        """Namespaces of benches that were killed before they could take them away."""
        for line in run("ip", "netns", "list").splitlines():
            found = re.match(r"swb(\d+)[a-z]?[swr]\b", line)
            if found and not os.path.exists("/proc/" + found.group(1)):
                run("ip", "netns", "del", found.group(0), quiet=True)

    def build(self):
        self.sweep()
        for name in (self.sender, self.switch, self.receiver):
            run("ip", "netns", "add", name)
            self.made.append(name)
            # No address but the frames' own: a neighbour solicitation in between would be counted as a frame.
            for scope in ("all", "default"):
                run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % scope, quiet=True)
        run("ip", "-n", self.switch, "link", "set", "lo", "up")
        self.add_port("p1", "s0", self.sender)
        for port, peer in zip(self.ports[1:], self.receivers):
            self.add_port(port, peer, self.receiver)

    def add_port(self, port, peer, netns):
        """A device in the switch's namespace, and its other end."""
        run("ip", "-n", self.switch, "link", "add", port, "type", "veth", "peer", "name", peer, "netns", netns)
        run("ip", "-n", netns, "link", "set", peer, "up")
        run("ip", "-n", self.switch, "link", "set", port, "up")

    def close(self):
        for name in reversed(self.made):
            run("ip", "netns", "del", name, quiet=True)
        self.made = []
        shutil.rmtree(self.directory, ignore_errors=True)

    def inside(self, *words):
        """A command line in the switch's namespace. Not `ip netns exec`, which hides bpffs."""
        return ["nsenter", "--net=/run/netns/" + self.switch, *(str(w) for w in words)]

    def background(self, *words, **options):
        """A process in the switch's namespace that ends with this one, but not at its ^C: it is asked to in order."""
        process = subprocess.Popen(self.inside("setpriv", "--pdeathsig", "TERM", *words), start_new_session=True, **options)
        self.go_first(process.pid)
        return process

    @staticmethod
    def go_first(pid):
        """Where sessions share the CPU evenly (autogroup), a process' own nice value counts for nothing outside it."""
        try:
            with open("/proc/%d/autogroup" % pid, "w", encoding="ascii") as group:
                group.write("-20")
        except OSError:
            pass  # they do not, or it has ended already

    def do(self, *words):
        return run(*self.inside(*words))


class Server:
    """A process in the switch's namespace that obeys a line on its stdin and answers with a JSON object."""

    def __init__(self, lab, *words):
        self.name = os.path.basename(str(words[0]))
        self.process = lab.background(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it is dead already
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def order(self, command):
        """Begins it; answer() waits for its end."""
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # answer() will say so

    def answer(self, command):
        line = self.process.stdout.readline()
        if not line:
            raise BenchError("%s ended with status %s" % (self.name, self.process.wait()))
        answer = json.loads(line)
        if "error" in answer:
            raise BenchError("%s: %s: %s" % (self.name, command, answer["error"]))
        return answer

    def ask(self, command):
        self.order(command)
        return self.answer(command)


class Pump(Server):
    """The process that sends, counts and times frames (pump.c). ask("round 1000000") gives its answer as a dict."""

    def __init__(self, lab, program, cpu, sender="s0", in_port="p1", pairs=None):
        pairs = pairs or list(zip(lab.receivers, lab.ports[1:]))
        super().__init__(lab, program, cpu, lab.sender, sender, in_port, lab.receiver, *("%s:%s" % p for p in pairs))


class Controller(Server):
    """The process that speaks OpenFlow to the candidate (ofpump.c)."""

    def __init__(self, lab, program, cpu):
        super().__init__(lab, program, cpu)
