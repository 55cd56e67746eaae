/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another switchd on a device that is to be ours.
 *
 * At the XDP hook the kernel has room for one program. At tc there is room for many, of which the first takes every
 * frame, and between the two hooks nobody compares at all: so who is there is asked, and known by the program's name.
 * Whoever else uses a device beside a switch is none of our business.
 */
#include "dataplane/dp_kernel.h"

#include "dataplane/complaint.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#define MOST_PROGRAMS 64 /* the kernel's own limit for a device (BPF_MPROG_MAX) */

/* Whether it is a program that a switchd attaches; their names have our prefix. */
static bool is_of_switchd(uint32_t prog_id)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(prog_id);
	bool is = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) &&
		  (strcmp(info.name, "sw_ingress") == 0 || strcmp(info.name, "sw_spread") == 0 ||
			  strcmp(info.name, "sw_ingress_tc") == 0);

	if (fd >= 0)
		close(fd);
	return is;
}

static uint32_t at_xdp(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query((int)ifindex, 0, &query))
		return 0;
	return query.prog_id ? query.prog_id : query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id;
}

static uint32_t at_tcx(uint32_t ifindex)
{
	uint32_t ids[MOST_PROGRAMS];
	LIBBPF_OPTS(bpf_prog_query_opts, query, .prog_ids = ids, .prog_cnt = MOST_PROGRAMS);

	if (bpf_prog_query_opts((int)ifindex, DPK_TCX_INGRESS, &query))
		return 0;
	for (uint32_t i = 0; i < query.prog_cnt && i < MOST_PROGRAMS; i++) {
		if (is_of_switchd(ids[i]))
			return ids[i];
	}
	return 0;
}

int dpk_rivals_check(struct dpk *k, uint32_t ifindex, enum dp_hook hook, struct complaint *c)
{
	const struct {
		const char *name;
		uint32_t id;
	} hooks[] = {
		{"XDP", hook == DP_HOOK_XDP ? 0 : at_xdp(ifindex)},
		{"tc", at_tcx(ifindex)},
		{"tc", dpk_tc_filter_program(k, ifindex)},
	};
	char name[IF_NAMESIZE] = "?";

	if (dpk_owns(&k->dp, ifindex))
		return 0;
	if_indextoname(ifindex, name);
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		if (hooks[i].id && is_of_switchd(hooks[i].id))
			return complain(c, -EBUSY,
				"%s is a port of another switchd already (program id %u at its %s hook): remove it "
				"there first",
				name, hooks[i].id, hooks[i].name);
	}
	return 0;
}
