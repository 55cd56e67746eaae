/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/render.h"

#include "ctl/json.h"
#include "ctl/render_parts.h"
#include "ctl/table.h"
#include "ctl/words.h"

#include <stdlib.h>
#include <string.h>

const char *render_text(struct json_object *object, const char *name)
{
	struct json_object *member;

	if (!json_object_object_get_ex(object, name, &member) || !json_object_is_type(member, json_type_string))
		return "";
	return json_object_get_string(member);
}

unsigned long long render_number(struct json_object *object, const char *name)
{
	struct json_object *member;

	if (!json_object_object_get_ex(object, name, &member))
		return 0;
	return json_object_get_uint64(member);
}

static bool flag(struct json_object *object, const char *name)
{
	struct json_object *member;

	return json_object_object_get_ex(object, name, &member) && json_object_get_boolean(member);
}

/* What the word behind that number ends in. */
static const char *plural(struct json_object *object, const char *name)
{
	return render_number(object, name) == 1 ? "" : "s";
}

static void line(FILE *out, const char *label, const char *text)
{
	char safe[2400];

	words_printable(text, strlen(text), safe, sizeof(safe));
	fprintf(out, "%-12s%s\n", label, safe);
}

static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

/* ---- tables ---- */

static void cell(struct table *table, struct json_object *object, const char *column)
{
	switch (*column) {
	case '#':
		table_cell(table, "%llu", render_number(object, column + 1));
		break;
	case '~':
		table_cell(table, "%llu s", render_number(object, column + 1));
		break;
	case '?':
		table_cell(table, "%s", or_dash(render_text(object, column + 1)));
		break;
	default:
		table_cell(table, "%s", render_text(object, column));
	}
}

void render_table(struct json_object *array, const char *headings, const char *columns, const char *empty, FILE *out)
{
	struct table *table = table_create(headings);
	char column[40];

	for (size_t i = 0; i < length(array); i++) {
		struct json_object *object = json_object_array_get_idx(array, i);

		for (const char *at = columns; *at; at += strspn(at, " ")) {
			size_t size = strcspn(at, " ");

			snprintf(column, sizeof(column), "%.*s", (int)size, at);
			cell(table, object, column);
			at += size;
		}
	}
	table_print(table, empty, out);
}

/* ---- one renderer a command ---- */

static void join(struct json_object *array, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < length(array) && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "",
			json_object_get_string(json_object_array_get_idx(array, i)));
}

static void bridges(struct json_object *result, FILE *out)
{
	struct table *table = table_create("BRIDGE >ADDRESSES >MAC-LIMIT >AGEING RESERVED PORTS");
	struct json_object *array = member(result, "bridges");
	char ports[1024];

	for (size_t i = 0; i < length(array); i++) {
		struct json_object *bridge = json_object_array_get_idx(array, i);

		join(member(bridge, "ports"), ports, sizeof(ports));
		table_cell(table, "%s", render_text(bridge, "name"));
		table_cell(table, "%llu", render_number(bridge, "addresses"));
		table_cell(table, "%llu", render_number(bridge, "mac_limit"));
		table_cell(table, "%llu s", render_number(bridge, "ageing_s"));
		table_cell(table, "%s", flag(bridge, "forward_reserved") ? "forwarded" : "kept");
		table_cell(table, "%s", or_dash(ports));
	}
	table_print(table, "There is no bridge. Make one: switchctl bridge add br0", out);
}

static void note(const char *name, int width, const char *text, FILE *out)
{
	char safe[2400];

	words_printable(text, strlen(text), safe, sizeof(safe));
	fprintf(out, "%-*s  %s\n", width, name, safe);
}

