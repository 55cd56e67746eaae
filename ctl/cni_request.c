/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/cni.h"

#include "ctl/json.h"
#include "ctl/value.h"
#include "dataplane/complaint.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_RUN_DIR "/run/switchd"
#define DEFAULT_PKI     "/etc/switchd/pki"
#define LEAST_MTU       68 /* RFC 791 */
#define MOST_MTU        65535

static const char *const versions[] = {"0.4.0", "1.0.0"};

/* ---- errors ---- */

enum cni_code cni_fail(struct cni_error *error, enum cni_code code, const char *details, const char *format, ...)
{
	va_list args;

	error->code = code;
	snprintf(error->details, sizeof(error->details), "%s", details ? details : "");
	va_start(args, format);
	vsnprintf(error->msg, sizeof(error->msg), format, args);
	va_end(args);
	return code;
}

struct json_object *cni_error_object(const struct cni_error *error, const char *version)
{
	struct json_object *object = json_object_new_object();

	json_add_text(object, "cniVersion", version);
	json_add_number(object, "code", error->code);
	json_add_text(object, "msg", error->msg);
	if (error->details[0])
		json_add_text(object, "details", error->details);
	return object;
}

struct json_object *cni_versions_object(const char *version)
{
	struct json_object *object = json_object_new_object(), *list;

	json_add_text(object, "cniVersion", version);
	list = json_add_array(object, "supportedVersions");
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		json_object_array_add(list, json_object_new_string(versions[i]));
	return object;
}

/* ---- the environment ---- */

static bool is_given(const char *text)
{
	return text && text[0];
}

/* CNI 1.0.0: a network's name and a container's id begin with a letter or digit, then also have _ . and -. */
static bool is_id(const char *text)
{
	if (!isalnum((unsigned char)text[0]))
		return false;
	for (; *text; text++) {
		if (!isalnum((unsigned char)*text) && !strchr("_.-", *text))
			return false;
	}
	return true;
}

static enum cni_code read_command(const char *text, enum cni_command *ret, struct cni_error *error)
{
	static const char *const names[] = {
		[CNI_ADD] = "ADD", [CNI_DEL] = "DEL", [CNI_CHECK] = "CHECK", [CNI_SAY_VERSION] = "VERSION"};

	if (!is_given(text))
		return cni_fail(error, CNI_ENVIRONMENT, "a container runtime starts this program; see switchd-cni(8)",
			"CNI_COMMAND is not set");
	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++) {
		if (!strcmp(text, names[i])) {
			*ret = (enum cni_command)i;
			return CNI_OK;
		}
	}
	return cni_fail(error, CNI_ENVIRONMENT, "GC and STATUS are of CNI 1.1, which is not spoken here",
		"CNI_COMMAND is %.40s, which is none of ADD, DEL, CHECK, VERSION", text);
}

static enum cni_code missing(struct cni_error *error, const char *name, const char *command)
{
	return cni_fail(error, CNI_ENVIRONMENT, NULL, "%s is not set, and %s needs it", name, command);
}

/* A DEL may come for a container whose namespace is gone, and then has no path of it. */
static enum cni_code check_env(const struct cni_env *env, enum cni_command command, struct cni_error *error)
{
	if (!is_given(env->container_id))
		return missing(error, "CNI_CONTAINERID", env->command);
	if (!is_id(env->container_id))
		return cni_fail(error, CNI_ENVIRONMENT, "letters, digits, and behind the first also _ . -",
			"CNI_CONTAINERID is no container's id: %.80s", env->container_id);
	if (!is_given(env->ifname))
		return missing(error, "CNI_IFNAME", env->command);
	if (!value_is_name(env->ifname))
		return cni_fail(error, CNI_ENVIRONMENT, "1 to 15 letters, digits, and _ . -",
			"CNI_IFNAME is no name for an interface: %.80s", env->ifname);
	if (command != CNI_DEL && !is_given(env->netns))
		return missing(error, "CNI_NETNS", env->command);
	return CNI_OK;
}

/* FNV-1a, of 64 bits; what is left of it in a name, 48, is enough for as many containers as a host has. */
static uint64_t add_to_digest(uint64_t digest, const char *text)
{
	for (size_t i = 0; i <= strlen(text); i++)
		digest = (digest ^ (uint8_t)text[i]) * 0x100000001b3ULL;
	return digest;
}

