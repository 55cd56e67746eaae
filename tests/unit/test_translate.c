/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What rules say: a key's translation against that of the frame it was taken from, and T2 with tables, groups and
 * rewriting, on random rules that random frames match. TEST_SEED=n repeats the run of a failed test, which names it.
 */
#include "dataplane/group.h"
#include "dataplane/ofbridge.h"
#include "dataplane/pipeline.h"
#include "dataplane/rewrite.h"
#include "dataplane/table.h"

#include "bpf/extract.h"
#include "tests/unit/pipeline_lab.h"
#include "tests/unit/rewrite_lab.h"
#include "tests/unit/seeded.h"

#include <check.h>

#define N_WORLDS 1000
#define N_RULES  24
#define N_FRAMES 120 /* a world */
#define N_FLIPS  6   /* a frame */
#define N_PORTS  5
#define N_TABLES 3
#define N_GROUPS 4
#define N_KNOWN  6 /* frames of a world that rules are made for and that come again */

struct world {
	struct seeded random;
	struct lab known[N_KNOWN];
	struct bench bench;
	/* What was seen, so that a test that saw nothing fails. */
	uint32_t n_answered, n_left_to_frames, n_rewritten, n_in_later_tables, n_selected;
};

#define expect(what)                                                                                                   \
	do {                                                                                                           \
		if (!(what))                                                                                           \
			ck_abort_msg("seed %#lx: %s", world->random.seed, #what);                                      \
	} while (0)

static uint32_t below(struct world *world, uint32_t n)
{
	return seeded_below(&world->random, n);
}

/* ---- random rules ---- */

static bool fits(enum field_id field, const struct flow *flow)
{
	struct flow_match all = {.key = *flow};

	memset(&all.mask, 0xff, sizeof(all.mask));
	return field_row(field)->oxm >= 0 && field != FIELD_IN_PHY_PORT && field_prerequisite_met(field, &all);
}

static void look_at_field(struct world *world, enum field_id field, const struct flow *flow, struct flow_match *match)
{
	struct flow bits = {0};

	flow_look(&bits, field);
	for (int w = 0; w < FLOW_WORDS; w++) {
		if (field_row(field)->maskable && below(world, 2))
			bits.w[w] &= seeded_next(&world->random);
		match->mask.w[w] |= bits.w[w];
	}
	match->key = flow_masked(flow, &match->mask);
}

/* Matches this frame, and those that look like it. */
static struct flow_match random_match(struct world *world, const struct flow *flow)
{
	struct flow_match match = {0};

	for (uint32_t n = below(world, 4); n; n--) {
		enum field_id field = below(world, N_FIELDS);

		if (!fits(field, flow))
			continue;
		if (!field_prerequisite_met(field, &match)) {
			look_at_field(world, FIELD_ETH_TYPE, flow, &match);
			if (flow->x.f.ip_proto)
				look_at_field(world, FIELD_IP_PROTO, flow, &match);
		}
		look_at_field(world, field, flow, &match);
	}
	return match;
}

static struct action random_rewrite(struct world *world, const struct flow *flow)
{
	static const uint8_t types[] = {ACTION_COPY_TTL_OUT, ACTION_COPY_TTL_IN, ACTION_SET_MPLS_TTL,
		ACTION_DEC_MPLS_TTL, ACTION_PUSH_VLAN, ACTION_POP_VLAN, ACTION_PUSH_MPLS, ACTION_POP_MPLS,
		ACTION_SET_NW_TTL, ACTION_DEC_NW_TTL, ACTION_PUSH_PBB, ACTION_POP_PBB};
	static const uint16_t below_labels[] = {0x0800, 0x8847, 0x8100, 0x88a8};
	struct action action = {.type = ACTION_SET_FIELD};
	struct flow value = {0};

	for (int tries = 0; tries < 20 && below(world, 3); tries++) {
		enum field_id field = below(world, N_FIELDS);

		if (!field_row(field)->settable || !fits(field, flow))
			continue;
		action.field = field;
		for (int w = 0; w < FLOW_WORDS; w++)
			value.w[w] = below(world, 2) ? seeded_next(&world->random) : flow->w[w];
		field_read(field, &value, action.value);
		if (field == FIELD_VLAN_VID)
			action.value[0] |= 0x10;
		return action;
	}
	action.type = types[below(world, sizeof(types))];
	action.arg = action.type == ACTION_PUSH_VLAN   ? (below(world, 2) ? 0x8100 : 0x88a8)
		     : action.type == ACTION_PUSH_PBB  ? 0x88e7
		     : action.type == ACTION_PUSH_MPLS ? (below(world, 2) ? 0x8847 : 0x8848)
		     : action.type == ACTION_POP_MPLS  ? below_labels[below(world, 4)]
						       : 1 + below(world, 64);
	return action;
}

static struct action random_action(struct world *world, const struct flow *flow)
{
	static const uint32_t reserved[] = {
		OF_PORT_IN_PORT, OF_PORT_NORMAL, OF_PORT_FLOOD, OF_PORT_ALL, OF_PORT_CONTROLLER};

	switch (below(world, 6)) {
	case 0:
	case 1:
		return (struct action){.type = ACTION_OUTPUT, .arg = 1 + below(world, N_PORTS)};
	case 2:
		return (struct action){.type = ACTION_OUTPUT, .arg = reserved[below(world, 5)], .max_len = 100};
	case 3:
		return (struct action){.type = ACTION_GROUP, .arg = 1 + below(world, N_GROUPS)};
	default:
		return random_rewrite(world, flow);
	}
}

static struct actions random_actions(struct world *world, const struct flow *flow, struct action list[4])
{
	struct actions actions = {.n = below(world, 4), .list = list};

	for (uint32_t i = 0; i < actions.n; i++)
		list[i] = random_action(world, flow);
	return actions;
}

/* A few of those that the program can do, then an output: what a list of rewrites may come of. */
static struct actions fast_actions(struct world *world, struct action list[4])
{
	static const struct action fast[] = {
		{.type = ACTION_DEC_NW_TTL},
		{.type = ACTION_POP_VLAN},
		{.type = ACTION_SET_FIELD, .field = FIELD_ETH_DST, .value = {2, 0, 0, 0, 0, 1}},
		{.type = ACTION_SET_FIELD, .field = FIELD_ETH_DST, .value = {2, 0, 0, 0, 0, 2}},
	};
	struct actions actions = {.n = below(world, 4), .list = list};

	for (uint32_t i = 0; i < actions.n; i++)
		list[i] = fast[below(world, 4)];
	list[actions.n++] = (struct action){.type = ACTION_OUTPUT, .arg = 1 + below(world, N_PORTS)};
	return actions;
}

/* A header that contradicts itself, or ends before the transport's does; nothing is rewritten there. */
static void spoil(struct world *world, struct lab *lab)
{
	uint32_t header = lab->version == 4 ? (lab->bytes[lab->ip] & 15) * 4u : 0;

	if (!lab->ip || lab->behind_label)
		return;
	switch (below(world, 3)) {
	case 0:
		lab->bytes[lab->ip] ^= 0x30;
		break;
	case 1:
		lab_set16(lab, lab->ip + (lab->version == 4 ? 2 : 4), 0xffff);
		break;
	default:
		if (lab->l4_size > 7 && (lab->version == 4 || lab->l4 == lab->ip + 40))
			lab_set16(lab, lab->ip + (lab->version == 4 ? 2 : 4), (uint16_t)(header + 7));
	}
}

static struct lab some_frame(struct world *world)
{
	struct lab lab = below(world, 4) ? world->known[below(world, N_KNOWN)] : lab_frame(&world->random);

	if (below(world, 4) == 0)
		spoil(world, &lab);
	return lab;
}

static struct flow random_flow(struct world *world)
{
	struct lab lab = some_frame(world);
	struct flow flow;

	flow_extract(lab.bytes, lab.size, 1 + below(world, N_PORTS), &flow);
	return flow;
}

static void random_rule(struct world *world)
{
	struct flow flow = random_flow(world);
	struct action apply_list[4], write_list[4];
	struct actions apply = random_actions(world, &flow, apply_list),
		       write = random_actions(world, &flow, write_list);
	struct flow_mod mod = {
		.command = FLOW_ADD,
		.table_id = (uint8_t)below(world, N_TABLES),
		.priority = (uint16_t)below(world, 5),
		.match = random_match(world, &flow),
		.out_port = OF_PORT_ANY,
		.out_group = GROUP_ANY,
	};
	struct instructions rest = {
		.clear_actions = below(world, 8) == 0,
		.goes_on = mod.table_id < N_TABLES - 1 && below(world, 3),
		.goto_table = (uint8_t)(mod.table_id + 1),
		.writes_metadata = below(world, 2),
		.metadata_mask = 3,
		.metadata = below(world, 4),
	};

	if (below(world, 3) == 0)
		apply.n = 0;
	if (below(world, 2))
		write.n = 0;
	mod.instructions = instructions_create(&rest, &apply, &write);
	ck_assert_ptr_nonnull(mod.instructions);
	tables_flow_mod(pipeline_bridge(world->bench.pl, 1)->tables, &mod, S); /* which may refuse it */
	free(mod.instructions);
}

static void random_group(struct world *world, uint32_t id)
{
	struct flow flow = random_flow(world);
	struct action lists[3][4];
	struct bucket buckets[3];
	struct group_mod mod = {.command = 0, .id = id, .type = (uint8_t)below(world, 3), .buckets = buckets};
	bool is_fast = below(world, 2);

	mod.n_buckets = mod.type == GROUP_TYPE_INDIRECT ? 1 : 1 + below(world, 3);
	for (uint32_t i = 0; i < mod.n_buckets; i++) {
		buckets[i] = (struct bucket){
			.weight = mod.type == GROUP_TYPE_SELECT,
			.watch_port = OF_PORT_ANY,
			.watch_group = GROUP_ANY,
			.actions = is_fast ? fast_actions(world, lists[i]) : random_actions(world, &flow, lists[i]),
		};
	}
	groups_mod(pipeline_bridge(world->bench.pl, 1)->groups, &mod, S); /* which may refuse it */
}

static void open_world(struct world *world)
{
	static const char *const ports[N_PORTS] = {"open", "open", "open", "open", "-open"};

	for (int i = 0; i < N_KNOWN; i++)
		world->known[i] = lab_frame(&world->random);
	open_bench(&world->bench);
	add_bridge(&world->bench, "br0");
	add_ports(&world->bench, 1, ports, N_PORTS);
	if (below(world, 2))
		pipeline_rule_remove(world->bench.pl, 1, &(struct flow_match){0}, 0, NULL);
	for (uint32_t id = N_GROUPS; id; id--)
		random_group(world, id);
	for (int i = 0; i < N_RULES; i++)
		random_rule(world);
}

/* ---- frames and their answers ---- */

struct asked {
	struct lab frame;
	struct sw_key key;
	uint16_t port;
	struct xlate answer; /* of the key */
};

static void each_frame(struct world *world, void (*check)(struct world *world, const struct asked *asked))
{
	static struct asked asked;
	struct sw_headers headers;

	world->random = seeded_start();
	for (int w = 0; w < N_WORLDS; w++) {
		open_world(world);
		for (int i = 0; i < N_FRAMES; i++) {
			asked.frame = some_frame(world);
			asked.port = (uint16_t)(1 + below(world, N_PORTS - 1));
			sw_extract(asked.frame.bytes, asked.frame.bytes + asked.frame.size, IFINDEX_OF + asked.port,
				SW_KEY_WORDS, &asked.key, &headers);
			translate(world->bench.pl, &asked.key, NULL, &asked.answer);
			if (headers.l3)
				check(world, &asked);
		}
		close_bench(&world->bench);
	}
}

static bool is_ttl(const struct xop *op)
{
	return op->type == XOP_REWRITE &&
	       (op->action->type == ACTION_DEC_MPLS_TTL || op->action->type == ACTION_DEC_NW_TTL);
}

static bool same_op(const struct xop *a, const struct xop *b)
{
	return a->type == b->type && a->port == b->port && a->action == b->action && a->metadata == b->metadata &&
	       a->tunnel_id == b->tunnel_id && a->cookie == b->cookie && a->table_id == b->table_id &&
	       a->reason == b->reason;
}

/* The next operation from *at on that counts. */
static const struct xop *next_count(const struct xlate *answer, uint32_t *at)
{
	while (*at < answer->n_ops) {
		if (answer->ops[(*at)++].type == XOP_COUNT)
			return &answer->ops[*at - 1];
	}
	return NULL;
}

static bool counts_alike(const struct xlate *a, const struct xlate *b)
{
	const struct xop *of_a, *of_b;
	uint32_t i = 0, k = 0;

	do {
		of_a = next_count(a, &i);
		of_b = next_count(b, &k);
		if (!of_a != !of_b || (of_a && of_a->tally != of_b->tally))
			return false;
	} while (of_a);
	return true;
}

/* A list of outputs says what the operations do. */
static bool sends_alike(const struct xlate *listed, const struct xlate *ops)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ops->n_ops; i++) {
		const struct xop *op = &ops->ops[i];
		bool is_listed = false;

		/* Its VLAN may be denied NORMAL; an earlier output may have said why before. */
		if (op->type == XOP_NORMAL)
			return listed->normal || (!listed->n_outputs && listed->drop != SW_DROP_NONE);
		if (op->type != XOP_OUTPUT)
			continue;
		for (uint32_t k = 0; k < listed->n_outputs; k++)
			is_listed |= listed->outputs[k].port == op->port && listed->outputs[k].tag == XLATE_AS_IS;
		if (!is_listed)
			return false;
		n++;
	}
	return !listed->normal && n == listed->n_outputs;
}

