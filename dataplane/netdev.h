/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netdev.h - network devices: what the kernel says of them, news of them, and what the switch asks of them.
 *
 * What: a monitor (rtnetlink notifications, and the "netdev" generic-netlink family where the kernel has it), queries,
 * creation and settings. Netlink goes through libmnl; what only ioctl offers (ETHTOOL_*, TUNSETIFF) through ioctl.
 *
 * Why the peer matters: a veth takes a redirected frame only while its peer has NAPI (GRO on, or XDP on the peer), and
 * containers come with GRO off; a tag can hide in skb metadata while the peer's tx-vlan offload is on; the MTU that
 * XDP allows is enforced on both ends. So a query of a veth looks into the peer's namespace where it can.
 *
 * Errors are -errno; a complaint, where there is one, names the device and what to do.
 */
#ifndef DATAPLANE_NETDEV_H
#define DATAPLANE_NETDEV_H

#include "bpf/abi.h"
#include "dataplane/ethtool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct complaint;
struct netdev_monitor;
struct reactor;

enum netdev_kind {
	NETDEV_OTHER, /* a physical device, or a kind we know nothing special of */
	NETDEV_VETH,
	NETDEV_TAP,
	NETDEV_TUN,  /* no Ethernet header */
	NETDEV_VLAN, /* sub-interface */
	NETDEV_BRIDGE,
	NETDEV_BOND,
	NETDEV_LOOPBACK,
	NETDEV_DUMMY,
};

/* The other end of a veth. */
struct netdev_peer {
	uint32_t ifindex;        /* in its namespace; 0: not known */
	int32_t nsid;            /* -1: our own namespace */
	char name[SW_NAME_SIZE]; /* in its namespace; "": not known */
	bool reachable;          /* we found its namespace and could look; the rest is valid only then */
	bool gro;
	bool tx_vlan_offload;
	bool has_program; /* of XDP; also told where it is not reachable */
	uint32_t mtu;
	uint32_t tx_queues;
};

/*
 * What a driver can do with XDP: include/uapi/linux/netdev.h, enum netdev_xdp_act, of Linux 6.3 and later. Debian 12's
 * headers lack it. REDIRECT is what a program there may do, XMIT is to be a redirect's target; *_SG: frames of several
 * buffers, which without that bit no redirect can hand over.
 */
enum {
	NETDEV_XDP_BASIC = 1 << 0,
	NETDEV_XDP_REDIRECT = 1 << 1,
	NETDEV_XDP_XMIT = 1 << 2,
	NETDEV_XDP_ZEROCOPY = 1 << 3,
	NETDEV_XDP_OFFLOAD = 1 << 4,
	NETDEV_XDP_RX_SG = 1 << 5,
	NETDEV_XDP_XMIT_SG = 1 << 6,
};

struct netdev_info {
	uint32_t ifindex;
	char name[SW_NAME_SIZE];
	enum netdev_kind kind;
	char kind_name[16]; /* IFLA_INFO_KIND, or "" */
	char driver[32];    /* as `ethtool -i` gives it, or "" */
	uint8_t mac[6];
	bool ethernet; /* ARPHRD_ETHER */
	bool admin_up, carrier;
	bool promiscuous;
	uint32_t mtu;
	uint32_t rx_queues, tx_queues; /* in use now; a tap's: opened and enabled by its guest, at least 1 */
	struct ethtool_queues queues;  /* the same by kind, and how many there can be; zeros: the driver does not say */
	struct ethtool_link link;      /* its cable; zeros: the driver does not say */
	char master[SW_NAME_SIZE];     /* bridge or bond that owns it, or "" */
	char lower[SW_NAME_SIZE];      /* parent of a VLAN sub-interface, or "" */
	uint32_t xdp_prog_id;          /* program attached, any mode; 0: none */
	bool rx_vlan_offload;
	bool rx_vlan_fixed;        /* and it cannot be switched */
	bool lro, lro_fixed;       /* it makes one frame of several (LRO) ... */
	bool gro_hw, gro_hw_fixed; /* ... or by hardware GRO */
	bool xdp_features_known;   /* the kernel tells (6.3 on) ... */
	uint64_t xdp_features;     /* ... these: NETDEV_XDP_* */
	bool default_route;        /* an IPv4 or IPv6 default route leaves by it */
	char host_address[64]; /* of this host, by the device: one of them, with its length; link-local ones apart; ""
				*/
	int takes_redirects;   /* NDO_XMIT of the netdev family: 1 yes, 0 no, -1 the kernel does not say (before 6.3) */
	bool permanent_tap;    /* tap: persists without an owner */
	bool multi_queue_tap;  /* tap: opened by queues, one or more */
	struct netdev_peer peer; /* of a veth */
};