void cni_port_name(const char *network, const char *container_id, const char *ifname, char ret[static SW_NAME_SIZE])
{
	uint64_t digest = 0xcbf29ce484222325ULL;

	digest = add_to_digest(digest, network);
	digest = add_to_digest(digest, container_id);
	digest = add_to_digest(digest, ifname);
	snprintf(ret, SW_NAME_SIZE, "cni%012llx", (unsigned long long)((digest ^ digest >> 48) & 0xffffffffffffULL));
}

/* ---- fields ---- */

static enum cni_code not_a(struct cni_error *error, const char *key, const char *what)
{
	return cni_fail(error, CNI_CONFIG, NULL, "%s: it must be %s", key, what);
}

/* *ret stays as it is where there is none, or null. */
static enum cni_code get_text(struct json_object *in, const char *key, const char **ret, struct cni_error *error)
{
	struct json_object *value;

	if (!json_object_object_get_ex(in, key, &value) || !value)
		return CNI_OK;
	if (!json_object_is_type(value, json_type_string) || !json_object_get_string_len(value) ||
		strlen(json_object_get_string(value)) != (size_t)json_object_get_string_len(value))
		return not_a(error, key, "a string, and not empty");
	*ret = json_object_get_string(value);
	return CNI_OK;
}

static enum cni_code get_object(
	struct json_object *in, const char *key, struct json_object **ret, struct cni_error *error)
{
	struct json_object *value;

	if (!json_object_object_get_ex(in, key, &value) || !value)
		return CNI_OK;
	if (!json_object_is_type(value, json_type_object))
		return not_a(error, key, "an object");
	*ret = value;
	return CNI_OK;
}

static enum cni_code get_bool(struct json_object *in, const char *key, bool *ret, struct cni_error *error)
{
	struct json_object *value;

	if (!json_object_object_get_ex(in, key, &value) || !value)
		return CNI_OK;
	if (!json_object_is_type(value, json_type_boolean))
		return not_a(error, key, "true or false");
	*ret = json_object_get_boolean(value);
	return CNI_OK;
}

static enum cni_code get_number(
	struct json_object *in, const char *key, int64_t least, int64_t most, uint32_t *ret, struct cni_error *error)
{
	struct json_object *value;
	int64_t number;

	if (!json_object_object_get_ex(in, key, &value) || !value)
		return CNI_OK;
	number = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : least - 1;
	if (number < least || number > most)
		return cni_fail(error, CNI_CONFIG, NULL, "%s: it must be a number from %lld to %lld", key,
			(long long)least, (long long)most);
	*ret = (uint32_t)number;
	return CNI_OK;
}

/* P1. Those of the specification that are not ours go to the IPAM plugin with the rest, or are the runtime's own. */
static enum cni_code refuse_unknown(struct json_object *config, struct cni_error *error)
{
	static const char *const known[] = {"cniVersion", "name", "type", "args", "ipam", "dns", "capabilities",
		"runtimeConfig", "prevResult", "disableCheck", "bridge", "createBridge", "vlan", "trunk", "nativeVlan",
		"mtu", "runDir", "connect", "cert", "key", "ca"};

	json_object_object_foreach(config, key, value)
	{
		size_t i = 0;

		while (i < sizeof(known) / sizeof(known[0]) && strcmp(key, known[i]) != 0)
			i++;
		if (i == sizeof(known) / sizeof(known[0]))
			return cni_fail(error, CNI_UNSUPPORTED, "switchd-cni(8) has the list of fields",
				"unsupported field: %.80s: %.200s", key,
				value ? json_object_to_json_string(value) : "null");
	}
	return CNI_OK;
}

/* ---- what they mean ---- */

static enum cni_code read_version(struct cni_request *request, struct cni_error *error)
{
	const char *version = NULL;
	enum cni_code code = get_text(request->config, "cniVersion", &version, error);

	if (code)
		return code;
	for (size_t i = 0; version && i < sizeof(versions) / sizeof(versions[0]); i++) {
		if (!strcmp(version, versions[i])) {
			request->version = version;
			request->is_0_4 = i == 0;
			return CNI_OK;
		}
	}
	return cni_fail(error, CNI_VERSION, "supported are 0.4.0 and 1.0.0", "cniVersion: %s is not supported",
		version ? version : "none, which stands for 0.2.0,");
}

