# SPDX-License-Identifier: BSD-2-Clause
"""switchd as a switch of Mininet: `sudo mn --custom mininet_switchd.py --switch switchd --controller …`

One daemon has the bridges of all switches of a network. It is started with the first of them and stopped, with nothing
left behind, with the last. Each bridge is in fail mode secure unless `failMode=standalone` says otherwise, has Mininet's
datapath id and port numbers, goes to all controllers, and listens for `dpctl` where Mininet gives it a port. `opts` is
what stands behind the address in `controller add`, as certificates for a controller whose protocol is ssl.

    mn … --switch switchd,failMode=standalone --controller none     a network of learning switches

switchd and switchctl are looked for in PATH, or in the folder that SWITCHD_DIR names, as build/ctl.
"""
import json
import os
import shutil
import subprocess
import time

from mininet.log import error
from mininet.node import Switch

RUN_DIR = "/run/switchd-mininet"
START_SECONDS, CONTROL_SECONDS = 15, 20


class Daemon:
    """The one switchd of the network."""
    users = set()

    @staticmethod
    def program(name):
        return shutil.which(name, path=os.environ.get("SWITCHD_DIR")) or shutil.which(name)

    @classmethod
    def control(cls, *words, check=True):
        command = [cls.program("switchctl"), "--run-dir", RUN_DIR, *words]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=CONTROL_SECONDS)
        if done.returncode and check:
            raise RuntimeError("switchctl %s: %s" % (" ".join(words), done.stderr.strip()))
        return done.stdout

    @classmethod
    def enter(cls, user):
        if not cls.users:
            cls.stop()  # one that a killed Mininet left
            os.makedirs(RUN_DIR, exist_ok=True)
            subprocess.run([cls.program("switchd"), "--conf", "/dev/null", "--run-dir", RUN_DIR, "--detach"], check=True,
                           timeout=START_SECONDS)
        cls.users.add(user)

    @classmethod
    def leave(cls, user):
        cls.users.discard(user)
        if not cls.users:
            cls.stop()

    @classmethod
    def stop(cls):
        """It is gone when its process is: the next one could not start before."""
        try:
            with open(os.path.join(RUN_DIR, "switchd.pid"), encoding="ascii") as file:
                pid = int(file.read())
        except (OSError, ValueError):
            return
        cls.control("daemon", "stop", "flush", check=False)
        deadline = time.monotonic() + START_SECONDS
        while os.path.exists("/proc/%d" % pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        shutil.rmtree(RUN_DIR, ignore_errors=True)


class SwitchdSwitch(Switch):
    """A bridge of switchd."""

    def __init__(self, name, failMode="secure", **params):
        """failMode: what it does without a controller: secure (nothing), or standalone (learn)"""
        super().__init__(name, **params)
        self.fail_mode = failMode
        self.started = False

    @classmethod
    def setup(cls):
        for name in ("switchd", "switchctl"):
            if not Daemon.program(name):
                error("*** Cannot find %s: install it, or name its folder in SWITCHD_DIR\n" % name)
                raise SystemExit(1)

    def start(self, controllers):
        Daemon.enter(self)
        self.started = True
        Daemon.control("bridge", "add", self.name)
        Daemon.control("bridge", "set", self.name, "datapath-id", self.dpid, "fail-mode", self.fail_mode)
        for intf in self.intfList():
            if self.ports[intf]:  # the loopback interface is number 0
                self.attach(intf)
        if self.listenPort:
            Daemon.control("openflow", "listen", self.name, "tcp:127.0.0.1:%d" % self.listenPort)
        for controller in controllers:
            protocol = "tls" if controller.protocol == "ssl" else controller.protocol
            Daemon.control("controller", "add", self.name, "%s:%s:%d" % (protocol, controller.IP(), controller.port),
                           "max-backoff", "1", *self.opts.split())

    def attach(self, intf):
        """Also while the network runs."""
        if isinstance(intf, str):
            intf = self.nameToIntf[intf]
        Daemon.control("port", "add", self.name, intf.name, "of-port", str(self.ports[intf]))

    def detach(self, intf):
        Daemon.control("port", "del", self.name, getattr(intf, "name", intf))

    def stop(self, deleteIntfs=True):
        if self.started:
            Daemon.control("bridge", "del", self.name, check=False)
            Daemon.leave(self)
            self.started = False
        super().stop(deleteIntfs)

    def connected(self):
        """To one controller at least, as Mininet waits for."""
        shown = json.loads(Daemon.control("--json", "controller", "show", self.name))
        return any(one["state"] == "open" for one in shown["controllers"]) or self.fail_mode == "standalone"

    def dpctl(self, *words):
        """Mininet's `dpctl dump-flows`: ovs-ofctl, where it is installed and the switch listens."""
        if not self.listenPort:
            return "%s does not listen: it has no listenPort\n" % self.name
        command, rest = words[0], " ".join(words[1:])
        return self.cmd("ovs-ofctl -O OpenFlow13", command, "tcp:127.0.0.1:%d" % self.listenPort, rest)


switches = {"switchd": SwitchdSwitch}
