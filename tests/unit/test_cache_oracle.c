/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache against the pipeline that it caches, on seeded random streams.
 *
 * C2: after a settle every lookup that hits runs the steps that translate() of that very key compiles to, for the same
 *     port and bridge. Changes of the FDB, which never cease, need no settle for that, and change no slot.
 * A1, A2: whatever a program run was looking at (slot, mask, set) stays as it was until its grace period has ended.
 * S1: every frame counted on a flow, also on one that died under it, is harvested once, and stays with its flow.
 *
 * TEST_SEED=n in the environment repeats a stream.
 */
#include "tests/unit/cache_lab.h"
#include "tests/unit/seeded.h"

#include "dataplane/action.h"
#include "tests/unit/suite.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define N_FLOWS    64
#define N_MACS     12
#define N_VIDS     4
#define N_STEPS    400000
#define N_RULES    12
#define MAX_RUNS   24
#define MAX_PARSED 8

static struct seeded dice;

static uint32_t below(uint32_t n)
{
	return seeded_below(&dice, n);
}

static struct lab lab;

/* ---- the twin of the counters: a line of life is a masked key from its put to its removal ---- */

#define N_LINES (1 << 17)

struct line {
	bool used;
	struct sw_key key, mask;
	uint64_t id; /* of the life it is in */
	uint64_t packets, bytes;
};

static struct line lines[N_LINES];
static uint64_t n_lives, n_packets, n_bytes;

static struct line *line_of(const struct sw_key *key, const struct sw_key *mask)
{
	struct line *line;
	uint64_t h = 1;

	for (uint32_t i = 0; i < SW_KEY_WORDS; i++)
		h = sw_hash_step(h, key->w[i]);
	for (line = &lines[h % N_LINES]; line->used; line = line == &lines[N_LINES - 1] ? lines : line + 1) {
		if (memcmp(&line->key, key, sizeof(*key)) == 0 && memcmp(&line->mask, mask, sizeof(*mask)) == 0)
			return line;
	}
	*line = (struct line){.used = true, .key = *key, .mask = *mask};
	return line;
}

static struct line *line_of_flow(const struct sw_flow *flow)
{
	return line_of(&flow->key, &lab.dp->memory.config->masks[flow->mask].bits);
}

static void check_view(void *ctx, const struct cache_view *view)
{
	const struct line *line = line_of(view->key, view->mask);

	must(view->packets == line->packets);
	must(view->bytes == line->bytes);
}

static void restart_view(void *ctx, const struct cache_view *view)
{
	struct line *line = line_of(view->key, view->mask);

	line->packets = view->packets;
	line->bytes = view->bytes;
}

/* ---- program runs that have found a flow and are not done with it ---- */

struct run {
	uint32_t cpu, slot, size;
	uint64_t life;
	bool before_grace; /* the running grace period waits for it */
	struct sw_flow flow;
	struct sw_mask mask;
	struct sw_registry_set set;
	bool broadcasts;
};

static struct run runs[MAX_RUNS];
static uint32_t n_runs;
static uint64_t n_late;

static void begin_run(uint32_t cpu, uint32_t size, const struct dp_memory_hit *hit)
{
	const struct sw_step *last = &hit->flow->steps[hit->flow->n_steps - 1];
	struct run *run = &runs[n_runs];

	if (n_runs == MAX_RUNS)
		return;
	n_runs++;
	*run = (struct run){.cpu = cpu, .slot = hit->slot, .size = size, .flow = *hit->flow};
	run->life = line_of_flow(hit->flow)->id;
	run->mask = lab.dp->memory.config->masks[hit->flow->mask];
	run->broadcasts = last->op == SW_OP_BROADCAST;
	if (run->broadcasts)
		run->set = lab.dp->memory.registry->set[last->arg];
}

static void check_run(const struct run *run)
{
	const struct dp_memory *memory = &lab.dp->memory;
	struct sw_flow now = memory->flows[run->slot];
	const struct sw_mask *mask = &memory->config->masks[run->flow.mask];

	must(now.gen == run->flow.gen || now.gen == run->flow.gen + 1);
	now.gen = run->flow.gen;
	must(memcmp(&now, &run->flow, sizeof(now)) == 0);
	must(memcmp(&mask->bits, &run->mask.bits, sizeof(mask->bits)) == 0);
	must(mask->n_words == run->mask.n_words);
	if (run->broadcasts)
		must(memcmp(&memory->registry->set[run->flow.steps[run->flow.n_steps - 1].arg], &run->set,
			     sizeof(run->set)) == 0);
}

