# SPDX-License-Identifier: BSD-2-Clause
"""A learning switch in the controller, as os-ken's simple_switch_13: what is unknown goes up, a flow comes down."""
from base import App
from os_ken.controller import ofp_event
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import ether_types, ethernet, packet


class Learning(App):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ports, self.n_packet_ins = {}, 0

    def begin(self, datapath):
        self.misses_go_up(datapath)

    def order(self, words):
        if words != ["packet-ins"]:
            return super().order(words)
        return str(self.n_packet_ins)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def miss(self, event):
        datapath, in_port = event.msg.datapath, event.msg.match["in_port"]
        proto, parser = datapath.ofproto, datapath.ofproto_parser
        frame = packet.Packet(event.msg.data).get_protocols(ethernet.ethernet)[0]
        if frame.ethertype == ether_types.ETH_TYPE_LLDP:
            return
        self.n_packet_ins += 1
        known = self.ports.setdefault(datapath.id, {})
        known[frame.src] = in_port
        out = known.get(frame.dst, proto.OFPP_FLOOD)
        actions = [parser.OFPActionOutput(out)]
        if out != proto.OFPP_FLOOD:
            self.flow(datapath, 1, {"in_port": in_port, "eth_dst": frame.dst, "eth_src": frame.src}, actions)
        self.send(datapath, in_port, actions, event.msg.data)
