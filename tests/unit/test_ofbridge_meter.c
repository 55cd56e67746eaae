/* SPDX-License-Identifier: BSD-2-Clause */
/* Meters of a bridge under OpenFlow: what they let through, and what counts around them. */
#include "tests/unit/ofbridge_lab.h"
#include "tests/unit/suite.h"

/* ---- rates, changes and restarts ---- */

static const struct meter *metered(uint32_t id)
{
	return meters_find(ofbridge_meters(bridge), id);
}

static uint64_t band_packets(void)
{
	return meters_band_stats(ofbridge_meters(bridge), metered(1), 0).packets;
}

static void meter_mod(uint16_t command, uint32_t id, uint32_t rate, uint32_t burst)
{
	const struct meter_band band = {.type = BAND_DROP, .rate = rate, .burst = burst};
	const struct meter_mod mod = {.command = command,
		.flags = METER_PKTPS | METER_BURST | METER_STATS,
		.id = id,
		.n_bands = 1,
		.bands = &band};

	ck_assert_int_eq(ofbridge_meter_mod(bridge, &mod), OF_OK);
}

/* It hits a flow with a meter, and goes up before that is run. */
static void arrive_unmetered(uint16_t port, const uint8_t frame[SIZE])
{
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(frame, frame + SIZE, IFINDEX_OF + port, SW_KEY_WORDS, &key, &headers);
	ck_assert(dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit));
	ck_assert_int_eq(hit.flow->steps[0].op, SW_OP_METER);
	dp_memory_stop(lab.dp, &hit, SIZE);
	dp_memory_inject(lab.dp, port, frame, SIZE, SW_UPCALL_FRAGS);
	run_up();
}

/* The first by the daemon, the others by the program, and all out of one bucket. */
START_TEST(a_meter_lets_through_what_its_rate_allows)
{
	uint8_t frame[SIZE];
	uint32_t n_passed = 0;

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 10, 3);
	FLOW(.meter = 1, .go_to = 1);
	FLOW(.table = 1, .apply = "output:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	ck_assert_str_eq(steps_of_the_flow(frame), "meter:1,output:p2");
	for (int i = 0; i < 7; i++) {
		arrive(PORT_1, frame);
		n_passed += last_passed;
	}
	ck_assert_uint_eq(n_passed, 2);
	arrive_unmetered(PORT_1, frame);
	ck_assert_str_eq(sent(), "");
	ck_assert_uint_eq(drops_of(SW_DROP_METER), 1); /* the program's own are not simulated */
	lab.now_ns += SECOND / 10;
	arrive_unmetered(PORT_1, frame);
	ck_assert_str_eq(sent(), "2");
	arrive(PORT_1, frame);
	ck_assert(!last_passed);
	ck_assert_uint_eq(first_rule(0)->tally.packets, 11);
	ck_assert_uint_eq(first_rule(1)->tally.packets, 4); /* the others never came so far */
	ck_assert_uint_eq(first_rule(1)->tally.bytes, 4 * SIZE);
	ck_assert_uint_eq(metered(1)->in->packets, 11);
	ck_assert_uint_eq(band_packets(), 7);
}
END_TEST

/* Of what the meter drops, too, there is a copy: so the copy comes first, and yet the meter is the program's. */
START_TEST(a_mirrored_port_s_meter_is_run_by_the_program)
{
	const struct mirror_config mirror = {
		.bridge = "br1", .name = "m", .from = {1, {"p1"}}, .to = "p4", .sample = 1};
	struct complaint c;
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 10, 1);
	FLOW(.meter = 1, .go_to = 1);
	FLOW(.table = 1, .apply = "output:2");
	ck_assert_int_eq(mirrors_add(lab.mirrors, &mirror, &c), 0);
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(sent(), "4 2");
	ck_assert_str_eq(steps_of_the_flow(frame), "meter:1,mirror:m,output:p2");
	arrive(PORT_1, frame);
	ck_assert(!last_passed);
	arrive_unmetered(PORT_1, frame);
	ck_assert_str_eq(sent(), "4");
	ck_assert_uint_eq(first_rule(0)->tally.packets, 3);
	ck_assert_uint_eq(first_rule(1)->tally.packets, 1);
}
END_TEST

