/* SPDX-License-Identifier: BSD-2-Clause */
/* From a frame to its flow: the key (K1), and which flow answers. */
#include "trial.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include "bpf/extract.h"
#include "bpf/sieve.h"
#include "extract_probe.skel.h"

static struct fixture f;

/* ---- K1 ---- */

struct probe_result { /* as in extract_probe.bpf.c */
	struct sw_key whole, shallow;
	struct sw_headers headers;
	uint32_t failed;
	uint32_t first_size;
};

static int probe(struct extract_probe *skel, const struct packet *p, size_t first_size)
{
	struct xdp_md ctx = {.ingress_ifindex = TRIAL_LO, .data_end = first_size};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->bytes, .data_size_in = p->size, .ctx_in = &ctx,
		.ctx_size_in = sizeof(ctx));

	return bpf_prog_test_run_opts(bpf_program__fd(skel->progs.extract_probe), &opts);
}

static void check_probe(const struct packet *p, const struct probe_result *result, uint64_t first_seed)
{
	struct sw_headers headers;
	struct sw_key key;

	ck_assert_uint_eq(result->failed, 0);
	sw_extract(p->bytes, p->bytes + p->size, TRIAL_LO, SW_KEY_WORDS, &key, &headers);
	ck_assert_msg(!memcmp(&key, &result->whole, sizeof(key)), "TEST_SEED=%llu", (unsigned long long)first_seed);
	ck_assert_msg(
		!memcmp(&headers, &result->headers, sizeof(headers)), "TEST_SEED=%llu", (unsigned long long)first_seed);
	sw_extract(p->bytes, p->bytes + p->size, TRIAL_LO, SW_L2_WORDS, &key, &headers);
	ck_assert_msg(!memcmp(&key, &result->shallow, sizeof(key)), "TEST_SEED=%llu", (unsigned long long)first_seed);
}

START_TEST(kernel_and_daemon_give_the_same_key)
{
	uint64_t seed = packet_seed(), first = seed, i;
	struct extract_probe *skel = extract_probe__open_and_load();
	struct probe_result *result;
	int can_split = 1;
	struct packet p;

	ck_assert_ptr_nonnull(skel);
	result = mmap(NULL, sizeof(*result), PROT_READ, MAP_SHARED, bpf_map__fd(skel->maps.probe_results), 0);
	ck_assert_ptr_ne(result, MAP_FAILED);
	for (i = 0; i < 300000; i++) {
		packet_scramble(&p, &seed);
		ck_assert_int_eq(probe(skel, &p, p.size), 0);
		check_probe(&p, result, first);
		if (can_split && i % 8 == 0 && p.size > 15) {
			if (probe(skel, &p, 14 + packet_random(&seed) % (p.size - 14)))
				can_split = 0;
			else
				check_probe(&p, result, first);
		}
	}
	if (!can_split)
		printf("SKIP: BPF_PROG_TEST_RUN of this kernel does not split frames\n");
	munmap(result, sizeof(*result));
	extract_probe__destroy(skel);
}
END_TEST

/* ---- lookup ---- */

START_TEST(a_flow_at_home_needs_neither_bucket_nor_hint)
{
	struct packet in;

	for (int neighbour = 0; neighbour < 2; neighbour++) {
		uint32_t slot;

		trial_setup(&f);
		packet_plain(&in, UNTAGGED, 64);
		slot = fixture_send_home(&f, trial_put_output(&f, &in, 0), neighbour);
		fixture_forget_buckets(&f);
		ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
		ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
		ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).mega_hits, 2);
		ck_assert_uint_eq(fixture_exact_hits(&f, TRIAL_IN), 0);
		ck_assert_uint_eq(fixture_flow_stats(&f, slot).packets, 2);
	}
}
END_TEST

START_TEST(what_is_at_home_must_be_alive_of_the_mask_and_of_the_key)
{
	struct packet in, other;
	uint32_t slot;

	trial_setup(&f);
	packet_plain(&in, UNTAGGED, 64);
	packet_plain(&other, 5, 64);
	slot = fixture_send_home(&f, trial_put_output(&f, &in, 0), false);
	fixture_forget_buckets(&f);
	f.flows[slot].mask = 1;
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	f.flows[slot].mask = 0;
	f.flows[slot].key.f.eth_src[5] ^= 1;
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	f.flows[slot].key.f.eth_src[5] ^= 1;
	f.flows[slot].gen++;
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	f.flows[slot].gen++;
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
	ck_assert_int_eq(trial_run(&f, &other).verdict, XDP_DROP);
}
END_TEST