static void port_reasons(struct json_object *array, FILE *out)
{
	char text[600];
	int width = 10;

	for (size_t i = 0; i < length(array); i++) {
		int size = (int)strlen(render_text(json_object_array_get_idx(array, i), "name"));

		width = size > width ? size : width;
	}

	for (size_t i = 0; i < length(array); i++) {
		struct json_object *port = json_object_array_get_idx(array, i);
		const char *reason = render_text(port, "reason"), *path = render_text(port, "path");

		if (*reason)
			note(render_text(port, "name"), width, reason, out);
		if (flag(port, "is_mirrors"))
			note(render_text(port, "name"), width,
				"copies of a mirror leave by it, and nothing else passes", out);
		if (*render_text(port, "cpus_why"))
			note(render_text(port, "name"), width, render_text(port, "cpus_why"), out);
		snprintf(text, sizeof(text), "hook %s, %s", render_text(port, "hook"), render_text(port, "hook_why"));
		if (length(array) == 1 && *render_text(port, "hook_why"))
			note(render_text(port, "name"), width, text, out);
		snprintf(text, sizeof(text), "made for %llu queues, of which its guest uses %llu",
			render_number(port, "queues_wanted"), render_number(port, "queues"));
		if (length(array) == 1 && render_number(port, "queues_wanted") > 1)
			note(render_text(port, "name"), width, text, out);
		if (*render_text(port, "advice"))
			note(render_text(port, "name"), width, render_text(port, "advice"), out);
		if (strcmp(render_text(port, "duplex"), "half") == 0)
			note(render_text(port, "name"), width,
				"its link is half duplex: one end may have a fixed speed, and the other negotiate",
				out);
		snprintf(text, sizeof(text), "leaves by %s", path);
		if (*path && strcmp(path, "redirect") != 0)
			note(render_text(port, "name"), width, text, out);
	}
}

static void ports(struct json_object *result, FILE *out)
{
	struct json_object *array = member(result, "ports");

	render_table(array, "PORT BRIDGE STATE TYPE HOOK MODE VLAN CPUS >MTU >MBIT/S >QUEUES >RX-FRAMES >TX-FRAMES",
		"name bridge state type hook mode vlan cpus #mtu #speed_mbps #queues #rx_frames #tx_frames",
		"There is no port.", out);
	port_reasons(array, out);
}

static void addresses(struct json_object *result, FILE *out)
{
	render_table(member(result, "addresses"), "BRIDGE >VLAN MAC PORT KIND >AGE >IDLE",
		"bridge #vlan mac ?port kind ~age_s ~idle_s", "No address has been learned.", out);
}

static void mirrors(struct json_object *result, FILE *out)
{
	render_table(member(result, "mirrors"),
		"BRIDGE MIRROR FROM OUT-OF VLAN TO >SAMPLE >COPIES >OVER-LIMIT >RING-FULL",
		"bridge name ?from ?out_of ?vlan to #sample #copies #over_limit #ring_full", "There is no mirror.",
		out);
}

static void flushed(struct json_object *result, FILE *out)
{
	unsigned long long n = render_number(result, "flushed");

	fprintf(out, "%llu address%s forgotten\n", n, n == 1 ? "" : "es");
}

static void flows(struct json_object *result, FILE *out)
{
	struct table *table = table_create(">PACKETS >BYTES >AGE >IDLE MATCH ACTIONS");
	struct json_object *array = member(result, "flows");

	for (size_t i = 0; i < length(array); i++) {
		struct json_object *flow = json_object_array_get_idx(array, i);

		table_cell(table, "%llu", render_number(flow, "packets"));
		table_cell(table, "%llu", render_number(flow, "bytes"));
		table_cell(table, "%.1f s", (double)render_number(flow, "age_ms") / 1000);
		table_cell(table, "%.1f s", (double)render_number(flow, "idle_ms") / 1000);
		table_cell(table, "%s", render_text(flow, "match"));
		if (member(flow, "why"))
			table_cell(table, "%s (%s)", render_text(flow, "actions"), render_text(flow, "why"));
		else
			table_cell(table, "%s", render_text(flow, "actions"));
	}
	table_print(table, "No flow is cached.", out);
	fprintf(out, "%zu of %llu flow%s shown, %llu mask%s, room for %llu flows\n", length(array),
		render_number(result, "total"), plural(result, "total"), render_number(result, "masks"),
		plural(result, "masks"), render_number(result, "limit"));
}

static void print_dropped(struct json_object *result, FILE *out)
{
	struct json_object *dropped = member(result, "dropped");
	unsigned long long n, total = 0;

	if (!dropped)
		return;
	json_object_object_foreach(dropped, reason, count)
	{
		n = json_object_get_uint64(count);
		total += n;
		if (n)
			fprintf(out, "dropped     %llu %s\n", n, reason);
	}
	if (!total)
		fprintf(out, "dropped     nothing\n");
}