START_TEST(a_modified_meter_holds_for_cached_flows_at_once_and_its_bucket_is_full)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 1, 1);
	FLOW(.meter = 1, .apply = "output:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	arrive(PORT_1, frame);
	ck_assert(!last_passed);
	meter_mod(METER_MODIFY, 1, 1, 2);
	lab_settle(&lab);
	ck_assert_uint_eq(band_packets(), 0);
	for (int i = 0; i < 3; i++) {
		arrive(PORT_1, frame);
		ck_assert_int_eq(last_passed, i < 2);
	}
	ck_assert_uint_eq(band_packets(), 1);
	ofbridge_refresh(bridge);
	ck_assert_uint_eq(metered(1)->in->packets, 5);
}
END_TEST

START_TEST(with_a_meter_go_its_rules_its_flows_and_its_slot)
{
	struct meter_slots *slots = sets_meter_slots(lab.sets);
	uint8_t frame[SIZE];
	uint16_t slot;

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 1, 1);
	FLOW(.meter = 1, .apply = "output:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	slot = metered(1)->slot;
	ck_assert_uint_eq(meter_slots_users(slots, slot), 2);
	lab_let_grace_pass(&lab);
	meter_mod(METER_DELETE, METER_ALL, 0, 0);
	lab_settle(&lab);
	ck_assert_str_eq(steps_of_the_flow(frame), "drop:table_miss");
	ck_assert(meter_slots_exist(slots, slot)); /* a run may be under way */
	lab_let_grace_pass(&lab);
	ck_assert(!meter_slots_exist(slots, slot));
}
END_TEST

static const char *why_not(const uint8_t frame[SIZE])
{
	static struct xlate answer;
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(frame, frame + SIZE, IFINDEX_OF + PORT_1, SW_KEY_WORDS, &key, &headers);
	translate(lab.pl, &key, NULL, &answer);
	return answer.in_daemon ? answer.in_daemon : "";
}

START_TEST(what_stands_before_a_meter_must_be_all_one_to_it)
{
	static const struct {
		const char *apply, *why;
	} rows[] = {
		{"drop", ""},
		{"set_field:02:00:00:00:00:09->eth_dst", ""},
		{"dec_ttl", ""},
		{"output:3", "its meter stands behind what is done to the frame"},
		{"push_vlan:0x8100", "its meter stands behind what is done to the frame"},
		{"set_field:10->ip_dscp", "its meter stands behind what is done to the frame"},
	};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 1, 1);
	meter_mod(METER_ADD, 2, 1, 1);
	FLOW(.table = 1, .meter = 1, .apply = "set_field:02:00:00:00:00:07->eth_src,output:2", .go_to = 2);
	FLOW(.table = 2, .apply = "drop");
	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		FLOW(.match = "eth_type=0x0800", .apply = rows[i].apply, .go_to = 1);
		ck_assert_str_eq(why_not(frame), rows[i].why);
	}
	FLOW(.match = "eth_type=0x0800", .meter = 2, .go_to = 1);
	ck_assert_str_eq(why_not(frame), "it goes through more than one meter");
}
END_TEST

/* A frame that a rewrite turns out to be none for goes up as it came: the program rewrites first, and meters then. */
START_TEST(a_meter_that_remarks_stands_before_no_rewrite_that_may_be_undone)
{
	const struct meter_band band = {.type = BAND_DSCP_REMARK, .prec_level = 1, .rate = 1, .burst = 1};
	const struct meter_mod mod = {.flags = METER_PKTPS | METER_BURST, .id = 2, .n_bands = 1, .bands = &band};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 1, 1);
	ck_assert_int_eq(ofbridge_meter_mod(bridge, &mod), OF_OK);
	FLOW(.meter = 1, .apply = "push_mpls:0x8847,dec_mpls_ttl,output:2");
	ck_assert_str_eq(why_not(frame), "");
	FLOW(.meter = 2, .apply = "push_mpls:0x8847,dec_mpls_ttl,output:2");
	ck_assert_str_eq(
		why_not(frame), "its meter remarks, and it may turn out on the way to be none for the program");
	FLOW(.meter = 2, .apply = "push_mpls:0x8847,output:2");
	ck_assert_str_eq(why_not(frame), "");
}
END_TEST

