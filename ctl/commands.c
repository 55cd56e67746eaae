/* SPDX-License-Identifier: BSD-2-Clause */
/* The table that grammar.h speaks of: a row for each command. */
#include "ctl/grammar.h"

#include "bpf/abi.h"
#include "dataplane/vswitch.h"

/* clang-format off */
#define NUMBER(lo, hi) {.kind = ARG_NUMBER, .name = "NUMBER", .min = lo, .max = hi}
#define CHOICE(words)  {.kind = ARG_CHOICE, .choices = words}
#define A_BRIDGE       {.kind = ARG_BRIDGE, .name = "BRIDGE"}
#define A_PORT         {.kind = ARG_PORT, .name = "PORT"}
#define A_FILE         {.kind = ARG_FILE, .name = "FILE"}
#define A_ADDRESS      {.kind = ARG_ADDRESS, .name = "tls:HOST:PORT"}
#define A_MAC          {.kind = ARG_MAC, .name = "MAC"}
#define A_VID(lo)      {.kind = ARG_NUMBER, .name = "VID", .min = lo, .max = 4094}
#define A_TARGET       {.kind = ARG_TARGET, .name = "ADDRESS"}
#define OPT_BRIDGE     {.kind = ARG_BRIDGE, .name = "BRIDGE", .optional = true}
#define OPT_PORT       {.kind = ARG_PORT, .name = "PORT", .optional = true}
#define OPT_FILE       {.kind = ARG_FILE, .name = "FILE", .optional = true}

#define TLS_FILES(needed) {"cert", A_FILE, needed}, {"key", A_FILE, needed}, {"ca", A_FILE, needed}

#define PORT_VLAN   {"vlan", {.kind = ARG_VLAN, .name = "VLAN"}}
#define PORT_MODE   {"mode", CHOICE("auto|native|generic|offload")}
#define PORT_HOOK   {"hook", CHOICE("auto|xdp|tc")}
#define PORT_UPCALL {"upcall-limit", {.kind = ARG_NUMBER, .name = "FRAMES-A-SECOND", .max = 100000000}}
#define PORT_BURST  {"burst", {.kind = ARG_NUMBER, .name = "FRAMES", .min = 1, .max = 100000000}}
#define PORT_CPUS   {"cpus", {.kind = ARG_CPUS, .name = "LIST"}}
#define PORT_NUMBER {"of-port", NUMBER(1, 0xfffffeff)}