static unsigned long long told(struct json_object *ports, const char *what)
{
	unsigned long long sum = 0;

	for (size_t i = 0; i < length(ports); i++)
		sum += render_number(member(json_object_array_get_idx(ports, i), "told"), what);
	return sum;
}

/* Nothing where no rule has frames both sent on and told of. */
static void print_told(struct json_object *ports, FILE *out)
{
	unsigned long long copies = told(ports, "copies"), limit = told(ports, "over_limit"),
			   full = told(ports, "ring_full"), stale = told(ports, "stale");

	if (copies + limit + full)
		fprintf(out, "told        %llu cop%s; %llu over a limit, %llu for want of room, %llu stale\n", copies,
			copies == 1 ? "y" : "ies", limit, full, stale);
}

static void print_totals(struct json_object *result, FILE *out)
{
	unsigned long long fast = render_number(result, "fast_path_frames");
	unsigned long long slow = render_number(result, "slow_path_frames");

	fprintf(out, "fast path   %llu frame%s", fast, plural(result, "fast_path_frames"));
	if (fast + slow)
		fprintf(out, " (%.3f %%)", 100.0 * (double)fast / (double)(fast + slow));
	fprintf(out, "\nslow path   %llu frame%s\n", slow, plural(result, "slow_path_frames"));
	print_told(member(result, "ports"), out);
	fprintf(out, "flows       %llu of %llu, %llu mask%s\n", render_number(result, "flows"),
		render_number(result, "flow_limit"), render_number(result, "masks"), plural(result, "masks"));
	fprintf(out, "addresses   %llu\n", render_number(result, "addresses"));
	print_dropped(result, out);
}

static void stats(struct json_object *result, FILE *out)
{
	render_table(member(result, "ports"), "PORT >RX-FRAMES >RX-BYTES >TX-FRAMES >TX-BYTES >UPCALLS >DROPPED",
		"name #rx_frames #rx_bytes #tx_frames #tx_bytes #upcalls #dropped", "There is no port.", out);
	print_totals(result, out);
}

static void drops(struct json_object *result, FILE *out)
{
	render_table(member(result, "drops"), "PORT REASON >FRAMES MEANING", "?port reason #frames meaning",
		"Nothing was dropped.", out);
}

static const char *trace_verdict(struct json_object *result)
{
	if (member(result, "agree"))
		return flag(result, "agree") ? "kernel and pipeline agree"
					     : "KERNEL AND PIPELINE DISAGREE: please report this";
	return flag(member(result, "kernel"), "to_daemon")
		       ? "not cached: it goes to the daemon, which does what the answer says"
		       : "not cached: it is dropped on its way to the daemon";
}

static void trace(struct json_object *result, FILE *out)
{
	struct json_object *array = member(result, "reasoning"), *kernel = member(result, "kernel");
	char safe[1200];

	line(out, "key", render_text(result, "fields"));
	for (size_t i = 0; i < length(array); i++) {
		struct json_object *step = json_object_array_get_idx(array, i);
		const char *text = render_text(step, "text");

		words_printable(text, strlen(text), safe, sizeof(safe));
		fprintf(out, "%*s%s\n", 2 + 2 * (int)(render_number(step, "depth") % 32), "", safe);
	}
	line(out, "answer", render_text(result, "answer"));
	line(out, "megaflow", render_text(result, "megaflow"));
	line(out, "kernel", render_text(kernel, "text"));
	if (!flag(kernel, "asked"))
		return;
	if (flag(result, "crafted"))
		line(out, "", "(asked with a frame made up for this key)");
	line(out, "verdict", trace_verdict(result));
}

static void statements(struct json_object *result, FILE *out)
{
	struct json_object *array = member(result, "statements");
	char safe[800];

	for (size_t i = 0; i < length(array); i++) {
		struct json_object *entry = json_object_array_get_idx(array, i);
		const char *reason = render_text(entry, "reason");

		words_printable(reason, strlen(reason), safe, sizeof(safe));
		if (*reason)
			fprintf(out, "# failed: %s\n", safe);
		fprintf(out, "%s\n", render_text(entry, "statement"));
	}
}