static void count(const struct run *run)
{
	struct sw_flow_stats *stats = dp_flow_stats(&lab.dp->memory, run->cpu, run->slot);
	struct line *line = line_of(&run->flow.key, &run->mask.bits);

	stats->packets++;
	stats->bytes += run->size;
	n_packets++;
	n_bytes += run->size;
	if (line->id == run->life) {
		line->packets++;
		line->bytes += run->size;
	}
	n_late++;
}

/* One more frame of the kind that found the slot then counts on it now, and the run is over. */
static void end_run(uint32_t i)
{
	check_run(&runs[i]);
	if (below(2))
		count(&runs[i]);
	runs[i] = runs[--n_runs];
}

static void end_runs(bool all)
{
	for (uint32_t i = n_runs; i--;) {
		if (all || runs[i].before_grace)
			end_run(i);
	}
}

/* ---- program runs that have parsed their frame and not yet looked it up ---- */

struct parsed {
	struct sw_key key;  /* all of it */
	struct sw_key seen; /* as deep as the run parsed */
	bool before_grace;
};

static struct parsed parsed[MAX_PARSED];
static uint32_t n_parsed;

static void look_up_parsed(uint32_t i);

static void begin_parsed(const struct sw_key *key)
{
	struct parsed *p = &parsed[n_parsed];

	if (n_parsed == MAX_PARSED)
		return;
	n_parsed++;
	*p = (struct parsed){.key = *key, .seen = *key};
	for (uint32_t i = lab.dp->memory.config->depth; i < SW_KEY_WORDS; i++)
		p->seen.w[i] = 0;
}

static void end_parsed(bool all)
{
	for (uint32_t i = n_parsed; i--;) {
		if (all || parsed[i].before_grace)
			look_up_parsed(i);
	}
}

static uint32_t n_graces;

/* After each call that may have begun a grace period: it waits for the runs that are there now, and no later ones. */
static void look_for_grace(void)
{
	if (dp_memory_n_graces(lab.dp) == n_graces)
		return;
	n_graces = dp_memory_n_graces(lab.dp);
	for (uint32_t i = 0; i < n_runs; i++)
		runs[i].before_grace = true;
	for (uint32_t i = 0; i < n_parsed; i++)
		parsed[i].before_grace = true;
}

static bool more_since_settled; /* a grace period has ended: what had to wait for it can be had */

static void end_grace(void)
{
	end_parsed(false);
	end_runs(false);
	more_since_settled |= dp_memory_end_grace(lab.dp);
	look_for_grace();
}

/* ---- the stream ---- */

static const uint16_t vids[N_VIDS] = {0, 10, 20, 30};
static struct sw_key recent[64];

static struct sw_key random_key(void)
{
	uint16_t port = 1 + below(N_LAB_PORTS), vid = vids[below(N_VIDS)];
	struct sw_key key = lab_key(port, 1 + below(N_MACS), below(8) ? 1 + below(N_MACS) : 0xff);

	if (lab.states[port].ifindex)
		key.f.in_ifindex = lab.states[port].ifindex;
	if (below(20) == 0)
		memcpy(key.f.eth_dst, (uint8_t[6]){1, 0x80, 0xc2, 0, 0, below(16)}, 6);
	if (below(40) == 0)
		key.f.eth_src[0] |= 1;
	if (below(2))
		key.f.vlan_tci_be = htons(SW_VLAN_PRESENT | vid | below(8) << 13);
	key.f.eth_type_be = htons(below(4) ? 0x0800 : 0x86dd);
	if (below(3) == 0)
		key.f.ip_proto = below(3);
	return key;
}

static struct sw_key some_key(void)
{
	uint32_t i = below(64);

	if (!recent[i].f.in_ifindex || below(4) == 0)
		recent[i] = random_key();
	return recent[i];
}

static bool runs_program(const struct sw_flow *flow, const struct program *program)
{
	return flow->flags == program->flags && flow->n_steps == program->n_steps &&
	       memcmp(flow->steps, program->steps, flow->n_steps * sizeof(flow->steps[0])) == 0;
}

