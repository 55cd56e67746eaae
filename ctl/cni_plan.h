/* SPDX-License-Identifier: BSD-2-Clause */
/* cni_plan.h - the addresses and routes of an interface, read out of a CNI result: an IPAM plugin's, or one of ours. */
#ifndef CTL_CNI_PLAN_H
#define CTL_CNI_PLAN_H

#include "ctl/cni.h"

#define CNI_MAX_IPS    32
#define CNI_MAX_ROUTES 256

struct cni_prefix {
	int family; /* AF_INET, AF_INET6; 0: none */
	uint8_t bytes[16];
	uint8_t length; /* in bits */
};

struct cni_ip {
	struct cni_prefix address, gateway; /* the gateway's length is that of an address */
};

struct cni_route {
	struct cni_prefix to, gateway; /* no gateway: it is on the link */
};

struct cni_plan {
	unsigned n_ips, n_routes;
	struct cni_ip ips[CNI_MAX_IPS];
	struct cni_route routes[CNI_MAX_ROUTES];
};

/* "10.1.0.2/24"; without the length where `bare`. */
bool cni_prefix_parse(const char *text, bool bare, struct cni_prefix *ret);
void cni_prefix_format(const struct cni_prefix *prefix, char *text, size_t size);

/*
 * The addresses of the result's interface number `interface`, and those that are of none; -1: all. A route without a
 * gateway takes that of an address of its family. `whose` begins the message of an error, whose code is CNI_IPAM.
 */
enum cni_code cni_plan_read(
	struct json_object *result, int interface, const char *whose, struct cni_plan *ret, struct cni_error *error);

#endif
