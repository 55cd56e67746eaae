/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of ports that are refused half way. Devices are real, the datapath is in memory and can be told to refuse. */
#include "dataplane/port_manager.h"

#include "dataplane/complaint.h"
#include "dataplane/datapath.h"
#include "dataplane/dp_memory.h"
#include "dataplane/fdb.h"
#include "dataplane/pipeline.h"
#include "dataplane/reactor.h"
#include "dataplane/registry.h"
#include "dataplane/sets.h"
#include "tests/unit/sandbox.h"

/* ---- a reactor in which nothing ever happens ---- */

static char something;

static struct reactor_watch *watch(void *ctx, int fd, void (*ready)(void *arg), void *arg)
{
	return (struct reactor_watch *)&something;
}

static struct reactor_timer *timer(void *ctx, void (*fire)(void *arg), void *arg)
{
	return (struct reactor_timer *)&something;
}

static void unwatch(void *ctx, struct reactor_watch *w)
{
}

static void arm(void *ctx, struct reactor_timer *t, uint64_t after_ms)
{
}

static void disarm(void *ctx, struct reactor_timer *t)
{
}

static uint64_t now_ns(void *ctx)
{
	return now_us() * 1000;
}

static const struct reactor reactor = {.watch = watch,
	.unwatch = unwatch,
	.timer = timer,
	.arm = arm,
	.disarm = disarm,
	.timer_free = disarm,
	.now_ns = now_ns};

/* ---- a datapath that can refuse ---- */

static const struct datapath_ops *real;
static struct datapath_ops ops;
static int n_refusals_of_put, n_refusals_of_attach; /* to come */
static struct dp_port there;                        /* ifindex 0: none */
static bool attached;
static enum dp_mode mode;
static int n_attached;
static int n_spread_in_generic; /* times that a port was attached so */

static int port_put(struct datapath *dp, const struct dp_port *port, struct complaint *c)
{
	there = *port;
	if (n_refusals_of_put && n_refusals_of_put--) /* half way */
		return complain(c, -ENOMEM, "no room");
	return real->port_put(dp, port, c);
}

static void port_remove(struct datapath *dp, uint16_t id)
{
	there.ifindex = 0;
	attached = false;
	real->port_remove(dp, id);
}

static int attach(struct datapath *dp, uint16_t id, const enum dp_mode *want, enum dp_mode *ret_mode, char *why,
	size_t why_size, struct complaint *c)
{
	ck_assert_uint_ne(there.ifindex, 0);
	why[0] = '\0';
	if (n_refusals_of_attach && n_refusals_of_attach--)
		return complain(c, -EOPNOTSUPP, "the driver says no");
	attached = true;
	n_attached++;
	mode = *ret_mode = want ? *want : DP_MODE_NATIVE;
	n_spread_in_generic += mode == DP_MODE_GENERIC && !cpu_list_is_empty(&there.cpus);
	if (mode == DP_MODE_GENERIC)
		snprintf(why, why_size, "generic mode was asked for");
	return 0;
}

/* ---- a switch of one port ---- */

static struct datapath *dp;
static struct fdb *fdb;
static struct pipeline *pl;
static struct sets *sets;
static struct port_manager *pm;
static int n_flushed;
static enum port_hook_wish hook_wish = PORT_HOOK_XDP; /* who chooses for itself has two tries at being attached */

static void unsettled(void *ctx)
{
}

static void fdb_changed(void *ctx, const struct fdb_key *key)
{
	n_flushed++;
}

static void open_switch(void)
{
	struct dp_events events = {.ctx = NULL};
	struct fdb_events fdb_events = {.changed = fdb_changed};
	struct port_manager_parts parts = {.reactor = &reactor, .unsettled = unsettled};
	struct fdb_storage storage;
	struct complaint c = {""};
	uint16_t id;

	dp = dp_memory_create(64, &events);
	real = dp->ops;
	ops = *real;
	ops.port_put = port_put;
	ops.port_remove = port_remove;
	ops.attach = attach;
	dp->ops = &ops;
	storage = (struct fdb_storage){
		dp->memory.fdb, dp->memory.fdb_times, dp->memory.config->seed, &dp->memory.config->epoch};
	fdb = fdb_create(&storage, SW_MAX_FDB, &fdb_events);
	pl = pipeline_create(fdb);
	sets = sets_create(dp);
	ck_assert_int_eq(pipeline_bridge_add(pl, "br0", 1, &id, NULL), 0);
	parts.dp = dp;
	parts.pl = pl;
	parts.fdb = fdb;
	parts.sets = sets;
	ck_assert_msg(port_manager_create(&parts, &pm, &c) == 0, "%s", c.text);
}