static void saved(struct json_object *result, FILE *out)
{
	fprintf(out, "saved to %s\n", render_text(result, "file"));
}

static void loaded(struct json_object *result, FILE *out)
{
	unsigned long long n = render_number(result, "steps");

	if (n)
		fprintf(out, "%llu change%s made\n", n, plural(result, "steps"));
	else
		fprintf(out, "nothing to change\n");
}

static void control(struct json_object *result, FILE *out)
{
	struct json_object *listeners = member(result, "listeners");

	line(out, "listening", render_text(result, "unix"));
	for (size_t i = 0; i < length(listeners); i++)
		line(out, "listening", render_text(json_object_array_get_idx(listeners, i), "address"));
	render_table(member(result, "connections"), "SOCKET STATE PEER", "socket state peer", NULL, out);
}

/* ---- OpenFlow ---- */

/* What did not go well, and when certificates end, below a table of channels. */
static void channel_notes(struct json_object *array, FILE *out)
{
	char text[900];

	for (size_t i = 0; i < length(array); i++) {
		struct json_object *entry = json_object_array_get_idx(array, i);
		const char *error = render_text(entry, "last_error"), *end = render_text(entry, "certificate_ends");

		if (*error)
			note(render_text(entry, "address"), 10, error, out);
		if (!*end)
			continue;
		snprintf(text, sizeof(text), "its certificate here ends %s", end);
		note(render_text(entry, "address"), 10, text, out);
	}
}

static void metrics(struct json_object *result, FILE *out)
{
	struct json_object *listeners = member(result, "listeners");
	char text[400];

	for (size_t i = 0; i < length(listeners); i++)
		line(out, "listening", render_text(json_object_array_get_idx(listeners, i), "address"));
	if (!length(listeners))
		fprintf(out, "Metrics are told nowhere.\n");
	snprintf(text, sizeof(text), "%llu connection%s, %llu answer%s", render_number(result, "connections"),
		plural(result, "connections"), render_number(result, "answers"), plural(result, "answers"));
	line(out, "asked", text);
	channel_notes(listeners, out);
}

static void controllers(struct json_object *result, FILE *out)
{
	struct json_object *array = member(result, "controllers");

	render_table(array, "BRIDGE CONTROLLER STATE >SINCE ROLE >PACKET-INS >DROPPED >FLOW-MODS >ERRORS",
		"bridge address state ~since_s ?role #packet_ins_sent #packet_ins_dropped #flow_mods #errors_sent",
		"There is no controller.", out);
	channel_notes(array, out);
}

static void of_listeners(struct json_object *array, FILE *out)
{
	char text[400];

	for (size_t i = 0; i < length(array); i++) {
		struct json_object *entry = json_object_array_get_idx(array, i);

		snprintf(text, sizeof(text), "%s, %llu connection%s", render_text(entry, "address"),
			render_number(entry, "connections"), plural(entry, "connections"));
		line(out, "listening", text);
	}
	channel_notes(array, out);
}

static void of_connections(struct json_object *array, FILE *out)
{
	struct table *table = table_create("PEER STATE >SINCE ROLE >RECEIVED >SENT");
	unsigned long long auxiliary;
	char peer[1700];

	for (size_t i = 0; i < length(array); i++) {
		struct json_object *entry = json_object_array_get_idx(array, i);

		auxiliary = render_number(entry, "auxiliary");
		snprintf(peer, sizeof(peer), auxiliary ? "%s auxiliary %llu" : "%s", render_text(entry, "peer"),
			auxiliary);
		table_cell(table, "%s", peer);
		table_cell(table, "%s", render_text(entry, "state"));
		table_cell(table, "%llu s", render_number(entry, "since_s"));
		table_cell(table, "%s", or_dash(render_text(entry, "role")));
		table_cell(table, "%llu", render_number(entry, "messages_received"));
		table_cell(table, "%llu", render_number(entry, "messages_sent"));
	}
	table_print(table, "Nobody is connected.", out);
}

static void of_ports(struct json_object *array, FILE *out)
{
	struct table *table = table_create(">NUMBER PORT STATE CONFIG");
	char config[100];

	for (size_t i = 0; i < length(array); i++) {
		struct json_object *entry = json_object_array_get_idx(array, i);

		table_cell(table, "%llu", render_number(entry, "number"));
		table_cell(table, "%s", render_text(entry, "name"));
		table_cell(table, "%s", render_text(entry, "state"));
		join(member(entry, "config"), config, sizeof(config));
		table_cell(table, "%s", or_dash(config));
	}
	table_print(table, "The bridge has no port.", out);
}