static enum cni_code read_network(struct cni_request *request, struct cni_error *error)
{
	enum cni_code code = get_text(request->config, "name", &request->network, error);

	if (code)
		return code;
	if (!request->network || !is_id(request->network))
		return not_a(error, "name", "given: letters, digits, and behind the first also _ . -");
	return CNI_OK;
}

static enum cni_code read_target(struct cni_request *request, struct cni_error *error)
{
	struct client_target *target = &request->target;
	const struct {
		const char *key, **value, *otherwise;
	} rows[] = {{"runDir", &target->run_dir, DEFAULT_RUN_DIR}, {"connect", &target->connect, NULL},
		{"cert", &target->cert, DEFAULT_PKI "/client.crt"}, {"key", &target->key, DEFAULT_PKI "/client.key"},
		{"ca", &target->ca, DEFAULT_PKI "/ca.crt"}};
	enum cni_code code = CNI_OK;

	for (size_t i = 0; !code && i < sizeof(rows) / sizeof(rows[0]); i++) {
		*rows[i].value = rows[i].otherwise;
		code = get_text(request->config, rows[i].key, rows[i].value, error);
	}
	return code;
}

static enum cni_code read_bridge(struct cni_request *request, struct cni_error *error)
{
	enum cni_code code = get_text(request->config, "bridge", &request->bridge, error);

	if (!code)
		code = get_bool(request->config, "createBridge", &request->create_bridge, error);
	if (code)
		return code;
	if (!request->bridge || !value_is_name(request->bridge))
		return not_a(error, "bridge", "given: a bridge's name, 1 to 15 letters, digits, and _ . -");
	return CNI_OK;
}

static enum cni_code read_vlan(struct cni_request *request, struct cni_error *error)
{
	const char *trunk = NULL, *words[4];
	uint32_t access = 0, native = 0;
	char number[16];
	size_t n = 0;
	struct complaint c;
	enum cni_code code = get_number(request->config, "vlan", 1, 4094, &access, error);

	if (!code)
		code = get_number(request->config, "nativeVlan", 1, 4094, &native, error);
	if (!code)
		code = get_text(request->config, "trunk", &trunk, error);
	if (code)
		return code;
	if (access && trunk)
		return cni_fail(error, CNI_CONFIG, NULL, "vlan, trunk: a port has one of the two");
	if (native && !trunk)
		return cni_fail(error, CNI_CONFIG, NULL, "nativeVlan: it is for a port that has a trunk");
	if (!access && !trunk)
		return CNI_OK;
	snprintf(number, sizeof(number), "%u", access ? access : native);
	words[n++] = access ? "access" : "trunk";
	words[n++] = access ? number : trunk;
	if (native) {
		words[n++] = "native";
		words[n++] = number;
	}
	if (vlan_parse(words, n, &request->vlan, &c))
		return cni_fail(error, CNI_CONFIG, c.text, "%s: it is none", access ? "vlan" : "trunk");
	return CNI_OK;
}

static bool is_station(const char *text, uint8_t ret[6])
{
	static const uint8_t none[6];

	return value_mac(text, ret) && !(ret[0] & 1) && memcmp(ret, none, sizeof(none)) != 0;
}

/* CNI_ARGS: KEY=VALUE;KEY=VALUE. Podman says the MAC there; the other keys are somebody else's. */
static enum cni_code read_args(struct cni_request *request, struct cni_error *error)
{
	const char *at = request->env.args ? request->env.args : "", *end;
	char pair[64];

	for (; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, ';');
		if (end != at && !memchr(at, '=', (size_t)(end - at)))
			return cni_fail(error, CNI_ENVIRONMENT, NULL, "CNI_ARGS: it must be KEY=VALUE;KEY=VALUE");
		snprintf(pair, sizeof(pair), "%.*s", (int)(end - at), at);
		if (strncmp(pair, "MAC=", 4) != 0)
			continue;
		if (!is_station(pair + 4, request->mac))
			return cni_fail(
				error, CNI_ENVIRONMENT, NULL, "CNI_ARGS: MAC: %s is no unicast address", pair + 4);
		request->has_mac = true;
	}
	return CNI_OK;
}

/* What the runtime says by its capability comes before CNI_ARGS, which the specification calls deprecated. */
static enum cni_code read_mac(struct cni_request *request, struct cni_error *error)
{
	struct json_object *runtime = NULL;
	const char *mac = NULL;
	enum cni_code code = read_args(request, error);

