/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tc hook: the program for it, and where it sits on devices.
 *
 * Since Linux 6.6 by a link as at the XDP hook (tcx). Before that by a filter of the clsact qdisc, which stays where it
 * is without us, is replaced in one step, and can hold no pin: so a pin of its program beside it says that it is there.
 *
 * The program is verified when the first port wants it, in an instance of its object that shares every map.
 */
#include "dataplane/dp_kernel.h"

#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "switch.skel.h"
#include "switch_tc.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#define TC_NAME         "prog-ingress-tc"
#define FILTER_PREFIX   DPK_FILTER_PREFIX
#define FILTER_HANDLE   1
#define FILTER_PRIORITY 0xc0de

/* ---- the program ---- */

static int share_maps(const struct dpk *k, struct switch_tc_bpf *herd)
{
	herd->rodata->sieve_mask = k->skel->rodata->sieve_mask;
	herd->rodata->flow_stats_mask = k->skel->rodata->flow_stats_mask;
	return dpk_pins_share(k, herd->obj);
}

static int load(struct dpk *k, struct complaint *c)
{
	struct switch_tc_bpf *herd = switch_tc_bpf__open();
	int error;

	if (!herd)
		return complain(c, -errno, "the BPF object for tc cannot be opened: %s", strerror(errno));
	dpk_hush();
	error = share_maps(k, herd);
	if (!error)
		error = switch_tc_bpf__load(herd);
	if (error)
		complain(c, error, "the kernel does not accept the program for tc: %s (%s)", strerror(-error),
			dpk_heard());
	else
		error = dpk_pins_program(k, herd->progs.sw_ingress_tc, TC_NAME, c);
	switch_tc_bpf__destroy(herd);
	return error;
}

/* It looks ports' devices up in tx_ports, which it may not name (bpf/out_tc.h). */
static int share_devices(struct dpk *k, struct complaint *c)
{
	uint32_t zero = 0, fd = bpf_map__fd(k->skel->maps.tx_ports);

	if (bpf_map_update_elem(bpf_map__fd(k->skel->maps.outs), &zero, &fd, BPF_ANY))
		return complain(c, -errno, "the map of devices cannot be shared: %s", strerror(errno));
	return 0;
}

int dpk_tc_want(struct dpk *k, struct complaint *c)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	int fd, error;

	if (k->tc_fd >= 0)
		return 0;
	error = share_devices(k, c);
	fd = error ? error : load(k, c);
	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &size)) {
		error = complain(c, -errno, "the program for tc cannot be read back: %s", strerror(errno));
		close(fd);
		return error;
	}
	k->tc_fd = fd;
	k->tc_id = info.id;
	return 0;
}

/* ---- filters ---- */

static void filter_path(const struct dpk *k, uint32_t ifindex, char path[DPK_PATH_SIZE])
{
	char name[32];

	snprintf(name, sizeof(name), FILTER_PREFIX "%u", ifindex);
	dpk_pins_path(k, name, path);
}

bool dpk_tc_has_filter(const struct dpk *k, uint32_t ifindex)
{
	char path[DPK_PATH_SIZE];

	filter_path(k, ifindex, path);
	return access(path, F_OK) == 0;
}

static int put_filter(struct dpk *k, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = k->tc_fd, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
		.flags = BPF_TC_F_REPLACE);
	bool had = dpk_tc_has_filter(k, ifindex);
	char path[DPK_PATH_SIZE];
	int error;

	filter_path(k, ifindex, path);
	error = dpk_pins_put(k, k->tc_fd, path);
	if (error)
		return error;
	error = bpf_tc_hook_create(&hook);
	if (!error || error == -EEXIST)
		error = bpf_tc_attach(&hook, &options);
	if (error && !had)
		unlink(path);
	return error;
}

uint32_t dpk_tc_filter_program(struct dpk *k, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

	dpk_hush();
	return bpf_tc_query(&hook, &options) ? 0 : options.prog_id;
}

void dpk_tc_drop_filter(struct dpk *k, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	char path[DPK_PATH_SIZE];

	if (!dpk_tc_has_filter(k, ifindex))
		return;
	bpf_tc_detach(&hook, &options);
	filter_path(k, ifindex, path);
	unlink(path);
}

void dpk_tc_each_filter(struct dpk *k, void (*each)(struct dpk *k, uint32_t ifindex))
{
	dpk_pins_each(k, FILTER_PREFIX, each);
}

/* ---- attaching ---- */

int dpk_tc_put(struct dpk *k, uint32_t ifindex, int *ret_link_fd, struct complaint *c)
{
	LIBBPF_OPTS(bpf_link_create_opts, options);
	char name[IF_NAMESIZE] = "?";
	int error = dpk_tc_want(k, c);

	*ret_link_fd = -1;
	if (error)
		return error;
	if (!dpk_tc_has_filter(k, ifindex)) {
		*ret_link_fd = bpf_link_create(k->tc_fd, (int)ifindex, DPK_TCX_INGRESS, &options);
		error = *ret_link_fd < 0 ? -errno : 0;
	}
	if (error == -EINVAL || dpk_tc_has_filter(k, ifindex))
		error = put_filter(k, ifindex);
	if (!error)
		return 0;
	if_indextoname(ifindex, name);
	return complain(c, error, "%s refuses the program at its tc hook: %s", name, strerror(-error));
}
