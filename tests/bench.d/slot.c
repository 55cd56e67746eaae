/* SPDX-License-Identifier: BSD-2-Clause */
#include "slot.h"

#include <errno.h>
#include <unistd.h>
#include <net/if.h>
#include <linux/if_link.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* Several namespaces may have a device of this index; only the one with this program too is ours. */
static bool holds(int link_fd, int ifindex, __u32 prog_id)
{
	struct bpf_link_info info = {0};
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(link_fd, &info, &size) && info.type == BPF_LINK_TYPE_XDP &&
	       info.xdp.ifindex == (__u32)ifindex && info.prog_id == prog_id;
}

static int find_link(int ifindex, __u32 prog_id)
{
	__u32 id = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		int fd = bpf_link_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (holds(fd, ifindex, prog_id))
			return fd;
		close(fd);
	}
	return -1;
}

static int query(int ifindex, __u32 *ret_prog_id)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	int err = bpf_xdp_query(ifindex, 0, &opts);

	if (!err)
		*ret_prog_id = opts.prog_id;
	return err;
}

int slot_open(const char *device, struct slot *ret_slot)
{
	struct slot slot = {.ifindex = if_nametoindex(device), .own_fd = -1, .link_fd = -1};
	__u32 prog_id;
	int err;

	if (!slot.ifindex)
		return -errno;
	err = query(slot.ifindex, &prog_id);
	if (err)
		return err;
	if (prog_id) {
		slot.own_fd = bpf_prog_get_fd_by_id(prog_id);
		if (slot.own_fd < 0)
			return -errno;
		slot.link_fd = find_link(slot.ifindex, prog_id);
	}
	*ret_slot = slot;
	return 0;
}

void slot_close(struct slot *slot)
{
	if (slot->replaced)
		slot_put(slot, slot->own_fd);
	if (slot->link_fd >= 0)
		close(slot->link_fd);
	if (slot->own_fd >= 0)
		close(slot->own_fd);
	slot->own_fd = slot->link_fd = -1;
}

int slot_put(struct slot *slot, int prog_fd)
{
	int err;

	if (slot->link_fd >= 0)
		err = bpf_link_update(slot->link_fd, prog_fd, NULL);
	else
		err = bpf_xdp_attach(slot->ifindex, prog_fd, XDP_FLAGS_DRV_MODE, NULL);
	if (!err)
		slot->replaced = prog_fd != slot->own_fd;
	return err;
}

bool slot_holds(const struct slot *slot, int prog_fd)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info), prog_id;

	if (query(slot->ifindex, &prog_id))
		return false;
	if (prog_fd < 0)
		return prog_id == 0;
	return !bpf_obj_get_info_by_fd(prog_fd, &info, &size) && info.id == prog_id;
}
