# SPDX-License-Identifier: BSD-2-Clause
"""Who is measured. A candidate takes ports of the lab's switch namespace and gives them back.

ports        the ports that it is to take, p1 and p2 or more of the lab's
room         flows that its cache must hold
available()  None, or why it cannot run here
cannot(kind) None, or why it cannot do this kind of forwarding (kinds.py)
set_vlans()  makes a port one of VLANs: {"p1": ("access", 10)} or ("trunk", 10)
start()      takes the ports; afterwards frames pass
own_core     True when its work is not done on the generator's core
forgets      False when flows that rest for a while stay
slow_frames()  frames that took a slow path so far, where it can say so
"""
import json
import os
import shutil
import subprocess
import time

from lab import BenchError, run


DEFAULT_ROOM = 150000  # flows that fit the switch's default well


def other_cpu(cpu):
    others = sorted(os.sched_getaffinity(0) - {cpu})
    return others[0] if others else cpu


class Candidate:
    own_core = False
    forgets = True
    program = "own"

    def __init__(self, lab, cpu):
        self.lab, self.cpu = lab, cpu
        self.ports = lab.ports[:2]
        self.room = 0

    def available(self):
        return None

    def cannot(self, kind):
        return None

    def set_vlans(self, vlans):
        pass

    def version(self):
        return ""

    def start(self):
        pass

    def stop(self):
        pass

    def slow_frames(self):
        """Frames that took a slow path so far, where the candidate can say so."""
        return None


class Twin(Candidate):
    """The bare program once more, loaded a second time: its distance from 1 is the bench's own error."""
    name = "twin"
    program = "twin"


class Bridge(Candidate):
    """The Linux bridge. GRO gives p1 the NAPI without which the generator's frames could not enter it."""
    name = "bridge"

    def version(self):
        return "Linux " + os.uname().release

    def cannot(self, kind):
        if kind.rules:
            return "it is no OpenFlow switch"
        if kind.vlans and not self.filters_vlans():
            return "this kernel's bridge does not filter VLANs (CONFIG_BRIDGE_VLAN_FILTERING)"
        return None

    def filters_vlans(self):
        said = run(*self.lab.inside("ip", "link", "add", "br0", "type", "bridge", "vlan_filtering", "1"), quiet=True)
        run(*self.lab.inside("ip", "link", "del", "br0"), quiet=True)
        return not said.strip()

    def start(self):
        self.lab.do("ip", "link", "add", "br0", "type", "bridge")
        for port in self.ports:
            self.lab.do("ethtool", "-K", port, "gro", "on")
            self.lab.do("ip", "link", "set", port, "master", "br0")
        self.lab.do("ip", "link", "set", "br0", "up")

    def set_vlans(self, vlans):
        self.lab.do("ip", "link", "set", "br0", "type", "bridge", "vlan_filtering", "1")
        for port, (mode, vid) in vlans.items():
            self.lab.do("bridge", "vlan", "del", "dev", port, "vid", "1")
            self.lab.do("bridge", "vlan", "add", "dev", port, "vid", str(vid), *(("pvid", "untagged") if mode == "access" else ()))

    def stop(self):
        run(*self.lab.inside("ip", "link", "del", "br0"), quiet=True)
        for port in self.ports:
            run(*self.lab.inside("ethtool", "-K", port, "gro", "off"), quiet=True)


