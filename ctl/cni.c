/* SPDX-License-Identifier: BSD-2-Clause */
/* switchd-cni: a container runtime's request, carried out. */
#include "ctl/cni.h"

#include "ctl/cni_ipam.h"
#include "ctl/cni_link.h"
#include "ctl/cni_plan.h"
#include "ctl/cni_port.h"
#include "ctl/json.h"
#include "dataplane/complaint.h"
#include "dataplane/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONFIG (1U << 20)

static enum cni_code open_container(const struct cni_request *request, int *ret_fd, struct cni_error *error)
{
	int err = netns_open_path(request->env.netns, ret_fd);

	if (err == -ENOENT)
		return cni_fail(error, CNI_NO_CONTAINER, NULL, "CNI_NETNS: there is no %.200s", request->env.netns);
	if (err)
		return cni_fail(error, CNI_ENVIRONMENT, err == -EINVAL ? "something else is there" : strerror(-err),
			"CNI_NETNS: %.200s is no network namespace", request->env.netns);
	return CNI_OK;
}

/* ---- ADD ---- */

static void add_mac(struct json_object *interface, const uint8_t mac[6])
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	json_add_text(interface, "mac", text);
}

/* CNI 1.0.0, "Success": the host's end is interface 0, the container's is 1, and has the addresses. */
static void add_interfaces(const struct cni_request *request, const struct cni_link *link, struct json_object *result)
{
	struct json_object *list = json_add_array(result, "interfaces"), *interface = json_append_object(list);

	json_add_text(interface, "name", request->port);
	add_mac(interface, link->host_mac);
	interface = json_append_object(list);
	json_add_text(interface, "name", request->env.ifname);
	add_mac(interface, link->inside_mac);
	json_add_text(interface, "sandbox", request->env.netns);
}

static void add_prefix(struct json_object *object, const char *key, const struct cni_prefix *prefix, bool bare)
{
	char text[64];

	cni_prefix_format(prefix, text, sizeof(text));
	if (!bare && !strchr(text, '/')) /* a whole address has its length in a result */
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "/%u", prefix->length);
	json_add_text(object, key, text);
}

static void add_plan(const struct cni_request *request, const struct cni_plan *plan, struct json_object *result)
{
	struct json_object *ips = json_add_array(result, "ips"), *routes = json_add_array(result, "routes"), *one;

	for (unsigned i = 0; i < plan->n_ips; i++) {
		const struct cni_ip *ip = &plan->ips[i];

		one = json_append_object(ips);
		if (request->is_0_4)
			json_add_text(one, "version", ip->address.family == AF_INET ? "4" : "6");
		add_prefix(one, "address", &ip->address, false);
		if (ip->gateway.family)
			add_prefix(one, "gateway", &ip->gateway, true);
		json_add_number(one, "interface", 1);
	}
	for (unsigned i = 0; i < plan->n_routes; i++) {
		one = json_append_object(routes);
		add_prefix(one, "dst", &plan->routes[i].to, false);
		if (plan->routes[i].gateway.family)
			add_prefix(one, "gw", &plan->routes[i].gateway, true);
	}
}

/* The IPAM plugin's, unless it has none. */
static void add_dns(const struct cni_request *request, struct json_object *ipam, struct json_object *result)
{
	struct json_object *dns = NULL;

	if (!ipam || !json_object_object_get_ex(ipam, "dns", &dns) || !json_object_is_type(dns, json_type_object) ||
		!json_object_object_length(dns))
		dns = request->dns;
	json_object_object_add(result, "dns", dns ? json_object_get(dns) : json_object_new_object());
}

static struct json_object *describe(const struct cni_request *request, const struct cni_link *link,
	const struct cni_plan *plan, struct json_object *ipam)
{
	struct json_object *result = json_object_new_object();

	json_add_text(result, "cniVersion", request->version);
	add_interfaces(request, link, result);
	add_plan(request, plan, result);
	add_dns(request, ipam, result);
	return result;
}