static void close_switch(void)
{
	port_manager_destroy(pm, true);
	sets_destroy(sets);
	pipeline_destroy(pl);
	fdb_destroy(fdb);
	dp->ops = real;
	real->destroy(dp, true);
}

static struct port_config wish(const char *vlan)
{
	const char *words[] = {"access", vlan};
	struct complaint c = {""};
	struct port_config config;

	port_config_init(&config, "br0", "p1");
	config.hook = hook_wish;
	if (vlan)
		ck_assert_msg(vlan_parse(words, 2, &config.vlan, &c) == 0, "%s", c.text);
	return config;
}

static void add_port(void)
{
	struct port_config config = wish(NULL);
	struct complaint c = {""};

	run("ip link add p1 type veth peer name c1; ip link set c1 up; ip link set p1 up");
	open_switch();
	ck_assert_msg(port_manager_add(pm, &config, &c) == 0, "%s", c.text);
	fdb_set_limit(fdb, 1, FDB_DEFAULT_LIMIT);
	ck_assert_int_eq(fdb_learn(fdb, &(struct fdb_key){.bridge = 1, .mac = {2, 0, 0, 0, 0, 1}}, 1, 1), FDB_NEW);
	n_flushed = 0;
}

static struct port_status status(void)
{
	struct port_status ret;

	ck_assert_int_eq(port_manager_status(pm, "p1", &ret), 0);
	return ret;
}

/* What there was before is there after. */
static void check_unchanged(const struct port_config *config, const struct port_status *before)
{
	struct port_status after = status();

	ck_assert(memcmp(port_manager_config(pm, "p1"), config, sizeof(*config)) == 0);
	ck_assert_int_eq(memcmp(&pipeline_port(pl, 1)->vlan, &config->vlan, sizeof(config->vlan)), 0);
	ck_assert_msg(memcmp(&after, before, sizeof(after)) == 0, "phase %d, reason '%s'", after.phase, after.reason);
	ck_assert_uint_eq(there.ifindex, before->ifindex);
	ck_assert_uint_eq(there.untagged_vid, vlan_untagged(&config->vlan));
	ck_assert_uint_eq(there.miss_rate, config->upcall_rate);
	ck_assert(attached && mode == before->mode);
	ck_assert_int_eq(n_flushed, 0);
}

static void check_refused(struct port_config *config, unsigned which, const char *says)
{
	struct port_config had = *port_manager_config(pm, "p1");
	struct port_status before = status();
	struct complaint c = {""};

	ck_assert_int_lt(port_manager_set(pm, config, which, &c), 0);
	ck_assert_msg(strstr(c.text, says) != NULL, "said: %s", c.text);
	check_unchanged(&had, &before);
}

/* ---- the tests ---- */

START_TEST(mode_that_preflight_refuses_changes_nothing)
{
	struct port_config config = wish("7");

	add_port();
	config.mode = PORT_MODE_OFFLOAD;
	check_refused(&config, PORT_SET_MODE | PORT_SET_VLAN, "hardware");
	close_switch();
}
END_TEST

START_TEST(mode_that_the_kernel_refuses_changes_nothing)
{
	struct port_config config = wish("7");

	add_port();
	config.mode = PORT_MODE_GENERIC;
	config.upcall_rate = 7;
	n_refusals_of_attach = 1;
	check_refused(&config, PORT_SET_MODE | PORT_SET_VLAN | PORT_SET_UPCALLS, "the driver says no");
	n_refusals_of_put = 1;
	check_refused(&config, PORT_SET_MODE | PORT_SET_VLAN | PORT_SET_UPCALLS, "no room");
	close_switch();
}
END_TEST