	if (!code)
		code = get_object(request->config, "runtimeConfig", &runtime, error);
	if (!code && runtime)
		code = get_text(runtime, "mac", &mac, error);
	if (code || !mac)
		return code;
	if (!is_station(mac, request->mac))
		return not_a(error, "runtimeConfig.mac", "a unicast address, aa:bb:cc:dd:ee:ff");
	request->has_mac = true;
	return CNI_OK;
}

/* A type is a program's name below CNI_PATH, and no way out of it. */
static enum cni_code read_ipam(struct cni_request *request, struct cni_error *error)
{
	struct json_object *ipam = NULL;
	enum cni_code code = get_object(request->config, "ipam", &ipam, error);

	if (code || !ipam || !json_object_object_length(ipam))
		return code;
	code = get_text(ipam, "type", &request->ipam, error);
	if (code)
		return code;
	if (!request->ipam || strchr(request->ipam, '/') || request->ipam[0] == '.')
		return not_a(error, "ipam.type", "given: the name of an IPAM plugin, without a path");
	return is_given(request->env.path) ? CNI_OK : missing(error, "CNI_PATH", "a network with ipam");
}

static enum cni_code read_previous(struct cni_request *request, struct cni_error *error)
{
	enum cni_code code = get_object(request->config, "prevResult", &request->prev, error);

	if (code)
		return code;
	if (request->command == CNI_ADD && request->prev)
		return cni_fail(error, CNI_CONFIG, NULL,
			"prevResult: this plugin makes the interface, and so must be the first of its list");
	if (request->command == CNI_CHECK && !request->prev)
		return cni_fail(error, CNI_CONFIG, NULL, "prevResult: CHECK needs it");
	return CNI_OK;
}

static enum cni_code read_fields(struct cni_request *request, struct cni_error *error)
{
	static enum cni_code (*const readers[])(struct cni_request *, struct cni_error *) = {
		read_network, read_target, read_bridge, read_vlan, read_mac, read_ipam, read_previous};
	enum cni_code code = refuse_unknown(request->config, error);

	if (!code)
		code = get_number(request->config, "mtu", LEAST_MTU, MOST_MTU, &request->mtu, error);
	if (!code)
		code = get_object(request->config, "dns", &request->dns, error);
	for (size_t i = 0; !code && i < sizeof(readers) / sizeof(readers[0]); i++)
		code = readers[i](request, error);
	return code;
}

/* One object, and nothing behind it. */
static enum cni_code read_object(struct cni_request *request, struct cni_error *error)
{
	struct json_tokener *tokener = json_tokener_new();
	enum json_tokener_error problem;
	size_t end;

	if (!tokener)
		return cni_fail(error, CNI_IO, NULL, "out of memory");
	request->config = json_tokener_parse_ex(tokener, request->text, (int)request->size);
	problem = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	while (end < request->size && isspace((unsigned char)request->text[end]))
		end++;
	if (problem != json_tokener_success)
		return cni_fail(error, CNI_NOT_JSON,
			problem == json_tokener_continue ? "it ends too early" : json_tokener_error_desc(problem),
			"the network configuration is not JSON (at byte %zu)", end);
	if (end < request->size || !json_object_is_type(request->config, json_type_object))
		return cni_fail(error, CNI_NOT_JSON, NULL, "the network configuration is not one JSON object");
	return CNI_OK;
}

enum cni_code cni_request_read(
	const struct cni_env *env, const char *text, size_t size, struct cni_request *ret, struct cni_error *error)
{
	enum cni_code code;

	*ret = (struct cni_request){.env = *env, .text = text, .size = size, .version = CNI_DEFAULT_VERSION};
	code = read_command(env->command, &ret->command, error);
	if (!code)
		code = read_object(ret, error);
	if (!code && ret->command == CNI_SAY_VERSION) /* to whatever version asks */
		return get_text(ret->config, "cniVersion", &ret->version, error);
	if (!code)
		code = read_version(ret, error);
	if (!code)
		code = check_env(env, ret->command, error);
	if (!code)
		code = read_fields(ret, error);
	if (!code)
		cni_port_name(ret->network, env->container_id, env->ifname, ret->port);
	return code;
}

void cni_request_release(struct cni_request *request)
{
	json_object_put(request->config);
	request->config = NULL;
}