static void check_against_frame(struct world *world, const struct asked *asked)
{
	static struct xlate by_frame, by_key_now;
	const struct frame_question question = {
		.in_port = asked->port, .bridge = 1, .frame = asked->frame.bytes, .size = asked->frame.size};
	const struct xlate *by_key = &by_key_now;

	by_key_now = asked->answer;
	take_branch_now(world->bench.pl, &asked->key, &by_key_now);
	if (asked->frame.deep)
		return; /* the parser goes as far as it goes, and a tag in front moves that */
	translate_frame(world->bench.pl, &question, NULL, &by_frame);
	expect(!by_frame.needs_frame);
	if (by_key->needs_frame) {
		expect(by_key->in_daemon);
		world->n_left_to_frames++;
		return;
	}
	world->n_answered++;
	world->n_in_later_tables += by_key->tables > 1;
	if (!xlate_has_ops(by_key)) {
		expect(counts_alike(by_key, &by_frame) && sends_alike(by_key, &by_frame));
		return;
	}
	for (uint32_t i = 0; i < by_frame.n_ops && i < by_key->n_ops; i++) {
		expect(same_op(&by_key->ops[i], &by_frame.ops[i]));
		world->n_rewritten += by_key->ops[i].type == XOP_REWRITE;
		world->n_selected += by_key->ops[i].type == XOP_SAVE;
	}
	/* With a frame at hand a TTL that ends it is seen at once, else when it is carried out. */
	if (by_frame.n_ops < by_key->n_ops)
		expect(by_frame.n_ops && is_ttl(&by_frame.ops[by_frame.n_ops - 1]));
	else
		expect(by_frame.n_ops == by_key->n_ops);
}

