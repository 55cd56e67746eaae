/* SPDX-License-Identifier: BSD-2-Clause */
/* cni.h and cni_plan.h: what a runtime says is understood whole or refused by the name of what is wrong. */
#include "ctl/cni.h"
#include "ctl/cni_plan.h"
#include "ctl/json.h"

#include "tests/unit/suite.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <string.h>

static const struct cni_env add_env = {.command = "ADD",
	.container_id = "c0ffee",
	.netns = "/run/netns/blue",
	.ifname = "eth0",
	.path = "/opt/cni/bin"};

static struct cni_request request;
static struct cni_error error;

static enum cni_code read_of(const struct cni_env *env, const char *text)
{
	error = (struct cni_error){0};
	return cni_request_read(env, text, strlen(text), &request, &error);
}

/* A configuration that is right but for what `fields` adds. */
static enum cni_code read_fields(const char *fields)
{
	static char text[2000];

	snprintf(text, sizeof(text),
		"{\"cniVersion\": \"1.0.0\", \"name\": \"net\", \"type\": \"switchd-cni\", \"bridge\": \"br0\"%s%s}",
		*fields ? ", " : "", fields);
	return read_of(&add_env, text);
}

static void says(enum cni_code code, enum cni_code wanted, const char *part)
{
	ck_assert_msg(code == wanted && error.code == wanted && strstr(error.msg, part), "code %d: %s (not %d, %s)",
		code, error.msg, wanted, part);
	cni_request_release(&request);
}

START_TEST(a_configuration_is_understood)
{
	char vlan[100];

	ck_assert_int_eq(
		read_fields(
			"\"createBridge\": true, \"trunk\": \"10,20-29\", \"nativeVlan\": 7, \"mtu\": 9000,"
			"\"runDir\": \"/run/lab\", \"runtimeConfig\": {\"mac\": \"02:00:00:00:00:07\", \"ips\": []},"
			"\"capabilities\": {\"mac\": true}, \"args\": {\"cni\": {}}, \"disableCheck\": false,"
			"\"ipam\": {\"type\": \"host-local\"}, \"dns\": {\"nameservers\": [\"10.1.0.1\"]}"),
		CNI_OK);
	ck_assert_int_eq(request.command, CNI_ADD);
	ck_assert_str_eq(request.network, "net");
	ck_assert_str_eq(request.bridge, "br0");
	ck_assert(request.create_bridge && !request.is_0_4);
	vlan_format(&request.vlan, vlan, sizeof(vlan));
	ck_assert_str_eq(vlan, "trunk 10,20-29 native 7");
	ck_assert_uint_eq(request.mtu, 9000);
	ck_assert(request.has_mac && request.mac[5] == 7);
	ck_assert_str_eq(request.target.run_dir, "/run/lab");
	ck_assert_str_eq(request.ipam, "host-local");
	ck_assert_ptr_nonnull(request.dns);
	cni_request_release(&request);
}
END_TEST

START_TEST(what_is_left_out_has_its_default)
{
	ck_assert_int_eq(read_fields(""), CNI_OK);
	ck_assert(!request.create_bridge && !request.has_mac && !request.mtu && !request.ipam);
	ck_assert_int_eq(request.vlan.mode, VLAN_OPEN);
	ck_assert_str_eq(request.target.run_dir, "/run/switchd");
	ck_assert_ptr_null(request.target.connect);
	ck_assert_str_eq(request.target.ca, "/etc/switchd/pki/ca.crt");
	cni_request_release(&request);
}
END_TEST