class Switchd(Candidate):
    name = "switchd"
    hook = "xdp"  # where frames of generators come in; tc is for those of sockets (tcp.py)

    def __init__(self, lab, cpu, build):
        super().__init__(lab, cpu)
        self.daemon, self.ctl = os.path.join(build, "ctl/switchd"), os.path.join(build, "ctl/switchctl")
        self.directory = os.path.join(lab.directory, "switchd")
        self.process, self.prefix = None, []

    def available(self):
        return None if os.access(self.daemon, os.X_OK) else "%s is not built" % self.daemon

    def version(self):
        return run(self.daemon, "--version").strip()

    def control(self, *words):
        return run(self.ctl, "--run-dir", self.directory, *words)

    def knows_hooks(self):
        return "[hook " in run(self.ctl, "help", "port", "add")

    def at_hook(self):
        """Words for `port add`."""
        return ("hook", self.hook) if self.knows_hooks() else ()

    def options(self):
        """Room for half as many flows again, where the default has not as much."""
        return ["--flows", str(1 << (3 * self.room // 2 - 1).bit_length())] if self.room > DEFAULT_ROOM else []

    def launch(self):
        with open(os.path.join(self.lab.directory, "switchd.out"), "w") as out:
            self.process = self.lab.background(*self.prefix, self.daemon, "--run-dir", self.directory, *self.options(),
                                               stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        deadline = time.monotonic() + 15
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise BenchError("switchd did not start: " + self.said())
            time.sleep(0.1)

    def start(self):
        os.makedirs(self.directory, exist_ok=True)
        self.launch()
        self.control("bridge", "add", "br0")
        for port in self.ports:
            self.control("port", "add", "br0", port, *self.at_hook())

    def set_vlans(self, vlans):
        for port, (mode, vid) in vlans.items():
            self.control("port", "set", "br0", port, "vlan", mode, str(vid))

    def answers(self):
        return subprocess.run([self.ctl, "--run-dir", self.directory, "version"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    def said(self):
        text = ""
        for path in (os.path.join(self.lab.directory, "switchd.out"), os.path.join(self.directory, "switchd.log")):
            if os.path.exists(path):
                text += open(path).read()
        return text[-2000:]

    def stop(self):
        if not self.process:
            return
        if self.process.poll() is not None:
            self.launch()  # what a dead one left pinned, only another one takes away
        run(self.ctl, "--run-dir", self.directory, "daemon", "stop", "--flush", quiet=True)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def slow_frames(self):
        return json.loads(self.control("--json", "stats"))["slow_path_frames"]


class Ovs(Candidate):
    """Open vSwitch's userspace datapath on AF_XDP, with a polling thread of its own on another core.

    Its database, sockets and logs are in the lab's directory; the system's service is not touched.
    """
    name = "ovs"
    own_core = True
    forgets = False

    def __init__(self, lab, cpu):
        super().__init__(lab, cpu)
        self.directory = os.path.join(lab.directory, "ovs")
        self.environment = dict(os.environ, OVS_RUNDIR=self.directory, OVS_LOGDIR=self.directory,
                                OVS_DBDIR=self.directory)
        self.daemons = []

    def available(self):
        if not shutil.which("ovs-vswitchd") or not shutil.which("ovsdb-server"):
            return "openvswitch-switch is not installed (tests/install-deps ovs)"
        return None

    def version(self):
        return run("ovs-vswitchd", "--version").splitlines()[0]

    def path(self, name):
        return os.path.join(self.directory, name)

    def daemon(self, *words):
        with open(self.path(words[0] + ".out"), "w") as out:
            # As the pump does: others' work on the polling core is noise.
            process = self.lab.background("nice", "-n", "-20", *words, env=self.environment,
                                          stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        self.daemons.append(process)

    def vsctl(self, *words):
        done = subprocess.run(["ovs-vsctl", "--timeout=20", "--db=unix:" + self.path("db.sock"), *words],
                              env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode or "rror" in done.stdout:
            raise BenchError("ovs-vsctl %s: %s" % (" ".join(words), done.stdout.strip()))
        return done.stdout

    def start(self):
        os.makedirs(self.directory)
        run("ovsdb-tool", "create", self.path("conf.db"), "/usr/share/openvswitch/vswitch.ovsschema")
        self.daemon("ovsdb-server", self.path("conf.db"), "--remote=punix:" + self.path("db.sock"), "--log-file=" +
                    self.path("ovsdb.log"), "--unixctl=" + self.path("ovsdb.ctl"), "-vconsole:off")
        self.wait_for("db.sock")
        self.vsctl("--no-wait", "init")
        mask = 1 << self.polling_cpu()
        # Flows that rest while the bare program has the port are not to be forgotten; all are to fit. (Nor is it
        # stopped by a signal meanwhile: it would take the pause for slow revalidation, and cut its flow limit.)
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:pmd-cpu-mask=%x" % mask,
                   "other_config:max-idle=600000", "other_config:flow-limit=%d" % max(400000, 2 * self.room))
        self.daemon("ovs-vswitchd", "unix:" + self.path("db.sock"), "--log-file=" + self.path("vswitchd.log"),
                    "--unixctl=" + self.path("vswitchd.ctl"), "-vconsole:off")
        self.wait_for("vswitchd.ctl")
        self.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        for number, port in enumerate(self.ports, 1):
            self.vsctl("add-port", "br0", port, "--", "set", "interface", port, "type=afxdp", "ofport_request=%d" % number)

    def set_vlans(self, vlans):
        for port, (mode, vid) in vlans.items():
            self.vsctl("set", "port", port, "vlan_mode=" + mode, ("tag=%d" if mode == "access" else "trunks=%d") % vid)

    def polling_cpu(self):
        return other_cpu(self.cpu)

    def wait_for(self, name):
        deadline = time.monotonic() + 20
        while not os.path.exists(self.path(name)):
            if time.monotonic() > deadline or any(d.poll() is not None for d in self.daemons):
                raise BenchError("Open vSwitch did not start: no %s" % name)
            time.sleep(0.1)

    def stop(self):
        for process in reversed(self.daemons):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.daemons = []
        for device in ("br0", "ovs-netdev"):  # taps that outlive it
            run(*self.lab.inside("ip", "link", "del", device), quiet=True)
        shutil.rmtree(self.directory, ignore_errors=True)