START_TEST(setting_that_the_datapath_refuses_changes_nothing)
{
	struct port_config config = wish("7");

	add_port();
	config.upcall_rate = 7;
	n_refusals_of_put = 1;
	check_refused(&config, PORT_SET_VLAN | PORT_SET_UPCALLS, "no room");
	close_switch();
}
END_TEST

START_TEST(change_of_mode_keeps_what_was_learned)
{
	struct port_config config = wish("7");
	struct complaint c = {""};

	add_port();
	config.mode = PORT_MODE_GENERIC;
	ck_assert_msg(port_manager_set(pm, &config, PORT_SET_MODE, &c) == 0, "%s", c.text);
	ck_assert(attached && mode == DP_MODE_GENERIC && status().mode == DP_MODE_GENERIC);
	ck_assert_str_eq(status().reason, "generic mode was asked for");
	ck_assert_int_eq(port_manager_config(pm, "p1")->mode, PORT_MODE_GENERIC);
	ck_assert_int_eq(port_manager_config(pm, "p1")->vlan.mode, VLAN_OPEN);
	ck_assert(status().phase == PORT_UP && n_flushed == 0);
	close_switch();
}
END_TEST

/* Neither the new mode nor the old one: then the port is refused, and says why, and keeps the configuration it had. */
START_TEST(port_that_cannot_go_back_is_refused)
{
	struct port_config config = wish(NULL);
	struct complaint c = {""};

	add_port();
	config.mode = PORT_MODE_GENERIC;
	n_refusals_of_attach = 2;
	ck_assert_int_lt(port_manager_set(pm, &config, PORT_SET_MODE, &c), 0);
	ck_assert_int_eq(status().phase, PORT_REFUSED);
	ck_assert_str_eq(status().reason, "the driver says no");
	ck_assert_int_eq(port_manager_config(pm, "p1")->mode, PORT_MODE_AUTO);
	ck_assert(!attached && there.ifindex == 0 && !pipeline_port(pl, 1)->up);
	ck_assert_msg(port_manager_set(pm, &config, PORT_SET_MODE, &c) == 0, "%s", c.text); /* tries again */
	ck_assert(attached && status().phase == PORT_UP);
	close_switch();
}
END_TEST

static struct port_config wish_cpus(const char *cpus)
{
	struct port_config config = wish(NULL);
	struct complaint c = {""};

	ck_assert_msg(cpu_list_parse(cpus, SW_MAX_SPREAD, &config.cpus, &c) == 0, "%s", c.text);
	return config;
}

START_TEST(cpus_reach_the_datapath_and_leave_it)
{
	struct port_config config = wish_cpus("0");
	struct port_status after;
	struct complaint c = {""};

	add_port();
	ck_assert_msg(port_manager_set(pm, &config, PORT_SET_CPUS, &c) == 0, "%s", c.text);
	ck_assert_uint_eq(there.cpus.bits[0], 1);
	ck_assert_uint_eq(status().cpus.bits[0], 1);
	config = wish_cpus("none");
	ck_assert_int_eq(port_manager_set(pm, &config, PORT_SET_CPUS, &c), 0);
	after = status();
	ck_assert(cpu_list_is_empty(&there.cpus) && cpu_list_is_empty(&after.cpus));
	close_switch();
}
END_TEST

START_TEST(cpus_that_are_not_there_are_refused)
{
	struct port_config config = wish_cpus("0,1023");

	add_port();
	check_refused(&config, PORT_SET_CPUS, "CPU 1023 is not there: this machine has 0");
	close_switch();
}
END_TEST

/* A configuration from elsewhere: the port has those that are there. */
START_TEST(cpus_of_a_file_are_those_that_are_there)
{
	struct port_config config = wish_cpus("0,1022-1023");
	struct complaint c = {""};

	run("ip link add p1 type veth peer name c1; ip link set c1 up; ip link set p1 up");
	open_switch();
	ck_assert_int_lt(port_manager_add(pm, &config, &c), 0);
	ck_assert_msg(strstr(c.text, "CPUs 1022-1023 are not there") != NULL, "said: %s", c.text);
	config.patient = true;
	ck_assert_int_eq(port_manager_add(pm, &config, &c), 0);
	ck_assert_int_eq(status().phase, PORT_UP);
	ck_assert_uint_eq(there.cpus.bits[0], 1);
	ck_assert(strstr(status().cpus_why, "CPUs 1022-1023 are not there") != NULL);
	ck_assert(cpu_list_same(&port_manager_config(pm, "p1")->cpus, &config.cpus));
	close_switch();
}
END_TEST

