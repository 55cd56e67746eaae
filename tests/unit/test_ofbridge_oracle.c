/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A steered bridge on a random stream: rules in several tables, groups that
 * chain and watch, ports that come and go, frames that hit the cache or go up.
 *
 * C2: after a settle every frame that hits does what translate() says of it
 * now, whatever has changed meanwhile and however few flows were asked again
 * for it. S1: a rule, group, bucket and table has counted what came by it,
 * once; a rule that goes says so in its last word. The twin counts for each
 * frame what the frame itself is said to pass (translate_frame()). D1: a frame
 * that goes nowhere adds one to one reason, and that has a name.
 *
 * TEST_SEED=n repeats a stream.
 */
#include "bpf/extract.h"
#include "dataplane/copies.h"
#include "dataplane/counters.h"
#include "dataplane/execute.h"
#include "dataplane/ofbridge.h"
#include "dataplane/rewrites.h"
#include "dataplane/sets.h"
#include "dataplane/upcall.h"

#include "tests/unit/cache_lab.h"
#include "tests/unit/seeded.h"
#include "tests/unit/suite.h"

#define SIZE     64
#define N_PORTS  5
#define N_TABLES 3
#define N_GROUPS 5
#define N_HOSTS  4
#define N_STEPS  60000
#define N_TWINS  4096

#define MAX_BUCKETS 3
#define MAX_DONE    64 /* rewrites on one frame's way */
#define MAX_DEPTH   8  /* of groups */

enum { OFPGC_DELETE = 2 };

static struct seeded dice;
static struct lab lab;
static struct upcall *up;
static struct ofbridge *bridge;
static struct xlate answer;
static uint64_t n_taken, n_hits, n_forked, n_forked_up, n_misses, n_ups, n_mods, n_refused, n_removed, n_group_mods,
	n_links, n_lagging, n_ahead, n_copies, n_packet_ins;

static uint32_t below(uint32_t n)
{
	return seeded_below(&dice, n);
}

/* ---- the twin of the counters ---- */

static struct twin {
	const struct tally *tally;
	uint64_t packets;
} twins[N_TWINS];
static uint32_t n_twins;

static struct twin *twin_of(const struct tally *tally)
{
	for (uint32_t i = 0; i < n_twins; i++) {
		if (twins[i].tally == tally)
			return &twins[i];
	}
	must(n_twins < N_TWINS);
	twins[n_twins] = (struct twin){.tally = tally};
	return &twins[n_twins++];
}

static void forget_twin(const struct tally *tally)
{
	*twin_of(tally) = twins[n_twins - 1];
	n_twins--;
}

static void expect_count(const struct tally *tally)
{
	const struct twin *twin = twin_of(tally);

	if (tally->packets != twin->packets)
		ck_abort_msg("counted %lu, came by %lu", (unsigned long)tally->packets, (unsigned long)twin->packets);
}

static void count_frame(const uint8_t frame[SIZE], uint16_t port)
{
	const struct frame_question question = {.in_port = port, .bridge = 1, .frame = frame, .size = SIZE};

	translate_frame(lab.pl, &question, NULL, &answer);
	for (uint32_t i = 0; i < answer.n_ops; i++) {
		const struct tally *tally = answer.ops[i].type == XOP_COUNT ? answer.ops[i].tally : NULL;

		for (; tally; tally = tally->parent)
			twin_of(tally)->packets++;
	}
}

static void check_table(struct table *table)
{
	expect_count(&table->matched);
	expect_count(&table->missed);
	for (const struct rule *rule = table->first; rule; rule = rule->next)
		expect_count(&rule->tally);
}

static void check_counts(void)
{
	struct group *group = NULL;

	ofbridge_refresh(bridge);
	for (uint8_t i = 0; i < N_TABLES; i++)
		check_table(tables_table(ofbridge_tables(bridge), i));
	while ((group = groups_next(ofbridge_groups(bridge), group ? group->id : GROUP_ANY))) {
		expect_count(&group->tally);
		for (uint32_t i = 0; i < group->n_buckets; i++)
			expect_count(&group->buckets[i].tally);
	}
}

/* ---- the controller ---- */

static bool packet_in(void *ctx, const struct packet_in *in)
{
	bool taken = below(4);

	n_taken += taken;
	n_packet_ins++;
	return taken;
}

