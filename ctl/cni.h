/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cni.h - what a container runtime asks of switchd-cni, and how it is told that it cannot be.
 *
 * What: a CNI plugin (https://www.cni.dev/docs/spec/, versions 0.4.0 and 1.0.0) is a program that is started for each
 * request: the command and the container stand in environment variables, the network's configuration on standard input,
 * the result or the error goes to standard output as JSON. This one joins the container to a bridge of a running
 * switchd by a veth pair. A request is read here, whole, before anything is done (cni_request_read()).
 *
 * Why a program of its own, and not a word of switchctl: the runtime starts it by the name of the network's `type`,
 * with no arguments.
 *
 * Invariants
 * P1 A key of the configuration that is not known is refused: a `vlan` that is misspelt would join the container to
 *    every VLAN.
 * P2 The names of the port and of the host's end of the pair are one, made of network, container and interface alone,
 * so that a DEL finds them with nothing written down. P3 An ADD that fails takes away what it made, and nothing that
 * another ADD made.
 *
 * Ownership: a request owns its JSON and its text; what points into them lasts as long.
 */
#ifndef CTL_CNI_H
#define CTL_CNI_H

#include "bpf/abi.h"
#include "ctl/client.h"
#include "dataplane/vlan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

/* CNI 1.0.0, "Error": those below 100 are the specification's. */
enum cni_code {
	CNI_OK = 0,
	CNI_VERSION = 1,      /* a version that we do not speak */
	CNI_UNSUPPORTED = 2,  /* a field that we do not know */
	CNI_NO_CONTAINER = 3, /* its namespace is gone: nothing is to be cleaned up */
	CNI_ENVIRONMENT = 4,
	CNI_IO = 5,
	CNI_NOT_JSON = 6,
	CNI_CONFIG = 7,
	CNI_TRY_LATER = 11, /* no daemon answers */
	CNI_REFUSED = 100,  /* by switchd */
	CNI_DEVICE = 101,   /* by the kernel */
	CNI_IPAM = 102,     /* the IPAM plugin could not be run, or said what nobody understands */
	CNI_DAMAGED = 103,  /* CHECK: it is not as ADD left it */
};

struct cni_error {
	enum cni_code code;
	char msg[600];
	char details[600]; /* "": none */
};

/* Fills `error` and returns `code`. `details` may be NULL. */
enum cni_code cni_fail(struct cni_error *error, enum cni_code code, const char *details, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

enum cni_command { CNI_ADD, CNI_DEL, CNI_CHECK, CNI_SAY_VERSION };

/* The environment's variables; NULL or "": not given. */
struct cni_env {
	const char *command, *container_id, *netns, *ifname, *path, *args;
};

struct cni_request {
	enum cni_command command;
	struct cni_env env;
	char port[SW_NAME_SIZE]; /* P2 */

	const char *text; /* the configuration as it came; borrowed */
	size_t size;
	struct json_object *config;
	const char *version, *network;
	bool is_0_4;

	struct client_target target;
	const char *bridge;
	bool create_bridge;
	struct vlan_config vlan;
	uint32_t mtu; /* 0: the kernel's */
	bool has_mac;
	uint8_t mac[6];
	const char *ipam;         /* its type; NULL: no addresses */
	struct json_object *dns;  /* or NULL */
	struct json_object *prev; /* prevResult, or NULL */
};

#define CNI_DEFAULT_VERSION "1.0.0" /* of answers to what has none that can be read */

/* Of `text` and `env`, both borrowed. On failure `ret` holds what was understood, and is to be released as well. */
enum cni_code cni_request_read(
	const struct cni_env *env, const char *text, size_t size, struct cni_request *ret, struct cni_error *error);
void cni_request_release(struct cni_request *request);

/* The port of an attachment (P2). */
void cni_port_name(const char *network, const char *container_id, const char *ifname, char ret[static SW_NAME_SIZE]);

/* For the runtime; the caller puts it. */
struct json_object *cni_error_object(const struct cni_error *error, const char *version);
struct json_object *cni_versions_object(const char *version);

#endif