START_TEST(cpus_of_a_file_are_taken_by_a_port_that_is_there_too)
{
	struct port_config config = wish_cpus("0,1023");
	struct complaint c = {""};

	add_port();
	config.patient = true;
	ck_assert_msg(port_manager_set(pm, &config, PORT_SET_CPUS, &c) == 0, "%s", c.text);
	ck_assert_uint_eq(there.cpus.bits[0], 1);
	ck_assert(strstr(status().cpus_why, "CPU 1023 is not there") != NULL);
	ck_assert(cpu_list_same(&port_manager_config(pm, "p1")->cpus, &config.cpus));
	config.patient = false;
	check_refused(&config, PORT_SET_CPUS, "CPU 1023 is not there: this machine has 0");
	config.mode = PORT_MODE_GENERIC;
	config.patient = true;
	ck_assert_msg(port_manager_set(pm, &config, PORT_SET_CPUS | PORT_SET_MODE, &c) == 0, "%s", c.text);
	ck_assert(strstr(status().cpus_why, "from Linux 6.15 on") != NULL);
	close_switch();
}
END_TEST

/* Before Linux 6.15: its frames would get past the switch. */
START_TEST(port_in_generic_mode_is_spread_only_by_kernels_that_can)
{
	struct port_config config = wish_cpus("0");
	struct complaint c = {""};

	add_port();
	config.mode = PORT_MODE_GENERIC;
	ck_assert_int_eq(port_manager_set(pm, &config, PORT_SET_MODE, &c), 0);
	check_refused(&config, PORT_SET_CPUS, "from Linux 6.15 on");
	dp_memory_spread_skbs(dp, true);
	ck_assert_int_eq(port_manager_set(pm, &config, PORT_SET_CPUS, &c), 0);
	ck_assert_uint_eq(there.cpus.bits[0], 1);
	close_switch();
}
END_TEST

/* Not even for the moment between what it was and what it is to be. */
START_TEST(port_that_becomes_generic_is_not_spread_any_more)
{
	struct port_config config = wish_cpus("0");
	struct complaint c = {""};

	add_port();
	ck_assert_int_eq(port_manager_set(pm, &config, PORT_SET_CPUS, &c), 0);
	config.mode = PORT_MODE_GENERIC;
	ck_assert_int_eq(port_manager_set(pm, &config, PORT_SET_MODE, &c), 0);
	ck_assert(attached && !n_spread_in_generic && cpu_list_is_empty(&there.cpus));
	ck_assert(strstr(status().cpus_why, "from Linux 6.15 on") != NULL);
	config.mode = PORT_MODE_NATIVE;
	ck_assert_int_eq(port_manager_set(pm, &config, PORT_SET_MODE, &c), 0);
	ck_assert_uint_eq(there.cpus.bits[0], 1);
	ck_assert_str_eq(status().cpus_why, "");
	close_switch();
}
END_TEST

/* ---- hooks ---- */

START_TEST(veth_sits_at_tc_by_itself)
{
	hook_wish = PORT_HOOK_AUTO;
	add_port();
	ck_assert(attached && there.hook == DP_HOOK_TC && status().hook == DP_HOOK_TC);
	ck_assert_str_eq(status().hook_why, "a veth: what comes in are skbs of sockets");
	close_switch();
}
END_TEST

START_TEST(what_only_xdp_has_takes_a_port_there_and_back)
{
	struct port_config config = wish(NULL);
	struct complaint c = {""};

	hook_wish = PORT_HOOK_AUTO;
	add_port();
	ck_assert_int_eq(cpu_list_parse("0", SW_MAX_SPREAD, &config.cpus, &c), 0);
	ck_assert_msg(port_manager_set(pm, &config, PORT_SET_CPUS, &c) == 0, "%s", c.text);
	ck_assert(there.hook == DP_HOOK_XDP && status().hook == DP_HOOK_XDP && status().phase == PORT_UP);
	memset(&config.cpus, 0, sizeof(config.cpus));
	ck_assert_msg(port_manager_set(pm, &config, PORT_SET_CPUS, &c) == 0, "%s", c.text);
	ck_assert(there.hook == DP_HOOK_TC && status().hook == DP_HOOK_TC && n_flushed == 0);
	close_switch();
}
END_TEST