START_TEST(slots_and_hints_of_zeros_match_nothing)
{
	struct packet in;

	trial_setup(&f);
	packet_plain(&in, UNTAGGED, 64);
	memset(f.config->masks, 0, sizeof(f.config->masks)); /* as before the daemon's first flow */
	f.config->n_order = 0;
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_NO_DAEMON), 1); /* a miss, and no bad program */
}
END_TEST

static void add_mask(unsigned int id, uint16_t eth_type_bits)
{
	struct sw_key bits = trial_mask();

	bits.f.eth_type_be = htons(eth_type_bits);
	fixture_set_mask(&f, id, &bits);
}

START_TEST(a_megaflow_hit_leaves_a_hint)
{
	struct packet in;

	trial_setup(&f);
	add_mask(1, 0xffff);
	packet_plain(&in, UNTAGGED, 64);
	trial_put_output(&f, &in, 0);
	trial_run(&f, &in);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).mega_hits, 1);
	trial_run(&f, &in);
	trial_run(&f, &in);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).mega_hits, 1);
	ck_assert_uint_eq(fixture_exact_hits(&f, TRIAL_IN), 2);
}
END_TEST

START_TEST(a_dead_slot_is_never_acted_on)
{
	struct packet in;
	uint32_t slot;
	int masks;

	for (masks = 1; masks <= 2; masks++) {
		trial_setup(&f);
		if (masks == 2)
			add_mask(1, 0xffff);
		packet_plain(&in, UNTAGGED, 64);
		slot = trial_put_output(&f, &in, 0);
		trial_run(&f, &in);
		trial_run(&f, &in);
		fixture_kill(&f, slot);
		ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
		ck_assert_uint_eq(fixture_drops(&f, TRIAL_IN, SW_DROP_NO_DAEMON), 1);
		ck_assert_uint_eq(fixture_flow_stats(&f, slot).packets, 2);
	}
}
END_TEST

START_TEST(a_hint_at_a_recycled_slot_is_not_believed)
{
	struct packet in, other;
	uint32_t slot;

	trial_setup(&f);
	add_mask(1, 0xffff);
	packet_plain(&in, UNTAGGED, 64);
	slot = trial_put_output(&f, &in, 0);
	trial_run(&f, &in);
	packet_plain(&other, 5, 64);
	f.flows[slot].key = trial_key(&other);
	f.flows[slot].key.f.eth_type_be = 0;
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP); /* same gen, another key */
	f.flows[slot].key = trial_key(&in);
	memset(&f.flows[slot].key.w[3], 0, 48);
	f.flows[slot].key.f.eth_type_be = 0;
	f.flows[slot].gen = 4;
	trial_run(&f, &in);
	ck_assert_uint_eq(fixture_exact_hits(&f, TRIAL_IN), 0); /* another gen, same key: found by its mask */
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).mega_hits, 2);
}
END_TEST

START_TEST(a_full_bucket_overflows_into_its_alternate)
{
	struct sw_step step = {.op = SW_OP_OUTPUT, .arg = TRIAL_OUT};
	struct sw_key key;
	struct packet in;
	uint32_t i;

	trial_setup(&f);
	packet_plain(&in, 9, 64);
	trial_put_output(&f, &in, 0); /* in slot 0, which guesses name that are forgotten */
	packet_plain(&in, UNTAGGED, 64);
	key = trial_key(&in);
	fixture_put_alternate(&f, &key, 0, TRIAL_IN, 0, &step, 1);
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
	for (i = 0; i < f.n_buckets; i++)
		f.buckets[i].n_overflow = 0;
	fixture_forget_hints(&f);
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP); /* a reader looks there only if told to */
}
END_TEST

START_TEST(a_tag_that_lies_is_found_out_by_the_key)
{
	struct packet in, other;
	uint32_t slot, i, j;

	trial_setup(&f);
	packet_plain(&in, UNTAGGED, 64);
	packet_plain(&other, 9, 64);
	slot = trial_put_output(&f, &in, 0);
	trial_put_output(&f, &other, 0);
	for (i = 0; i < f.n_buckets; i++) {
		if (f.buckets[i].cell[0] && (uint32_t)f.buckets[i].cell[0] == slot + 1) {
			for (j = 6; j > 0; j--)
				f.buckets[i].cell[j] = f.buckets[i].cell[j - 1];
			f.buckets[i].cell[0]++; /* the same tag, the other flow */
		}
	}
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
	ck_assert_uint_eq(fixture_flow_stats(&f, slot).packets, 1);
}
END_TEST