/* -ENODEV: no such device in this namespace. */
int netdev_query(const char *name, struct netdev_info *ret);
int netdev_query_ifindex(uint32_t ifindex, struct netdev_info *ret);

/*
 * News. Bursts are folded: `changed` once a device and reactor turn, with what it is now, if anything in it differs
 * from what was told last; `gone` when it left this namespace or the system, also when it is back by now under the same
 * ifindex; a rename is `gone` of the old name and `changed` under the new one with the same ifindex. At the start every
 * device there is comes as `changed`, from the reactor. After a lost notification (ENOBUFS) everything is read again
 * and differences are told. Whatever befalls the peer of a veth, in whatever namespace it lives, is news of the veth;
 * queues that a tap's guest switches on or off, or ethtool, come by uevents. A peer whose namespace was not found is
 * looked for three times more, a second apart. Default routes and addresses are no news.
 *
 * The callbacks may query, make and set devices, but not destroy the monitor.
 */
struct netdev_events {
	void *ctx;
	void (*changed)(void *ctx, const struct netdev_info *info);
	void (*gone)(void *ctx, uint32_t ifindex, const char *name);
};
int netdev_monitor_create(
	const struct reactor *reactor, const struct netdev_events *events, struct netdev_monitor **ret);
void netdev_monitor_destroy(struct netdev_monitor *monitor);
/*
 * The owner holds on to a device that he has asked about himself, perhaps before he was told of it: when it goes, that
 * is told. Else one that goes before it was seen would be no news. -ENOMEM.
 */
int netdev_monitor_found(struct netdev_monitor *monitor, const struct netdev_info *info);

/* Making and removing. Names must be free; the complaint says by what they are taken. */
int netdev_create_tap(const char *name, uint32_t queues, struct complaint *c);
/* A pair; the peer goes into the named namespace (/run/netns/NAME; NULL: it stays here). Both come up. */
int netdev_create_veth(const char *name, const char *peer, const char *netns, struct complaint *c);
/*
 * The same, the peer into an open namespace, which stays the caller's. `mac`, the peer's, and `mtu`, of both ends, hold
 * from birth, so that no address is made of another MAC; NULL and 0: the kernel's choice.
 */
int netdev_create_veth_in(
	const char *name, const char *peer, int netns_fd, const uint8_t *mac, uint32_t mtu, struct complaint *c);
int netdev_delete(uint32_t ifindex, struct complaint *c);

/* Settings of a device here. */
int netdev_set_up(uint32_t ifindex, struct complaint *c);
int netdev_set_promiscuous(uint32_t ifindex, bool on, struct complaint *c);
int netdev_set_mtu(uint32_t ifindex, uint32_t mtu, struct complaint *c);
enum netdev_offload { NETDEV_OFFLOAD_RX_VLAN, NETDEV_OFFLOAD_LRO, NETDEV_OFFLOAD_GRO_HW };
int netdev_set_offload(const char *name, enum netdev_offload offload, bool on, struct complaint *c);

/*
 * Makes the peer of a veth able to receive redirected frames whole: GRO on, tx-vlan offload off, in its namespace.
 * -ENOENT: its namespace was not found (no process in it and no name). Whatever it changes is logged once.
 */
int netdev_prepare_peer(const struct netdev_info *veth, struct complaint *c);

#endif