START_TEST(what_only_xdp_has_is_refused_beside_tc)
{
	struct complaint c = {""};
	struct port_config config;

	hook_wish = PORT_HOOK_TC;
	add_port();
	config = wish(NULL);
	config.mode = PORT_MODE_GENERIC;
	check_refused(&config, PORT_SET_MODE, "use hook xdp, or mode auto");
	ck_assert_int_eq(cpu_list_parse("0", SW_MAX_SPREAD, &config.cpus, &c), 0);
	check_refused(&config, PORT_SET_CPUS, "use hook xdp, or cpus none");
	close_switch();
}
END_TEST

START_TEST(port_at_a_hook_of_its_choice_goes_to_xdp_where_tc_is_refused)
{
	hook_wish = PORT_HOOK_AUTO;
	n_refusals_of_attach = 1;
	add_port();
	ck_assert(attached && there.hook == DP_HOOK_XDP && status().phase == PORT_UP);
	ck_assert_str_eq(status().hook_why, "the kernel does not accept the program at the tc hook");
	close_switch();
}
END_TEST

START_TEST(port_that_is_to_be_at_tc_is_refused_where_tc_is)
{
	struct port_config config = wish(NULL);

	add_port();
	config.hook = PORT_HOOK_TC;
	n_refusals_of_attach = 1;
	check_refused(&config, PORT_SET_HOOK, "the driver says no");
	ck_assert_int_eq(there.hook, DP_HOOK_XDP);
	close_switch();
}
END_TEST

START_TEST(port_that_is_told_to_be_where_it_is_is_not_attached_again)
{
	struct port_config config;
	struct complaint c = {""};

	hook_wish = PORT_HOOK_AUTO;
	add_port();
	config = wish(NULL);
	n_attached = 0;
	config.hook = PORT_HOOK_TC;
	ck_assert_msg(port_manager_set(pm, &config, PORT_SET_HOOK, &c) == 0, "%s", c.text);
	ck_assert_str_eq(status().hook_why, "asked for");
	config.hook = PORT_HOOK_AUTO;
	ck_assert_msg(port_manager_set(pm, &config, PORT_SET_HOOK, &c) == 0, "%s", c.text);
	ck_assert_str_eq(status().hook_why, "a veth: what comes in are skbs of sockets");
	ck_assert(attached && n_attached == 0);
	close_switch();
}
END_TEST

START_TEST(port_that_was_refused_is_tried_at_the_hook_that_it_is_told)
{
	struct port_config config = wish(NULL);
	struct complaint c = {""};

	add_port();
	config.mode = PORT_MODE_GENERIC;
	n_refusals_of_attach = 2;
	ck_assert_int_lt(port_manager_set(pm, &config, PORT_SET_MODE, &c), 0);
	ck_assert_int_eq(status().phase, PORT_REFUSED);
	config.hook = PORT_HOOK_TC;
	ck_assert_msg(port_manager_set(pm, &config, PORT_SET_HOOK, &c) == 0, "%s", c.text);
	ck_assert(attached && status().hook == DP_HOOK_TC && status().phase == PORT_UP);
	close_switch();
}
END_TEST

START_TEST(setting_of_a_port_without_device_waits_with_it)
{
	struct port_config config = wish(NULL);
	struct complaint c = {""};

	open_switch();
	ck_assert_int_eq(port_manager_add(pm, &config, &c), 0);
	config = wish("7");
	config.mode = PORT_MODE_GENERIC;
	ck_assert_int_eq(port_manager_set(pm, &config, PORT_SET_MODE | PORT_SET_VLAN, &c), 0);
	ck_assert_int_eq(status().phase, PORT_WAITING);
	ck_assert_int_eq(port_manager_config(pm, "p1")->mode, PORT_MODE_GENERIC);
	ck_assert_uint_eq(vlan_untagged(&pipeline_port(pl, 1)->vlan), 7);
	close_switch();
}
END_TEST