static void flow_removed(void *ctx, const struct rule *rule)
{
	n_removed++;
	expect_count(&rule->tally);
	forget_twin(&rule->tally);
}

static void port_changed(void *ctx, enum port_change change, const struct of_port_desc *desc)
{
}

/* ---- random rules ---- */

static const char *random_match(void)
{
	static char text[200];
	int n = 0;

	text[0] = '\0';
	if (!below(4))
		n += sprintf(text + n, "in_port=%u", 1 + below(N_PORTS));
	if (!below(3))
		n += sprintf(text + n, "%seth_dst=02:00:00:00:00:%02x", n ? "," : "", 1 + below(N_HOSTS));
	if (!below(6))
		n += sprintf(text + n, "%seth_src=02:00:00:00:00:%02x", n ? "," : "", 1 + below(N_HOSTS));
	if (!below(6))
		n += sprintf(text + n, "%svlan_vid=%u", n ? "," : "", 1 + below(3));
	if (!below(8))
		n += sprintf(text + n, "%smetadata=%u", n ? "," : "", below(3));
	switch (below(10)) {
	case 0:
		sprintf(text + n, "%seth_type=0x0800", n ? "," : "");
		break;
	case 1:
		sprintf(text + n, "%seth_type=0x0800,ip_proto=17,udp_dst=%u", n ? "," : "", 1 + below(3));
		break;
	case 2:
		sprintf(text + n, "%seth_type=0x0800,ip_dscp=%u", n ? "," : "", 5);
		break;
	case 3:
		sprintf(text + n, "%seth_type=0x8847,mpls_label=%u", n ? "," : "", below(3));
		break;
	case 4:
		sprintf(text + n, "%seth_type=0x0806,arp_sha=02:00:00:00:00:%02x", n ? "," : "", 1 + below(N_HOSTS));
		break;
	}
	return text;
}

static const char *random_action(bool in_bucket, uint32_t group)
{
	static char text[64];

	switch (below(14)) {
	case 0:
		return "IN_PORT";
	case 1:
		return "ALL";
	case 2:
		return "NORMAL";
	case 3:
		return below(2) ? "CONTROLLER" : "set_field:7->tunnel_id";
	case 4:
		sprintf(text, "set_field:02:00:00:00:00:%02x->eth_dst", 1 + below(N_HOSTS));
		return text;
	case 5:
		return below(2) ? "push_vlan:0x8100" : "pop_vlan";
	case 6:
		if (below(2))
			return "push_mpls:0x8847";
		return below(2) ? "pop_mpls:0x0800" : "pop_mpls:0x8100";
	case 7:
		return below(3) ? "set_field:5->ip_dscp" : "set_field:0x8100->eth_type";
	case 8:
	case 9:
	case 10:
		if (in_bucket && group + 1 > N_GROUPS)
			return "drop";
		sprintf(text, "group:%u", in_bucket ? group + 1 + below(N_GROUPS - group) : 1 + below(N_GROUPS));
		return text;
	default:
		sprintf(text, "output:%u", 1 + below(N_PORTS + 1));
		return text;
	}
}

static struct actions random_actions(struct action list[8], bool in_bucket, uint32_t group)
{
	struct flow_names names = pipeline_of_names(pipeline_bridge(lab.pl, 1));
	struct actions actions = {.list = list}, one;

	for (uint32_t n = below(4); n; n--) {
		struct action single[4];

		must(!actions_parse(random_action(in_bucket, group), &names, single, 4, &one, NULL));
		if (one.n)
			list[actions.n++] = one.list[0];
	}
	return actions;
}

