# SPDX-License-Identifier: BSD-2-Clause
"""A firewall, as os-ken's rest_firewall: ARP passes, rules say what else does, and what was blocked is reported.

    allow SRC DST [PROTO [PORT]]      deny SRC DST [PROTO [PORT]]      forget SRC DST [PROTO [PORT]]      blocked
"""
from base import App
from os_ken.controller import ofp_event
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import ether_types

ARP_PRIORITY, DENY_PRIORITY, ALLOW_PRIORITY, REPORT_PRIORITY = 65534, 200, 100, 0
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}


class Firewall(App):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.n_blocked, self.cookies = 0, {}

    def begin(self, datapath):
        proto, parser = datapath.ofproto, datapath.ofproto_parser
        self.flow(datapath, ARP_PRIORITY, {"eth_type": ether_types.ETH_TYPE_ARP}, [parser.OFPActionOutput(proto.OFPP_NORMAL)])
        self.flow(datapath, REPORT_PRIORITY, {}, [parser.OFPActionOutput(proto.OFPP_CONTROLLER, 128)])

    @staticmethod
    def match(source, destination, protocol=None, port=None):
        match = {"eth_type": ether_types.ETH_TYPE_IP, "ipv4_src": source, "ipv4_dst": destination}
        if protocol:
            match["ip_proto"] = PROTOCOLS[protocol]
        if port:
            match[protocol + "_dst"] = int(port)
        return match

    def order(self, words):
        proto, parser = self.datapath.ofproto, self.datapath.ofproto_parser
        if words == ["blocked"]:
            return str(self.n_blocked)
        command, rule = words[0], tuple(words[1:])
        cookie = self.cookies.setdefault(rule, len(self.cookies) + 1)
        if command == "allow":
            self.flow(self.datapath, ALLOW_PRIORITY, self.match(*rule), [parser.OFPActionOutput(proto.OFPP_NORMAL)], cookie=cookie)
        elif command == "deny":
            self.flow(self.datapath, DENY_PRIORITY, self.match(*rule), [], cookie=cookie)
        elif command == "forget":
            self.flow(self.datapath, 0, {}, [], cookie=cookie, cookie_mask=0xffffffffffffffff, command=proto.OFPFC_DELETE,
                      out_port=proto.OFPP_ANY, out_group=proto.OFPG_ANY)
        else:
            super().order(words)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def blocked(self, _event):
        self.n_blocked += 1