/* A remark is not seen by later tables: what they say of the DSCP that the frame had holds (docs/openflow.md). */
START_TEST(where_there_was_no_slot_the_program_takes_over_when_there_is_one)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	for (uint32_t id = 2; id <= SW_MAX_METERS; id++)
		meter_mod(METER_ADD, id, 1, 1);
	meter_mod(METER_ADD, 1, 1, 2);
	FLOW(.meter = 1, .apply = "output:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	ck_assert_str_eq(why_not(frame), "its meter is one that only the daemon runs");
	meter_mod(METER_DELETE, 77, 0, 0);
	lab_settle(&lab);
	ck_assert_str_eq(steps_of_the_flow(frame), "meter:1,output:p2");
	arrive(PORT_1, frame);
	ck_assert(last_passed);
	arrive(PORT_1, frame);
	ck_assert(!last_passed); /* the first took its part of the burst, too */
	ofbridge_refresh(bridge);
	ck_assert_uint_eq(metered(1)->in->packets, 3);
	ck_assert_uint_eq(band_packets(), 1);
}
END_TEST

START_TEST(a_table_behind_a_remark_sees_the_dscp_that_the_frame_had)
{
	const struct meter_band band = {.type = BAND_DSCP_REMARK, .prec_level = 1, .rate = 1, .burst = 1};
	const struct meter_mod mod = {.flags = METER_PKTPS | METER_BURST, .id = 1, .n_bands = 1, .bands = &band};
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	frame[15] = 10 << 2;
	ck_assert_int_eq(ofbridge_meter_mod(bridge, &mod), OF_OK);
	FLOW(.meter = 1, .go_to = 1);
	FLOW(.table = 1, .match = "eth_type=0x0800,ip_dscp=10", .apply = "output:2", .priority = 1);
	FLOW(.table = 1, .apply = "output:3");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	lab_let_grace_pass(&lab); /* only then does the program look as deep */
	lab.now_ns += SECOND;
	dp_memory_forget_sent(lab.dp);
	arrive(PORT_1, frame);
	arrive_unmetered(PORT_1, frame);
	ck_assert_uint_eq(dp_memory_n_sent(lab.dp), 2);
	ck_assert_uint_eq(dp_memory_sent(lab.dp, 0).data[15], 10 << 2);
	ck_assert_uint_eq(dp_memory_sent(lab.dp, 1).data[15], 12 << 2);
	ck_assert_str_eq(sent(), "2 2");
	ck_assert_str_eq(steps_of_the_flow(frame), "meter:1,output:p2");
}
END_TEST

START_TEST(normal_behind_a_meter_learns_and_floods_what_it_lets_through)
{
	uint8_t there[SIZE], back[SIZE];

	make_frame(1, 2, there);
	make_frame(2, 1, back);
	meter_mod(METER_ADD, 1, 1, 3);
	FLOW(.meter = 1, .apply = "output:NORMAL");
	lab_settle(&lab);
	arrive(PORT_1, there);
	ck_assert_str_eq(sent(), "2 3 4");
	arrive(2, back);
	ck_assert_str_eq(sent(), "1");
	ck_assert_str_eq(steps_of_the_flow(there), "meter:1,normal,broadcast:p1+p2+p3+p4");
	for (uint32_t i = 0; i < lab.dp->memory.config->n_flows; i++) {
		const struct sw_flow *flow = &lab.dp->memory.flows[i];

		ck_assert(flow->gen & 1 || flow->domain == sw_fdb_hash_domain(lab.dp->memory.config->seed, 0, 1));
	}
	arrive(PORT_1, there);
	ck_assert(last_passed);
	arrive_unmetered(PORT_1, there);
	ck_assert_str_eq(sent(), "");
}
END_TEST