static void flow_mod(void)
{
	static const uint8_t commands[] = {FLOW_ADD, FLOW_ADD, FLOW_ADD, FLOW_ADD, FLOW_MODIFY, FLOW_MODIFY_STRICT,
		FLOW_DELETE, FLOW_DELETE_STRICT};
	struct flow_names names = pipeline_of_names(pipeline_bridge(lab.pl, 1));
	struct action applied[8], written[8];
	const char *match = random_match();
	struct actions apply = random_actions(applied, false, 0), write = random_actions(written, false, 0);
	struct flow_mod mod = {
		.command = commands[below(sizeof(commands))],
		.table_id = (uint8_t)below(N_TABLES),
		.priority = (uint16_t)below(4),
		.idle_s = below(4) ? 0 : 3,
		.hard_s = below(8) ? 0 : 20,
		.flags = RULE_SEND_FLOW_REM,
		.out_port = OF_PORT_ANY,
		.out_group = GROUP_ANY,
	};
	struct instructions rest = {.goto_table = (uint8_t)(mod.table_id + 1),
		.goes_on = below(2) && mod.table_id + 1 < N_TABLES,
		.clear_actions = !below(4)};

	if (!below(4)) {
		rest.writes_metadata = true;
		rest.metadata_mask = 3;
		rest.metadata = below(3);
	}
	if (below(2))
		write.n = 0;
	if (!below(3)) {
		applied[0] = (struct action){.type = ACTION_GROUP, .arg = 1 + below(N_GROUPS)};
		apply.n = 1;
	}
	if (match[0])
		must(!flow_parse(match, &names, &mod.match, NULL));
	mod.instructions = instructions_create(&rest, &apply, &write);
	n_mods++;
	n_refused += ofbridge_flow_mod(bridge, &mod) != OF_OK;
	free(mod.instructions);
}

/* ---- random groups ---- */

/* Groups name and watch those of greater numbers. */
static struct bucket random_bucket(const struct group_mod *mod, struct action list[8])
{
	struct bucket bucket = {.watch_port = OF_PORT_ANY, .watch_group = GROUP_ANY};

	bucket.actions = random_actions(list, true, mod->id);
	if (mod->type == GROUP_TYPE_SELECT)
		bucket.weight = (uint16_t)below(3);
	else if (mod->type != GROUP_TYPE_FF)
		return bucket;
	if (below(2) || mod->id == N_GROUPS)
		bucket.watch_port = 1 + below(N_PORTS);
	else
		bucket.watch_group = mod->id + 1 + below(N_GROUPS - mod->id);
	if (mod->type == GROUP_TYPE_FF && bucket.watch_port != OF_PORT_ANY && below(3)) {
		list[0] = (struct action){.type = ACTION_OUTPUT, .arg = bucket.watch_port};
		bucket.actions.n = 1;
	}
	return bucket;
}

/* Most are of the types which the program decides by itself. */
static uint8_t random_type(void)
{
	return (uint8_t)(below(2) ? below(4) : below(2) ? GROUP_TYPE_FF : GROUP_TYPE_SELECT);
}

/* The counts of its buckets begin anew, and with a group its own go. */
static void group_mod(void)
{
	struct action lists[MAX_BUCKETS][8];
	struct bucket buckets[MAX_BUCKETS];
	struct group_mod mod = {
		.command = (uint16_t)(below(6) ? below(2) : OFPGC_DELETE),
		.type = random_type(),
		.id = 1 + below(N_GROUPS),
		.buckets = buckets,
	};
	struct group *group = groups_find(ofbridge_groups(bridge), mod.id);
	const struct tally *going[MAX_BUCKETS + 1];
	uint32_t n_going = 0;

	mod.n_buckets = mod.type == GROUP_TYPE_INDIRECT ? 1
			: mod.type == GROUP_TYPE_FF     ? 1 + below(MAX_BUCKETS)
							: below(MAX_BUCKETS + 1);
	for (uint32_t i = 0; i < mod.n_buckets; i++)
		buckets[i] = random_bucket(&mod, lists[i]);
	for (uint32_t i = 0; group && i < group->n_buckets; i++)
		going[n_going++] = &group->buckets[i].tally;
	if (group && mod.command == OFPGC_DELETE)
		going[n_going++] = &group->tally;
	n_group_mods++;
	if (ofbridge_group_mod(bridge, &mod) != OF_OK) {
		n_refused++;
		return;
	}
	while (n_going)
		forget_twin(going[--n_going]);
}

/* ---- ports ---- */

static void port_change(void)
{
	static const uint8_t mac[6] = {0};
	static const uint32_t bits[] = {
		OF_PORT_CONFIG_DOWN, OF_PORT_CONFIG_NO_FWD, OF_PORT_CONFIG_NO_RECV, OF_PORT_CONFIG_NO_PACKET_IN};
	uint16_t port = (uint16_t)(1 + below(N_PORTS));
	struct port_state state = lab.states[port];

	n_links++;
	if (below(3)) {
		state.up = !state.up || !below(4);
		lab_port_is(&lab, port, &state);
	} else {
		uint32_t bit = bits[below(4)];

		must(ofbridge_port_mod(bridge, port, mac, below(4) ? 0 : bit, bit) == OF_OK);
	}
}