static enum cni_code read_plan(
	const struct cni_request *request, struct json_object *ipam, struct cni_plan *plan, struct cni_error *error)
{
	char whose[100];
	enum cni_code code;

	snprintf(whose, sizeof(whose), "IPAM plugin %.60s", request->ipam);
	code = cni_plan_read(ipam, -1, whose, plan, error);
	if (!code && !plan->n_ips)
		code = cni_fail(error, CNI_IPAM, NULL, "%s: it gave no address", whose);
	return code;
}

/* Addresses last but for the port: until then no frame can leave the container. */
static enum cni_code add(const struct cni_request *request, struct json_object **ret, struct cni_error *error)
{
	static struct cni_plan plan;
	struct json_object *ipam = NULL;
	struct cni_link link;
	struct cni_port port;
	struct cni_error unheard;
	enum cni_code code;
	int netns_fd;

	code = open_container(request, &netns_fd, error);
	if (code)
		return code;
	code = cni_port_open(request, &port, error);
	if (code)
		goto close_netns;
	code = cni_link_make(request, netns_fd, &link, error);
	if (code)
		goto close_port;
	if (request->ipam) {
		code = cni_ipam_run(request, "ADD", &ipam, error);
		if (code)
			goto remove_link;
		code = read_plan(request, ipam, &plan, error);
	}
	if (!code)
		code = cni_link_configure(&link, netns_fd, &plan, error);
	if (!code)
		code = cni_port_add(request, &port, error);
	if (!code)
		*ret = describe(request, &link, &plan, ipam);
	else
		cni_port_undo(request, &port);
	if (code && request->ipam)
		cni_ipam_run(request, "DEL", NULL, &unheard);
	json_object_put(ipam);
remove_link:
	if (code)
		cni_link_remove(request->port, &unheard);
close_port:
	cni_port_close(&port);
close_netns:
	close(netns_fd);
	return code;
}

/* ---- DEL ---- */

static enum cni_code remove_port(const struct cni_request *request, struct cni_error *error)
{
	struct cni_port port;
	enum cni_code code = cni_port_open(request, &port, error);

	if (code == CNI_TRY_LATER && !cni_port_is_kept(request))
		return CNI_OK;
	if (!code)
		code = cni_port_remove(request, &port, error);
	cni_port_close(&port);
	return code;
}

/* All of it, whatever fails; the first failure is told. What is not there any more has been removed. */
static enum cni_code del(const struct cni_request *request, struct cni_error *error)
{
	struct cni_error errors[3];
	enum cni_code codes[3] = {CNI_OK};

	if (request->ipam)
		codes[0] = cni_ipam_run(request, "DEL", NULL, &errors[0]);
	codes[1] = remove_port(request, &errors[1]);
	codes[2] = cni_link_remove(request->port, &errors[2]);
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i]) {
			*error = errors[i];
			return codes[i];
		}
	}
	return CNI_OK;
}

/* ---- CHECK ---- */

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) && value ? json_object_get_string(value) : "";
}

/* Our interface in prevResult: its number, or -1. */
static int find_interface(const struct cni_request *request, struct json_object **ret)
{
	struct json_object *list, *one;

	if (!json_object_object_get_ex(request->prev, "interfaces", &list) ||
		!json_object_is_type(list, json_type_array))
		return -1;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		one = json_object_array_get_idx(list, i);
		if (json_object_is_type(one, json_type_object) && !strcmp(text_of(one, "name"), request->env.ifname) &&
			!strcmp(text_of(one, "sandbox"), request->env.netns)) {
			*ret = one;
			return (int)i;
		}
	}
	return -1;
}

static enum cni_code verify_link(const struct cni_request *request, int netns_fd, struct cni_error *error)
{
	static struct cni_plan plan;
	struct json_object *told, *is;
	struct cni_link link;
	enum cni_code code;
	int interface = find_interface(request, &told);

