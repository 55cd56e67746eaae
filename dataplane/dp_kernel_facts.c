/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel says of the programs, maps and links that are in use. */
#include "dataplane/dp_kernel.h"

#include "dataplane/facts.h"
#include "dataplane/xsk.h"
#include "switch.skel.h"

#include <bpf/bpf.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void tell_program(const struct facts *facts, const char *name, int fd)
{
	struct fact_program program = {.name = name};
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
		return;
	program.id = info.id;
	for (int i = 0; i < BPF_TAG_SIZE; i++)
		snprintf(program.tag + 2 * i, 3, "%02x", info.tag[i]);
	program.verified = info.verified_insns;
	program.machine_bytes = info.jited_prog_len;
	program.runs = info.run_cnt;
	program.run_ns = info.run_time_ns;
	facts->program(facts->ctx, &program);
}

/* The program of a tracepoint's link, which may be an earlier daemon's. */
static void tell_program_of_link(const struct facts *facts, const char *name, int link_fd)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);
	int fd;

	if (link_fd < 0 || bpf_obj_get_info_by_fd(link_fd, &info, &size))
		return;
	fd = bpf_prog_get_fd_by_id(info.prog_id);
	tell_program(facts, name, fd);
	if (fd >= 0)
		close(fd);
}

/* As the kernel charges it: exact since Linux 6.4, before that entries by size of a value. */
static uint64_t charged(int fd)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	}
	if (file)
		fclose(file);
	return bytes;
}

static void tell_map(const struct facts *facts, const struct bpf_map *map)
{
	struct fact_map fact = {.name = dpk_map_name(map)};
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);
	int fd = bpf_map__fd(map);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return;
	fact.id = info.id;
	fact.n_entries = info.max_entries;
	fact.bytes = charged(fd);
	facts->map(facts->ctx, &fact);
}

static void tell_link(const struct facts *facts, const struct dpk *k, const struct dpk_port *p)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);
	char device[IF_NAMESIZE] = "?";
	struct fact_link link = {
		.device = device,
		.mode = p->link_hook == DP_HOOK_TC ? "tc" : dpk_mode_name(p->mode),
		.n_queues = p->port.n_queues,
	};

	link.ifindex = p->link_ifindex;
	if (p->has_filter) {
		link.mode = "tc filter";
		link.program = k->tc_id;
	} else if (bpf_obj_get_info_by_fd(p->link_fd, &info, &size)) {
		return;
	} else {
		link.id = info.id;
		link.program = info.prog_id;
		if (p->link_hook == DP_HOOK_TC)
			link.mode = "tc";
	}
	if_indextoname(p->link_ifindex, device);
	xsks_statistics(k->xsks, p->port.id, &link.sockets);
	facts->link(facts->ctx, &link);
}

static void tell_memory(const struct facts *facts, const struct dpk *k)
{
	const struct fact_memory memory = {
		.maps = k->size.maps,
		.frames = k->size.frames,
		.tables = k->size.tables,
		.available = k->budget.available,
		.limited_by = k->budget.limited_by,
	};

	facts->memory(facts->ctx, &memory);
}

void dpk_describe(struct datapath *dp, const struct facts *facts)
{
	static const char *const lost[] = {"lost-redirect", "lost-xmit", "lost-generic", "lost-queue"};
	const struct dpk *k = dpk_of(dp);
	const struct bpf_map *map;
	char text[64];

	facts->text(facts->ctx, "bpffs", k->dir);
	snprintf(text, sizeof(text), "version %u, %s", SW_ABI_VERSION, dp->adopted ? "adopted" : "new");
	facts->text(facts->ctx, "abi", text);
	tell_program(facts, "ingress", k->ingress_fd);
	tell_program(facts, "ingress-tc", k->tc_fd);
	tell_program(facts, "egress", k->egress_fd);
	tell_program(facts, "egress-one", k->egress_one_fd);
	tell_program(facts, "spread", k->spread_fd);
	tell_program(facts, "worker", k->worker_fd);
	tell_program(facts, "collector", k->collector_fd);
	for (int i = 0; i < 4; i++)
		tell_program_of_link(facts, lost[i], k->lost_fds[i]);
	bpf_object__for_each_map(map, k->skel->obj)
	{
		if (dpk_map_name(map))
			tell_map(facts, map);
	}
	tell_memory(facts, k);
	xsks_each_fact(k->xsks, facts->text, facts->ctx);
	for (int id = 1; id < SW_MAX_PORTS; id++) {
		if (k->ports[id].link_fd >= 0 || k->ports[id].has_filter)
			tell_link(facts, k, &k->ports[id]);
	}
}
