/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dp_kernel.h"

#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/xsk.h"
#include "switch.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

static uint32_t count_generic(const struct dpk *k)
{
	uint32_t n = 0;

	for (int id = 1; id < SW_MAX_PORTS; id++)
		n += k->ports[id].port.ifindex && k->ports[id].mode == DP_MODE_GENERIC;
	return n;
}

/* What the program is told of the port. */
int dpk_port_write(struct dpk *k, const struct dpk_port *p)
{
	struct sw_port record = {
		.id = p->port.id,
		.flags = (p->port.csum ? SW_PORT_CSUM : 0) | (p->mode == DP_MODE_GENERIC ? SW_PORT_GENERIC : 0) |
			 (k->followed[p->port.id] == DPK_FOLLOWED ? SW_PORT_FOLLOWED : 0) |
			 (k->collecting[p->port.id] == DPK_COLLECTED ? SW_PORT_COLLECT : 0) |
			 (k->collecting[p->port.id] == DPK_TURNING ? SW_PORT_TURNING : 0),
		.xsk_base = p->xsk_base,
		.n_queues = p->port.n_queues,
		.max_frame = p->port.max_frame,
		.max_rx_frame = p->port.max_rx_frame,
		.untagged_vid = p->port.untagged_vid,
		.collector = k->collector[p->port.id],
		.miss_rate = p->port.miss_rate,
		.miss_burst = p->port.miss_burst,
	};

	k->dp.memory.config->n_generic = count_generic(k);
	k->skel->bss->core.outs[p->port.id].flags =
		(p->port.is_veth ? SW_OUT_VETH : 0) | (p->port.peer_apart ? SW_OUT_PEER : 0);
	return bpf_map_update_elem(bpf_map__fd(k->skel->maps.ports), &p->port.ifindex, &record, BPF_ANY) ? -errno : 0;
}

/* The way out to the port. The kernel takes the element away when the device goes. */
static int write_way_out(struct dpk *k, const struct dpk_port *p)
{
	bool has_egress = dpk_has_egress(k, p->port.id); /* a copy may come this way, too: bpf/egress.h */
	struct bpf_devmap_val value = {.ifindex = p->port.ifindex, .bpf_prog.fd = has_egress ? k->egress_one_fd : -1};
	uint32_t id = p->port.id, program_id = has_egress ? k->egress_one_id : 0;
	int fd = bpf_map__fd(k->skel->maps.tx_ports);
	struct bpf_devmap_val now;

	if (bpf_map_lookup_elem(fd, &id, &now) == 0 && now.ifindex == value.ifindex && now.bpf_prog.id == program_id)
		return 0;
	return bpf_map_update_elem(fd, &id, &value, BPF_ANY) ? -errno : 0;
}

/* Another port had this device, before its owner gave it another id. Its link goes with the device. */
static void disinherit(struct dpk *k, uint16_t id, uint32_t ifindex)
{
	int fd = bpf_map__fd(k->skel->maps.tx_ports);

	for (uint32_t other = 1; other < SW_MAX_PORTS; other++) {
		struct dpk_port *p = &k->ports[other];

		if (other == id || p->port.ifindex != ifindex)
			continue;
		xsks_close(k->xsks, other);
		bpf_map_delete_elem(fd, &other);
		k->ports[id].link_fd = p->link_fd;
		k->ports[id].link_ifindex = p->link_ifindex;
		*p = (struct dpk_port){.link_fd = -1};
	}
}

static int open_sockets(struct dpk *k, struct dpk_port *p, const struct dp_port *port, struct complaint *c)
{
	int error;

	xsks_close(k->xsks, port->id);
	p->open = false;
	error = xsks_reserve(k->xsks, port->id, port->n_queues, p->xsk_base, &p->xsk_base);
	if (error)
		return complain(
			c, error, "no room for %u more receive queues: a switch has %u", port->n_queues, SW_MAX_XSKS);
	error = xsks_open(k->xsks, port->id, port->ifindex, c);
	if (error)
		xsks_close(k->xsks, port->id);
	p->open = !error;
	return error;
}

