#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""tests/bench: how fast the switch forwards, beside a redirect that looks at nothing, and beside its peers.

    forward   frames a second through veth ports: switchd, the Linux bridge, Open vSwitch (AF_XDP) where installed
    cost      nanoseconds a frame of the switch's own program, by BPF_PROG_TEST_RUN
    masks     frames a second of flows that never repeat, under many masks
    latency   round trips between two namespaces, and the first frame of a flow
    tcp       containers that talk by sockets: TCP, datagrams, round trips; beside the Linux bridge and bpf_redirect_peer
    scale     many ports, and several cores
    idle      CPU time while nobody sends
    attack    what one port can cost another
    flowmod   flow-mods a second over TCP and TLS, memory a rule, and the longest echo while all rules are dumped
    setup     new flows a second, of which 99 % arrive
    churn     what unrelated flow-mods cost flows that forward

How it is made fair. Every candidate has the same two ports in turn. While it has them, rounds of it alternate with
rounds of `bare`, which stands in for its program on p1 (slot.h), so that the two that are compared ran within a second
of each other; the ratio is the median over such pairs. Frames are 64 bytes, of flows visited in another order than the
one they were learnt in, after every flow has been seen to pass without a slow path. All is done on one core, but for
Open vSwitch, whose polling thread gets a second one.

How rates are counted. A round's rate is over the time in which the core worked for it, generator and sink included.
Time that other tasks took from the core is left out, because it says nothing of the switch, and so is the grace period
for which BPF_PROG_TEST_RUN sleeps. Open vSwitch, whose core works on while the generator's is taken, is counted by the
clock: time that other tasks took is left in.

What arrives. Every frame of a round is counted, by receiver, and compared with what it should be: its tag, its rewritten
addresses and ports. While flows are warmed up all its checksums are too. A frame that is otherwise ends the bench.

forward and cost: --kind says which kinds of forwarding, see below. --pipeline N puts N OpenFlow tables, the last of them NORMAL,
behind switchd and Open vSwitch; --exact a rule for the 5-tuple of each flow, so that there are as many megaflows as flows. What
would take the slow path for every frame is said, not measured. The other benches are told below.

`twin` is the bare program against itself: what it is off 1 is what the figures are good for.
"""
import argparse
import contextlib
import fcntl
import json
import os
import sys

import attack
import idle
import kinds
import latency
import masks
import rules
import scale
import tcp
from forward import cost, forward, print_cost, print_forward
from lab import BenchError, Controller, Lab, Pump, progress
from measure import machine


def of_rules(bench):
    """A bench of rules.py, as one of this file's."""
    def measured(*place):
        return {"machine": machine(), **getattr(rules, bench)(*place)}
    return measured, getattr(rules, "print_" + bench)


BENCHES = {"forward": (forward, print_forward), "cost": (cost, print_cost), "masks": (masks.masks, masks.print_masks),
           "latency": (latency.latency, latency.print_latency), "scale": (scale.scale, scale.print_scale),
           "idle": (idle.idle, idle.print_idle), "attack": (attack.attack, attack.print_attack),
           "tcp": (tcp.tcp, tcp.print_tcp), "flowmod": of_rules("flowmod"), "setup": of_rules("setup"), "churn": of_rules("churn")}
PRINTS_ITSELF = {"forward", "cost"}    # the machine, and what was left out
WITHOUT_PUMP = {"latency", "idle", "attack"}  # whose ports are not to have a sink, or not all the while


def parse(arguments):
    parser = argparse.ArgumentParser(prog="tests/bench", description=__doc__ + "\n" + "\n".join(
        module.__doc__.strip("\n") + "\n" for module in (kinds, masks, latency, tcp, scale, idle, attack, rules)),
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=tuple(BENCHES))
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--flows", default="1,1000,100000,1000000", help="flow counts (forward); default %(default)s")
    parser.add_argument("--kind", default="l2", help="kinds of forwarding (forward, and one for cost): all, or of l2, ipv6, "
                        "vlan, nat, select, meter, flood; default %(default)s")
    parser.add_argument("--exact", action="store_true", help="a rule for each flow (forward, cost)")
    parser.add_argument("--translations", type=int, default=1000, help="different ones of nat's rules; default %(default)s")
    parser.add_argument("--masks", default="1,4,16,64", help="how many (masks), powers of two; default %(default)s")
    parser.add_argument("--trips", type=int, default=2000, help="of a round (latency); default %(default)s")
    parser.add_argument("--first-flows", type=int, default=5000, help="new ones (latency); default %(default)s")
    parser.add_argument("--ports", type=int, help="how many; default 1000 (scale) and 100 (idle)")
    parser.add_argument("--seconds", type=int, help="of idleness, default 60; of a round (tcp), default 1")
    parser.add_argument("--measures", default=",".join(tcp.MEASURES), help="which (tcp); default %(default)s")
    parser.add_argument("--congestion", default="cubic", help="TCP's congestion control (tcp); default %(default)s")
    parser.add_argument("--attacks", default=",".join(attack.ATTACKS), help="which (attack); default %(default)s")
    parser.add_argument("--vary", choices=("both", "mac", "tuple"), default="both",
                        help="what tells flows apart: MAC addresses, IP addresses and ports, or both")
    parser.add_argument("--rounds", type=int, help="pairs of rounds; default 25, and for tcp 21")
    parser.add_argument("--frames", type=int, default=1000000, help="frames a round; default %(default)s")
    parser.add_argument("--only", help="candidates; default switchd,bridge,ovs,twin, and for tcp " + ",".join(tcp.VARIANTS))
    parser.add_argument("--pipeline", type=int, default=0, metavar="N", help="tables behind it (forward, cost)")
    parser.add_argument("--rules", type=int, default=100000, help="loaded in one go (flowmod); default %(default)s")
    parser.add_argument("--priorities", type=int, default=100, help="of these rules; default %(default)s")
    parser.add_argument("--loads", type=int, default=3, help="times that they are loaded; default %(default)s")
    parser.add_argument("--held-rules", type=int, default=1000000, help="for memory and dump; default %(default)s, and for "
                        "Open vSwitch 100000 at the most")
    parser.add_argument("--new-flows", type=int, default=200000, help="rules (setup); default %(default)s")
    parser.add_argument("--live-flows", type=int, default=10000, help="that forward (churn); default %(default)s")
    parser.add_argument("--flow-mods", type=int, default=1000, help="a second meanwhile (churn); default %(default)s")
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)), help="core; default the last one")
    parser.add_argument("--build", default=os.environ.get("BUILD_DIR", "build"), help=argparse.SUPPRESS)
    return check(parser, parser.parse_args(arguments))