START_TEST(a_key_is_answered_as_its_frame_is)
{
	static struct world world;

	each_frame(&world, check_against_frame);
	printf("%u answered by the key, %u in later tables, %u left to the frame, %u rewrites, %u buckets\n",
		world.n_answered, world.n_in_later_tables, world.n_left_to_frames, world.n_rewritten, world.n_selected);
	ck_assert(world.n_answered > 1000 && world.n_in_later_tables > 500 && world.n_left_to_frames > 500);
	ck_assert(world.n_rewritten > 500 && world.n_selected > 100);
}
END_TEST

/* ---- what the program rewrites ---- */

#define HEADROOM 128
#define TAILROOM 64
#define COPIES   8

struct copy {
	struct frame frame;
	uint8_t bytes[HEADROOM + LAB_MAX + TAILROOM];
};

static void copy_to(struct copy *copy, const uint8_t *bytes, uint32_t size)
{
	copy->frame = (struct frame){copy->bytes + HEADROOM, size, HEADROOM, TAILROOM};
	memcpy(copy->frame.data, bytes, size);
}

/* The frame as the answer's list makes it; false: its TTL ends, and it goes up. */
static bool apply_list(const struct asked *asked, struct copy *ret)
{
	enum rewrite result = REWRITE_DONE;

	copy_to(ret, asked->frame.bytes, asked->frame.size);
	for (uint32_t i = 0; i < asked->answer.n_rewrites && result == REWRITE_DONE; i++)
		result = rewrite_apply(&ret->frame, asked->answer.rewrites[i]);
	return result == REWRITE_DONE;
}