static void of_tables(struct json_object *array, FILE *out)
{
	render_table(array, ">TABLE >RULES NAME", "#table #rules ?name", "No table has a rule.", out);
}

static void openflow(struct json_object *result, FILE *out)
{
	struct json_object *array = member(result, "bridges");
	char text[200];

	for (size_t i = 0; i < length(array); i++) {
		struct json_object *bridge = json_object_array_get_idx(array, i);

		if (i)
			fprintf(out, "\n");
		line(out, "bridge", render_text(bridge, "bridge"));
		line(out, "datapath id", render_text(bridge, "datapath_id"));
		snprintf(text, sizeof(text), "%s%s", render_text(bridge, "fail_mode"),
			flag(bridge, "standalone_now") ? ", and without a controller now" : "");
		line(out, "fail mode", text);
		snprintf(text, sizeof(text), "%llu", render_number(bridge, "controllers"));
		line(out, "controllers", text);
		snprintf(text, sizeof(text), "%llu rule%s, %llu group%s, %llu meter%s", render_number(bridge, "rules"),
			plural(bridge, "rules"), render_number(bridge, "groups"), plural(bridge, "groups"),
			render_number(bridge, "meters"), plural(bridge, "meters"));
		line(out, "holds", text);
		of_listeners(member(bridge, "listeners"), out);
		of_connections(member(bridge, "connections"), out);
		of_ports(member(bridge, "ports"), out);
		of_tables(member(bridge, "tables"), out);
	}
	if (!length(array))
		fprintf(out, "There is no bridge. Make one: switchctl bridge add br0\n");
}

static void log_lines(struct json_object *result, FILE *out)
{
	struct json_object *array = member(result, "lines");
	char safe[2600];

	for (size_t i = 0; i < length(array); i++) {
		const char *text = json_object_get_string(json_object_array_get_idx(array, i));

		words_printable(text, strlen(text), safe, sizeof(safe));
		fprintf(out, "%s\n", safe);
	}
}

static void version(struct json_object *result, FILE *out)
{
	unsigned long long up = render_number(result, "uptime_s");

	fprintf(out, "switchd %s, ABI %llu, pid %llu, up %llu:%02llu:%02llu\n", render_text(result, "switchd"),
		render_number(result, "abi"), render_number(result, "pid"), up / 3600, up / 60 % 60, up % 60);
	line(out, "kernel", render_text(result, "kernel"));
	line(out, "run dir", render_text(result, "run_dir"));
	line(out, "conf", render_text(result, "conf"));
	line(out, "bpffs", render_text(result, "bpffs"));
}

static void (*const renderers[N_COMMANDS])(struct json_object *result, FILE *out) = {
	[CMD_BRIDGE_SHOW] = bridges,
	[CMD_PORT_SHOW] = ports,
	[CMD_FDB_SHOW] = addresses,
	[CMD_FDB_FLUSH] = flushed,
	[CMD_MIRROR_SHOW] = mirrors,
	[CMD_CACHE_SHOW] = flows,
	[CMD_STATS] = stats,
	[CMD_DROPS] = drops,
	[CMD_TRACE] = trace,
	[CMD_CONFIG_SHOW] = statements,
	[CMD_CONFIG_SAVE] = saved,
	[CMD_CONFIG_LOAD] = loaded,
	[CMD_CONTROL_SHOW] = control,
	[CMD_CONTROLLER_SHOW] = controllers,
	[CMD_OPENFLOW_SHOW] = openflow,
	[CMD_METRICS_SHOW] = metrics,
	[CMD_SHOW_XDP] = render_xdp,
	[CMD_LOG] = log_lines,
	[CMD_VERSION] = version,
};

void render_result(enum command_id id, struct json_object *result, FILE *out)
{
	if (renderers[id])
		renderers[id](result, out);
}

/* ---- rates ---- */