def check(parser, options):
    for name in ("flows", "masks"):
        try:
            setattr(options, name, [int(n) for n in getattr(options, name).split(",")])
        except ValueError:
            parser.error("--%s: expected numbers with commas between, not %s" % (name, getattr(options, name)))
    try:
        options.kinds = kinds.chosen(options.kind)
    except ValueError as unknown:
        parser.error("--kind: there is no %s" % unknown)
    options.attacks = options.attacks.split(",")
    if set(options.attacks) - set(attack.ATTACKS):
        parser.error("--attacks: expected some of %s" % ", ".join(attack.ATTACKS))
    if options.pipeline and (options.exact or options.kind != "l2"):
        parser.error("--pipeline goes with --kind l2, and not with --exact")
    if options.what == "cost" and any(k.rewrites() for k in options.kinds):
        parser.error("cost: BPF_PROG_TEST_RUN runs the program on the same buffer again and again, so its frame must stay as it is: "
                     "--kind l2, ipv6, select, meter or flood")
    if options.what == "cost" and len(options.kinds) > 1:
        parser.error("cost: one --kind at a time")
    if options.vary == "mac" and any(k.has_rules(options) for k in options.kinds):
        parser.error("--vary mac: rules tell flows apart by addresses and ports of IP")
    options.measures = options.measures.split(",")
    if set(options.measures) - set(tcp.MEASURES):
        parser.error("--measures: expected some of %s" % ", ".join(tcp.MEASURES))
    options.rounds = options.rounds or {"tcp": 21}.get(options.what, 25)
    options.seconds = options.seconds or {"tcp": 1}.get(options.what, 60)
    options.ports = options.ports or {"idle": 100}.get(options.what, 1000)
    known = list(tcp.VARIANTS) if options.what == "tcp" else ["switchd", "bridge", "ovs", "twin"]
    options.only = options.only.split(",") if options.only else known
    unknown = set(options.only) - set(known)
    if unknown:
        parser.error("--only: no candidate is called %s" % ", ".join(sorted(unknown)))
    return options


def alone():
    """Waits until no other bench runs: two at once would measure each other. The lock goes with the process."""
    lock = open("/run/switchd-bench.lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        progress("another bench is running: waiting for its end")
        fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def told(options, report):
    """Prints it. The exit status: switchd, if it was asked for, was measured."""
    show = BENCHES[options.what][1]
    if options.json:
        print(json.dumps(report, indent=2))
    elif options.what in PRINTS_ITSELF:
        show(report)
    else:
        print("%s, Linux %s" % (report["machine"]["cpu"], report["machine"]["kernel"]))
        show(report)
        for name, why in report["left_out"].items():
            print("%s left out: %s" % (name, why))
    missing = [name for part in ("left_out", "slow") for name in report.get(part, {}) if "switchd" in name]
    return 1 if missing and "switchd" in options.only else 0


def measured(options):
    bench, tools = BENCHES[options.what][0], os.path.join(options.build, "tests/bench.d")
    if options.what == "tcp":
        return bench(options)  # a lab for each that is measured
    receivers = max(k.receivers for k in options.kinds) if options.what in ("forward", "cost") else 1
    with contextlib.ExitStack() as stack:
        lab = stack.enter_context(Lab(receivers))
        pump = None
        if options.what not in WITHOUT_PUMP:
            pump = stack.enter_context(Pump(lab, os.path.join(tools, "pump"), options.cpu))
        controller = stack.enter_context(Controller(lab, os.path.join(tools, "ofpump"), options.cpu))
        return bench(lab, pump, controller, options)


def main():
    options = parse(sys.argv[1:])
    lock = alone()
    try:
        report = measured(options)
        progress("")
        return told(options, report)
    except BenchError as error:
        progress("")
        print("tests/bench: %s" % error, file=sys.stderr)
        return 1
    finally:
        lock.close()


if __name__ == "__main__":
    sys.exit(main())