START_TEST(device_of_a_port_is_no_other_port)
{
	struct port_config config = wish(NULL);
	struct complaint c = {""};

	open_switch();
	port_config_init(&config, "br0", "h0");
	config.type = PORT_INTERNAL;
	ck_assert_msg(port_manager_add(pm, &config, &c) == 0, "%s", c.text);
	port_config_init(&config, "br0", "sw-h0");
	for (int patient = 0; patient < 2; patient++) {
		config.patient = patient;
		ck_assert_int_eq(port_manager_add(pm, &config, &c), -EEXIST);
		ck_assert_str_eq(c.text, "sw-h0 is the device of port h0 already");
		ck_assert_ptr_null(port_manager_config(pm, "sw-h0"));
	}
	run("ip link property add dev sw-h0 altname other");
	config.patient = false;
	port_config_init(&config, "br0", "other");
	ck_assert_int_eq(port_manager_add(pm, &config, &c), -EEXIST);
	ck_assert_str_eq(c.text, "sw-h0 is the device of port h0 already");
	ck_assert(attached);
	close_switch();
}
END_TEST

/* Who has the name is asked of ports, not of devices: those that wait count too. */
START_TEST(device_that_a_port_waits_for_is_no_other_port)
{
	struct port_config config = wish(NULL);
	struct complaint c = {""};

	open_switch();
	port_config_init(&config, "br0", "sw-h0");
	ck_assert_int_eq(port_manager_add(pm, &config, &c), 0);
	port_config_init(&config, "br0", "h0");
	config.type = PORT_INTERNAL;
	ck_assert_int_eq(port_manager_add(pm, &config, &c), -EEXIST);
	ck_assert_str_eq(c.text, "sw-h0 is the device of port sw-h0 already");
	close_switch();
}
END_TEST

/* ---- OpenFlow numbers ---- */

/* Of a port whose device is not there, which is all that a number needs. */
static uint32_t number_of(const char *name, uint32_t wanted)
{
	struct port_config config;
	struct complaint c = {""};

	port_config_init(&config, "br0", name);
	config.of_port = wanted;
	ck_assert_msg(port_manager_add(pm, &config, &c) == 0, "%s: %s", name, c.text);
	ck_assert_uint_eq(port_manager_config(pm, name)->of_port, pipeline_port_by_name(pl, name)->of_port);
	return port_manager_config(pm, name)->of_port;
}

/* What a daemon before this one left. */
static void remember(uint16_t id, const char *name, uint16_t bridge, uint32_t of_port)
{
	struct sw_registry_port entry = {.bridge = bridge, .of_port = of_port};

	snprintf(entry.name, sizeof(entry.name), "%s", name);
	registry_put_port(dp->memory.registry, id, &entry);
}

/* P8 */
START_TEST(port_has_the_number_that_it_had_before_the_restart)
{
	struct complaint c = {""};
	struct port_config config;

	open_switch();
	remember(5, "p1", 1, 7);
	remember(6, "p2", 1, 3);
	remember(7, "p3", 2, 90);
	ck_assert_uint_eq(number_of("new", 0), 8);
	ck_assert_uint_eq(number_of("p1", 0), 7);
	ck_assert_uint_eq(number_of("p2", 0), 3);
	ck_assert_uint_eq(number_of("p3", 0), 9); /* it was another bridge's */
	port_manager_restored(pm);
	ck_assert_uint_eq(number_of("p4", 0), 10);
	ck_assert_uint_eq(dp->memory.registry->port[pipeline_port_by_name(pl, "p4")->id].of_port, 10);
	port_config_init(&config, "br0", "p5");
	config.of_port = 7;
	ck_assert_int_eq(port_manager_add(pm, &config, &c), -EEXIST);
	ck_assert_ptr_nonnull(strstr(c.text, "p1"));
	ck_assert_ptr_null(pipeline_port_by_name(pl, "p5"));
	close_switch();
}
END_TEST

