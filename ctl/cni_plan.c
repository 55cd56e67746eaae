/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/cni_plan.h"

#include "ctl/json.h"
#include "ctl/value.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* ---- prefixes ---- */

static uint8_t bits_of(int family)
{
	return family == AF_INET ? 32 : 128;
}

bool cni_prefix_parse(const char *text, bool bare, struct cni_prefix *ret)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct cni_prefix prefix = {0};
	char address[INET6_ADDRSTRLEN];
	uint64_t length;

	if (n >= sizeof(address) || bare != !slash)
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	if (inet_pton(AF_INET, address, prefix.bytes) == 1)
		prefix.family = AF_INET;
	else if (inet_pton(AF_INET6, address, prefix.bytes) == 1)
		prefix.family = AF_INET6;
	else
		return false;
	length = bits_of(prefix.family);
	if (slash && (!value_number(slash + 1, &length) || length > bits_of(prefix.family)))
		return false;
	prefix.length = (uint8_t)length;
	*ret = prefix;
	return true;
}

void cni_prefix_format(const struct cni_prefix *prefix, char *text, size_t size)
{
	char address[INET6_ADDRSTRLEN] = "";

	inet_ntop(prefix->family, prefix->bytes, address, sizeof(address));
	if (prefix->length == bits_of(prefix->family))
		snprintf(text, size, "%s", address);
	else
		snprintf(text, size, "%s/%u", address, prefix->length);
}

/* ---- results ---- */

/* Absent or null: an empty one. False: it is there, and no array. */
static bool list_of(struct json_object *in, const char *key, struct json_object **ret, size_t *ret_n)
{
	*ret = NULL;
	*ret_n = 0;
	if (!json_object_object_get_ex(in, key, ret) || !*ret)
		return true;
	if (!json_object_is_type(*ret, json_type_array))
		return false;
	*ret_n = json_object_array_length(*ret);
	return true;
}

/* Absent or null: *ret stays. False: it is there, and no prefix. */
static bool take_prefix(struct json_object *in, const char *key, bool bare, struct cni_prefix *ret)
{
	struct json_object *value;

	if (!json_object_object_get_ex(in, key, &value) || !value)
		return true;
	return json_object_is_type(value, json_type_string) &&
	       cni_prefix_parse(json_object_get_string(value), bare, ret);
}

static bool is_of(struct json_object *ip, int interface)
{
	struct json_object *value;

	return interface < 0 || !json_object_object_get_ex(ip, "interface", &value) || !value ||
	       json_object_get_int(value) == interface;
}

static enum cni_code read_ips(
	struct json_object *result, int interface, const char *whose, struct cni_plan *plan, struct cni_error *error)
{
	struct json_object *list, *element;
	size_t n;

	if (!list_of(result, "ips", &list, &n) || n > CNI_MAX_IPS)
		return cni_fail(error, CNI_IPAM, NULL, "%s: ips: no list of at most %d", whose, CNI_MAX_IPS);
	for (size_t i = 0; i < n; i++) {
		struct cni_ip *ip = &plan->ips[plan->n_ips];

		element = json_object_array_get_idx(list, i);
		if (!json_object_is_type(element, json_type_object) ||
			!take_prefix(element, "address", false, &ip->address) || !ip->address.family)
			return cni_fail(
				error, CNI_IPAM, NULL, "%s: ips[%zu].address: no address with its length", whose, i);
		if (!take_prefix(element, "gateway", true, &ip->gateway))
			return cni_fail(error, CNI_IPAM, NULL, "%s: ips[%zu].gateway: no address", whose, i);
		if (is_of(element, interface))
			plan->n_ips++;
		else
			*ip = (struct cni_ip){0};
	}
	return CNI_OK;
}

static void take_gateway(const struct cni_plan *plan, struct cni_route *route)
{
	for (unsigned i = 0; i < plan->n_ips && !route->gateway.family; i++) {
		if (plan->ips[i].gateway.family == route->to.family)
			route->gateway = plan->ips[i].gateway;
	}
}

static enum cni_code read_routes(
	struct json_object *result, const char *whose, struct cni_plan *plan, struct cni_error *error)
{
	struct json_object *list, *element;
	size_t n;

	if (!list_of(result, "routes", &list, &n) || n > CNI_MAX_ROUTES)
		return cni_fail(error, CNI_IPAM, NULL, "%s: routes: no list of at most %d", whose, CNI_MAX_ROUTES);
	for (size_t i = 0; i < n; i++) {
		struct cni_route *route = &plan->routes[plan->n_routes++];

		element = json_object_array_get_idx(list, i);
		if (!json_object_is_type(element, json_type_object) ||
			!take_prefix(element, "dst", false, &route->to) || !route->to.family)
			return cni_fail(error, CNI_IPAM, NULL, "%s: routes[%zu].dst: no prefix", whose, i);
		if (!take_prefix(element, "gw", true, &route->gateway) ||
			(route->gateway.family && route->gateway.family != route->to.family))
			return cni_fail(
				error, CNI_IPAM, NULL, "%s: routes[%zu].gw: no address of dst's family", whose, i);
		take_gateway(plan, route);
	}
	return CNI_OK;
}

enum cni_code cni_plan_read(
	struct json_object *result, int interface, const char *whose, struct cni_plan *ret, struct cni_error *error)
{
	enum cni_code code;

	*ret = (struct cni_plan){0};
	code = read_ips(result, interface, whose, ret, error);
	return code ? code : read_routes(result, whose, ret, error);
}