static bool goes_up(const struct sw_step *steps, uint8_t n_steps)
{
	return steps[n_steps - 1].op == SW_OP_UPCALL;
}

/* For a port to be followed (O3 of copies.h), of a list of copies or that has a tag taken off. */
static bool waits_for_its_ports(const struct sw_flow *flow, const struct program *program)
{
	return more_since_settled && goes_up(flow->steps, flow->n_steps) && !goes_up(program->steps, program->n_steps);
}

static uint32_t n_waiting, n_copies;

static void check_answer(const struct sw_key *key, const struct dp_memory_hit *hit)
{
	struct program program;

	translate(lab.pl, key, NULL, &lab.answer);
	program_compile(lab.sets, lab.pl, key, &lab.answer, &program);
	if (waits_for_its_ports(hit->flow, &program)) {
		n_waiting++;
	} else if (!runs_program(hit->flow, &program)) {
		char is[200], should[200];

		program_format(lab.pl, lab.sets, hit->flow->steps, hit->flow->n_steps, is, sizeof(is));
		program_format(lab.pl, lab.sets, program.steps, program.n_steps, should, sizeof(should));
		ck_abort_msg("slot %u runs %s (%#x) and should run %s (%#x)", hit->slot, is, hit->flow->flags, should,
			program.flags);
	}
	n_copies += hit->flow->steps[0].op == SW_OP_COPIES;
	must(lab.answer.cacheable);
	must(hit->flow->in_port == lab.answer.in_port && hit->flow->bridge == lab.answer.bridge);
	program_release(lab.sets, &program);
}

static bool hit_by_frame(const struct sw_key *key, struct dp_memory_hit *ret)
{
	uint32_t cpu = below(DP_MEMORY_CPUS), size = 60 + below(1400);
	struct line *line;

	if (!dp_memory_lookup(lab.dp, cpu, key, size, ret))
		return false;
	line = line_of_flow(ret->flow);
	line->packets++;
	line->bytes += size;
	n_packets++;
	n_bytes += size;
	if (below(4) == 0)
		begin_run(cpu, size, ret);
	return true;
}

static bool settled;
static uint64_t n_put, n_deep, n_normal, n_compared;
static uint32_t n_masks;

static void settle(void)
{
	lab_settle(&lab);
	look_for_grace();
	settled = true;
	more_since_settled = false;
}

static void miss(const struct sw_key *key)
{
	struct sw_key masked;
	struct line *line;
	int error;

	translate(lab.pl, key, NULL, &lab.answer);
	normal_carry_out(lab.pl, key, NULL, &lab.answer);
	if (lab.answer.learn.port)
		fdb_learn(lab.fdb, &lab.answer.learn.key, lab.answer.learn.port, lab.now_ns);
	settle();
	translate(lab.pl, key, NULL, &lab.answer);
	error = lab.answer.cacheable ? cache_put(lab.cache, key, &lab.answer, lab.now_ns) : -EINVAL;
	look_for_grace();
	if (error)
		return;
	masked = key_masked(key, &lab.answer.mask);
	line = line_of(&masked, &lab.answer.mask);
	line->id = ++n_lives;
	line->packets = line->bytes = 0;
	n_put++;
	n_deep += mask_n_words(&lab.answer.mask) > SW_L2_WORDS;
	n_normal += lab.answer.normal;
	if (cache_mask_count(lab.cache) > n_masks)
		n_masks = cache_mask_count(lab.cache);
}

static void frame(void)
{
	struct sw_key key = some_key();
	struct dp_memory_hit hit;

	if (below(16) == 0)
		begin_parsed(&key);
	if (!hit_by_frame(&key, &hit)) {
		if (below(4))
			miss(&key);
		return;
	}
	if (settled) {
		check_answer(&key, &hit);
		n_compared++;
	}
}

static void look_up_parsed(uint32_t i)
{
	struct parsed p = parsed[i];
	struct dp_memory_hit hit;

	parsed[i] = parsed[--n_parsed];
	if (hit_by_frame(&p.seen, &hit) && settled)
		check_answer(&p.key, &hit);
}

