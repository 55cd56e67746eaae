/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dp_kernel.h"

#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"
#include "switch.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINK_PREFIX    DPK_LINK_PREFIX
#define LINK_TYPE_TCX  11 /* enum bpf_link_type of Linux 6.6; not in Debian 12's headers */
#define ORPHAN_WAIT_MS 30000

static const uint32_t mode_flags[] = {
	[DP_MODE_NATIVE] = XDP_FLAGS_DRV_MODE,
	[DP_MODE_GENERIC] = XDP_FLAGS_SKB_MODE,
	[DP_MODE_OFFLOAD] = XDP_FLAGS_HW_MODE,
};

const char *dpk_mode_name(enum dp_mode mode)
{
	static const char *const names[] = {
		[DP_MODE_NATIVE] = "native",
		[DP_MODE_GENERIC] = "generic",
		[DP_MODE_OFFLOAD] = "offload",
	};

	return names[mode];
}

static void link_path(const struct dpk *k, uint32_t ifindex, char path[DPK_PATH_SIZE])
{
	char name[32];

	snprintf(name, sizeof(name), LINK_PREFIX "%u", ifindex);
	dpk_pins_path(k, name, path);
}

static int link_info(int fd, struct bpf_link_info *ret)
{
	uint32_t size = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(fd, ret, &size) ? -errno : 0;
}

/* A link of ours that is on this device still; of both hooks the kernel tells the device at the same place. */
static bool is_on(const struct bpf_link_info *info, uint32_t ifindex)
{
	return (info->type == BPF_LINK_TYPE_XDP || info->type == LINK_TYPE_TCX) && info->xdp.ifindex == ifindex;
}

static enum dp_hook hook_of(const struct bpf_link_info *info)
{
	return info->type == BPF_LINK_TYPE_XDP ? DP_HOOK_XDP : DP_HOOK_TC;
}

static const char *device_name(uint32_t ifindex, char name[IF_NAMESIZE])
{
	if (!if_indextoname(ifindex, name))
		snprintf(name, IF_NAMESIZE, "#%u", ifindex);
	return name;
}

/* ---- letting go ---- */

/* Unpinning alone would detach only after a grace period, in which a new program could not be attached. */
static void close_link(int fd)
{
	bpf_link_detach(fd);
	close(fd);
}

static void drop_link(struct dpk *k, int fd, uint32_t ifindex)
{
	char path[DPK_PATH_SIZE];

	link_path(k, ifindex, path);
	unlink(path);
	close_link(fd);
}

void dpk_detach(struct dpk *k, struct dpk_port *p)
{
	uint32_t ifindex = p->link_fd >= 0 ? p->link_ifindex : p->port.ifindex;
	char path[DPK_PATH_SIZE];

	if (p->link_fd < 0 && ifindex) {
		link_path(k, ifindex, path);
		p->link_fd = bpf_obj_get(path);
	}
	if (p->link_fd >= 0)
		drop_link(k, p->link_fd, ifindex);
	p->link_fd = -1;
	if (ifindex)
		dpk_tc_drop_filter(k, ifindex);
	p->has_filter = false;
}

static bool is_claimed(const struct dpk *k, uint32_t ifindex)
{
	for (int id = 1; id < SW_MAX_PORTS; id++) {
		if ((k->ports[id].link_fd >= 0 || k->ports[id].has_filter) && k->ports[id].link_ifindex == ifindex)
			return true;
	}
	return false;
}

/* A port that was adopted and is not attached again yet will be, or will be removed by its owner. */
static bool is_expected(const struct dpk *k, uint32_t ifindex)
{
	for (int id = 1; id < SW_MAX_PORTS; id++) {
		if (k->ports[id].port.ifindex == ifindex)
			return true;
	}
	return false;
}

