/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netlink.h - asking the kernel by netlink, and hearing its news. The one place that knows libmnl.
 *
 * A request is built in place, sent, and answered before netlink_call() returns; the answers are read through attribute
 * tables that were checked against the message's bounds, so that an absent, short or unknown attribute reads as the
 * default given. What the kernel says on a refusal (its extended acknowledgement) is kept as netlink_reason().
 *
 * One socket serves one thread, either for calls or, after netlink_join(), for news; not both.
 */
#ifndef DATAPLANE_NETLINK_H
#define DATAPLANE_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netlink;

/* protocol: NETLINK_ROUTE, NETLINK_GENERIC. netns_fd: the namespace that it speaks to; -1: our own. */
int netlink_open(int protocol, int netns_fd, struct netlink **ret);
/* Accepts NULL. */
void netlink_close(struct netlink *nl);
int netlink_fd(const struct netlink *nl);

/* ---- requests ---- */

#define NL_REQUEST_SIZE 1024

struct nl_request {
	_Alignas(8) uint8_t bytes[NL_REQUEST_SIZE];
};

/* flags: beside NLM_F_REQUEST; NLM_F_ACK is added unless it is a dump. Puts `header`, the family's own, behind. */
void nl_begin(struct nl_request *request, uint16_t type, uint16_t flags, const void *header, size_t size);
void nl_put(struct nl_request *request, uint16_t attr, const void *data, size_t size);
void nl_put_u32(struct nl_request *request, uint16_t attr, uint32_t value);
void nl_put_text(struct nl_request *request, uint16_t attr, const char *text);
/* A nest is closed by nl_nest_end() with what nl_nest() gave; `header` as in nl_begin(), size 0: none. */
void *nl_nest(struct nl_request *request, uint16_t attr, const void *header, size_t size);
void nl_nest_end(struct nl_request *request, void *nest);

/* ---- answers ---- */

struct nl_message {
	uint16_t type;
	int32_t nsid;       /* the namespace that it is of, as ours numbers it; -1: our own, or one without a number */
	const void *header; /* the family's own; at least the size that the call was told */
	size_t header_size;
	const void *raw; /* the whole message */
};

/* 0: go on. NL_STOP: enough. -errno: fail with it. */
typedef int nl_each(void *ctx, const struct nl_message *message);
#define NL_STOP 1

/*
 * Sends, and calls `each` (may be NULL) with every answer whose header has header_size bytes. 0 or -errno; -EINTR: a
 * dump was disturbed by a change, and may lack something. A dump that was stopped leaves its rest in the socket, which
 * can then only be closed.
 */
int netlink_call(struct netlink *nl, struct nl_request *request, size_t header_size, nl_each *each, void *ctx);

/* Why the last call failed: the kernel's own words where it has any, else the error's name. */
const char *netlink_reason(const struct netlink *nl);

#define NL_ATTRS 64

/* Attributes by type; those of NL_ATTRS and above are left out. Borrows the message. */
struct nl_attrs {
	const void *attr[NL_ATTRS];
};

void nl_attrs(const struct nl_message *message, struct nl_attrs *ret);
/* An absent nest is an empty one. */
void nl_nested(const struct nl_attrs *attrs, uint16_t type, struct nl_attrs *ret);
bool nl_has(const struct nl_attrs *attrs, uint16_t type);
uint8_t nl_u8(const struct nl_attrs *attrs, uint16_t type, uint8_t otherwise);
uint16_t nl_u16(const struct nl_attrs *attrs, uint16_t type, uint16_t otherwise);
uint32_t nl_u32(const struct nl_attrs *attrs, uint16_t type, uint32_t otherwise);
uint64_t nl_u64(const struct nl_attrs *attrs, uint16_t type, uint64_t otherwise);
/* "" where there is none, or one without its NUL. */
const char *nl_text(const struct nl_attrs *attrs, uint16_t type);
/* NULL where there is none. */
const void *nl_data(const struct nl_attrs *attrs, uint16_t type, size_t *ret_size);

/* Calls `each` for every element of an array of nests (genl multicast groups). Stops at the first that is not 0. */
int nl_each_nest(
	const struct nl_attrs *attrs, uint16_t type, int (*each)(void *ctx, const struct nl_attrs *element), void *ctx);

/* ---- news ---- */

/* Makes the socket a listener that does not block: the group's messages come by netlink_hear(). */
int netlink_join(struct netlink *nl, uint32_t group);
/*
 * The same, for the messages of every namespace that ours has a number for (the other end of a veth here has one, given
 * when either end is first reported), with nl_message.nsid to tell them apart. A namespace may have a number for itself
 * too, so who wants to be sure of our own messages listens to those by another socket.
 */
int netlink_join_everywhere(struct netlink *nl, uint32_t group);
/* Everything that is waiting. 0; -ENOBUFS: some were lost, and the rest is to be heard by calling again. */
int netlink_hear(struct netlink *nl, size_t header_size, nl_each *each, void *ctx);

/* ---- generic netlink ---- */

/* -ENOENT: the kernel has no such family. `group` may be NULL; *ret_group is 0 when the family lacks it. */
int netlink_family(struct netlink *nl, const char *family, const char *group, uint16_t *ret_id, uint32_t *ret_group);

#endif