static void change_fdb(void)
{
	struct fdb_key key = {
		.bridge = 1 + below(2), .vid = vids[below(N_VIDS)], .mac = {2, 0, 0, 0, 0, 1 + below(N_MACS)}};

	switch (below(6)) {
	case 0:
		fdb_remove(lab.fdb, &key);
		break;
	case 1:
		fdb_flush(lab.fdb, below(3), 1 + below(N_LAB_PORTS), below(2) ? -1 : key.vid, below(2));
		break;
	case 2:
		fdb_add_static(lab.fdb, &key, 1 + below(N_LAB_PORTS), lab.now_ns, NULL);
		break;
	case 3:
		fdb_age(lab.fdb, lab.now_ns);
		break;
	default:
		fdb_learn(lab.fdb, &key, 1 + below(N_LAB_PORTS), lab.now_ns);
	}
}

/* Where everything is settled, a change of the FDB alone asks no flow and writes to none. */
static void change_fdb_alone(void)
{
	static struct sw_flow before[N_FLOWS];
	const struct sw_flow *now = lab.dp->memory.flows;
	uint64_t asked;

	settle();
	asked = cache_totals(lab.cache)->asked;
	memcpy(before, now, sizeof(before));
	change_fdb();
	settle();
	must(cache_totals(lab.cache)->asked == asked);
	must(memcmp(before, now, sizeof(before)) == 0);
}

/* Two ports contend for one device: who takes it leaves the other without. */
static uint32_t take_shared_device(uint16_t id)
{
	uint32_t pair = (id - 1U) / 2, device = IFINDEX_OF + 2000 + pair;
	uint16_t other = 1 + 2 * pair + id % 2;
	struct port_state state = lab.states[other];

	if (state.ifindex == device) {
		state.ifindex = 0;
		lab_port_is(&lab, other, &state);
	}
	return device;
}

static void change_port(void)
{
	uint16_t id = 1 + below(N_LAB_PORTS);
	struct port_state state = lab.states[id];

	switch (below(7)) {
	case 0:
		state.up = below(4);
		break;
	case 1:
		state.fast = below(6);
		break;
	case 2:
		state.csum = below(2);
		break;
	case 3:
		state.ifindex = below(3) ? (below(2) ? IFINDEX_OF : IFINDEX_OF + 1000) + id : 0;
		break;
	case 4:
		state.ifindex = take_shared_device(id);
		break;
	case 5:
		state.sg = below(2);
		break;
	default:
		state.max_frame = 1518 + 100 * below(3);
	}
	lab_port_is(&lab, id, &state);
	settled = false;
}

static void change_vlan(void)
{
	struct vlan_config vlan = {.mode = below(3)};
	uint16_t id = 1 + below(N_LAB_PORTS);

	if (vlan.mode == VLAN_ACCESS)
		vlan.vid = vids[1 + below(N_VIDS - 1)];
	if (vlan.mode == VLAN_TRUNK) {
		for (int i = 1; i < N_VIDS; i++)
			vlan.allowed[vids[i] / 64] |= (uint64_t)(below(3) > 0) << vids[i] % 64;
		if (below(2)) {
			vlan.vid = vids[1 + below(N_VIDS - 1)];
			vlan.allowed[vlan.vid / 64] |= 1ULL << vlan.vid % 64;
			vlan.native_tagged = below(2);
		}
	}
	lab_port_vlan(&lab, id, &vlan);
	settled = false;
}

/* Rule i has always the same match and priority: every third looks beyond layer 2. */
static struct flow_match match_of(uint32_t i)
{
	struct flow_match match = {0};

	if (i % 2) {
		flow_look(&match.mask, FIELD_ETH_TYPE);
		match.key.x.f.eth_type_be = htons(i % 4 == 1 ? 0x0800 : 0x86dd);
	}
	if (i % 3 == 0) {
		match.mask.x.f.ip_proto = 0xff;
		match.key.x.f.ip_proto = i / 3 % 3;
	}
	if (i % 5 == 0) {
		match.mask.x.f.eth_src[5] = 1 << i / 5;
		match.key.x.f.eth_src[5] = 1 << i / 5;
	}
	return match;
}

static bool rules_there[N_RULES];