static void drop_orphan(struct dpk *k, uint32_t ifindex)
{
	char path[DPK_PATH_SIZE], name[IF_NAMESIZE];
	int fd;

	if (is_claimed(k, ifindex) || is_expected(k, ifindex))
		return;
	dpk_tc_drop_filter(k, ifindex);
	link_path(k, ifindex, path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	log_info("%s: detached, no port asks for it any more", device_name(ifindex, name));
	drop_link(k, fd, ifindex);
}

void dpk_orphans_detach(struct dpk *k)
{
	dpk_pins_each(k, LINK_PREFIX, drop_orphan);
	dpk_tc_each_filter(k, drop_orphan);
}

static void orphans_due(void *arg)
{
	dpk_orphans_detach(arg);
}

static void found_orphan(struct dpk *k, uint32_t ifindex)
{
	if (!is_expected(k, ifindex))
		k->reactor->arm(k->reactor->ctx, k->orphan_timer, ORPHAN_WAIT_MS);
}

void dpk_orphans_watch(struct dpk *k)
{
	k->orphan_timer = k->reactor->timer(k->reactor->ctx, orphans_due, k);
	if (k->orphan_timer)
		dpk_pins_each(k, LINK_PREFIX, found_orphan);
	if (k->orphan_timer)
		dpk_tc_each_filter(k, found_orphan);
}

/* ---- taking over ---- */

/* R2: the link is found by its device, also where the maps that named the port were thrown away. */
bool dpk_owns(struct datapath *dp, uint32_t ifindex)
{
	struct bpf_link_info info;
	char path[DPK_PATH_SIZE];
	bool has_link;
	int fd;

	link_path(dpk_of(dp), ifindex, path);
	fd = bpf_obj_get(path);
	has_link = fd >= 0 && link_info(fd, &info) == 0 && is_on(&info, ifindex);
	if (fd >= 0)
		close(fd);
	return has_link || (dpk_tc_has_filter(dpk_of(dp), ifindex) && dpk_tc_filter_program(dpk_of(dp), ifindex) != 0);
}

/* The mode in which our program runs on the device now. */
static enum dp_mode mode_now(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query(ifindex, 0, &query))
		return DP_MODE_NATIVE;
	return query.attach_mode == XDP_ATTACHED_SKB  ? DP_MODE_GENERIC
	       : query.attach_mode == XDP_ATTACHED_HW ? DP_MODE_OFFLOAD
						      : DP_MODE_NATIVE;
}

/* The link that an earlier daemon left on this device, or an earlier call; -1: none that is still on it. */
static int find_link(struct dpk *k, struct dpk_port *p, struct bpf_link_info *ret_info)
{
	char path[DPK_PATH_SIZE];
	int fd = p->link_fd;

	link_path(k, p->port.ifindex, path);
	if (fd < 0)
		fd = bpf_obj_get(path);
	if (fd < 0)
		return -1;
	if (link_info(fd, ret_info) == 0 && is_on(ret_info, p->port.ifindex))
		return fd;
	p->link_fd = -1;
	drop_link(k, fd, p->port.ifindex); /* its device went away, and another has the number now */
	return -1;
}

/*
 * 1: the link is there and runs the program; 0: there is none (any more); -errno. One at the other hook goes on until
 * it is superseded: *ret_other, or -1.
 */
static int take_over(struct dpk *k, struct dpk_port *p, const enum dp_mode *want, int *ret_other, struct complaint *c)
{
	struct bpf_link_info info;
	int fd = find_link(k, p, &info), error;

	if (fd < 0)
		return 0;
	if (hook_of(&info) != p->port.hook) {
		p->link_fd = -1;
		*ret_other = fd;
		return 0;
	}
	p->link_hook = p->port.hook;
	error = p->link_hook == DP_HOOK_TC ? dpk_tc_want(k, c) : 0;
	if (error) { /* its pin keeps it */
		p->link_fd = -1;
		close(fd);
		return error;
	}
	p->mode = p->link_hook == DP_HOOK_TC ? DP_MODE_NATIVE : mode_now(p->port.ifindex);
	if (p->link_hook == DP_HOOK_XDP && want && *want != p->mode) {
		p->link_fd = -1;
		drop_link(k, fd, p->port.ifindex);
		return 0;
	}
	p->link_fd = fd;
	p->link_ifindex = p->port.ifindex;
	error = dpk_cpus_switch(k, p, c);
	return error ? error : 1;
}

/* ---- attaching ---- */

/* A link hides the driver's reason; netlink tells it (extack). */
static void ask_reason(struct dpk *k, uint32_t ifindex, enum dp_mode mode, int error, char *why, size_t why_size)
{
	uint32_t flags = mode_flags[mode];
	const char *said;

	dpk_hush();
	if (bpf_xdp_attach(ifindex, k->ingress_fd, flags | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL) == 0)
		bpf_xdp_detach(ifindex, flags, NULL);
	said = dpk_heard_from_kernel();
	snprintf(why, why_size, "%s", said[0] ? said : strerror(-error));
}

/* Keeps the link for whoever comes after us. One at the other hook, which forwards still, loses its pin by that. */
static int pin_link(struct dpk *k, struct dpk_port *p, int fd, enum dp_hook hook)
{
	char path[DPK_PATH_SIZE];
	int error;

	link_path(k, p->port.ifindex, path);
	error = dpk_pins_put(k, fd, path);
	if (error) {
		close_link(fd);
		return error;
	}
	p->link_fd = fd;
	p->link_ifindex = p->port.ifindex;
	p->link_hook = hook;
	return 0;
}