/* "12.3 M" */
static const char *human(double rate, char text[16])
{
	static const char *const units[] = {"", " k", " M", " G", " T"};
	unsigned unit = 0;

	while (rate >= 9999.5 && unit < 4) {
		rate /= 1000;
		unit++;
	}
	snprintf(text, 16, rate < 99.95 && unit ? "%.1f%s" : "%.0f%s", rate, units[unit]);
	return text;
}

static struct json_object *find_by_name(struct json_object *array, const char *key, const char *name)
{
	for (size_t i = 0; i < length(array); i++) {
		struct json_object *element = json_object_array_get_idx(array, i);

		if (!strcmp(render_text(element, key), name))
			return element;
	}
	return NULL;
}

static double rate_of(struct json_object *before, struct json_object *after, const char *name, double seconds)
{
	unsigned long long was = render_number(before, name), is = render_number(after, name);

	return is > was && seconds > 0 ? (double)(is - was) / seconds : 0;
}

double render_interval(struct json_object *before, struct json_object *after)
{
	return rate_of(before, after, "time_ns", 1) / 1e9;
}

void render_rates(struct json_object *before, struct json_object *after, FILE *out)
{
	struct table *table = table_create("PORT >RX-FRAMES/S >RX-BIT/S >TX-FRAMES/S >TX-BIT/S >UPCALLS/S >DROPS/S");
	struct json_object *array = member(after, "ports");
	double seconds = render_interval(before, after);
	char text[16];

	for (size_t i = 0; i < length(array); i++) {
		struct json_object *port = json_object_array_get_idx(array, i);
		struct json_object *was = find_by_name(member(before, "ports"), "name", render_text(port, "name"));

		if (!was)
			was = port;
		table_cell(table, "%s", render_text(port, "name"));
		table_cell(table, "%s", human(rate_of(was, port, "rx_frames", seconds), text));
		table_cell(table, "%s", human(8 * rate_of(was, port, "rx_bytes", seconds), text));
		table_cell(table, "%s", human(rate_of(was, port, "tx_frames", seconds), text));
		table_cell(table, "%s", human(8 * rate_of(was, port, "tx_bytes", seconds), text));
		table_cell(table, "%s", human(rate_of(was, port, "upcalls", seconds), text));
		table_cell(table, "%s", human(rate_of(was, port, "dropped", seconds), text));
	}
	table_print(table, "There is no port.", out);
	fprintf(out, "fast path   %s frames/s\n", human(rate_of(before, after, "fast_path_frames", seconds), text));
	fprintf(out, "slow path   %s frames/s\n", human(rate_of(before, after, "slow_path_frames", seconds), text));
}

struct top {
	struct json_object *flow;
	double packets, bytes;
};

static int faster_first(const void *a, const void *b)
{
	const struct top *x = a, *y = b;

	return x->packets < y->packets ? 1 : x->packets > y->packets ? -1 : 0;
}

/* The same flow in the result before: same match, and not younger than the time between. */
static struct top measure(struct json_object *before, struct json_object *flow, double seconds)
{
	struct json_object *was = find_by_name(before, "match", render_text(flow, "match"));
	struct top top = {.flow = flow};

	top.packets = rate_of(was, flow, "packets", seconds);
	top.bytes = rate_of(was, flow, "bytes", seconds);
	return top;
}

void render_top_flows(struct json_object *before, struct json_object *after, double seconds, unsigned n, FILE *out)
{
	struct table *table = table_create(">FRAMES/S >BIT/S MATCH ACTIONS");
	struct json_object *array = member(after, "flows"), *old = member(before, "flows");
	struct top *tops = calloc(length(array) + 1, sizeof(*tops));
	char text[16];

	for (size_t i = 0; tops && i < length(array); i++)
		tops[i] = measure(old, json_object_array_get_idx(array, i), seconds);
	if (tops)
		qsort(tops, length(array), sizeof(*tops), faster_first);
	for (size_t i = 0; tops && i < length(array) && i < n; i++) {
		table_cell(table, "%s", human(tops[i].packets, text));
		table_cell(table, "%s", human(8 * tops[i].bytes, text));
		table_cell(table, "%s", render_text(tops[i].flow, "match"));
		table_cell(table, "%s", render_text(tops[i].flow, "actions"));
	}
	table_print(table, "No flow is cached.", out);
	free(tops);
}
