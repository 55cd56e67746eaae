# SPDX-License-Identifier: BSD-2-Clause
"""Kinds of forwarding, for `forward --kind`.

l2      a learning switch, UDP over IPv4
ipv6    the same, UDP over IPv6
vlan    push and pop: an access port and a trunk port of VLAN 10. bare does not touch the tag
nat     an OpenFlow rule for each flow rewrites source address and port of TCP over IPv4. bare rewrites nothing
select  a rule leads to a select group of 4 buckets, one port each. bare sends to these 4 ports in turn
meter   a rule leads through a meter that never drops
flood   to 8 ports, for the destination is not known. bare broadcasts to them
"""
from lab import BenchError
from measure import warm_up

VLAN = 10


class Kind:
    def __init__(self, name, packet="udp4", receivers=1, copies=1, bare="one", vlans=None, tcis=(0, 0), rules=None,
                 learns=True, per_flow=False):
        self.name, self.packet, self.receivers, self.copies, self.bare = name, packet, receivers, copies, bare
        self.vlans, self.tcis = vlans, tcis  # tags of the frames from the sender, and from and to the receiver
        self.rules, self.per_flow = rules, per_flow
        self.learns = learns

    def translations(self, options, flows):
        return min(flows, options.translations) if self.rules == "nat" else 0

    def rewrites(self):
        return bool(self.vlans or self.rules == "nat")

    def has_rules(self, options):
        return bool(self.rules or options.exact)

    def tell(self, pump, options, flows):
        """What frames are to be sent and expected, and what bare does."""
        pump.ask("flows %d %s" % (flows, options.vary))
        pump.ask("packet %s %d %d %d" % (self.packet, *self.tcis, self.translations(options, flows)))
        pump.ask("bare " + self.bare)

    def start(self, candidate, controller, options, flows):
        candidate.ports = candidate.lab.ports[:1 + self.receivers]
        if not self.has_rules(options):
            if options.pipeline:
                candidate.start_steered(controller, options.build, options.pipeline)
            else:
                candidate.start()
            if self.vlans:
                candidate.set_vlans(self.vlans)
            return
        candidate.room = flows
        candidate.start_steered(controller, options.build)
        candidate.connect("tcp", 0)
        per_flow = self.per_flow or options.exact
        candidate.steer("steer 0 %s %s %d %d" % (self.rules or "output", self.packet, flows if per_flow else 0,
                                                 self.translations(options, flows)))

    def warm_up(self, pump, candidate, options, flows):
        learns = self.learns and not self.has_rules(options)
        arrived = warm_up(pump, candidate, flows, self.copies, learns)
        if flows >= 1000:
            self.check_spread(arrived["received_each"][:self.receivers], arrived["received"])

    def check_spread(self, each, received):
        """Every receiver has had its share: of a group within a factor of two, for a hash is no deck of cards."""
        if any(n < received / len(each) / 2 for n in each):
            raise BenchError("%s: the receivers had %s frames" % (self.name, ", ".join(str(n) for n in each)))


KINDS = {k.name: k for k in (
    Kind("l2"),
    Kind("ipv6", packet="udp6"),
    Kind("push", vlans={"p1": ("access", VLAN), "p2": ("trunk", VLAN)}, tcis=(0, VLAN)),
    Kind("pop", vlans={"p1": ("trunk", VLAN), "p2": ("access", VLAN)}, tcis=(VLAN, 0)),
    Kind("nat", packet="tcp4", rules="nat", per_flow=True),
    Kind("select", receivers=4, bare="some", rules="select"),
    Kind("meter", rules="meter"),
    Kind("flood", receivers=8, copies=8, bare="all", learns=False),
)}
GROUPS = {"vlan": ["push", "pop"], "all": list(KINDS)}


def chosen(words):
    """The kinds that these words name, or a ValueError."""
    names = [name for word in words.split(",") for name in GROUPS.get(word, [word])]
    for name in names:
        if name not in KINDS:
            raise ValueError(name)
    return [KINDS[name] for name in names]
