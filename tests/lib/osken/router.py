# SPDX-License-Identifier: BSD-2-Clause
"""A router between the switch's ports, as os-ken's rest_router: ARP and ICMP in the controller, routes in flows.

    address PORT ADDRESS/LENGTH       the router's address on this port
"""
import ipaddress

from base import App
from os_ken.controller import ofp_event
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import arp, ether_types, ethernet, icmp, ipv4, packet

MAC = "02:00:00:00:01:%02x"
ROUTE_PRIORITY = 10


class Router(App):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.interfaces, self.waiting = {}, {}

    def begin(self, datapath):
        self.misses_go_up(datapath)

    def order(self, words):
        if words[0] != "address":
            super().order(words)
        self.interfaces[int(words[1])] = ipaddress.ip_interface(words[2])

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def came_up(self, event):
        frame, in_port = packet.Packet(event.msg.data), event.msg.match["in_port"]
        if frame.get_protocol(arp.arp) and in_port in self.interfaces:
            self.arp_came(frame, in_port)
        elif frame.get_protocol(ipv4.ipv4) and in_port in self.interfaces:
            self.packet_came(frame, in_port, event.msg.data)

    def arp_came(self, frame, in_port):
        ask = frame.get_protocol(arp.arp)
        if ask.opcode == arp.ARP_REPLY:
            self.neighbour_found(ask.src_ip, ask.src_mac, in_port)
        elif ask.dst_ip == str(self.interfaces[in_port].ip):
            self.say_arp(in_port, arp.ARP_REPLY, ask.src_mac, ask.src_ip)
            self.neighbour_found(ask.src_ip, ask.src_mac, in_port)

    def packet_came(self, frame, in_port, data):
        head = frame.get_protocol(ipv4.ipv4)
        if head.dst == str(self.interfaces[in_port].ip):
            self.echo(frame, in_port)
            return
        for port, interface in self.interfaces.items():
            if ipaddress.ip_address(head.dst) in interface.network:
                self.waiting.setdefault(head.dst, []).append(data)
                self.say_arp(port, arp.ARP_REQUEST, "ff:ff:ff:ff:ff:ff", head.dst)

    def neighbour_found(self, address, mac, port):
        parser = self.datapath.ofproto_parser
        actions = [parser.OFPActionDecNwTtl(), parser.OFPActionSetField(eth_src=MAC % port),
                   parser.OFPActionSetField(eth_dst=mac), parser.OFPActionOutput(port)]
        self.flow(self.datapath, ROUTE_PRIORITY, {"eth_type": ether_types.ETH_TYPE_IP, "ipv4_dst": address}, actions)
        for data in self.waiting.pop(address, []):
            self.send(self.datapath, self.datapath.ofproto.OFPP_CONTROLLER, actions, data)

    def say_arp(self, port, opcode, mac, address):
        answer = packet.Packet()
        answer.add_protocol(ethernet.ethernet(dst=mac, src=MAC % port, ethertype=ether_types.ETH_TYPE_ARP))
        answer.add_protocol(arp.arp(opcode=opcode, src_mac=MAC % port, src_ip=str(self.interfaces[port].ip),
                                    dst_mac=mac if opcode == arp.ARP_REPLY else "00:00:00:00:00:00", dst_ip=address))
        self.send_out(port, answer)

    def echo(self, frame, port):
        head, ask = frame.get_protocol(ipv4.ipv4), frame.get_protocol(icmp.icmp)
        if not ask or ask.type != icmp.ICMP_ECHO_REQUEST:
            return
        answer = packet.Packet()
        answer.add_protocol(ethernet.ethernet(dst=frame.get_protocol(ethernet.ethernet).src, src=MAC % port,
                                              ethertype=ether_types.ETH_TYPE_IP))
        answer.add_protocol(ipv4.ipv4(dst=head.src, src=head.dst, proto=head.proto, ttl=64))
        answer.add_protocol(icmp.icmp(type_=icmp.ICMP_ECHO_REPLY, code=0, csum=0, data=ask.data))
        self.send_out(port, answer)

    def send_out(self, port, answer):
        answer.serialize()
        self.send(self.datapath, self.datapath.ofproto.OFPP_CONTROLLER, [self.datapath.ofproto_parser.OFPActionOutput(port)],
                  answer.data)
