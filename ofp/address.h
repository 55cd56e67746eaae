/* SPDX-License-Identifier: BSD-2-Clause */
/* address.h - "tls:HOST:PORT", taken apart. HOST is a name, an IPv4 address, or an IPv6 address in brackets. */
#ifndef OFP_ADDRESS_H
#define OFP_ADDRESS_H

#include <stdbool.h>

struct addrinfo;
struct complaint;

#define ADDRESS_SIZE 300 /* longest text, its end counted */

struct address {
	bool tls;
	char host[256]; /* without brackets */
	char port[8];
};

/* Takes tls: alone, or with `bare` tcp: too. -EINVAL: the complaint says what is missing. */
int address_parse(const char *text, bool bare, struct address *ret, struct complaint *c);

/* HOST is an IP address: resolving it asks nobody. */
bool address_is_numeric(const struct address *address);
/* HOST is an IP address that only this host has: 127.0.0.0/8 or ::1. */
bool address_is_loopback(const struct address *address);

/* getaddrinfo() for TCP; `passive` to listen. The caller frees with freeaddrinfo(). -EHOSTUNREACH with a complaint. */
int address_resolve(const struct address *address, int passive, struct addrinfo **ret, struct complaint *c);

#endif