static void put_rule(uint32_t i)
{
	struct flow_match match = match_of(i);
	struct action list[4];
	struct actions actions = {.n = below(4), .list = list};
	bool copies = below(2); /* with NORMAL among them only the daemon makes several */

	for (uint32_t a = 0; a < actions.n; a++)
		list[a] = (struct action){
			.type = ACTION_OUTPUT, .arg = !copies && below(2) ? OF_PORT_NORMAL : 1 + below(N_LAB_PORTS)};
	ck_assert_int_eq(pipeline_rule_put(lab.pl, 1, &match, 10 + i, &actions, NULL), 0);
	rules_there[i] = true;
}

static void change_rules(void)
{
	uint32_t i = below(N_RULES);
	struct flow_match match = match_of(i);

	if (below(3) == 0) {
		put_rule(i);
	} else if (rules_there[i]) {
		ck_assert_int_eq(pipeline_rule_remove(lab.pl, 1, &match, 10 + i, NULL), 0);
		rules_there[i] = false;
	}
	settled = false;
}

static void change_bridge(void)
{
	uint16_t id = 1 + below(2), port = 1 + below(N_LAB_PORTS);

	switch (below(4)) {
	case 0:
		pipeline_bridge_set(lab.pl, id, FDB_DEFAULT_AGEING_S, FDB_DEFAULT_LIMIT, below(2));
		break;
	case 1:
		pipeline_bridge_set_learning(lab.pl, id, below(2));
		break;
	case 2:
		lab_look_at_addresses(&lab, below(4));
		break;
	default:
		lab_move_port(&lab, port, id);
	}
	settled = false;
}

static void sweep(void)
{
	lab.now_ns += below(3) * SECOND;
	cache_sweep(lab.cache, lab.now_ns);
	look_for_grace();
}

static void flush(void)
{
	cache_flush(lab.cache);
	look_for_grace();
}

static void end_all_flows(void)
{
	cache_flush(lab.cache);
	lab_let_grace_pass(&lab);
	lab_check_given_back(&lab);
}

/* Every frame counted so far has been harvested, and each live flow has its own. */
static void check_counts(void)
{
	end_parsed(true);
	end_runs(true);
	lab_let_grace_pass(&lab);
	more_since_settled = true;
	look_for_grace();
	cache_each(lab.cache, lab.now_ns, check_view, NULL);
	cache_sweep(lab.cache, lab.now_ns);
	look_for_grace();
	ck_assert_uint_eq(cache_totals(lab.cache)->packets, n_packets);
	ck_assert_uint_eq(cache_totals(lab.cache)->bytes, n_bytes);
}

static void check_all_recent(void)
{
	settle();
	for (int i = 0; i < 64; i++) {
		struct dp_memory_hit hit;

		if (recent[i].f.in_ifindex && hit_by_frame(&recent[i], &hit))
			check_answer(&recent[i], &hit);
	}
}

static struct cache_totals sums;

static void sum_up(void)
{
	const struct cache_totals *t = cache_totals(lab.cache);

	sums.refused += t->refused;
	sums.asked += t->asked;
	sums.replaced += t->replaced;
	sums.withdrawn += t->withdrawn;
	sums.expired += t->expired;
	sums.evicted += t->evicted;
}

static void restart(void)
{
	check_counts();
	sum_up();
	lab_restart(&lab);
	for (uint32_t i = 0; i < N_RULES; i++) {
		if (rules_there[i])
			put_rule(i);
	}
	settled = false;
	n_packets = n_bytes = 0;
	cache_each(lab.cache, lab.now_ns, restart_view, NULL);
}

static void open_lab(void)
{
	lab_open(&lab, N_FLOWS, N_LAB_PORTS);
	lab_add_bridge(&lab);
	lab_look_at_addresses(&lab, true);
}

static void step(void)
{
	uint32_t what = below(1000);

	if (what < 800)
		frame();
	else if (what < 840)
		change_fdb();
	else if (what < 850)
		change_fdb_alone();
	else if (what < 859)
		change_port();
	else if (what < 863)
		change_vlan();
	else if (what < 866)
		change_bridge();
	else if (what < 870)
		change_rules();
	else if (what < 930)
		settle();
	else if (what < 960)
		end_grace();
	else if (what < 985)
		sweep();
	else if (what < 986)
		flush();
	else if (what < 995 && n_runs)
		end_run(below(n_runs));
	else if (what < 996)
		check_counts();
	else if (what < 997 && below(4) == 0)
		restart();
}