int dpk_port_put(struct datapath *dp, const struct dp_port *port, struct complaint *c)
{
	struct dpk *k = dpk_of(dp);
	struct dpk_port *p = &k->ports[port->id];
	char name[IF_NAMESIZE] = "?";
	bool changed, respread, was_here;
	int error = 0;

	if (!port->id || port->id >= SW_MAX_PORTS || !port->ifindex)
		return complain(c, -EINVAL, "port id %u, device %u: no such thing", port->id, port->ifindex);
	if (p->port.ifindex && p->port.ifindex != port->ifindex)
		dpk_port_remove(dp, port->id);
	disinherit(k, port->id, port->ifindex);
	if (!p->open || p->port.n_queues != port->n_queues)
		error = open_sockets(k, p, port, c);
	if (error)
		return error;
	changed =
		p->port.ifindex && (p->port.max_frame != port->max_frame || p->port.untagged_vid != port->untagged_vid);
	was_here = p->port.ifindex;
	respread = !was_here || !cpu_list_same(&p->port.cpus, &port->cpus) ||
		   (k->collecting[port->id] == DPK_DIRECT && !cpu_list_is_empty(&port->cpus));
	p->port = *port;
	error = respread ? dpk_cpus_put(k, p, was_here, c) : 0;
	if (error)
		return error;
	error = write_way_out(k, p);
	if (changed)
		dpk_sets_changed(k, port->id);
	if (!error)
		error = dpk_port_write(k, p);
	if (error) {
		if_indextoname(port->ifindex, name);
		return complain(c, error, "%s could not be entered into the maps: %s", name, strerror(-error));
	}
	return dpk_cpus_switch(k, p, c);
}

void dpk_port_remove(struct datapath *dp, uint16_t id)
{
	struct dpk *k = dpk_of(dp);
	struct dpk_port *p = &k->ports[id];
	uint32_t key = id;

	if (!id || id >= SW_MAX_PORTS)
		return;
	dpk_detach(k, p);
	bpf_map_delete_elem(bpf_map__fd(k->skel->maps.tx_ports), &key);
	if (p->port.ifindex) {
		bpf_map_delete_elem(bpf_map__fd(k->skel->maps.ports), &p->port.ifindex);
		dpk_cpus_remove(k, p->port.ifindex);
	}
	xsks_close(k->xsks, id);
	*p = (struct dpk_port){.link_fd = -1};
}

/*
 * The sets first: what is broadcast to the port without a mark is to be over when its record says that it is followed.
 */
int dpk_follow(struct datapath *dp, uint16_t id)
{
	struct dpk *k = dpk_of(dp);
	struct dpk_port *p = &k->ports[id % SW_MAX_PORTS];

	if (k->followed[id % SW_MAX_PORTS] == DPK_NOT_FOLLOWED) {
		k->followed[id % SW_MAX_PORTS] = DPK_TO_BE_FOLLOWED;
		dpk_sets_changed(k, id);
	}
	return p->port.ifindex ? write_way_out(k, p) : 0;
}

void dpk_followed(struct datapath *dp, uint16_t id)
{
	struct dpk *k = dpk_of(dp);
	struct dpk_port *p = &k->ports[id % SW_MAX_PORTS];

	if (k->followed[id % SW_MAX_PORTS] == DPK_FOLLOWED)
		return;
	k->followed[id % SW_MAX_PORTS] = DPK_FOLLOWED;
	if (p->port.ifindex && dpk_port_write(k, p))
		log_error("port %u could not be entered into the maps: %s", id, strerror(errno));
}

enum dp_way dpk_way(const struct datapath *dp, uint16_t id)
{
	const struct dpk *k = dpk_of((struct datapath *)dp);

	if (!k->ports[id % SW_MAX_PORTS].port.ifindex)
		return DP_WAY_NONE;
	return k->followed[id % SW_MAX_PORTS] == DPK_FOLLOWED ? DP_WAY_FOLLOWED : DP_WAY_PLAIN;
}

static void adopt(struct dpk *k, uint32_t ifindex, const struct sw_port *record)
{
	struct dpk_port *p;
	uint32_t base;

	if (!record->id || record->id >= SW_MAX_PORTS)
		return;
	p = &k->ports[record->id];
	p->port = (struct dp_port){
		.id = record->id,
		.ifindex = ifindex,
		.n_queues = record->n_queues,
		.csum = record->flags & SW_PORT_CSUM,
		.max_frame = record->max_frame,
		.max_rx_frame = record->max_rx_frame,
		.untagged_vid = record->untagged_vid,
		.miss_rate = record->miss_rate,
		.miss_burst = record->miss_burst,
	};
	p->mode = record->flags & SW_PORT_GENERIC ? DP_MODE_GENERIC : DP_MODE_NATIVE;
	k->followed[record->id] = record->flags & SW_PORT_FOLLOWED ? DPK_FOLLOWED : DPK_NOT_FOLLOWED;
	p->xsk_base = record->xsk_base;
	dpk_cpus_adopt_port(k, p, record);
	xsks_reserve(k->xsks, record->id, record->n_queues, record->xsk_base, &base);
}

void dpk_ports_adopt(struct dpk *k)
{
	int fd = bpf_map__fd(k->skel->maps.ports);
	uint32_t ifindex, *last = NULL;
	struct sw_port record;

	while (!bpf_map_get_next_key(fd, last, &ifindex)) {
		if (!bpf_map_lookup_elem(fd, &ifindex, &record))
			adopt(k, ifindex, &record);
		last = &ifindex;
	}
}
