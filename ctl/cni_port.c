/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/cni_port.h"

#include "ctl/json.h"
#include "ctl/statement.h"
#include "ctl/words.h"
#include "dataplane/complaint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define LOCK_PATH "/run/switchd-cni.lock"
#define UP_MS     10000 /* that a port may take to come up */
#define LOOK_MS   20

enum cni_code cni_port_open(const struct cni_request *request, struct cni_port *ret, struct cni_error *error)
{
	struct complaint c;
	int err;

	*ret = (struct cni_port){.lock_fd = -1};
	err = client_open(&request->target, &ret->client, &c);
	if (err == -EINVAL)
		return cni_fail(error, CNI_CONFIG, c.text, "runDir, connect, cert, key, ca: they lead to no daemon");
	return err ? cni_fail(error, CNI_TRY_LATER, c.text, "switchd does not answer") : CNI_OK;
}

void cni_port_close(struct cni_port *port)
{
	client_close(port->client);
	if (port->lock_fd >= 0)
		close(port->lock_fd);
	*port = (struct cni_port){.lock_fd = -1};
}

/* ---- asking ---- */

static enum cni_code ask(struct cni_port *port, struct json_object **ret, struct cni_error *error, const char *format,
	...) __attribute__((format(printf, 4, 5)));

/* *ret (may be NULL): the result, for the caller to put. CNI_REFUSED: the daemon said no, and the details say why. */
static enum cni_code ask(
	struct cni_port *port, struct json_object **ret, struct cni_error *error, const char *format, ...)
{
	static char line[WORDS_LINE_SIZE + 1];
	struct json_object *reply, *value;
	enum cni_code code = CNI_OK;
	struct complaint c;
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (client_ask(port->client, line, NULL, NULL, &reply, &c))
		return cni_fail(error, CNI_TRY_LATER, c.text, "switchd went away");
	if (!json_object_object_get_ex(reply, "ok", &value) || !json_object_get_boolean(value)) {
		json_object_object_get_ex(reply, "error", &value);
		code = cni_fail(error, CNI_REFUSED, value ? json_object_get_string(value) : NULL,
			"switchd refused: %.200s", line);
	} else if (ret) {
		json_object_object_get_ex(reply, "result", ret);
		json_object_get(*ret);
	}
	json_object_put(reply);
	return code;
}

struct shown {
	char bridge[SW_NAME_SIZE], state[16], vlan[STATEMENT_SIZE], reason[400];
};

static void copy_member(struct json_object *object, const char *key, char *ret, size_t size)
{
	struct json_object *value;

	snprintf(ret, size, "%s",
		json_object_object_get_ex(object, key, &value) && value ? json_object_get_string(value) : "");
}

/* False: there is no such port, or `error` has another code than CNI_OK. */
static bool show(const struct cni_request *request, struct cni_port *port, struct shown *ret, struct cni_error *error)
{
	struct json_object *result, *ports, *one = NULL;
	enum cni_code code = ask(port, &result, error, "port show");

	error->code = code;
	*ret = (struct shown){0};
	if (code)
		return false;
	json_object_object_get_ex(result, "ports", &ports);
	for (size_t i = 0; ports && i < json_object_array_length(ports) && !one; i++) {
		char name[64];

		one = json_object_array_get_idx(ports, i);
		copy_member(one, "name", name, sizeof(name));
		if (strcmp(name, request->port) != 0)
			one = NULL;
	}
	if (one) {
		copy_member(one, "bridge", ret->bridge, sizeof(ret->bridge));
		copy_member(one, "state", ret->state, sizeof(ret->state));
		copy_member(one, "vlan", ret->vlan, sizeof(ret->vlan));
		copy_member(one, "reason", ret->reason, sizeof(ret->reason));
	}
	json_object_put(result);
	return one;
}

/* ---- adding ---- */

static enum cni_code find_bridge(
	const struct cni_request *request, struct cni_port *port, bool *ret_found, struct cni_error *error)
{
	struct json_object *result, *bridges, *one;
	enum cni_code code = ask(port, &result, error, "bridge show");
	char name[64];

	if (code)
		return code;
	*ret_found = false;
	json_object_object_get_ex(result, "bridges", &bridges);
	for (size_t i = 0; bridges && i < json_object_array_length(bridges); i++) {
		one = json_object_array_get_idx(bridges, i);
		copy_member(one, "name", name, sizeof(name));
		*ret_found |= !strcmp(name, request->bridge);
	}
	json_object_put(result);
	return CNI_OK;
}

static enum cni_code ensure_bridge(const struct cni_request *request, struct cni_port *port, struct cni_error *error)
{
	enum cni_code code;
	bool found;

