/* SPDX-License-Identifier: BSD-2-Clause */
/* address.h - "tls:HOST:PORT", taken apart. HOST is a name, an IPv4 address, or an IPv6 address in brackets. */
#ifndef CTL_ADDRESS_H
#define CTL_ADDRESS_H

struct addrinfo;
struct complaint;

struct address {
	char host[256]; /* without brackets */
	char port[8];
};

/* -EINVAL: the complaint says what is missing. */
int address_parse(const char *text, struct address *ret, struct complaint *c);

/* getaddrinfo() for TCP; `passive` to listen. The caller frees with freeaddrinfo(). -EHOSTUNREACH with a complaint. */
int address_resolve(const struct address *address, int passive, struct addrinfo **ret, struct complaint *c);

#endif