/* Random flows under several masks against a walk over all of them. */
static int scan(const struct sw_key *key, uint32_t slot)
{
	const struct sw_flow *flow = &f.flows[slot];
	const struct sw_mask *mask = &f.config->masks[flow->mask];
	unsigned int i;

	for (i = 0; i < SW_KEY_WORDS; i++) {
		if ((key->w[i] & mask->bits.w[i]) != flow->key.w[i])
			return 0;
	}
	return !(flow->gen & 1);
}

/* Whether a flow of this mask, live or dead, has the frame's masked key: the daemon never puts a second one. */
static int is_taken(const struct sw_key *key, uint32_t mask)
{
	struct sw_key masked = *key;
	uint32_t slot;
	unsigned int i;

	for (i = 0; i < SW_KEY_WORDS; i++)
		masked.w[i] &= f.config->masks[mask].bits.w[i];
	for (slot = 0; slot < f.next_slot; slot++) {
		if (f.flows[slot].mask == mask && !memcmp(&f.flows[slot].key, &masked, sizeof(masked)))
			return 1;
	}
	return 0;
}

static void random_frame(struct packet *p, uint64_t *seed)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 4, .ip_proto = 17, .size = 64, .csum = CSUM_FINISHED};

	packet_make(p, &spec, seed);
	p->bytes[5] = packet_random(seed) % 8;
	p->bytes[11] = packet_random(seed) % 8;
	p->bytes[p->l3 + 15] = packet_random(seed) % 4; /* an address */
	memset(p->bytes + p->l3 + 12, 10, 3);
}

static void check_frame(const struct packet *p, uint64_t first)
{
	uint32_t slot, by_scan = 0, by_program = 0;
	struct sw_key key = trial_key(p);
	int verdict;

	fixture_forget_counters(&f);
	verdict = trial_run(&f, p).verdict;
	for (slot = 0; slot < f.next_slot; slot++) {
		if (scan(&key, slot))
			by_scan++;
		if (fixture_flow_stats(&f, slot).packets) {
			by_program++;
			ck_assert_msg(scan(&key, slot), "TEST_SEED=%llu: slot %u does not match",
				(unsigned long long)first, slot);
		}
	}
	ck_assert_msg(
		by_program == (by_scan > 0), "TEST_SEED=%llu: %u flows match", (unsigned long long)first, by_scan);
	ck_assert_int_eq(verdict, by_scan ? XDP_REDIRECT : XDP_DROP);
}

START_TEST(lookup_agrees_with_a_walk_over_all_flows)
{
	uint64_t seed = packet_seed(), first = seed;
	struct sw_key bits = {0}, key;
	struct packet p;
	int i, round;

	for (round = 0; round < 4; round++) {
		trial_setup(&f); /* mask 0 */
		if (round > 0)
			add_mask(1, 0xffff);
		bits.f.in_ifindex = UINT32_MAX;
		memset(bits.f.eth_src, 0xff, 6);
		if (round > 1)
			fixture_set_mask(&f, 5, &bits);
		memset(bits.f.ip_src, 0xff, 4);
		if (round > 2)
			fixture_set_mask(&f, 6, &bits);
		for (i = 0; i < 60; i++) {
			struct sw_step step = {.op = SW_OP_OUTPUT, .arg = TRIAL_OUT};
			unsigned int mask = f.config->order[packet_random(&seed) % f.config->n_order];

			random_frame(&p, &seed);
			key = trial_key(&p);
			if (is_taken(&key, mask) || !fixture_has_room(&f, &key, mask))
				continue;
			fixture_put(&f, &key, mask, TRIAL_IN, 0, &step, 1);
			if (packet_random(&seed) % 8 == 0)
				fixture_kill(&f, f.next_slot - 1);
		}
		for (i = 0; i < 1000; i++) {
			random_frame(&p, &seed);
			check_frame(&p, first);
		}
	}
}
END_TEST

/* ---- under many masks ---- */

#define N_MANY_MASKS 40
#define N_MANY_FLOWS 200

