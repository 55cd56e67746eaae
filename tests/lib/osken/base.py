# SPDX-License-Identifier: BSD-2-Clause
"""What the controllers of tests/ns have in common: os-ken applications of OpenFlow 1.3 that obey a test.

Debian's os-ken comes without the sample applications of the project it continues. These do in a few lines what those
are known for, with the same messages. An application listens on a UDP port of 127.0.0.1 (the environment's ASK_PORT) for
lines like `allow 10.1.0.1 10.1.0.2`. It answers `done` once the switch has answered a barrier behind what came of it,
or `error …`.
"""
import os

from os_ken.base import app_manager
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub
from os_ken.ofproto import ofproto_v1_3

BARRIER_SECONDS = 5


class App(app_manager.OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.datapath, self.errors, self.barrier = None, [], None
        if "ASK_PORT" in os.environ:
            hub.spawn(self.obey, int(os.environ["ASK_PORT"]))

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def joined(self, event):
        """A switch begins empty, whatever another controller left in it."""
        datapath = self.datapath = event.msg.datapath
        proto, parser = datapath.ofproto, datapath.ofproto_parser
        datapath.send_msg(parser.OFPFlowMod(datapath, command=proto.OFPFC_DELETE, table_id=proto.OFPTT_ALL,
                                            out_port=proto.OFPP_ANY, out_group=proto.OFPG_ANY))
        datapath.send_msg(parser.OFPMeterMod(datapath, proto.OFPMC_DELETE, meter_id=proto.OFPM_ALL))
        self.begin(datapath)

    @set_ev_cls(ofp_event.EventOFPErrorMsg, (CONFIG_DISPATCHER, MAIN_DISPATCHER))
    def refused(self, event):
        self.errors.append("type %d code %d" % (event.msg.type, event.msg.code))
        self.logger.error("the switch refused something: %s", self.errors[-1])

    @set_ev_cls(ofp_event.EventOFPBarrierReply, MAIN_DISPATCHER)
    def settled(self, _event):
        if self.barrier:
            self.barrier.set()

    def begin(self, datapath):
        """The flows that the application always has."""

    def order(self, words):
        """A line of the test."""
        raise ValueError("no order is called %s" % words[0])

    def obey(self, port):
        socket = hub.socket.socket(hub.socket.AF_INET, hub.socket.SOCK_DGRAM)
        socket.bind(("127.0.0.1", port))
        while True:
            line, peer = socket.recvfrom(1000)
            socket.sendto(self.answer(line.decode().split()).encode(), peer)

    def answer(self, words):
        if not self.datapath:
            return "error no switch has come"
        self.errors, self.barrier = [], hub.Event()
        try:
            told = self.order(words)
        except (ValueError, IndexError, KeyError) as error:
            return "error %r" % error
        self.datapath.send_msg(self.datapath.ofproto_parser.OFPBarrierRequest(self.datapath))
        if not self.barrier.wait(BARRIER_SECONDS):
            return "error no barrier reply"
        return "error " + ", ".join(self.errors) if self.errors else "done" if told is None else told

    def flow(self, datapath, priority, match, actions, table=0, goto=None, meter=None, **more):
        proto, parser = datapath.ofproto, datapath.ofproto_parser
        steps = [parser.OFPInstructionMeter(meter, proto.OFPIT_METER)] if meter else []
        if actions:
            steps.append(parser.OFPInstructionActions(proto.OFPIT_APPLY_ACTIONS, actions))
        if goto is not None:
            steps.append(parser.OFPInstructionGotoTable(goto))
        datapath.send_msg(parser.OFPFlowMod(datapath, priority=priority, match=parser.OFPMatch(**match), table_id=table,
                                            instructions=steps, **more))

    def send(self, datapath, in_port, actions, data):
        proto, parser = datapath.ofproto, datapath.ofproto_parser
        datapath.send_msg(parser.OFPPacketOut(datapath=datapath, buffer_id=proto.OFP_NO_BUFFER, in_port=in_port,
                                              actions=actions, data=data))

    def misses_go_up(self, datapath, table=0):
        proto, parser = datapath.ofproto, datapath.ofproto_parser
        self.flow(datapath, 0, {}, [parser.OFPActionOutput(proto.OFPP_CONTROLLER, proto.OFPCML_NO_BUFFER)], table=table)