/* Of the daemon that died: held flows run on, and the meter that its controller gives again is in their bucket. */
START_TEST(a_meter_that_comes_back_after_a_restart_goes_on_where_it_was)
{
	uint8_t frame[SIZE];
	uint16_t slot;

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 1, 4);
	FLOW(.meter = 1, .apply = "output:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	arrive(PORT_1, frame);
	slot = metered(1)->slot;
	restart();
	lab_let_grace_pass(&lab);
	ck_assert(arrive(PORT_1, frame) && last_passed);
	meter_mod(METER_ADD, 1, 1, 4);
	ck_assert_uint_eq(metered(1)->slot, slot);
	FLOW(.meter = 1, .apply = "output:2");
	ofbridge_barrier(bridge);
	lab_settle(&lab);
	ck_assert(arrive(PORT_1, frame) && last_passed);
	ck_assert(arrive(PORT_1, frame) && !last_passed);
	ck_assert_uint_eq(first_rule(0)->tally.packets, 2);
	ck_assert_uint_eq(band_packets(), 1);
}
END_TEST

/* The flow counted it for what stands before the meter, and not for what stands behind. */
START_TEST(a_ttl_that_ends_before_a_meter_is_taken_back_up_to_that)
{
	uint8_t frame[SIZE];

	make_frame(1, 2, frame);
	meter_mod(METER_ADD, 1, 10, 10);
	FLOW(.apply = "dec_ttl", .go_to = 1);
	FLOW(.table = 1, .meter = 1, .go_to = 2);
	FLOW(.table = 2, .apply = "output:2");
	lab_settle(&lab);
	arrive(PORT_1, frame);
	for (int i = 0; i < 3; i++)
		arrive(PORT_1, frame);
	frame[22] = 1;
	for (int i = 0; i < 2; i++)
		arrive_unmetered(PORT_1, frame);
	ck_assert_uint_eq(first_rule(0)->tally.packets, 6);
	ck_assert_uint_eq(first_rule(1)->tally.packets, 4);
	ck_assert_uint_eq(first_rule(2)->tally.packets, 4);
	ofbridge_refresh(bridge);
	ck_assert_uint_eq(metered(1)->in->packets, 4);
}
END_TEST

/* ---- a twin of all that counts around a meter ---- */

#define N_BEHIND 3

struct metered_twin {
	__int128 level, depth; /* in billionths of a frame */
	uint64_t rate, now_ns;
	uint64_t in, behind[N_BEHIND], dropped;
};

static bool twin_takes(struct metered_twin *twin)
{
	twin->level += (__int128)twin->rate * (lab.now_ns - twin->now_ns);
	twin->now_ns = lab.now_ns;
	if (twin->level > twin->depth)
		twin->level = twin->depth;
	if (twin->level < (__int128)SECOND && twin->level < twin->depth)
		return false;
	twin->level -= SECOND;
	return true;
}

static void twin_modify(struct metered_twin *twin, uint32_t rate, uint32_t burst)
{
	twin->rate = rate;
	twin->depth = twin->level = (__int128)burst * SECOND;
	twin->now_ns = lab.now_ns;
	twin->dropped = 0;
}

static void check_metered(const struct metered_twin *twin, uint64_t seed)
{
	struct rule *rule = tables_table(ofbridge_tables(bridge), 1)->first;

	ofbridge_refresh(bridge);
	ck_assert_msg(
		first_rule(0)->tally.packets == twin->in && metered(1)->in->packets == twin->in, "seed %lu", seed);
	ck_assert_msg(band_packets() == twin->dropped, "seed %lu", seed);
	for (int i = 0; i < N_BEHIND; i++, rule = rule->next)
		ck_assert_msg(rule->tally.packets == twin->behind[i] && rule->tally.bytes == twin->behind[i] * SIZE,
			"seed %lu: rule %d counted %lu, %lu came so far", seed, i, rule->tally.packets,
			twin->behind[i]);
}

enum course { COMES_THROUGH, GOES_UP, IS_HARVESTED };

/* It may go up, or find a flow that is harvested before its meter is asked. */
static void metered_frame(struct metered_twin *twin, uint32_t to, enum course course)
{
	uint8_t frame[SIZE];
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;

	make_frame(1, 1 + to, frame);
	twin->in++;
	if (twin_takes(twin))
		twin->behind[to]++;
	else
		twin->dropped++;
	sw_extract(frame, frame + SIZE, IFINDEX_OF + PORT_1, SW_KEY_WORDS, &key, &headers);
	if (course == COMES_THROUGH || !dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit)) {
		arrive(PORT_1, frame);
	} else if (course == IS_HARVESTED) {
		ofbridge_refresh(bridge);
		dp_memory_meter(lab.dp, 0, &hit, SIZE, lab.now_ns);
	} else {
		dp_memory_stop(lab.dp, &hit, SIZE);
		dp_memory_inject(lab.dp, PORT_1, frame, SIZE, SW_UPCALL_FRAGS);
		run_up();
	}
}