/* ---- frames ---- */

static void random_frame(uint8_t frame[SIZE])
{
	static const uint8_t ip[] = {0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 9};
	uint8_t *at = frame + 12;

	memset(frame, 0, SIZE);
	memcpy(frame, (uint8_t[6]){2, 0, 0, 0, 0, (uint8_t)(1 + below(N_HOSTS))}, 6);
	memcpy(frame + 6, (uint8_t[6]){2, 0, 0, 0, 0, (uint8_t)(1 + below(N_HOSTS))}, 6);
	if (!below(3)) {
		memcpy(at, (uint8_t[4]){below(4) ? 0x81 : 0x88, 0, 0, (uint8_t)below(4)}, 4);
		at[1] = at[0] == 0x88 ? 0xa8 : 0;
		at += 4;
	}
	switch (below(5)) {
	case 0:
		memcpy(at, (uint8_t[]){8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, (uint8_t)(1 + below(N_HOSTS))}, 16);
		break;
	case 1:
		memcpy(at, (uint8_t[]){0x88, 0x47, 0, 0, (uint8_t)(below(3) << 4 | 1), 64}, 6);
		memcpy(at + 6, ip, sizeof(ip));
		break;
	default:
		memcpy(at, (uint8_t[]){8, 0}, 2);
		memcpy(at + 2, ip, sizeof(ip));
		at[3] = below(2) ? 5 << 2 : 0;
		at[25] = (uint8_t)(1 + below(3));
	}
}

static bool is_up(const struct dp_memory_hit *hit)
{
	return hit->program->steps[0].op == SW_OP_UPCALL;
}

static const struct sw_step *last_step(const struct dp_memory_hit *hit)
{
	return &hit->program->steps[hit->program->n_steps - 1];
}

static bool sends_to(const struct dp_memory_hit *hit, uint16_t port)
{
	const struct sw_step *last = last_step(hit);
	uint32_t rewrite;

	if (last->op == SW_OP_COPIES)
		return copies_have(sets_copies(lab.sets), last->arg, port, &rewrite);
	return last->op == SW_OP_OUTPUT ? last->arg == port
					: last->op == SW_OP_BROADCAST && dp_memory_set_has(lab.dp, last->arg, port);
}

/* A broadcast leaves out the port that the frame came in by; copies go there too. */
static bool may_send_back(const struct dp_memory_hit *hit)
{
	return last_step(hit)->op != SW_OP_BROADCAST;
}

/* How its program rewrites what leaves by the port; SW_MAX_REWRITES: not at all. */
static uint32_t rewrite_for(const struct dp_memory_hit *hit, uint16_t port)
{
	const struct sw_step *first = &hit->program->steps[program_first(hit->program->steps)];
	uint32_t rewrite = SW_MAX_REWRITES;

	if (first->op == SW_OP_COPIES)
		copies_have(sets_copies(lab.sets), first->arg, port, &rewrite);
	return first->op == SW_OP_REWRITE ? first->arg : rewrite;
}

/* These are the edits that its program makes for that port, and no others. */
static bool rewrites_as(const struct dp_memory_hit *hit, uint16_t port, const struct action *const *done, uint32_t n)
{
	struct rewrites *rewrites = sets_rewrites(lab.sets);
	uint32_t is = rewrite_for(hit, port), should;

	if (is == SW_MAX_REWRITES)
		return !n;
	should = rewrites_get(rewrites, done, n);
	if (should == SW_MAX_REWRITES)
		return false;
	rewrites_drop(rewrites, should);
	return is == should; /* E2 */
}

static bool tells(const struct sw_flow *program)
{
	return program_first(program->steps) && program->steps[program_first(program->steps) - 1].op == SW_OP_TELL;
}

/*
 * A rule that is new, and that the flow's frames cannot match, makes the key
 * alone too little for an answer; the flow stays as it is, and right.
 */
