# SPDX-License-Identifier: BSD-2-Clause
"""Two switches and three hosts: h1 - s1 - s2 - h3, and h2 at s1."""
from mininet.topo import Topo


class Two(Topo):
    def build(self):
        s1, s2 = self.addSwitch("s1"), self.addSwitch("s2")
        for name, switch in (("h1", s1), ("h2", s1), ("h3", s2)):
            self.addLink(self.addHost(name), switch)
        self.addLink(s1, s2)


topos = {"two": Two}
