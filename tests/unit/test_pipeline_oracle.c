/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * T1, T2 and T3 of pipeline.h, and what it promises of every answer, on random topologies, rules, FDBs and frames.
 * TEST_SEED=n repeats the run of a failed test, which names it.
 */
#include "dataplane/action.h"
#include "dataplane/normal.h"
#include "dataplane/pipeline.h"

#include "tests/unit/pipeline_lab.h"
#include "tests/unit/seeded.h"

#include <arpa/inet.h>
#include <check.h>
#include <string.h>

#define N_WORLDS 60
#define N_FRAMES 300 /* a world */
#define N_FLIPS  6   /* a frame */

struct world {
	struct seeded random;
	struct bench bench;
	uint16_t n_ports;
};

/* Not ck_assert_msg(), which makes a system call even when all is well. */
#define expect(what)                                                                                                   \
	do {                                                                                                           \
		if (!(what))                                                                                           \
			ck_abort_msg("seed %#lx: %s", world->random.seed, #what);                                      \
	} while (0)

static uint32_t below(struct world *world, uint32_t n)
{
	return seeded_below(&world->random, n);
}

/* ---- random worlds ---- */

static void random_address(struct world *world)
{
	struct fdb_key key = address((uint16_t)(1 + below(world, 2)), random_vid(&world->random), 0);
	uint16_t port = (uint16_t)(1 + below(world, world->n_ports + 1u));

	key.mac[5] = (uint8_t)(1 + below(world, 6));
	switch (below(world, 4)) {
	case 0:
		fdb_remove(world->bench.fdb, &key);
		break;
	case 1:
		fdb_add_static(world->bench.fdb, &key, port, S, NULL);
		break;
	default:
		fdb_learn(world->bench.fdb, &key, port, S);
	}
}

static void random_rule(struct world *world)
{
	static const char *const texts[] = {"NORMAL", "drop", "output:1", "output:2,output:3", "NORMAL,output:4"};
	struct actions actions = actions_of(&world->bench, texts[below(world, 5)]);
	struct sw_key frame = random_frame(&world->random, world->n_ports);
	struct flow_match match = {0};

	for (uint32_t n = below(world, 3); n; n--)
		flow_look(&match.mask, below(world, 2) ? below(world, N_FIELDS) : FIELD_ETH_TYPE);
	match.key = flow_of_key(&frame);
	match.key.x.f.in_ifindex = 1 + below(world, world->n_ports);
	match.key = flow_masked(&match.key, &match.mask);
	pipeline_rule_put(world->bench.pl, 1, &match, (uint16_t)(1 + below(world, 5)), &actions, NULL);
}

static void open_world(struct world *world)
{
	open_bench(&world->bench);
	add_bridge(&world->bench, "br0");
	add_bridge(&world->bench, "br1");
	world->n_ports = (uint16_t)(4 + below(world, 6));
	for (uint16_t i = 1; i <= world->n_ports; i++) {
		char name[16], text[64];

		sprintf(name, "p%u", i);
		random_port(&world->random, text);
		add_port(&world->bench, below(world, 5) ? 1 : 2, name, text);
	}
	pipeline_bridge_set(world->bench.pl, 1, 300, 100, below(world, 2));
	for (int i = 0; i < 20; i++)
		random_address(world);
	for (uint32_t n = below(world, 2) * below(world, 6); n; n--)
		random_rule(world);
}

/* `answer` is translate()'s. */
static void each_frame(void (*check)(struct world *world, const struct sw_key *key, const struct xlate *answer))
{
	struct world world = {.random = seeded_start()};
	struct xlate answer;

	for (int w = 0; w < N_WORLDS; w++) {
		open_world(&world);
		for (int i = 0; i < N_FRAMES; i++) {
			struct sw_key key = random_frame(&world.random, world.n_ports);

			translate(world.bench.pl, &key, NULL, &answer);
			check(&world, &key, &answer);
		}
		close_bench(&world.bench);
	}
}

/* ---- T1 ---- */

/* All entries of the FDB, in the order in which it walks them. */
struct snapshot {
	uint32_t n;
	struct fdb_entry entries[64];
};

static void take_entry(void *ctx, const struct fdb_entry *entry)
{
	struct snapshot *snapshot = ctx;

	snapshot->entries[snapshot->n++] = *entry;
}

static struct snapshot snapshot_of(const struct fdb *fdb)
{
	struct snapshot snapshot;

	memset(&snapshot, 0, sizeof(snapshot));
	fdb_each(fdb, 0, take_entry, &snapshot);
	return snapshot;
}

static bool same_entries(const struct snapshot *a, const struct snapshot *b)
{
	for (uint32_t i = 0; i < a->n && i < b->n; i++) {
		const struct fdb_entry *of_a = &a->entries[i], *of_b = &b->entries[i];

		if (memcmp(&of_a->key, &of_b->key, sizeof(of_a->key)) || of_a->port != of_b->port ||
			of_a->flags != of_b->flags || of_a->used_ns != of_b->used_ns)
			return false;
	}
	return a->n == b->n;
}

static void check_pure(struct world *world, const struct sw_key *key, const struct xlate *answer)
{
	struct snapshot before = snapshot_of(world->bench.fdb), after;
	uint64_t version = pipeline_version(world->bench.pl);
	struct xlate again, carried_out = *answer;
	struct sw_key copy = *key;

	memset(&again, 0x5a, sizeof(again)); /* what was in it does not matter */
	translate(world->bench.pl, key, NULL, &again);
	expect(same(answer, &again));
	normal_carry_out(world->bench.pl, key, NULL, &carried_out);
	normal_carry_out(world->bench.pl, key, NULL, &again);
	expect(same(&carried_out, &again));
	after = snapshot_of(world->bench.fdb);
	expect(same_entries(&before, &after));
	expect(version == pipeline_version(world->bench.pl));
	expect(key_equal(&copy, key));
}

START_TEST(asking_twice_gives_the_same_answer_and_changes_nothing) /* T1 */
{
	each_frame(check_pure);
}
END_TEST

/* ---- T2 ---- */

static uint32_t n_normal, n_at_once;

/* Of an answer that is not cached only this much is promised: that the others that agree are not cached either. */
static void check_mask(struct world *world, const struct sw_key *key, const struct xlate *answer)
{
	for (int i = 0; i < N_FLIPS; i++) {
		struct sw_key other = *key, aim = random_frame(&world->random, world->n_ports);
		struct xlate flipped;

		for (int w = 0; w < SW_KEY_WORDS; w++) {
			uint64_t bits = below(world, 2) ? seeded_next(&world->random) : key->w[w] ^ aim.w[w];

			other.w[w] ^= bits & ~answer->mask.w[w];
		}
		translate(world->bench.pl, &other, NULL, &flipped);
		expect(key_equal(&answer->mask, &flipped.mask) && answer->cacheable == flipped.cacheable);
		expect(!answer->cacheable || same(answer, &flipped));
	}
	n_normal += answer->normal;
	n_at_once += answer->in_daemon && answer->bridge;
}

START_TEST(bits_that_were_not_consulted_change_nothing) /* T2 */
{
	each_frame(check_mask);
	ck_assert_msg(n_normal > 100 && n_at_once > 10, "%u of NORMAL alone, %u not: too few", n_normal, n_at_once);
}
END_TEST

/* ---- T3 ---- */

static void random_fdb_changes(struct world *world)
{
	struct fdb *fdb = world->bench.fdb;

	for (int i = 0; i < 5; i++)
		random_address(world);
	switch (below(world, 10)) {
	case 0:
		fdb_flush(fdb, 0, (uint16_t)(1 + below(world, world->n_ports)), -1, below(world, 2));
		break;
	case 1:
		fdb_set_limit(fdb, 1, below(world, 20));
		break;
	case 2:
		fdb_settle(fdb);
		break;
	}
}

static uint32_t n_stood, n_fell;

static void check_fdb(struct world *world, const struct sw_key *key, const struct xlate *answer)
{
	uint64_t version = pipeline_version(world->bench.pl);
	struct xlate before = *answer, later;

	normal_carry_out(world->bench.pl, key, NULL, &before);
	random_fdb_changes(world);
	translate(world->bench.pl, key, NULL, &later);
	expect(version == pipeline_version(world->bench.pl));
	expect(!answer->cacheable || same(answer, &later));
	n_stood += answer->cacheable;
	normal_carry_out(world->bench.pl, key, NULL, &later);
	n_fell += !same(&before, &later);
}

/* What is carried out does change, so that it would have been seen. */
START_TEST(whatever_the_fdb_does_an_answer_stands) /* T3 */
{
	each_frame(check_fdb);
	ck_assert_msg(n_stood > 100 && n_fell > 100, "%u answers stood, %u fell: nothing was tried", n_stood, n_fell);
}
END_TEST

static void random_configuration(struct world *world)
{
	struct pipeline *pl = world->bench.pl;
	uint16_t id = (uint16_t)(1 + below(world, world->n_ports));
	const struct port *port = pipeline_port(pl, id);
	struct port_state state = {
		port->ifindex, port->up, port->fast, port->sg, port->csum, port->max_frame, {0}, 0, 0};
	char text[64];

	switch (below(world, 6)) {
	case 0:
		random_port(&world->random, text);
		set_port(&world->bench, id, text);
		break;
	case 1:
		state.up ^= below(world, 2);
		pipeline_port_set_state(pl, id, &state);
		break;
	case 2:
		random_rule(world);
		break;
	default:
		pipeline_bridge_set_learning(pl, (uint16_t)(1 + below(world, 2)), below(world, 2));
	}
}

static void check_version(struct world *world, const struct sw_key *key, const struct xlate *answer)
{
	uint64_t version = pipeline_version(world->bench.pl);
	struct xlate later;

	random_configuration(world);
	translate(world->bench.pl, key, NULL, &later);
	expect(version != pipeline_version(world->bench.pl) || same(answer, &later));
	n_stood += version == pipeline_version(world->bench.pl);
	n_fell += !same(answer, &later);
}

START_TEST(an_answer_stands_until_the_version_moves) /* T3 */
{
	each_frame(check_version);
	ck_assert_msg(n_stood > 100 && n_fell > 100, "%u answers stood, %u fell: nothing was tried", n_stood, n_fell);
}
END_TEST

/* ---- what every answer looks like ---- */

/* What stands in the frame's tag when it leaves: the TCI's presence and VID. */
static uint16_t tag_after(const struct xlate *answer, const struct xlate_output *output, const struct sw_key *key)
{
	switch (output->tag) {
	case XLATE_UNTAGGED:
		return 0;
	case XLATE_TAGGED:
		return SW_VLAN_PRESENT | answer->vid;
	}
	return ntohs(key->f.vlan_tci_be) & (SW_VLAN_PRESENT | SW_VLAN_VID);
}

static bool is_member(const struct port *port, uint16_t vid)
{
	return vlan_leave(&port->vlan, vid) != VLAN_NOT_A_MEMBER;
}

/* A tag that is right already is not rewritten, and one that is rewritten is right then. */
static void check_tag(const struct world *world, const struct sw_key *key, const struct xlate *answer,
	const struct xlate_output *output)
{
	const struct port *port = pipeline_port(world->bench.pl, output->port);
	uint16_t tci = ntohs(key->f.vlan_tci_be) & (SW_VLAN_PRESENT | SW_VLAN_VID);
	uint16_t tag = tag_after(answer, output, key);

	expect(is_member(port, answer->vid));
	if (!answer->vid)
		expect(output->tag == XLATE_AS_IS);
	else if (vlan_leave(&port->vlan, answer->vid) == VLAN_TAGGED)
		expect(tag == (SW_VLAN_PRESENT | answer->vid));
	else
		expect(tag == 0);
	expect((output->tag == XLATE_AS_IS) == (tag == tci));
}

static uint32_t n_to_flood(const struct world *world, const struct xlate *answer)
{
	const struct port *port = NULL;
	uint32_t n = 0;

	while ((port = pipeline_next_port(world->bench.pl, port ? port->id : 0)))
		n += port->bridge == answer->bridge && port->id != answer->in_port && port->up &&
		     is_member(port, answer->vid);
	return n;
}

/* What pipeline.h promises of every answer. */
static void check_form(struct world *world, const struct sw_key *key, const struct xlate *answer)
{
	expect(answer->mask.f.in_ifindex == UINT32_MAX);
	expect(!answer->in_daemon || !answer->n_outputs);
	expect(answer->in_daemon || !answer->n_outputs == (answer->drop != SW_DROP_NONE));
	expect(!answer->uncacheable == answer->cacheable);
	for (uint32_t i = 0; i < answer->n_outputs; i++) {
		const struct xlate_output *output = &answer->outputs[i];
		const struct port *port = pipeline_port(world->bench.pl, output->port);

		expect(!i || output->port > answer->outputs[i - 1].port);
		expect(port->id != answer->in_port && port->bridge == answer->bridge && port->up);
		if (answer->normal || answer->flood)
			check_tag(world, key, answer, output);
	}
	if (answer->normal)
		expect(answer->flood == (answer->n_outputs != 0) && !answer->learn.port && answer->cacheable);
	if (answer->normal || answer->flood)
		expect(answer->n_outputs == n_to_flood(world, answer));
}

START_TEST(every_answer_keeps_its_form)
{
	each_frame(check_form);
}
END_TEST

static bool has_output(const struct xlate *answer, const struct xlate_output *output)
{
	for (uint32_t i = 0; i < answer->n_outputs; i++) {
		if (answer->outputs[i].port == output->port)
			return answer->outputs[i].tag == output->tag;
	}
	return false;
}

static void check_carrying_out(struct world *world, const struct sw_key *key, const struct xlate *answer)
{
	struct xlate carried_out = *answer;

	normal_carry_out(world->bench.pl, key, NULL, &carried_out);
	expect(!carried_out.normal && key_equal(&carried_out.mask, &answer->mask));
	expect(answer->normal || same(answer, &carried_out));
	check_form(world, key, &carried_out);
	if (carried_out.flood)
		expect(same_outputs(answer, &carried_out));
	else if (answer->normal)
		expect(carried_out.n_outputs <= 1);
	if (answer->normal && carried_out.n_outputs == 1)
		expect(has_output(answer, &carried_out.outputs[0]));
}

START_TEST(a_frame_reaches_all_that_a_flood_does_or_one_of_them_or_nobody)
{
	each_frame(check_carrying_out);
}
END_TEST

/* After what was asked for is learned, the next frame wants nothing, and goes the same way. */
static void check_learning(struct world *world, const struct sw_key *key, const struct xlate *question)
{
	struct xlate answer = *question, next;

	normal_carry_out(world->bench.pl, key, NULL, &answer);
	if (!answer.learn.port)
		return;
	expect(!memcmp(answer.learn.key.mac, key->f.eth_src, 6) && answer.learn.key.vid == answer.vid &&
		answer.learn.key.bridge == answer.bridge && answer.learn.port == answer.in_port);
	expect((fdb_learn(world->bench.fdb, &answer.learn.key, answer.learn.port, 2 * S) == FDB_REFRESHED) ==
		!answer.learn.wanted);
	ask(&world->bench, key, &next);
	expect(!next.learn.wanted && next.learn.port == answer.learn.port);
	if (memcmp(key->f.eth_src, key->f.eth_dst, 6)) {
		next.learn.wanted = answer.learn.wanted;
		expect(same(&answer, &next));
	}
}

START_TEST(what_was_learned_is_not_wanted_again)
{
	each_frame(check_learning);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("pipeline_oracle");
	Suite *suite = suite_create("pipeline_oracle");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, asking_twice_gives_the_same_answer_and_changes_nothing);
	tcase_add_test(tcase, bits_that_were_not_consulted_change_nothing);
	tcase_add_test(tcase, whatever_the_fdb_does_an_answer_stands);
	tcase_add_test(tcase, an_answer_stands_until_the_version_moves);
	tcase_add_test(tcase, every_answer_keeps_its_form);
	tcase_add_test(tcase, a_frame_reaches_all_that_a_flood_does_or_one_of_them_or_nobody);
	tcase_add_test(tcase, what_was_learned_is_not_wanted_again);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