	if (request->create_bridge) {
		port->lock_fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (port->lock_fd < 0 || flock(port->lock_fd, LOCK_EX))
			return cni_fail(error, CNI_IO, strerror(errno), "%s cannot be locked", LOCK_PATH);
	}
	code = find_bridge(request, port, &found, error);
	if (code || found)
		return code;
	if (!request->create_bridge)
		return cni_fail(error, CNI_REFUSED, "make it (switchctl bridge add), or say createBridge: true",
			"bridge: switchd has no bridge %s", request->bridge);
	code = ask(port, NULL, error, "bridge add %s", request->bridge);
	port->made_bridge = !code;
	return code;
}

static enum cni_code wait_until_up(const struct cni_request *request, struct cni_port *port, struct cni_error *error)
{
	const struct timespec a_while = {.tv_nsec = LOOK_MS * 1000000L};
	struct shown shown;

	for (int waited_ms = 0; waited_ms < UP_MS; waited_ms += LOOK_MS) {
		if (!show(request, port, &shown, error) && error->code)
			return error->code;
		if (!strcmp(shown.state, "up"))
			return CNI_OK;
		if (!strcmp(shown.state, "refused"))
			break;
		nanosleep(&a_while, NULL);
	}
	return cni_fail(error, CNI_REFUSED, shown.reason, "port %s does not come up: it is %s", request->port,
		shown.state[0] ? shown.state : "gone");
}

static enum cni_code add_port(const struct cni_request *request, struct cni_port *port, struct cni_error *error)
{
	char vlan[STATEMENT_SIZE];
	bool open = request->vlan.mode == VLAN_OPEN;

	vlan_format(&request->vlan, vlan, sizeof(vlan));
	return ask(port, NULL, error, "port add %s %s%s%s", request->bridge, request->port, open ? "" : " vlan ",
		open ? "" : vlan);
}

enum cni_code cni_port_add(const struct cni_request *request, struct cni_port *port, struct cni_error *error)
{
	enum cni_code code = ensure_bridge(request, port, error);

	if (code)
		return code;
	code = add_port(request, port, error);
	if (code)
		return code;
	port->added = true;
	return wait_until_up(request, port, error);
}

/* ---- removing ---- */

static bool is_empty(const struct cni_request *request, struct cni_port *port)
{
	struct json_object *result, *ports;
	struct cni_error unheard;
	bool empty;

	if (ask(port, &result, &unheard, "port show %s", request->bridge))
		return false;
	empty = json_object_object_get_ex(result, "ports", &ports) && !json_object_array_length(ports);
	json_object_put(result);
	return empty;
}

void cni_port_undo(const struct cni_request *request, struct cni_port *port)
{
	struct cni_error unheard;

	if (port->added)
		ask(port, NULL, &unheard, "port del %s %s", request->bridge, request->port);
	if (port->made_bridge && is_empty(request, port))
		ask(port, NULL, &unheard, "bridge del %s", request->bridge);
	port->added = port->made_bridge = false;
}

enum cni_code cni_port_remove(const struct cni_request *request, struct cni_port *port, struct cni_error *error)
{
	struct cni_error why;
	struct shown shown;
	enum cni_code code;

	if (!show(request, port, &shown, error))
		return error->code;
	code = ask(port, NULL, &why, "port del %s %s", shown.bridge, request->port);
	if (!code || !show(request, port, &shown, error)) /* another DEL may have been faster */
		return CNI_OK;
	*error = why;
	return code;
}

bool cni_port_is_kept(const struct cni_request *request)
{
	char path[PATH_MAX], line[512];
	bool found = false;
	FILE *in;

	if (request->target.connect)
		return true; /* what that daemon keeps cannot be seen from here */
	if (snprintf(path, sizeof(path), "%s/running.conf", request->target.run_dir) >= (int)sizeof(path))
		return true;
	in = fopen(path, "re");
	if (!in)
		return errno != ENOENT;
	while (!found && fgets(line, sizeof(line), in))
		found = strstr(line, request->port);
	fclose(in);
	return found;
}

/* ---- verifying ---- */

enum cni_code cni_port_verify(const struct cni_request *request, struct cni_port *port, struct cni_error *error)
{
	char vlan[STATEMENT_SIZE];
	struct shown shown;

	if (!show(request, port, &shown, error))
		return error->code ? error->code
				   : cni_fail(error, CNI_DAMAGED, NULL, "switchd has no port %s", request->port);
	if (strcmp(shown.bridge, request->bridge) != 0)
		return cni_fail(error, CNI_DAMAGED, NULL, "port %s is on bridge %s, not on %s", request->port,
			shown.bridge, request->bridge);
	vlan_format(&request->vlan, vlan, sizeof(vlan));
	if (strcmp(shown.vlan, vlan) != 0)
		return cni_fail(
			error, CNI_DAMAGED, NULL, "port %s has vlan %.80s, not %.80s", request->port, shown.vlan, vlan);
	if (strcmp(shown.state, "up") != 0)
		return cni_fail(error, CNI_DAMAGED, shown.reason, "port %s is %s, not up", request->port, shown.state);
	return CNI_OK;
}