static void expect_as_frame(const uint8_t frame[SIZE], uint16_t in_port, const struct dp_memory_hit *hit)
{
	const struct frame_question question = {.in_port = in_port, .bridge = 1, .frame = frame, .size = SIZE};
	const struct action *done[MAX_DONE];
	bool sent[N_PORTS + 1] = {false};
	uint32_t n_done[MAX_DEPTH] = {0};
	int depth = 0;

	translate_frame(lab.pl, &question, NULL, &answer);
	for (uint32_t i = 0; i < answer.n_ops; i++) {
		const struct xop *op = &answer.ops[i];

		if (op->type == XOP_NORMAL && hit->flow->steps[program_first(hit->flow->steps)].op == SW_OP_NORMAL)
			return;
		must(op->type == XOP_OUTPUT || op->type == XOP_COUNT || op->type == XOP_SAVE ||
			op->type == XOP_RESTORE || op->type == XOP_REWRITE ||
			(op->type == XOP_CONTROLLER && tells(hit->program)));
		if (op->type == XOP_SAVE) {
			must(depth + 1 < MAX_DEPTH);
			n_done[depth + 1] = n_done[depth];
			depth++;
		} else if (op->type == XOP_RESTORE) {
			depth--;
		} else if (op->type == XOP_REWRITE) {
			must(n_done[depth] < MAX_DONE);
			done[n_done[depth]++] = op->action;
		} else if (op->type == XOP_OUTPUT) {
			sent[op->port] = true;
			must(rewrites_as(hit, op->port, done, n_done[depth]));
		}
	}
	n_ahead++;
	for (uint16_t port = 1; port <= N_PORTS; port++)
		must(sent[port] == (sends_to(hit, port) && (port != in_port || may_send_back(hit))));
}

/* Frames take the branch that is live now, and it says what would be said of it
 * now. */
static void expect_branch(const struct sw_key *key, const struct dp_memory_hit *hit)
{
	struct program program;

	n_forked++;
	n_forked_up += is_up(hit);
	take_branch_now(lab.pl, key, &answer);
	program_compile(lab.sets, lab.pl, key, &answer, &program);
	if (is_up(hit)) {
		must(program.steps[program.n_steps - 1].op == SW_OP_UPCALL);
	} else {
		program.flags &= ~SW_FLOW_CSUM;
		must(program_is_of(&program, hit->program));
	}
	program_release(lab.sets, &program);
}

/* One that goes up may lag behind (M1 of cache.h) until a frame of its has come
 * up. */
static void expect_answer(
	const uint8_t frame[SIZE], uint16_t in_port, const struct sw_key *key, const struct dp_memory_hit *hit)
{
	const struct sw_step *last = &hit->program->steps[hit->program->n_steps - 1];
	struct program program;

	must(last->op != SW_OP_DROP || last->arg != SW_DROP_NONE);
	translate(lab.pl, key, NULL, &answer);
	if (answer.needs_frame && !is_up(hit)) {
		expect_as_frame(frame, in_port, hit);
		return;
	}
	program_compile(lab.sets, lab.pl, key, &answer, &program);
	n_lagging += is_up(hit) && !program_is_of(&program, hit->flow);
	if (!program_is_of(&program, hit->flow) && !is_up(hit)) {
		char is[200], should[200];

		program_format(lab.pl, lab.sets, hit->flow->steps, hit->flow->n_steps, is, sizeof(is));
		program_format(lab.pl, lab.sets, program.steps, program.n_steps, should, sizeof(should));
		ck_abort_msg("a flow that says %s should say %s", is, should);
	}
	program_release(lab.sets, &program);
	if (hit->program != hit->flow)
		expect_branch(key, hit);
}

static uint64_t drops(enum sw_drop first, enum sw_drop last)
{
	uint64_t sum = 0;

	for (uint16_t port = 0; port <= N_PORTS; port++) {
		for (unsigned reason = first; reason <= last; reason++)
			sum += counters_read_drop(&lab.dp->memory, port, reason);
	}
	return sum;
}

/* The daemon has a frame. */
static void run_up(void)
{
	uint64_t before = drops(SW_DROP_NONE, SW_N_DROPS - 1), n;

	n_taken = 0;
	upcall_run(up, lab.now_ns);
	n = drops(SW_DROP_NONE, SW_N_DROPS - 1) - before;
	must(!drops(SW_DROP_NONE, SW_DROP_NONE));
	must(dp_memory_n_sent(lab.dp) || n_taken ? 1 : n == 1);
	dp_memory_forget_sent(lab.dp);
}