/* Its operations, one after the other, send `wanted` out of each port of the answer, and end nowhere. */
static void check_rewrites(struct world *world, const struct asked *asked)
{
	static struct copy wanted, copies[COPIES];
	const struct xlate *answer = &asked->answer;
	uint32_t n = 1;

	if (!answer->n_rewrites || !apply_list(asked, &wanted))
		return;
	copy_to(&copies[0], asked->frame.bytes, asked->frame.size);
	for (uint32_t i = 0; i < answer->n_ops; i++) {
		const struct xop *op = &answer->ops[i];
		const struct frame *at_hand = &copies[n - 1].frame;

		if (op->type == XOP_REWRITE)
			expect(rewrite_apply(&copies[n - 1].frame, op->action) == REWRITE_DONE);
		if (op->type == XOP_RESTORE)
			n--;
		if (op->type == XOP_SAVE) {
			expect(n < COPIES);
			copy_to(&copies[n++], at_hand->data, at_hand->size);
		}
		if (op->type == XOP_OUTPUT)
			expect(at_hand->size == wanted.frame.size &&
				!memcmp(at_hand->data, wanted.frame.data, at_hand->size));
	}
	expect(answer->n_outputs && sends_alike(answer, answer));
	world->n_rewritten++;
}

START_TEST(a_list_of_rewrites_is_what_the_operations_make_of_every_copy)
{
	static struct world world;

	each_frame(&world, check_rewrites);
	printf("%u rewritten as a list says\n", world.n_rewritten);
	ck_assert(world.n_rewritten > 10);
}
END_TEST

