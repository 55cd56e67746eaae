# SPDX-License-Identifier: BSD-2-Clause
"""The candidates once more, with a controller: secure bridges whose rules come by OpenFlow, over TCP or TLS.

start_steered(controller, build, tables)
               with tables, the controller connects and makes a pipeline of so many, of which the last is NORMAL
connect(way)   a connection of the controller's, by "tcp" or "tls"
forget()       empties the flow cache and nothing else
worker()       the thread that works for the first frame of a flow
memory()       bytes that the daemon holds
masks()        masks of its cached flows, where it says so
steer(command) a command of the controller's that installs rules
"""
import glob
import json
import os

from candidates import Ovs, Switchd, other_cpu
from lab import BenchError, run

PORTS = {"tcp": 6653, "tls": 6654}
UNLIMITED = "100000000"  # new flows a second that a port may ask for: the limit protects, and would be what is measured


class Steered:
    """What both have in common: a controller, certificates, and the daemon's memory."""
    controller = None

    def start_steered(self, controller, build, tables=0):
        self.controller, self.pki = controller, os.path.join(self.lab.directory, "pki")
        if not os.path.exists(self.pki):
            run(os.path.join(build, "ctl/switchctl"), "pki", "init", self.pki)
        self.start()
        self.listen()
        if tables:
            self.connect("tcp", 0)
            self.steer("pipeline 0 %d" % tables)

    def connect(self, way, speaker):
        self.controller.ask("connect %d 127.0.0.1 %d %s" % (speaker, PORTS[way], self.pki if way == "tls" else "-"))

    def steer(self, command):
        """A command of the controller's that installs rules, all of which must be taken."""
        answer = self.controller.ask(command)
        if answer["errors"]:
            raise BenchError("%s refuses %d messages of `%s`" % (self.name, answer["errors"], command))

    def load(self, n_rules, n_priorities, speaker=0):
        answer = self.controller.ask("load %d %d %d" % (speaker, n_rules, n_priorities))
        if answer["errors"]:
            raise BenchError("%s refuses %d of %d rules" % (self.name, answer["errors"], n_rules))
        return n_rules / answer["ns"] * 1e9

    def memory(self):
        with open("/proc/%d/status" % self.pid()) as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise BenchError("%s has no VmRSS" % self.name)

    def disconnect(self):
        if self.controller and self.controller.process.poll() is None:
            for speaker in range(4):
                self.controller.ask("close %d" % speaker)


class SteeredSwitchd(Steered, Switchd):
    """Its daemon has a core, and generator and controller the other."""

    def __init__(self, lab, cpu, build):
        super().__init__(lab, cpu, build)
        self.prefix = ["taskset", "--cpu-list", str(other_cpu(cpu))]

    def start(self):
        os.makedirs(self.directory, exist_ok=True)
        self.launch()
        self.control("bridge", "add", "br0")
        self.control("bridge", "set", "br0", "fail-mode", "secure")
        for number, port in enumerate(self.ports, 1):
            self.control("port", "add", "br0", port, "of-port", str(number), "upcall-limit", UNLIMITED, "burst", UNLIMITED,
                         *self.at_hook())

    def listen(self):
        self.control("openflow", "listen", "br0", "tcp:127.0.0.1:%d" % PORTS["tcp"])
        self.control("openflow", "listen", "br0", "tls:127.0.0.1:%d" % PORTS["tls"], "cert", self.pki + "/server.crt",
                     "key", self.pki + "/server.key", "ca", self.pki + "/ca.crt")

    def forget(self):
        self.control("cache", "flush")

    def masks(self):
        return json.loads(self.control("--json", "stats"))["masks"]

    def pid(self):
        return self.process.pid

    def worker(self):
        return self.pid()

    def stop(self):
        self.disconnect()
        super().stop()


class SteeredOvs(Steered, Ovs):
    """With ports=(), none of its threads polls: nothing but messages is measured."""

    def __init__(self, lab, cpu, ports=None):
        super().__init__(lab, cpu)
        if ports is not None:
            self.ports = ports

    def listen(self):
        self.vsctl("set-ssl", self.pki + "/server.key", self.pki + "/server.crt", self.pki + "/ca.crt")
        self.vsctl("set", "bridge", "br0", "fail_mode=secure", "protocols=OpenFlow13", "other-config:disable-in-band=true",
                   "--", "set-controller", "br0", "ptcp:%d:127.0.0.1" % PORTS["tcp"], "pssl:%d:127.0.0.1" % PORTS["tls"])

    def forget(self):
        run("ovs-appctl", "--timeout=60", "--target=" + self.path("vswitchd.ctl"), "revalidator/purge")

    def masks(self):
        """It says how many it had to try, not how many there are."""
        return None

    def pid(self):
        return self.daemons[-1].pid

    def worker(self):
        for path in glob.glob("/proc/%d/task/*/comm" % self.pid()):
            with open(path) as comm:
                if comm.read().startswith("pmd"):
                    return int(path.split("/")[4])
        raise BenchError("Open vSwitch has no polling thread")

    def stop(self):
        self.disconnect()
        super().stop()