/* Flows come, go and are asked again; one slot is harvested while another counts; the meter changes under them. */
START_TEST(rules_behind_a_meter_count_exactly_what_it_let_through)
{
	struct seeded random = seeded_start();
	struct metered_twin twin = {0};

	meter_mod(METER_ADD, 1, 100, 5);
	twin_modify(&twin, 100, 5);
	FLOW(.meter = 1, .go_to = 1);
	FLOW(.table = 1, .match = "eth_dst=02:00:00:00:00:01", .apply = "output:2", .priority = 9);
	FLOW(.table = 1, .match = "eth_dst=02:00:00:00:00:02", .apply = "dec_ttl,output:3", .priority = 9);
	FLOW(.table = 1, .match = "eth_dst=02:00:00:00:00:03", .apply = "output:NORMAL", .priority = 9);
	lab_settle(&lab);
	for (int step = 0; step < 20000; step++) {
		switch (seeded_below(&random, 200)) {
		case 0:
			cache_flush(lab.cache);
			break;
		case 1:
			meter_mod(METER_MODIFY, 1, 50 + step % 100, 1 + step % 7);
			twin_modify(&twin, 50 + step % 100, 1 + step % 7);
			lab_settle(&lab);
			break;
		case 2:
			lab_let_grace_pass(&lab);
			break;
		case 3:
			FLOW(.match = "eth_dst=02:00:00:00:00:aa", .priority = 7, .apply = "drop",
				.command = step % 2 ? FLOW_ADD : FLOW_DELETE);
			lab_settle(&lab);
			break;
		case 4:
			lab.now_ns += SECOND;
			cache_sweep(lab.cache, lab.now_ns);
			break;
		case 5:
			check_metered(&twin, random.seed);
			break;
		case 6:
			metered_frame(&twin, seeded_below(&random, N_BEHIND), IS_HARVESTED);
			cache_flush(lab.cache);
			break;
		case 7:
		case 8:
		case 9:
			metered_frame(&twin, seeded_below(&random, N_BEHIND), GOES_UP);
			break;
		default:
			lab.now_ns += seeded_below(&random, SECOND / 60);
			metered_frame(&twin, seeded_below(&random, N_BEHIND), COMES_THROUGH);
		}
	}
	lab_let_grace_pass(&lab);
	check_metered(&twin, random.seed);
	ck_assert_uint_gt(twin.behind[0], 1000);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("all");
	Suite *suite = suite_create("ofbridge_meter");

	tcase_add_checked_fixture(t, open_lab, close_lab);
	tcase_add_test(t, a_meter_lets_through_what_its_rate_allows);
	tcase_add_test(t, a_mirrored_port_s_meter_is_run_by_the_program);
	tcase_add_test(t, a_modified_meter_holds_for_cached_flows_at_once_and_its_bucket_is_full);
	tcase_add_test(t, where_there_was_no_slot_the_program_takes_over_when_there_is_one);
	tcase_add_test(t, with_a_meter_go_its_rules_its_flows_and_its_slot);
	tcase_add_test(t, what_stands_before_a_meter_must_be_all_one_to_it);
	tcase_add_test(t, a_meter_that_remarks_stands_before_no_rewrite_that_may_be_undone);
	tcase_add_test(t, a_table_behind_a_remark_sees_the_dscp_that_the_frame_had);
	tcase_add_test(t, normal_behind_a_meter_learns_and_floods_what_it_lets_through);
	tcase_add_test(t, a_meter_that_comes_back_after_a_restart_goes_on_where_it_was);
	tcase_add_test(t, a_ttl_that_ends_before_a_meter_is_taken_back_up_to_that);
	tcase_add_test(t, rules_behind_a_meter_count_exactly_what_it_let_through);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
