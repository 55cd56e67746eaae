/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/address.h"

#include "dataplane/complaint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static int parse_port(const char *text, struct address *ret, struct complaint *c)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || port < 1 || port > 65535 || strlen(text) >= sizeof(ret->port))
		return complain(c, -EINVAL, "a port is a number from 1 to 65535");
	strcpy(ret->port, text);
	return 0;
}

int address_parse(const char *text, bool bare, struct address *ret, struct complaint *c)
{
	struct address address = {0};
	const char *host = text + 4, *colon = strrchr(text, ':');
	size_t size;
	int err;

	address.tls = !strncmp(text, "tls:", 4);
	if (!address.tls && (!bare || strncmp(text, "tcp:", 4) != 0))
		return complain(
			c, -EINVAL, bare ? "an address begins with tcp: or tls:" : "an address begins with tls:");
	if (colon < host)
		return complain(c, -EINVAL, "the port is missing");
	size = (size_t)(colon - host);
	if (size >= 2 && host[0] == '[' && host[size - 1] == ']') {
		host++;
		size -= 2;
	} else if (memchr(host, ':', size)) {
		return complain(c, -EINVAL, "an IPv6 address stands in brackets: %.4s[::1]:6640", text);
	}
	if (!size || size >= sizeof(address.host) || strlen(text) >= ADDRESS_SIZE)
		return complain(c, -EINVAL, "the host is missing");
	memcpy(address.host, host, size);
	err = parse_port(colon + 1, &address, c);
	if (!err)
		*ret = address;
	return err;
}

bool address_is_numeric(const struct address *address)
{
	struct in6_addr ignored;

	return inet_pton(AF_INET, address->host, &ignored) == 1 || inet_pton(AF_INET6, address->host, &ignored) == 1;
}

bool address_is_loopback(const struct address *address)
{
	struct in_addr in;
	struct in6_addr in6;

	if (inet_pton(AF_INET, address->host, &in) == 1)
		return ntohl(in.s_addr) >> 24 == IN_LOOPBACKNET;
	return inet_pton(AF_INET6, address->host, &in6) == 1 && IN6_IS_ADDR_LOOPBACK(&in6);
}

int address_resolve(const struct address *address, int passive, struct addrinfo **ret, struct complaint *c)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
		.ai_family = AF_UNSPEC,
		.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0)};
	int err = getaddrinfo(address->host, address->port, &hints, ret);

	if (err)
		return complain(c, -EHOSTUNREACH, "%s: %s", address->host, gai_strerror(err));
	return 0;
}