/* What is added to a right configuration, and what the error then names. */
static const struct {
	const char *fields;
	enum cni_code code;
	const char *named;
} faults[] = {
	{"\"vlna\": 10", CNI_UNSUPPORTED, "vlna: 10"},
	{"\"ipMasq\": true", CNI_UNSUPPORTED, "ipMasq: true"},
	{"\"vlan\": 0", CNI_CONFIG, "vlan:"},
	{"\"vlan\": 4095", CNI_CONFIG, "vlan:"},
	{"\"vlan\": \"10\"", CNI_CONFIG, "vlan:"},
	{"\"vlan\": 10.5", CNI_CONFIG, "vlan:"},
	{"\"vlan\": 10, \"trunk\": \"20\"", CNI_CONFIG, "vlan, trunk:"},
	{"\"trunk\": \"20-10\"", CNI_CONFIG, "trunk:"},
	{"\"trunk\": \"10 native 5\"", CNI_CONFIG, "trunk:"},
	{"\"trunk\": [10]", CNI_CONFIG, "trunk:"},
	{"\"nativeVlan\": 10", CNI_CONFIG, "nativeVlan:"},
	{"\"mtu\": 67", CNI_CONFIG, "mtu:"},
	{"\"mtu\": 65536", CNI_CONFIG, "mtu:"},
	{"\"mtu\": -1", CNI_CONFIG, "mtu:"},
	{"\"createBridge\": 1", CNI_CONFIG, "createBridge:"},
	{"\"bridge\": \"\"", CNI_CONFIG, "bridge:"},
	{"\"bridge\": null", CNI_CONFIG, "bridge:"},
	{"\"bridge\": \"br0 x\"", CNI_CONFIG, "bridge:"},
	{"\"bridge\": \"br0\\nbridge del br1\"", CNI_CONFIG, "bridge:"},
	{"\"bridge\": \"br0\\u0000\"", CNI_CONFIG, "bridge:"},
	{"\"name\": \"-x\"", CNI_CONFIG, "name:"},
	{"\"name\": \"a b\"", CNI_CONFIG, "name:"},
	{"\"runDir\": 5", CNI_CONFIG, "runDir:"},
	{"\"runtimeConfig\": []", CNI_CONFIG, "runtimeConfig:"},
	{"\"runtimeConfig\": {\"mac\": \"x\"}", CNI_CONFIG, "runtimeConfig.mac:"},
	{"\"runtimeConfig\": {\"mac\": \"01:00:00:00:00:01\"}", CNI_CONFIG, "runtimeConfig.mac:"},
	{"\"runtimeConfig\": {\"mac\": \"00:00:00:00:00:00\"}", CNI_CONFIG, "runtimeConfig.mac:"},
	{"\"ipam\": \"host-local\"", CNI_CONFIG, "ipam:"},
	{"\"ipam\": {\"subnet\": \"10.1.0.0/24\"}", CNI_CONFIG, "ipam.type:"},
	{"\"ipam\": {\"type\": \"../sh\"}", CNI_CONFIG, "ipam.type:"},
	{"\"ipam\": {\"type\": \"..\"}", CNI_CONFIG, "ipam.type:"},
	{"\"dns\": []", CNI_CONFIG, "dns:"},
	{"\"prevResult\": {}", CNI_CONFIG, "prevResult:"},
	{"\"cniVersion\": \"1.1.0\"", CNI_VERSION, "cniVersion: 1.1.0"},
	{"\"cniVersion\": \"0.2.0\"", CNI_VERSION, "cniVersion: 0.2.0"},
	{"\"cniVersion\": null", CNI_VERSION, "cniVersion: none"},
	{"\"cniVersion\": 1", CNI_CONFIG, "cniVersion:"},
};

START_TEST(a_field_that_is_wrong_is_named)
{
	says(read_fields(faults[_i].fields), faults[_i].code, faults[_i].named);
}
END_TEST