/* T2, where bits that were not looked at are those of another frame, or of none. */
static void check_mask(struct world *world, const struct asked *asked)
{
	static struct xlate flipped;

	for (int i = 0; i < N_FLIPS; i++) {
		struct lab frame = lab_frame(&world->random);
		struct sw_key other = asked->key, aim;
		struct sw_headers headers;

		sw_extract(frame.bytes, frame.bytes + frame.size, IFINDEX_OF, SW_KEY_WORDS, &aim, &headers);
		for (int w = 0; w < SW_KEY_WORDS; w++) {
			uint64_t bits = below(world, 3) == 0 ? seeded_next(&world->random)
					: below(world, 2)    ? UINT64_C(1) << below(world, 64)
							     : asked->key.w[w] ^ aim.w[w];

			other.w[w] ^= bits & ~asked->answer.mask.w[w];
		}
		translate(world->bench.pl, &other, NULL, &flipped);
		expect(same(&asked->answer, &flipped));
		world->n_answered++;
	}
}

START_TEST(bits_that_were_not_consulted_change_nothing) /* T2 */
{
	static struct world world;

	each_frame(&world, check_mask);
	ck_assert(world.n_answered > 1000);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("translate");
	Suite *suite = suite_create("translate");
	SRunner *runner;
	int n_failed;

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, a_key_is_answered_as_its_frame_is);
	tcase_add_test(tcase, a_list_of_rewrites_is_what_the_operations_make_of_every_copy);
	tcase_add_test(tcase, bits_that_were_not_consulted_change_nothing);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