START_TEST(what_is_hit_is_what_the_pipeline_says_and_no_frame_is_lost_or_counted_twice)
{
	open_lab();
	for (uint32_t i = 0; i < N_STEPS; i++) {
		step();
		if (i % 64 == 0)
			check_all_recent();
		if (i % 256 == 0)
			lab_check_maps(&lab);
	}
	check_counts();
	sum_up();
	printf("put %llu (deep %llu, NORMAL %llu, up to %u masks), compared %llu, late %llu, %u changes of the FDB, "
	       "asked %llu, copies %u (waiting %u), replaced %llu, withdrawn %llu, expired %llu, evicted %llu, refused "
	       "%llu\n",
		(unsigned long long)n_put, (unsigned long long)n_deep, (unsigned long long)n_normal, n_masks,
		(unsigned long long)n_compared, (unsigned long long)n_late, lab.n_fdb_changes,
		(unsigned long long)sums.asked, n_copies, n_waiting, (unsigned long long)sums.replaced,
		(unsigned long long)sums.withdrawn, (unsigned long long)sums.expired, (unsigned long long)sums.evicted,
		(unsigned long long)sums.refused);
	fflush(stdout);
	/* A stream in which nothing happens proves nothing. */
	ck_assert_uint_gt(n_put, 1000);
	ck_assert_uint_gt(n_compared, 1000);
	ck_assert_uint_gt(n_copies, 25);
	ck_assert_uint_gt(n_copies, n_waiting);
	ck_assert_uint_gt(n_late, 1000);
	ck_assert_uint_gt(sums.replaced, 100);
	ck_assert_uint_gt(sums.withdrawn, 100);
	ck_assert_uint_gt(sums.expired, 10);
	ck_assert_uint_gt(sums.evicted, 10);
	ck_assert_uint_gt(n_masks, 2);
	ck_assert_uint_gt(n_deep, 100);
	ck_assert_uint_gt(n_normal, 1000);
	ck_assert_uint_gt(lab.n_fdb_changes, 1000);
	end_all_flows();
	lab_close(&lab);
}
END_TEST

/* ---- a daemon killed at any instruction ---- */

/* Puts, replaces, expires and flushes for ever. */
static void churn(void)
{
	dp_memory_end_grace_at_once(lab.dp, true);
	for (;;) {
		switch (below(20)) {
		case 0:
			change_fdb();
			pipeline_bridge_set_learning(lab.pl, 1, below(2));
			break;
		case 1:
			cache_sweep(lab.cache, lab.now_ns += SECOND);
			break;
		case 2:
			if (below(10) == 0)
				cache_flush(lab.cache);
			break;
		default:
			recent[0] = random_key();
			lab_miss(&lab, &recent[0]);
		}
	}
}

static void kill_a_daemon(void)
{
	struct timespec nap = {.tv_nsec = 500000 + below(3000000)};
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		churn();
	nanosleep(&nap, NULL);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it ended by itself: %#x", status);
}

START_TEST(a_daemon_killed_at_any_moment_leaves_maps_that_its_successor_takes_over)
{
	uint32_t n_kept = 0;

	open_lab();
	for (int round = 0; round < 60; round++) {
		kill_a_daemon();
		seeded_next(&dice); /* the next daemon does something else */
		lab_restart(&lab);
		lab_check_maps(&lab);
		cache_settle(lab.cache, lab.now_ns);
		lab_check_maps(&lab);
		n_kept += cache_count(lab.cache);
		for (int i = 0; i < 300; i++) {
			struct sw_key key = random_key();
			struct dp_memory_hit hit;

			if (dp_memory_lookup(lab.dp, 0, &key, 60, &hit))
				check_answer(&key, &hit);
		}
		lab_let_grace_pass(&lab);
		lab_check_maps(&lab);
	}
	ck_assert_uint_gt(n_kept, 60);
	end_all_flows();
	lab_close(&lab);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cache_oracle");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 100);
	tcase_add_test(t, what_is_hit_is_what_the_pipeline_says_and_no_frame_is_lost_or_counted_twice);
	tcase_add_test(t, a_daemon_killed_at_any_moment_leaves_maps_that_its_successor_takes_over);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	dice = seeded_start_aloud();
	return run_suite(suite());
}