static const struct {
	struct cni_env env;
	const char *named;
} bad_envs[] = {
	{{NULL, "c", "/n", "eth0", "/p", NULL}, "CNI_COMMAND"},
	{{"", "c", "/n", "eth0", "/p", NULL}, "CNI_COMMAND"},
	{{"GC", "c", "/n", "eth0", "/p", NULL}, "CNI_COMMAND is GC"},
	{{"STATUS", "c", "/n", "eth0", "/p", NULL}, "CNI_COMMAND is STATUS"},
	{{"ADD", NULL, "/n", "eth0", "/p", NULL}, "CNI_CONTAINERID"},
	{{"DEL", "", "/n", "eth0", "/p", NULL}, "CNI_CONTAINERID"},
	{{"ADD", "../c", "/n", "eth0", "/p", NULL}, "CNI_CONTAINERID"},
	{{"ADD", "c", "", "eth0", "/p", NULL}, "CNI_NETNS"},
	{{"CHECK", "c", NULL, "eth0", "/p", NULL}, "CNI_NETNS"},
	{{"ADD", "c", "/n", NULL, "/p", NULL}, "CNI_IFNAME"},
	{{"ADD", "c", "/n", "a/b", "/p", NULL}, "CNI_IFNAME"},
	{{"ADD", "c", "/n", "sixteen-letters-", "/p", NULL}, "CNI_IFNAME"},
	{{"ADD", "c", "/n", "eth0", NULL, NULL}, "CNI_PATH"},
	{{"ADD", "c", "/n", "eth0", "/p", "MAC"}, "CNI_ARGS"},
	{{"ADD", "c", "/n", "eth0", "/p", "A=1;B"}, "CNI_ARGS"},
	{{"ADD", "c", "/n", "eth0", "/p", "A=1;MAC=02:00"}, "CNI_ARGS: MAC: 02:00"},
	{{"ADD", "c", "/n", "eth0", "/p", "MAC=ff:ff:ff:ff:ff:ff"}, "CNI_ARGS: MAC:"},
};

START_TEST(a_variable_that_is_wrong_is_named)
{
	says(read_of(&bad_envs[_i].env, "{\"cniVersion\": \"1.0.0\", \"name\": \"net\", \"bridge\": \"br0\", \"ipam\": "
					"{\"type\": \"x\"}}"),
		CNI_ENVIRONMENT, bad_envs[_i].named);
}
END_TEST

START_TEST(a_mac_may_come_by_the_arguments)
{
	static const char config[] = "{\"cniVersion\": \"1.0.0\", \"name\": \"net\", \"bridge\": \"br0\"%s}";
	struct cni_env env = add_env;
	char text[200];

	env.args = "IgnoreUnknown=1;MAC=02:00:00:00:00:08;K8S_POD_NAME=a-name-that-is-longer-than-what-is-looked-at-of-"
		   "a-pair;";
	snprintf(text, sizeof(text), config, "");
	ck_assert_int_eq(read_of(&env, text), CNI_OK);
	ck_assert(request.has_mac && request.mac[5] == 8);
	cni_request_release(&request);
	snprintf(text, sizeof(text), config, ", \"runtimeConfig\": {\"mac\": \"02:00:00:00:00:07\"}");
	ck_assert_int_eq(read_of(&env, text), CNI_OK);
	ck_assert(request.has_mac && request.mac[5] == 7);
	cni_request_release(&request);
}
END_TEST

START_TEST(a_del_needs_no_namespace_and_a_check_a_result)
{
	struct cni_env env = add_env;

	env.command = "DEL";
	env.netns = NULL;
	ck_assert_int_eq(read_of(&env, "{\"cniVersion\": \"0.4.0\", \"name\": \"net\", \"bridge\": \"br0\"}"), CNI_OK);
	ck_assert(request.is_0_4);
	cni_request_release(&request);
	env = add_env;
	env.command = "CHECK";
	says(read_of(&env, "{\"cniVersion\": \"1.0.0\", \"name\": \"net\", \"bridge\": \"br0\"}"), CNI_CONFIG,
		"prevResult:");
}
END_TEST

static const char *const no_objects[] = {"", "{", "[]", "null", "5", "{} {}", "{\"cniVersion\": }", "x"};

START_TEST(what_is_not_one_object_is_refused)
{
	says(read_of(&add_env, no_objects[_i]), CNI_NOT_JSON, "JSON");
}
END_TEST

START_TEST(every_truncation_is_refused)
{
	static const char whole[] = "{\"cniVersion\": \"1.0.0\", \"name\": \"net\", \"bridge\": \"br0\", \"vlan\": 10}";

	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		error = (struct cni_error){0};
		ck_assert_int_eq(cni_request_read(&add_env, whole, n, &request, &error), CNI_NOT_JSON);
		cni_request_release(&request);
	}
}
END_TEST