/* Bits of a few fields, of which frames below have few values. */
static struct sw_key random_mask(uint64_t *seed)
{
	struct sw_key bits = {.f = {.in_ifindex = UINT32_MAX}};
	uint64_t dice = packet_random(seed);

	if (dice & 1)
		bits.f.eth_dst[5] = 1 + (dice >> 8) % 7;
	if (dice & 2)
		bits.f.eth_src[5] = 1 + (dice >> 12) % 7;
	if (dice & 4)
		bits.f.ip_src[3] = bits.f.ip_src[15] = 1 + (dice >> 16) % 3;
	if (dice & 8)
		bits.f.ip_dst[0] = bits.f.ip_dst[15] = 0xff;
	if (dice & 16)
		bits.f.l4_dst_be = htons(1 + (dice >> 20) % 3);
	if (dice & 32)
		bits.f.eth_type_be = 0xffff;
	if (dice & 64)
		bits.f.ipv6_flabel_be = htonl(1 + (dice >> 24) % 3);
	return bits;
}

static void random_frame_of_either(struct packet *p, uint64_t *seed)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_proto = 17, .size = 80, .csum = CSUM_FINISHED};
	uint8_t *ip;

	spec.ip_version = packet_random(seed) % 2 ? 4 : 6;
	packet_make(p, &spec, seed);
	ip = p->bytes + p->l3;
	p->bytes[5] = packet_random(seed) % 8;
	p->bytes[11] = packet_random(seed) % 8;
	if (spec.ip_version == 4) {
		memset(ip + 12, 10, 8);
		ip[15] = packet_random(seed) % 4;
	} else {
		ip[1] = ip[2] = 0;
		ip[3] = packet_random(seed) % 4;
		memset(ip + 8, 0xfd, 32);
		ip[23] = packet_random(seed) % 4;
	}
	p->bytes[p->l4 + 2] = 0;
	p->bytes[p->l4 + 3] = packet_random(seed) % 4;
}

static void put_many(uint64_t *seed)
{
	struct sw_step step = STEP(OUTPUT, TRIAL_OUT);
	struct sw_key bits, key;
	struct packet p;

	for (unsigned int id = 0; id < N_MANY_MASKS; id++) {
		bits = random_mask(seed);
		fixture_set_mask(&f, id, &bits);
	}
	for (int i = 0; i < N_MANY_FLOWS; i++) {
		unsigned int mask = packet_random(seed) % N_MANY_MASKS;

		random_frame_of_either(&p, seed);
		key = trial_key(&p);
		if (!is_taken(&key, mask))
			fixture_put(&f, &key, mask, TRIAL_IN, 0, &step, 1);
		if (packet_random(seed) % 2)
			fixture_kill(&f, f.next_slot - 1);
	}
}

START_TEST(lookup_agrees_under_many_masks)
{
	uint64_t seed = packet_seed(), first = seed;
	struct packet p;

	for (int round = 0; round < 10; round++) {
		trial_setup(&f);
		f.config->n_order = 0;
		put_many(&seed);
		for (int i = 0; i < 1000; i++) {
			random_frame_of_either(&p, &seed);
			check_frame(&p, first);
		}
	}
}
END_TEST

/* Frames that differ in what no rule looks at, under two masks of which the first has no flow. */
static void set_up_search(struct packet *p, struct sw_key *key)
{
	trial_setup(&f);
	add_mask(1, 0xffff);
	packet_plain(p, UNTAGGED, 64);
	*key = trial_key(p);
}

static struct sw_lookup_stats searches(void)
{
	struct sw_lookup_stats sum = {0}, row;

	for (uint32_t i = 0; i < f.n_rows; i++) {
		ck_assert_int_eq(bpf_map_lookup_elem(bpf_map__fd(f.skel->maps.lookup_stats), &i, &row), 0);
		sum.walks += row.walks;
		sum.found += row.found;
		sum.probes += row.probes;
		sum.looks += row.looks;
	}
	return sum;
}

START_TEST(the_sieve_is_asked_and_its_word_is_taken)
{
	struct sw_step step = STEP(OUTPUT, TRIAL_OUT);
	struct packet in;
	struct sw_key key;

	set_up_search(&in, &key);
	fixture_put(&f, &key, 1, TRIAL_IN, 0, &step, 1);
	f.flows[9] = f.flows[0]; /* elsewhere than guesses that name nothing name it */
	f.flows[0].gen |= 1;
	for (uint32_t i = 0; i < f.n_buckets * SW_BUCKET_CELLS; i++) {
		__u64 *cell = &f.buckets[i / SW_BUCKET_CELLS].cell[i % SW_BUCKET_CELLS];

		*cell += *cell ? 9 : 0;
	}
	memset(f.sieves, 0, 2 * sw_sieve_bytes(f.n_flows));
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_DROP);
	f.config->sieve = 0; /* there is none */
	ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
}
END_TEST