	if (interface < 0)
		return cni_fail(error, CNI_CONFIG, NULL, "prevResult.interfaces: there is no %s in %.200s",
			request->env.ifname, request->env.netns);
	code = cni_plan_read(request->prev, interface, "prevResult", &plan, error);
	if (code)
		return error->code = CNI_CONFIG;
	code = cni_link_verify(request, netns_fd, &plan, &link, error);
	if (code)
		return code;
	is = json_object_new_object();
	add_mac(is, link.inside_mac);
	if (strcasecmp(text_of(is, "mac"), text_of(told, "mac")) != 0)
		code = cni_fail(error, CNI_DAMAGED, NULL, "%s has the MAC %s, not %.40s", request->env.ifname,
			text_of(is, "mac"), text_of(told, "mac"));
	json_object_put(is);
	return code;
}

static enum cni_code verify_port(const struct cni_request *request, struct cni_error *error)
{
	struct cni_port port;
	enum cni_code code = cni_port_open(request, &port, error);

	if (!code)
		code = cni_port_verify(request, &port, error);
	cni_port_close(&port);
	return code;
}

static enum cni_code verify(const struct cni_request *request, struct cni_error *error)
{
	int netns_fd;
	enum cni_code code = open_container(request, &netns_fd, error);

	if (code)
		return code;
	code = verify_link(request, netns_fd, error);
	close(netns_fd);
	if (!code)
		code = verify_port(request, error);
	if (!code && request->ipam)
		code = cni_ipam_run(request, "CHECK", NULL, error);
	return code;
}

/* ---- the process ---- */

/* Standard input to its end. */
static enum cni_code read_config(char *text, size_t *ret_size, struct cni_error *error)
{
	size_t size = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, text + size, MAX_CONFIG - size)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cni_fail(error, CNI_IO, strerror(errno), "the network configuration cannot be read");
		size += (size_t)n;
		if (size == MAX_CONFIG)
			return cni_fail(
				error, CNI_IO, NULL, "the network configuration is longer than %u bytes", MAX_CONFIG);
	}
	*ret_size = size;
	return CNI_OK;
}

static enum cni_code serve(const struct cni_request *request, struct json_object **ret, struct cni_error *error)
{
	switch (request->command) {
	case CNI_ADD:
		return add(request, ret, error);
	case CNI_DEL:
		return del(request, error);
	case CNI_CHECK:
		return verify(request, error);
	case CNI_SAY_VERSION:
		*ret = cni_versions_object(request->version);
	}
	return CNI_OK;
}

static int print(struct json_object *object)
{
	int failed = 0;

	if (object) {
		printf("%s\n", json_object_to_json_string_ext(
				       object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
		failed = fflush(stdout) || ferror(stdout);
	}
	json_object_put(object);
	return failed;
}

int main(void)
{
	static char text[MAX_CONFIG];
	const struct cni_env env = {.command = getenv("CNI_COMMAND"),
		.container_id = getenv("CNI_CONTAINERID"),
		.netns = getenv("CNI_NETNS"),
		.ifname = getenv("CNI_IFNAME"),
		.path = getenv("CNI_PATH"),
		.args = getenv("CNI_ARGS")};
	struct cni_request request = {.version = CNI_DEFAULT_VERSION};
	struct json_object *result = NULL;
	struct cni_error error = {0};
	enum cni_code code;
	size_t size = 0;

	signal(SIGPIPE, SIG_IGN);
	code = env.command && env.command[0] ? read_config(text, &size, &error) : CNI_OK;
	if (!code)
		code = cni_request_read(&env, text, size, &request, &error);
	if (!code)
		code = serve(&request, &result, &error);
	if (code)
		result = cni_error_object(&error, request.version);
	if (print(result) && !code)
		code = CNI_IO;
	cni_request_release(&request);
	return code ? EXIT_FAILURE : EXIT_SUCCESS;
}