static int attach_link(struct dpk *k, struct dpk_port *p, enum dp_mode mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = mode_flags[mode]);
	enum dp_mode was = p->mode;
	uint32_t id;
	int fd, error;

	/* Before the first frame: the egress program looks for marks by what the record says (bpf/egress.h). */
	p->mode = mode;
	error = dpk_port_write(k, p);
	fd = error ? -1 : bpf_link_create(dpk_cpus_program(k, p, &id), p->port.ifindex, BPF_XDP, &options);
	if (fd < 0) {
		error = error ? error : -errno;
		p->mode = was;
		return error;
	}
	return pin_link(k, p, fd, DP_HOOK_XDP);
}

static int attach_tc(struct dpk *k, struct dpk_port *p, struct complaint *c)
{
	int fd, error;

	p->mode = DP_MODE_NATIVE;
	error = dpk_port_write(k, p);
	if (error)
		return complain(c, error, "the port cannot be entered into the maps: %s", strerror(-error));
	error = dpk_tc_put(k, p->port.ifindex, &fd, c);
	if (error)
		return error;
	p->has_filter = fd < 0;
	p->link_ifindex = p->port.ifindex;
	if (fd < 0)
		return 0;
	error = pin_link(k, p, fd, DP_HOOK_TC);
	return error ? complain(c, error, "the link to the tc hook cannot be pinned: %s", strerror(-error)) : 0;
}

/* Who sits on the device, if that is why we may not. */
static int complain_of_owner(uint32_t ifindex, int error, struct complaint *c)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info), id;
	char name[IF_NAMESIZE];
	int fd;

	if (bpf_xdp_query(ifindex, 0, &query))
		return 0;
	id = query.prog_id ? query.prog_id : query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id;
	fd = id ? bpf_prog_get_fd_by_id(id) : -1;
	if (!id)
		return 0;
	if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size))
		info.name[0] = '\0';
	if (fd >= 0)
		close(fd);
	device_name(ifindex, name);
	return complain(c, error,
		"%s is already owned by another XDP program (id %u, name %s): detach it first, for example with `ip "
		"link set "
		"dev %s xdp off`",
		name, id, info.name[0] ? info.name : "?", name);
}

static bool is_taken(int error)
{
	return error == -EBUSY || error == -EEXIST;
}

static int refused(struct dpk *k, struct dpk_port *p, enum dp_mode mode, int error, struct complaint *c)
{
	char name[IF_NAMESIZE], reason[DPK_CAUSE_SIZE];

	if (is_taken(error) && complain_of_owner(p->port.ifindex, error, c))
		return error;
	device_name(p->port.ifindex, name);
	if (error == -ENODEV)
		return complain(c, error, "%s vanished while the program was being attached", name);
	ask_reason(k, p->port.ifindex, mode, error, reason, sizeof(reason));
	if (mode == DP_MODE_OFFLOAD)
		return complain(c, error, "%s cannot run the program in its hardware: %s; use mode native or generic",
			name, reason);
	return complain(c, error, "%s refuses the program in %s mode: %s", name, dpk_mode_name(mode), reason);
}

/* Whether generic mode is worth a try when native was refused so. */
static bool is_drivers_no(int error)
{
	return !is_taken(error) && error != -ENODEV && error != -ENOMEM && error != -EPERM;
}

static int attach_anew(
	struct dpk *k, struct dpk_port *p, const enum dp_mode *want, char *why, size_t why_size, struct complaint *c)
{
	enum dp_mode mode = want ? *want : DP_MODE_NATIVE;
	char reason[DPK_CAUSE_SIZE], name[IF_NAMESIZE];
	int error = attach_link(k, p, mode);

	if (!error)
		return 0;
	if (want || !is_drivers_no(error))
		return refused(k, p, mode, error, c);
	ask_reason(k, p->port.ifindex, mode, error, reason, sizeof(reason));
	error = attach_link(k, p, DP_MODE_GENERIC);
	if (error)
		return refused(k, p, DP_MODE_GENERIC, error, c);
	snprintf(why, why_size, "its driver refuses native mode: %s", reason);
	log_info("%s: generic mode, because its driver refuses native mode: %s", device_name(p->port.ifindex, name),
		reason);
	return 0;
}

