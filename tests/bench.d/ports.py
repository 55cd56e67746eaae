# SPDX-License-Identifier: BSD-2-Clause
"""Many ports at once, by one run of ip."""
import subprocess

from lab import BenchError


def add_ports(lab, n):
    """Adds to the lab what it lacks of n ports, whose other ends nobody sends from; gives the names of all n."""
    names = lab.ports[:n] + ["x%d" % i for i in range(n - len(lab.ports))]
    lines = []
    for name in names[len(lab.ports):]:
        lines.append("link add %s type veth peer name y%s netns %s" % (name, name, lab.receiver))
        lines.append("link set %s up" % name)
    batch(lab.switch, lines)
    batch(lab.receiver, ["link set y%s up" % name for name in names[len(lab.ports):]])
    return names


def batch(netns, lines):
    done = subprocess.run(["ip", "-n", netns, "-batch", "-"], input="\n".join(lines) + "\n", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise BenchError("ip -batch: " + done.stdout.strip()[-300:])