const struct grammar_command grammar_commands[N_COMMANDS] = {
	[CMD_BRIDGE_ADD] = {{"bridge", "add"}, {A_BRIDGE}, {{0}},
		COMMAND_STATEMENT | COMMAND_CONFIGURES, "Makes a bridge."},
	[CMD_BRIDGE_DEL] = {{"bridge", "del"}, {A_BRIDGE}, {{0}},
		COMMAND_CONFIGURES, "Removes a bridge and its ports."},
	[CMD_BRIDGE_SET] = {{"bridge", "set"}, {A_BRIDGE},
		{{"ageing", {.kind = ARG_NUMBER, .name = "SECONDS", .max = 1000000}},
		 {"mac-limit", NUMBER(1, SW_MAX_FDB)},
		 {"forward-reserved", CHOICE("off|on")},
		 {"datapath-id", {.kind = ARG_DPID, .name = "DPID"}},
		 {"fail-mode", CHOICE("secure|standalone")}},
		COMMAND_STATEMENT | COMMAND_CONFIGURES | COMMAND_NEEDS_OPTION,
		"Sets how long addresses are kept (0: for ever), how many, whether 01:80:C2:00:00:0x is forwarded; what"
		" OpenFlow calls the bridge, and what it does while no controller is connected."},
	[CMD_BRIDGE_SHOW] = {{"bridge", "show"}, {OPT_BRIDGE}, {{0}}, 0, "Shows bridges."},

	[CMD_PORT_ADD] = {{"port", "add"}, {A_BRIDGE, {.kind = ARG_DEVICE, .name = "PORT"}},
		{{"type", CHOICE("existing|tap|veth|internal")},
		 {"peer", {.kind = ARG_DEVICE, .name = "DEVICE"}},
		 {"netns", {.kind = ARG_NETNS, .name = "NETNS"}},
		 {"queues", NUMBER(1, PORT_MAX_QUEUES)},
		 PORT_VLAN, PORT_MODE, PORT_UPCALL, PORT_BURST, {"force", {0}},
		 PORT_NUMBER, PORT_CPUS, PORT_HOOK},
		COMMAND_STATEMENT | COMMAND_CONFIGURES,
		"Takes a device into a bridge, or makes one; a device that is not there yet is waited for."},
	[CMD_PORT_DEL] = {{"port", "del"}, {A_BRIDGE, A_PORT}, {{0}},
		COMMAND_CONFIGURES, "Takes a port out of its bridge; a device that the switch made goes too."},
	[CMD_PORT_SET] = {{"port", "set"}, {A_BRIDGE, A_PORT},
		{PORT_VLAN, PORT_MODE, PORT_UPCALL, PORT_BURST, PORT_NUMBER, PORT_CPUS, PORT_HOOK},
		COMMAND_STATEMENT | COMMAND_CONFIGURES | COMMAND_NEEDS_OPTION, "Changes a port."},
	[CMD_PORT_SHOW] = {{"port", "show"},
		{{.kind = ARG_PORT, .name = "BRIDGE-OR-PORT", .optional = true}, OPT_PORT}, {{0}},
		0, "Shows ports: state, mode and why, how frames leave."},

	[CMD_FDB_ADD] = {{"fdb", "add"}, {A_BRIDGE, A_MAC, A_PORT}, {{"vlan", A_VID(0)}},
		COMMAND_STATEMENT | COMMAND_CONFIGURES, "Adds a static address."},
	[CMD_FDB_DEL] = {{"fdb", "del"}, {A_BRIDGE, A_MAC}, {{"vlan", A_VID(0)}},
		COMMAND_CONFIGURES, "Removes an address, static or learned."},
	[CMD_FDB_FLUSH] = {{"fdb", "flush"}, {OPT_BRIDGE},
		{{"port", A_PORT}, {"vlan", A_VID(0)}},
		0, "Forgets learned addresses."},
	[CMD_FDB_SHOW] = {{"fdb", "show"}, {OPT_BRIDGE},
		{{"port", A_PORT}, {"vlan", A_VID(0)}},
		0, "Shows which address lives behind which port."},

	[CMD_MIRROR_ADD] = {{"mirror", "add"}, {A_BRIDGE, {.kind = ARG_NAME, .name = "NAME"}},
		{{"from", {.kind = ARG_PORTS, .name = "PORT[,PORT]"}}, {"out-of", {.kind = ARG_PORTS, .name = "PORT[,PORT]"}},
		 {"vlan", {.kind = ARG_TEXT, .name = "VID[,VID-VID]"}}, {"to", A_PORT, true}, {"sample", NUMBER(1, 1000000)}},
		COMMAND_STATEMENT | COMMAND_CONFIGURES,
		"Sends a copy of what comes in by some ports, leaves by some, or is in some VLANs out of another port."},
	[CMD_MIRROR_DEL] = {{"mirror", "del"}, {A_BRIDGE, {.kind = ARG_MIRROR, .name = "NAME"}}, {{0}},
		COMMAND_CONFIGURES, "Ends a mirror."},
	[CMD_MIRROR_SHOW] = {{"mirror", "show"},
		{{.kind = ARG_MIRROR, .name = "BRIDGE-OR-MIRROR", .optional = true},
		 {.kind = ARG_MIRROR, .name = "NAME", .optional = true}}, {{0}},
		0, "Shows mirrors, and counts their copies."},

	[CMD_CACHE_SHOW] = {{"cache", "show"}, {{0}}, {{"limit", NUMBER(1, 20000)}},
		0, "Shows the megaflows, busiest first: match, actions, packets, bytes, age. 1000 of them unless told."},
	[CMD_CACHE_FLUSH] = {{"cache", "flush"}, {{0}}, {{0}}, 0, "Empties the flow cache; it fills again."},

	[CMD_STATS] = {{"stats"}, {{0}}, {{"once", {0}}},
		0, "Shows counters and, from two samples a second apart, rates; once: counters alone."},
	[CMD_DROPS] = {{"drops"}, {{0}}, {{0}}, 0, "Shows dropped frames by port and reason."},
	[CMD_TRACE] = {{"trace"}, {A_BRIDGE, {.kind = ARG_WORDS, .name = "FRAME-OR-KEY"}}, {{0}},
		0, "Says what would happen to a frame (in_port=PORT and its bytes in hex) or to a key"
		   " (in_port=PORT,eth_dst=MAC,…), and asks the kernel's own program."},
	[CMD_WATCH] = {{"watch"}, {{0}}, {{"count", NUMBER(1, 1000000)}, {"interval", NUMBER(1, 3600)}},
		COMMAND_LOCAL, "Shows rates of ports and the busiest flows, again and again; q ends it."},

	[CMD_CONFIG_SHOW] = {{"config", "show"}, {{0}}, {{0}}, 0, "Shows the running configuration and what of it failed."},
	[CMD_CONFIG_SAVE] = {{"config", "save"}, {OPT_FILE}, {{0}},
		0, "Writes the running configuration, to the daemon's configuration file unless told."},
	[CMD_CONFIG_LOAD] = {{"config", "load"}, {OPT_FILE}, {{"merge", {0}}},
		COMMAND_CONFIGURES,
		"Makes the running configuration what the file says, changing only what differs; merge: removes nothing."},

	[CMD_CONTROL_LISTEN] = {{"control", "listen"}, {A_ADDRESS},
		{TLS_FILES(true)},
		COMMAND_STATEMENT | COMMAND_CONFIGURES, "Takes control connections over TLS 1.3 from whoever the CA vouches for."},
	[CMD_CONTROL_CLOSE] = {{"control", "close"}, {A_ADDRESS}, {{0}},
		COMMAND_CONFIGURES, "Stops listening there; open connections stay."},
	[CMD_CONTROL_SHOW] = {{"control", "show"}, {{0}}, {{0}}, 0, "Shows control sockets and who is connected."},

	[CMD_CONTROLLER_ADD] = {{"controller", "add"}, {A_BRIDGE, A_TARGET},
		{{"rate-limit", {.kind = ARG_NUMBER, .name = "PACKET-INS-A-SECOND", .max = 100000000}},
		 {"burst", {.kind = ARG_NUMBER, .name = "PACKET-INS", .min = 1, .max = 100000000}},
		 {"max-backoff", {.kind = ARG_NUMBER, .name = "SECONDS", .min = 1, .max = 3600}},
		 {"inactivity-probe", {.kind = ARG_NUMBER, .name = "SECONDS", .max = 3600}},
		 {"auxiliary", NUMBER(0, 4)}, TLS_FILES(false), {"crl", A_FILE}},
		COMMAND_STATEMENT | COMMAND_CONFIGURES,
		"Connects a bridge to an OpenFlow controller, and again whenever the connection is lost."},
	[CMD_CONTROLLER_DEL] = {{"controller", "del"}, {A_BRIDGE, A_TARGET}, {{0}},
		COMMAND_CONFIGURES, "Closes the connection to a controller, for good."},
	[CMD_CONTROLLER_SHOW] = {{"controller", "show"}, {OPT_BRIDGE}, {{0}},
		0, "Shows controllers: state, role, last error, end of the certificate, packet-ins."},

	[CMD_OPENFLOW_LISTEN] = {{"openflow", "listen"}, {A_BRIDGE, A_TARGET},
		{TLS_FILES(false), {"crl", A_FILE}},
		COMMAND_STATEMENT | COMMAND_CONFIGURES, "Takes OpenFlow connections for a bridge, at an IP address."},
	[CMD_OPENFLOW_CLOSE] = {{"openflow", "close"}, {A_BRIDGE, A_TARGET}, {{0}},
		COMMAND_CONFIGURES, "Stops listening there; open connections stay."},
	[CMD_OPENFLOW_SHOW] = {{"openflow", "show"}, {OPT_BRIDGE}, {{0}},
		0, "Shows a bridge as OpenFlow has it: datapath id, fail mode, listeners, connections, ports, tables."},

	[CMD_METRICS_LISTEN] = {{"metrics", "listen"}, {A_TARGET},
		{TLS_FILES(false)},
		COMMAND_STATEMENT | COMMAND_CONFIGURES,
		"Answers Prometheus at an IP address: over bare TCP on this host alone, over TLS whoever the CA vouches for."},
	[CMD_METRICS_CLOSE] = {{"metrics", "close"}, {A_TARGET}, {{0}},
		COMMAND_CONFIGURES, "Stops answering there."},
	[CMD_METRICS_SHOW] = {{"metrics", "show"}, {{0}}, {{0}},
		0, "Shows where metrics are told, when certificates end, and how often somebody asked."},

	[CMD_SHOW_XDP] = {{"show", "xdp"}, {{0}}, {{0}}, 0, "Shows facts on the fast path: program, maps, links."},
	[CMD_LOG] = {{"log"}, {{.kind = ARG_NUMBER, .name = "LINES", .min = 1, .max = 1000, .optional = true}}, {{0}},
		0, "Shows the last lines of the log."},
	[CMD_VERSION] = {{"version"}, {{0}}, {{0}}, 0, "Shows the versions of switchctl and switchd."},
	[CMD_DAEMON_STOP] = {{"daemon", "stop"}, {{0}}, {{"flush", {0}}},
		0, "Ends the daemon; forwarding goes on, unless flush removes everything."},
	[CMD_PKI_INIT] = {{"pki", "init"}, {{.kind = ARG_FILE, .name = "DIR", .optional = true}},
		{{"san", {.kind = ARG_TEXT, .name = "NAME,NAME…"}}, {"days", NUMBER(1, 36500)}},
		COMMAND_LOCAL, "Makes a CA, a server and a client certificate for the TLS control socket."},
	[CMD_HELP] = {{"help"}, {{.kind = ARG_WORDS, .name = "COMMAND", .optional = true}}, {{0}},
		COMMAND_LOCAL, "Shows the commands."},
};
/* clang-format on */