/* Of each kind of frame that the short way finds a flow for, and leaves to the long way. */
START_TEST(a_search_is_counted_once)
{
	struct sw_step steps[] = {STEP(VLAN_PUSH, 5), STEP(OUTPUT, TRIAL_OUT)};
	struct sw_lookup_stats before, after;
	struct packet in;
	struct sw_key key;

	for (int deep = 0; deep < 2; deep++) {
		set_up_search(&in, &key);
		if (deep)
			f.config->depth = SW_KEY_WORDS;
		fixture_put(&f, &key, 1, TRIAL_IN, 0, steps, 2);
		f.skel->bss->core.guess[TRIAL_LO].slot = 500;
		before = searches();
		ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
		after = searches();
		ck_assert_uint_eq(after.walks - before.walks, 1);
		ck_assert_uint_eq(after.found - before.found, 1);
		ck_assert_uint_eq(after.probes - before.probes, 2);
		ck_assert_uint_eq(after.looks - before.looks, 1);
		ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).rx_frames, 1);
	}
}
END_TEST

/* Flows that come once are not worth a hint, and those that come again are worth one again after a while. */
START_TEST(hints_that_are_of_no_use_are_let_be)
{
	struct sw_step step = STEP(OUTPUT, TRIAL_OUT);
	struct packet in;
	struct sw_key key, bits = trial_mask();
	uint64_t hints = 0;

	set_up_search(&in, &key);
	memset(bits.f.eth_src, 0, 6);
	fixture_set_mask(&f, 2, &bits);
	fixture_put(&f, &key, 2, TRIAL_IN, 0, &step, 1);
	for (uint32_t i = 0; i < 2 * SW_HINT_MISSES; i++) {
		packet_set_macs(&in, 0x020000000001, 0x020000000000 + i * 2);
		ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
	}
	for (uint32_t i = 0; i < (f.n_rows - 1) * SW_EMC_SIZE; i++)
		hints += f.emc[i] != 0;
	ck_assert_uint_gt(hints, SW_HINT_MISSES / 2);
	ck_assert_uint_le(hints, SW_HINT_MISSES);
	ck_assert_uint_eq(fixture_exact_hits(&f, TRIAL_IN), 0);
	for (uint32_t row = 0; row < f.n_rows; row++)
		fixture_row(&f, row)->n_unhinted = fixture_row(&f, row)->n_unhinted > 0; /* the while is over */
	for (uint32_t i = 0; i < 4; i++)
		ck_assert_int_eq(trial_run(&f, &in).verdict, XDP_REDIRECT);
	ck_assert_uint_eq(fixture_exact_hits(&f, TRIAL_IN), 2);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("lookup");
	TCase *tcase = tcase_create("lookup");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, kernel_and_daemon_give_the_same_key);
	tcase_add_test(tcase, a_flow_at_home_needs_neither_bucket_nor_hint);
	tcase_add_test(tcase, what_is_at_home_must_be_alive_of_the_mask_and_of_the_key);
	tcase_add_test(tcase, slots_and_hints_of_zeros_match_nothing);
	tcase_add_test(tcase, a_megaflow_hit_leaves_a_hint);
	tcase_add_test(tcase, a_dead_slot_is_never_acted_on);
	tcase_add_test(tcase, a_hint_at_a_recycled_slot_is_not_believed);
	tcase_add_test(tcase, a_full_bucket_overflows_into_its_alternate);
	tcase_add_test(tcase, a_tag_that_lies_is_found_out_by_the_key);
	tcase_add_test(tcase, lookup_agrees_with_a_walk_over_all_flows);
	tcase_add_test(tcase, lookup_agrees_under_many_masks);
	tcase_add_test(tcase, the_sieve_is_asked_and_its_word_is_taken);
	tcase_add_test(tcase, a_search_is_counted_once);
	tcase_add_test(tcase, hints_that_are_of_no_use_are_let_be);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	return trial_main(&f, suite());
}