/* There may be 512 sets of 1,000 ports: for each port that they have is once too often by 999. */
START_TEST(each_set_is_written_once_when_all_ports_are_back)
{
	struct port_set members = {0}, others = {0};
	uint32_t n;

	open_switch();
	for (int i = 0; i < 5; i++) {
		char name[8];

		snprintf(name, sizeof(name), "p%d", i);
		number_of(name, 0);
		port_set_add(&members, pipeline_port_by_name(pl, name)->id);
	}
	port_set_add(&others, pipeline_port_by_name(pl, "p1")->id);
	ck_assert_uint_lt(sets_get(sets, &members), SW_MAX_SETS);
	ck_assert_uint_lt(sets_get(sets, &others), SW_MAX_SETS);
	n = dp_memory_n_set_puts(dp);
	port_manager_restored(pm);
	ck_assert_uint_eq(dp_memory_n_set_puts(dp), n + 2);
	close_switch();
}
END_TEST

START_TEST(who_asks_for_a_number_gets_it_before_who_had_it)
{
	open_switch();
	remember(5, "p1", 1, 7);
	ck_assert_uint_eq(number_of("p9", 7), 7);
	ck_assert_uint_ne(number_of("p1", 0), 7);
	close_switch();
}
END_TEST

/* P8: both are kept over a restart. */
START_TEST(ports_exchange_their_numbers)
{
	struct complaint c = {""};
	struct port_config config;

	open_switch();
	ck_assert_uint_eq(number_of("p1", 1), 1);
	ck_assert_uint_eq(number_of("p2", 2), 2);
	port_config_init(&config, "br0", "p1");
	config.of_port = 2;
	ck_assert_int_eq(port_manager_set(pm, &config, PORT_SET_NUMBER, &c), -EEXIST);
	ck_assert_int_eq(port_manager_set(pm, &config, PORT_SET_NUMBER | PORT_SWAP_NUMBER, &c), 0);
	for (unsigned n = 1; n <= 2; n++) {
		const struct port *port = pipeline_port_by_name(pl, n == 1 ? "p2" : "p1");

		ck_assert_uint_eq(port->of_port, n);
		ck_assert_uint_eq(port_manager_config(pm, port->name)->of_port, n);
		ck_assert_uint_eq(dp->memory.registry->port[port->id].of_port, n);
	}
	close_switch();
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("set");

	if (!can_make_namespaces())
		return skip("making devices and network namespaces needs root");
	tcase_add_test(t, mode_that_preflight_refuses_changes_nothing);
	tcase_add_test(t, mode_that_the_kernel_refuses_changes_nothing);
	tcase_add_test(t, setting_that_the_datapath_refuses_changes_nothing);
	tcase_add_test(t, change_of_mode_keeps_what_was_learned);
	tcase_add_test(t, port_that_cannot_go_back_is_refused);
	tcase_add_test(t, veth_sits_at_tc_by_itself);
	tcase_add_test(t, what_only_xdp_has_takes_a_port_there_and_back);
	tcase_add_test(t, what_only_xdp_has_is_refused_beside_tc);
	tcase_add_test(t, port_at_a_hook_of_its_choice_goes_to_xdp_where_tc_is_refused);
	tcase_add_test(t, port_that_is_to_be_at_tc_is_refused_where_tc_is);
	tcase_add_test(t, port_that_is_told_to_be_where_it_is_is_not_attached_again);
	tcase_add_test(t, port_that_was_refused_is_tried_at_the_hook_that_it_is_told);
	tcase_add_test(t, setting_of_a_port_without_device_waits_with_it);
	tcase_add_test(t, cpus_reach_the_datapath_and_leave_it);
	tcase_add_test(t, cpus_that_are_not_there_are_refused);
	tcase_add_test(t, cpus_of_a_file_are_those_that_are_there);
	tcase_add_test(t, cpus_of_a_file_are_taken_by_a_port_that_is_there_too);
	tcase_add_test(t, port_in_generic_mode_is_spread_only_by_kernels_that_can);
	tcase_add_test(t, port_that_becomes_generic_is_not_spread_any_more);
	tcase_add_test(t, device_of_a_port_is_no_other_port);
	tcase_add_test(t, device_that_a_port_waits_for_is_no_other_port);
	tcase_add_test(t, port_has_the_number_that_it_had_before_the_restart);
	tcase_add_test(t, each_set_is_written_once_when_all_ports_are_back);
	tcase_add_test(t, who_asks_for_a_number_gets_it_before_who_had_it);
	tcase_add_test(t, ports_exchange_their_numbers);
	return run_in_sandbox("port_manager", &t, 1);
}