/* Only when the program is at the hook that it is to be at it leaves the other; and else it stays there. */
static void leave_other(struct dpk *k, struct dpk_port *p, int other, int error)
{
	if (error && other >= 0) {
		p->link_fd = other;
		p->link_ifindex = p->port.ifindex;
		p->link_hook = p->port.hook == DP_HOOK_TC ? DP_HOOK_XDP : DP_HOOK_TC;
		return;
	}
	if (!error && p->port.hook == DP_HOOK_XDP) {
		dpk_tc_drop_filter(k, p->port.ifindex);
		p->has_filter = false;
	}
	if (other >= 0 && p->has_filter)
		drop_link(k, other, p->port.ifindex);
	else if (other >= 0)
		close_link(other); /* the pin is the new one's */
}

int dpk_attach(struct datapath *dp, uint16_t id, const enum dp_mode *want, enum dp_mode *ret_mode, char *why,
	size_t why_size, struct complaint *c)
{
	struct dpk *k = dpk_of(dp);
	struct dpk_port *p = &k->ports[id % SW_MAX_PORTS];
	int other = -1, error;

	if (!p->port.ifindex)
		return complain(c, -EINVAL, "port %u has no device", id);
	if (why_size)
		why[0] = '\0';
	error = take_over(k, p, want, &other, c);
	if (error < 0)
		return error;
	if (error == 0 && other < 0)
		error = dpk_rivals_check(k, p->port.ifindex, p->port.hook, c);
	if (error == 0) {
		error = p->port.hook == DP_HOOK_TC ? attach_tc(k, p, c) : attach_anew(k, p, want, why, why_size, c);
		leave_other(k, p, other, error);
	} else if (p->mode == DP_MODE_GENERIC && !want) {
		snprintf(why, why_size, "its driver refused native mode when it was attached, before the restart");
	}
	if (error < 0)
		return error;
	if (p->mode == DP_MODE_GENERIC && want && p->port.hook == DP_HOOK_XDP)
		snprintf(why, why_size, "generic mode was asked for");
	*ret_mode = p->mode;
	return dpk_port_write(k, p);
}

/* ---- tracepoints ---- */

static int pinned_lost(struct dpk *k, const char *path, struct bpf_program *program)
{
	struct bpf_prog_info ours = {0}, theirs = {0};
	struct bpf_link_info info;
	uint32_t size = sizeof(ours);
	int fd = bpf_obj_get(path), prog_fd;
	bool same = false;

	if (fd < 0 || !k->dp.adopted || link_info(fd, &info))
		goto done;
	prog_fd = bpf_prog_get_fd_by_id(info.prog_id);
	if (prog_fd < 0)
		goto done;
	if (!bpf_obj_get_info_by_fd(prog_fd, &theirs, &size)) {
		size = sizeof(ours);
		same = !bpf_obj_get_info_by_fd(bpf_program__fd(program), &ours, &size) &&
		       memcmp(ours.tag, theirs.tag, sizeof(ours.tag)) == 0;
	}
	close(prog_fd);
done:
	if (fd >= 0 && !same) {
		unlink(path);
		close(fd);
	}
	return same ? fd : -1;
}

static int attach_one_lost(struct dpk *k, struct bpf_program *program, const char *name, int *ret, struct complaint *c)
{
	char path[DPK_PATH_SIZE];
	struct bpf_link *link;
	int error;

	dpk_pins_path(k, name, path);
	*ret = pinned_lost(k, path, program);
	if (*ret >= 0)
		return 0;
	link = bpf_program__attach(program);
	if (!link)
		return complain(c, -errno, "cannot attach %s: %s", bpf_program__name(program), strerror(errno));
	error = bpf_link__pin(link, path);
	*ret = error ? -1 : dup(bpf_link__fd(link));
	bpf_link__destroy(link);
	return error ? complain(c, error, "cannot pin %s: %s", path, strerror(-error)) : 0;
}

int dpk_attach_lost(struct dpk *k, struct complaint *c)
{
	int error = attach_one_lost(k, k->skel->progs.sw_lost_redirect, "lost-redirect", &k->lost_fds[0], c);

	if (!error)
		error = attach_one_lost(k, k->skel->progs.sw_lost_xmit, "lost-xmit", &k->lost_fds[1], c);
	if (!error)
		error = attach_one_lost(k, k->skel->progs.sw_lost_generic, "lost-generic", &k->lost_fds[2], c);
	if (!error)
		error = attach_one_lost(k, k->skel->progs.sw_lost_queue, "lost-queue", &k->lost_fds[3], c);
	return error;
}
