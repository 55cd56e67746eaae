/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This host's own addresses, by device. Link-local ones are left out: every device that is up has one, and nobody would
 * miss it.
 */
#include "dataplane/netdev_reader.h"

#include "dataplane/netlink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP 16

struct netdev_address {
	uint32_t ifindex;
	uint8_t family, length;
	uint8_t bytes[16]; /* network byte order */
};

struct list {
	struct netdev_address *addresses;
	size_t n;
};

static int add(struct list *list, const struct netdev_address *address)
{
	struct netdev_address *grown = list->addresses;

	if (list->n % STEP == 0)
		grown = realloc(list->addresses, (list->n + STEP) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->addresses = grown;
	list->addresses[list->n++] = *address;
	return 0;
}

static int address_came(void *ctx, const struct nl_message *message)
{
	const struct ifaddrmsg *header = message->header;
	struct netdev_address address = {
		.ifindex = header->ifa_index, .family = header->ifa_family, .length = header->ifa_prefixlen};
	size_t size = 0, due = header->ifa_family == AF_INET ? 4 : 16;
	struct nl_attrs attrs;
	const void *bytes;

	if (header->ifa_scope == RT_SCOPE_LINK || header->ifa_scope == RT_SCOPE_HOST)
		return 0;
	nl_attrs(message, &attrs);
	bytes = nl_data(&attrs, nl_has(&attrs, IFA_LOCAL) ? IFA_LOCAL : IFA_ADDRESS, &size);
	if (!bytes || size != due)
		return 0;
	memcpy(address.bytes, bytes, size);
	return add(ctx, &address);
}

/* IPv4's come before IPv6's. */
int netdev_addresses(struct netlink *route, struct netdev_address **ret, size_t *ret_n)
{
	struct ifaddrmsg header = {.ifa_family = AF_UNSPEC};
	struct list list = {.n = 0};
	struct nl_request request;
	int error;

	nl_begin(&request, RTM_GETADDR, NLM_F_DUMP, &header, sizeof(header));
	error = netlink_call(route, &request, sizeof(header), address_came, &list);
	if (error && error != -EINTR) { /* disturbed: what came will do */
		free(list.addresses);
		return error;
	}
	*ret = list.addresses;
	*ret_n = list.n;
	return 0;
}

void netdev_address_of(const struct netdev_reader *reader, uint32_t ifindex, char *ret, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	ret[0] = '\0';
	for (size_t i = 0; i < reader->n_addresses && !ret[0]; i++) {
		const struct netdev_address *address = &reader->addresses[i];

		if (address->ifindex == ifindex && inet_ntop(address->family, address->bytes, text, sizeof(text)))
			snprintf(ret, size, "%s/%u", text, address->length);
	}
}