START_TEST(the_versions_are_told_to_whatever_version_asks)
{
	struct cni_env env = {.command = "VERSION"};
	struct json_object *said;

	ck_assert_int_eq(read_of(&env, "{\"cniVersion\": \"1.1.0\"}"), CNI_OK);
	ck_assert_int_eq(request.command, CNI_SAY_VERSION);
	said = cni_versions_object(request.version);
	ck_assert_str_eq(json_object_to_json_string_ext(said, JSON_C_TO_STRING_PLAIN),
		"{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.4.0\",\"1.0.0\"]}");
	json_object_put(said);
	cni_request_release(&request);
}
END_TEST

START_TEST(an_error_is_told_in_the_runtimes_version)
{
	struct json_object *said;

	cni_fail(&error, CNI_TRY_LATER, "why", "what %d", 5);
	said = cni_error_object(&error, "0.4.0");
	ck_assert_str_eq(json_object_to_json_string_ext(said, JSON_C_TO_STRING_PLAIN),
		"{\"cniVersion\":\"0.4.0\",\"code\":11,\"msg\":\"what 5\",\"details\":\"why\"}");
	json_object_put(said);
}
END_TEST

/* P2 */
START_TEST(a_port_is_named_by_all_three_and_nothing_else)
{
	char name[SW_NAME_SIZE], other[SW_NAME_SIZE];
	const char *const others[][3] = {{"neu", "c", "eth0"}, {"net", "d", "eth0"}, {"net", "c", "eth1"},
		{"ne", "tc", "eth0"}, {"net", "ce", "th0"}};

	cni_port_name("net", "c", "eth0", name);
	cni_port_name("net", "c", "eth0", other);
	ck_assert_str_eq(name, other);
	ck_assert_uint_eq(strlen(name), SW_NAME_SIZE - 1);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		cni_port_name(others[i][0], others[i][1], others[i][2], other);
		ck_assert_str_ne(name, other);
	}
}
END_TEST

