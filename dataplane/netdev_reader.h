/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netdev_reader.h - the sockets behind the queries of netdev.h, shared by the devices of one burst. Private to
 * netdev_*.c.
 *
 * A reader lives for one query or one burst of news: default routes and addresses are read once and so are as old as
 * the reader.
 */
#ifndef DATAPLANE_NETDEV_READER_H
#define DATAPLANE_NETDEV_READER_H

#include "dataplane/netdev.h"

struct netlink;
struct nl_attrs;
struct netdev_address;

struct netdev_reader {
	struct netlink *route;
	struct netlink *generic; /* NULL: the kernel has no netdev family (before 6.3) */
	uint16_t family;
	int ioctl_fd;
	uint32_t *default_routes; /* ifindexes that a default route leaves by */
	size_t n_default_routes;
	struct netdev_address *addresses;
	size_t n_addresses;
};

int netdev_reader_open(struct netdev_reader *reader);
void netdev_reader_close(struct netdev_reader *reader);
/* name NULL: by ifindex. -ENODEV. */
int netdev_reader_query(struct netdev_reader *reader, const char *name, uint32_t ifindex, struct netdev_info *ret);
/* Every device of this namespace, in an array that the caller frees. */
int netdev_reader_all(struct netdev_reader *reader, struct netdev_info **ret, size_t *ret_n);

/* netdev.c: of a link message, the XDP program that is attached, in any mode; 0: none. */
uint32_t netdev_program_of(const struct nl_attrs *link);

/* netdev_features.c: fills xdp_features and takes_redirects. */
int netdev_features_open(struct netlink **ret, uint16_t *ret_family, uint32_t *ret_group);
void netdev_features_read(const struct netdev_reader *reader, struct netdev_info *info);

/* netdev_peer.c: fills in `peer` but for ifindex and nsid, which are there. */
void netdev_peer_read(const struct netdev_reader *reader, struct netdev_info *info);

/* netdev_uevent.c: the caller closes *ret_fd. */
int netdev_uevent_open(int *ret_fd);
/* Puts the name of a device whose receive queues changed into ret_name[SW_NAME_SIZE]. -EAGAIN: none left; -ENOBUFS. */
int netdev_uevent_next(int fd, char *ret_name);

/* netdev_route.c */
int netdev_default_routes(uint32_t **ret, size_t *ret_n);

/* netdev_address.c: this host's own, without link-local ones, in an array that the caller frees. */
int netdev_addresses(struct netlink *route, struct netdev_address **ret, size_t *ret_n);
/* The first of the device's, "192.0.2.1/24"; "": it has none. */
void netdev_address_of(const struct netdev_reader *reader, uint32_t ifindex, char *ret, size_t size);

#endif
