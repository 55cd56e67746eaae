# SPDX-License-Identifier: BSD-2-Clause
"""Quality of service, as os-ken's rest_qos: table 0 has rules with meters and queues, table 1 forwards.

    meter ID KBPS      limit DST METER      queue DST QUEUE      forget      meter-stats METER
"""
from base import App
from os_ken.controller import ofp_event
from os_ken.controller.handler import MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub
from os_ken.lib.packet import ether_types


class Qos(App):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.statistics = None

    def begin(self, datapath):
        proto, parser = datapath.ofproto, datapath.ofproto_parser
        self.flow(datapath, 0, {}, [], goto=1)
        self.flow(datapath, 0, {}, [parser.OFPActionOutput(proto.OFPP_NORMAL)], table=1)

    def order(self, words):
        datapath, proto, parser = self.datapath, self.datapath.ofproto, self.datapath.ofproto_parser
        if words[0] == "meter":
            band = parser.OFPMeterBandDrop(rate=int(words[2]), burst_size=int(words[2]) // 10)
            datapath.send_msg(parser.OFPMeterMod(datapath, proto.OFPMC_ADD, proto.OFPMF_KBPS | proto.OFPMF_BURST | proto.OFPMF_STATS,
                                                 int(words[1]), [band]))
        elif words[0] == "limit":
            self.flow(datapath, 9, {"eth_type": ether_types.ETH_TYPE_IP, "ipv4_dst": words[1]}, [], goto=1, meter=int(words[2]))
        elif words[0] == "queue":
            self.flow(datapath, 8, {"eth_type": ether_types.ETH_TYPE_IP, "ipv4_dst": words[1]},
                      [parser.OFPActionSetQueue(int(words[2]))], goto=1)
        elif words[0] == "forget":
            datapath.send_msg(parser.OFPMeterMod(datapath, proto.OFPMC_DELETE, meter_id=proto.OFPM_ALL))
        elif words[0] == "meter-stats":
            return self.meter_stats(int(words[1]))
        else:
            super().order(words)

    def meter_stats(self, meter):
        """What came to the meter, and what its band took, in packets."""
        self.statistics = hub.Event()
        self.datapath.send_msg(self.datapath.ofproto_parser.OFPMeterStatsRequest(self.datapath, 0, meter))
        if not self.statistics.wait(5):
            return "error no statistics"
        return "%d %d" % (self.latest.packet_in_count, self.latest.band_stats[0].packet_band_count)

    @set_ev_cls(ofp_event.EventOFPMeterStatsReply, MAIN_DISPATCHER)
    def told(self, event):
        self.latest = event.msg.body[0]
        if self.statistics:
            self.statistics.set()