static const struct {
	const char *text;
	bool bare, right;
} prefixes[] = {{"10.1.0.2/24", false, true}, {"0.0.0.0/0", false, true}, {"fd00::2/128", false, true},
	{"::/0", false, true}, {"10.1.0.1", true, true}, {"fe80::1", true, true}, {"10.1.0.2", false, false},
	{"10.1.0.2/24", true, false}, {"10.1.0.2/33", false, false}, {"fd00::2/129", false, false},
	{"10.1.0.2/", false, false}, {"10.1.0.2/-1", false, false}, {"10.1.0/24", false, false}, {"", true, false},
	{"x/24", false, false}, {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa/64", false, false}};

START_TEST(prefixes_are_read_and_printed)
{
	struct cni_prefix prefix = {0};
	char text[64];

	ck_assert(cni_prefix_parse(prefixes[_i].text, prefixes[_i].bare, &prefix) == prefixes[_i].right);
	if (!prefixes[_i].right)
		return;
	cni_prefix_format(&prefix, text, sizeof(text));
	ck_assert(!strncmp(prefixes[_i].text, text, strlen(text)));
}
END_TEST

static enum cni_code plan_of(const char *text, int interface, struct cni_plan *ret)
{
	struct json_object *result = json_tokener_parse(text);
	enum cni_code code = cni_plan_read(result, interface, "x", ret, &error);

	ck_assert_ptr_nonnull(result);
	json_object_put(result);
	return code;
}

START_TEST(a_plan_has_its_interfaces_addresses_and_a_gateway_for_each_route)
{
	static struct cni_plan plan;
	char text[64];

	ck_assert_int_eq(plan_of("{\"ips\": [{\"address\": \"10.9.0.2/24\", \"interface\": 0},"
				 "{\"address\": \"10.1.0.2/24\", \"gateway\": \"10.1.0.1\", \"interface\": 1},"
				 "{\"address\": \"fd00::2/64\"}],"
				 "\"routes\": [{\"dst\": \"0.0.0.0/0\"}, {\"dst\": \"::/0\"},"
				 "{\"dst\": \"10.7.0.0/16\", \"gw\": \"10.1.0.9\"}]}",
				 1, &plan),
		CNI_OK);
	ck_assert_uint_eq(plan.n_ips, 2);
	cni_prefix_format(&plan.ips[0].address, text, sizeof(text));
	ck_assert_str_eq(text, "10.1.0.2/24");
	ck_assert_int_eq(plan.ips[1].address.family, AF_INET6);
	ck_assert_int_eq(plan.ips[1].gateway.family, 0);
	ck_assert_uint_eq(plan.n_routes, 3);
	cni_prefix_format(&plan.routes[0].gateway, text, sizeof(text));
	ck_assert_str_eq(text, "10.1.0.1");
	ck_assert_int_eq(plan.routes[1].gateway.family, 0);
	cni_prefix_format(&plan.routes[2].gateway, text, sizeof(text));
	ck_assert_str_eq(text, "10.1.0.9");
}
END_TEST

static const struct {
	const char *text, *named;
} bad_plans[] = {
	{"{\"ips\": {}}", "x: ips:"},
	{"{\"ips\": [5]}", "ips[0].address:"},
	{"{\"ips\": [{}]}", "ips[0].address:"},
	{"{\"ips\": [{\"address\": \"10.1.0.2\"}]}", "ips[0].address:"},
	{"{\"ips\": [{\"address\": 7}]}", "ips[0].address:"},
	{"{\"ips\": [{\"address\": \"10.1.0.2/24\", \"gateway\": \"x\"}]}", "ips[0].gateway:"},
	{"{\"routes\": 5}", "x: routes:"},
	{"{\"routes\": [{\"gw\": \"10.1.0.1\"}]}", "routes[0].dst:"},
	{"{\"routes\": [{\"dst\": \"::/0\", \"gw\": \"10.1.0.1\"}]}", "routes[0].gw:"},
};

START_TEST(a_plan_that_is_wrong_is_refused_by_name)
{
	static struct cni_plan plan;

	says(plan_of(bad_plans[_i].text, -1, &plan), CNI_IPAM, bad_plans[_i].named);
}
END_TEST

START_TEST(a_plan_that_is_too_long_is_refused)
{
	static struct cni_plan plan;
	struct json_object *result = json_object_new_object(), *list = json_add_array(result, "routes");

	for (int i = 0; i < CNI_MAX_ROUTES; i++)
		json_add_text(json_append_object(list), "dst", "10.0.0.0/8");
	ck_assert_int_eq(cni_plan_read(result, -1, "x", &plan, &error), CNI_OK);
	json_add_text(json_append_object(list), "dst", "10.0.0.0/8");
	says(cni_plan_read(result, -1, "x", &plan, &error), CNI_IPAM, "routes:");
	json_object_put(result);
}
END_TEST

#define N(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("cni");
	TCase *tc = tcase_create("cni");

	tcase_add_test(tc, a_configuration_is_understood);
	tcase_add_test(tc, what_is_left_out_has_its_default);
	tcase_add_loop_test(tc, a_field_that_is_wrong_is_named, 0, N(faults));
	tcase_add_loop_test(tc, a_variable_that_is_wrong_is_named, 0, N(bad_envs));
	tcase_add_test(tc, a_mac_may_come_by_the_arguments);
	tcase_add_test(tc, a_del_needs_no_namespace_and_a_check_a_result);
	tcase_add_loop_test(tc, what_is_not_one_object_is_refused, 0, N(no_objects));
	tcase_add_test(tc, every_truncation_is_refused);
	tcase_add_test(tc, the_versions_are_told_to_whatever_version_asks);
	tcase_add_test(tc, an_error_is_told_in_the_runtimes_version);
	tcase_add_test(tc, a_port_is_named_by_all_three_and_nothing_else);
	tcase_add_loop_test(tc, prefixes_are_read_and_printed, 0, N(prefixes));
	tcase_add_test(tc, a_plan_has_its_interfaces_addresses_and_a_gateway_for_each_route);
	tcase_add_loop_test(tc, a_plan_that_is_wrong_is_refused_by_name, 0, N(bad_plans));
	tcase_add_test(tc, a_plan_that_is_too_long_is_refused);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