/* Of a copy controllers hear what they would of the frame, and nothing else becomes of it. */
static void tell(const uint8_t frame[SIZE], uint16_t port, const struct sw_key *key)
{
	uint64_t lost = drops(SW_DROP_NONE, SW_N_DROPS - 1);
	uint32_t n_for_them = 0;

	translate(lab.pl, key, NULL, &answer);
	take_branch_now(lab.pl, key, &answer);
	for (uint32_t i = 0; i < answer.n_ops; i++)
		n_for_them += answer.ops[i].type == XOP_CONTROLLER;
	if (answer.needs_frame) /* they are not all there */
		return;
	n_packet_ins = 0;
	dp_memory_tell(lab.dp, port, frame, SIZE, 0);
	upcall_run(up, lab.now_ns);
	must(n_for_them && n_packet_ins == n_for_them);
	must(!dp_memory_n_sent(lab.dp) && drops(SW_DROP_NONE, SW_N_DROPS - 1) == lost);
	n_copies++;
}

static void arrive(void)
{
	uint16_t port = (uint16_t)(1 + below(N_PORTS));
	struct dp_memory_hit hit;
	struct sw_headers headers;
	struct sw_key key;
	uint8_t frame[SIZE];

	random_frame(frame);
	sw_extract(frame, frame + SIZE, IFINDEX_OF + port, SW_KEY_WORDS, &key, &headers);
	count_frame(frame, port);
	if (!dp_memory_lookup(lab.dp, 0, &key, SIZE, &hit)) {
		n_misses++;
		dp_memory_inject(lab.dp, port, frame, SIZE, SW_UPCALL_MISS);
	} else {
		n_hits++;
		expect_answer(frame, port, &key, &hit);
		if (tells(hit.program))
			tell(frame, port, &key);
		if (!is_up(&hit))
			return;
		n_ups++;
		dp_memory_inject(lab.dp, port, frame, SIZE, hit.program->steps[hit.program->n_steps - 1].arg);
	}
	run_up();
}

/* ---- the stream ---- */

static void step(void)
{
	switch (below(24)) {
	case 0:
	case 1:
		flow_mod();
		break;
	case 2:
		group_mod();
		break;
	case 3:
		if (!below(3))
			port_change();
		break;
	case 4:
		dp_memory_end_grace(lab.dp);
		break;
	case 5:
		lab.now_ns += below(SECOND);
		if (!below(4))
			cache_sweep(lab.cache, lab.now_ns);
		break;
	case 6:
		if (!below(20))
			lab_let_grace_pass(&lab);
		break;
	default:
		arrive();
	}
	lab_settle(&lab);
}

START_TEST(a_steered_bridge_answers_and_counts_as_its_rules_say)
{
	const struct ofbridge_events events = {NULL, packet_in, flow_removed, port_changed};

	dice = seeded_start_aloud();
	lab_open(&lab, 256, N_PORTS);
	dp_memory_end_grace_at_once(lab.dp, false);
	up = upcall_create(lab.dp, lab.pl, lab.fdb, lab.cache, ofbridges_executor(lab.bridges));
	ck_assert_ptr_nonnull(up);
	bridge = ofbridges_get(lab.bridges, 1);
	tables_flush(ofbridge_tables(bridge), RULE_DELETE);
	lab_settle(&lab);
	ofbridge_listen(bridge, &events);
	for (uint32_t i = 0; i < N_STEPS; i++) {
		step();
		if (i % 64 == 0)
			check_counts();
	}
	lab_check_maps(&lab);
	tables_flush(ofbridge_tables(bridge), RULE_DELETE);
	lab_settle(&lab);
	lab_let_grace_pass(&lab);
	check_counts();
	lab_check_given_back(&lab);
	printf("%lu hits (%lu of them up), %lu misses, %lu flow-mods, %lu "
	       "group-mods, %lu refused, %lu removed, "
	       "%lu changes of ports, %lu asked, %lu lagged, %lu ahead, %lu by forks "
	       "(%lu of them up), %lu told of by a copy\n",
		n_hits, n_ups, n_misses, n_mods, n_group_mods, n_refused, n_removed, n_links,
		(unsigned long)cache_totals(lab.cache)->asked, n_lagging, n_ahead, n_forked, n_forked_up, n_copies);
	fflush(stdout);
	ck_assert(n_hits > N_STEPS / 10 && n_removed > 100 && n_lagging < n_ups / 10);
	ck_assert(n_forked > N_STEPS / 300 && n_forked_up && n_copies);
	upcall_destroy(up);
	lab_close(&lab);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("all");
	Suite *suite = suite_create("ofbridge_oracle");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_steered_bridge_answers_and_counts_as_its_rules_say);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
