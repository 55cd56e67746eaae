/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pipeline_lab.h - a switch without a datapath: a pipeline and its FDB, and words to set them up and to read answers.
 *
 * Port N has id N and ifindex 100 + N. The addresses in play are 02:00:00:00:00:XX, named by their last byte.
 */
#ifndef TESTS_PIPELINE_LAB_H
#define TESTS_PIPELINE_LAB_H

#include "dataplane/action.h"
#include "dataplane/table.h"
#include "dataplane/complaint.h"
#include "dataplane/fdb.h"
#include "dataplane/normal.h"
#include "dataplane/pipeline.h"

#include "tests/unit/fdb_lab.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <string.h>

#define S          1000000000ULL
#define IFINDEX_OF 100
#define BENCH_SEED 0x5eed /* of the hash */

#define A         "eth_src=02:00:00:00:00:0a"
#define TO_B      ",eth_dst=02:00:00:00:00:0b"
#define TO_A      ",eth_dst=02:00:00:00:00:0a"
#define TO_ALL    ",eth_dst=ff:ff:ff:ff:ff:ff"
#define MULTICAST ",eth_dst=33:33:00:00:00:01"
#define IN(port)  "in_port=" port ","

struct bench {
	struct fdb_storage storage;
	struct fdb *fdb;
	struct pipeline *pl;
};

static inline struct fdb_out bench_out(void *ctx, const struct fdb_entry *entry)
{
	const struct bench *bench = ctx;

	return normal_out(bench->pl, entry);
}

static inline void open_bench(struct bench *bench)
{
	bench->storage = lab_storage(BENCH_SEED);
	bench->fdb = fdb_create(&bench->storage, SW_MAX_FDB, &(struct fdb_events){.ctx = bench, .out = bench_out});
	bench->pl = pipeline_create(bench->fdb);
	ck_assert(bench->fdb && bench->pl);
}

static inline void close_bench(struct bench *bench)
{
	pipeline_destroy(bench->pl);
	fdb_destroy(bench->fdb);
	lab_storage_free(&bench->storage);
}

/* ---- setting up ---- */

static inline uint16_t add_bridge(struct bench *bench, const char *name)
{
	struct complaint complaint = {""};
	uint16_t id = 0;

	ck_assert_msg(!pipeline_bridge_add(bench->pl, name, 0, &id, &complaint), "%s", complaint.text);
	return id;
}

static inline struct vlan_config vlan_of(const char *text)
{
	struct complaint complaint = {""};
	struct vlan_config config;
	const char *words[8];
	char copy[64], *save = NULL;
	size_t n_words = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		words[n_words++] = word;
	ck_assert_msg(!vlan_parse(words, n_words, &config, &complaint), "'%s': %s", text, complaint.text);
	return config;
}

#define PORT_FLAWS "-~=" /* link down; takes no redirected frame; none in several buffers */

/* `text` is what stands behind `vlan`, and in front of it the flaws that the port has. */
static inline void set_port(struct bench *bench, uint16_t id, const char *text)
{
	size_t n_flaws = strspn(text, PORT_FLAWS);
	struct port_state state = {.ifindex = IFINDEX_OF + id, .max_frame = 1518};
	struct vlan_config vlan = vlan_of(text + n_flaws);

	state.up = !memchr(text, '-', n_flaws);
	state.fast = !memchr(text, '~', n_flaws);
	state.sg = !memchr(text, '=', n_flaws);
	pipeline_port_set_vlan(bench->pl, id, &vlan);
	pipeline_port_set_state(bench->pl, id, &state);
}

static inline uint16_t add_port(struct bench *bench, uint16_t bridge, const char *name, const char *text)
{
	struct complaint complaint = {""};
	uint16_t id = 0;

	ck_assert_msg(!pipeline_port_add(bench->pl, bridge, name, 0, &id, &complaint), "%s", complaint.text);
	set_port(bench, id, text);
	return id;
}

/* p1, p2 .. of the bridge, up to a NULL or `n`. */
static inline void add_ports(struct bench *bench, uint16_t bridge, const char *const *texts, int n)
{
	for (int i = 0; i < n && texts[i]; i++) {
		char name[SW_NAME_SIZE];

		snprintf(name, sizeof(name), "p%d", i + 1);
		ck_assert_uint_eq(add_port(bench, bridge, name, texts[i]), i + 1);
	}
}

static inline struct fdb_key address(uint16_t bridge, uint16_t vid, uint8_t last)
{
	return (struct fdb_key){bridge, vid, {0x02, 0, 0, 0, 0, last}};
}

/* "0b/10@2 0c/0@3!": the last byte of an address, its VLAN, its port's id, '!' if static; into bridge 1. */
static inline void add_addresses(struct bench *bench, const char *text)
{
	unsigned last, vid, port;
	int n;

	while (sscanf(text, " %x/%u@%u%n", &last, &vid, &port, &n) == 3) {
		struct fdb_key key = address(1, (uint16_t)vid, (uint8_t)last);

		text += n;
		if (*text == '!') {
			ck_assert_int_eq(fdb_add_static(bench->fdb, &key, (uint16_t)port, S, NULL), 0);
			text++;
		} else {
			ck_assert_int_eq(fdb_learn(bench->fdb, &key, (uint16_t)port, S), FDB_NEW);
		}
	}
	ck_assert_str_eq(text + strspn(text, " "), "");
}

static inline struct flow_match parsed(const char *text, const struct flow_names *names)
{
	struct complaint complaint = {""};
	struct flow_match match;

	ck_assert_msg(!flow_parse(text, names, &match, &complaint), "'%s': %s", text, complaint.text);
	return match;
}

/* For a rule of bridge 1. */
static inline struct flow_match match_of(const struct bench *bench, const char *text)
{
	struct flow_names names = pipeline_of_names(pipeline_bridge(bench->pl, 1));

	return parsed(text, &names);
}

static inline struct sw_key key_of(const struct bench *bench, const char *text)
{
	struct flow_names names = pipeline_names(bench->pl);

	return parsed(text, &names).key.fast;
}

/* Stands until the eighth call after it. */
static inline struct actions actions_of(const struct bench *bench, const char *text)
{
	struct flow_names names = pipeline_of_names(pipeline_bridge(bench->pl, 1));
	struct complaint complaint = {""};
	static struct action lists[8][40];
	static unsigned turn;
	struct actions actions;

	ck_assert_msg(!actions_parse(text, &names, lists[++turn % 8], 40, &actions, &complaint), "'%s': %s", text,
		complaint.text);
	return actions;
}

static inline void put_rule(struct bench *bench, const char *match_text, uint16_t priority, const char *actions_text)
{
	struct flow_match match = match_of(bench, match_text);
	struct actions actions = actions_of(bench, actions_text);
	struct complaint complaint = {""};

	ck_assert_msg(!pipeline_rule_put(bench->pl, 1, &match, priority, &actions, &complaint), "%s", complaint.text);
}

/* ---- asking ---- */

/* What becomes of one frame. */
static inline void ask(const struct bench *bench, const struct sw_key *key, struct xlate *ret)
{
	translate(bench->pl, key, NULL, ret);
	normal_carry_out(bench->pl, key, NULL, ret);
}

static inline const char *drop_word(enum sw_drop drop)
{
	static const char *const words[] = {
#define X(name, word, sentence) word,
		SW_DROPS(X)
#undef X
	};

	return words[drop];
}

/* What only the daemon can do: "up p3 NORMAL". */
static inline size_t put_ops(const struct bench *bench, const struct xlate *answer, char *text)
{
	size_t n = (size_t)sprintf(text, "up");

	for (uint32_t i = 0; i < answer->n_ops; i++) {
		const struct xop *op = &answer->ops[i];
		struct actions one = {.n = 1, .list = op->action};
		char word[80];

		if (op->type == XOP_REWRITE)
			actions_format(&one, NULL, word, sizeof(word));
		if (op->type == XOP_OUTPUT)
			n += (size_t)sprintf(text + n, " %s", pipeline_port(bench->pl, op->port)->name);
		else if (op->type != XOP_COUNT)
			n += (size_t)sprintf(text + n, " %s",
				op->type == XOP_NORMAL       ? "NORMAL"
				: op->type == XOP_CONTROLLER ? "CONTROLLER"
				: op->type == XOP_REWRITE    ? word
				: op->type == XOP_METER      ? "METER"
				: op->type == XOP_SAVE       ? "["
				: op->type == XOP_RESTORE    ? "]"
							     : "TABLE");
	}
	return n;
}

/* The answer in a line: "flood p2 p3/tag; learn 0a/10", "p2; known 0a/10", "drop same_port", "normal flood p1 p2". */
static inline const char *in_words(const struct bench *bench, const struct xlate *answer)
{
	static const char *const tags[] = {"", "/untag", "/tag"};
	static char text[512];
	size_t n = 0;

	text[0] = '\0';
	if (answer->in_daemon)
		n += put_ops(bench, answer, text);
	else if (answer->normal)
		n += (size_t)sprintf(text + n, "normal ");
	if (answer->n_outputs == 0 && !answer->in_daemon)
		n += (size_t)sprintf(text + n, "drop %s", drop_word(answer->drop));
	if (answer->flood)
		n += (size_t)sprintf(text + n, "flood ");
	for (uint32_t i = 0; i < answer->n_outputs; i++)
		n += (size_t)sprintf(text + n, "%s%s%s", i ? " " : "",
			pipeline_port(bench->pl, answer->outputs[i].port)->name, tags[answer->outputs[i].tag]);
	if (answer->learn.port)
		n += (size_t)sprintf(text + n, "; %s %02x/%u", answer->learn.wanted ? "learn" : "known",
			answer->learn.key.mac[5], answer->learn.key.vid);
	return text;
}

static inline bool same_outputs(const struct xlate *a, const struct xlate *b)
{
	for (uint32_t i = 0; i < a->n_outputs && i < b->n_outputs; i++) {
		if (a->outputs[i].port != b->outputs[i].port || a->outputs[i].tag != b->outputs[i].tag)
			return false;
	}
	return a->n_outputs == b->n_outputs;
}

static inline bool same_learn(const struct xlate_learn *a, const struct xlate_learn *b)
{
	return a->wanted == b->wanted && a->port == b->port && !memcmp(&a->key, &b->key, sizeof(a->key));
}

static inline bool same_ops(const struct xlate *a, const struct xlate *b)
{
	for (uint32_t i = 0; i < a->n_ops && i < b->n_ops; i++) {
		const struct xop *of_a = &a->ops[i], *of_b = &b->ops[i];

		if (of_a->type != of_b->type || of_a->port != of_b->port || of_a->action != of_b->action ||
			of_a->meter != of_b->meter || of_a->metadata != of_b->metadata || of_a->cookie != of_b->cookie)
			return false;
	}
	return a->n_ops == b->n_ops;
}

static inline bool same(const struct xlate *a, const struct xlate *b)
{
	return key_equal(&a->mask, &b->mask) && a->bridge == b->bridge && a->in_port == b->in_port &&
	       a->vid == b->vid && a->normal == b->normal && a->flood == b->flood && a->cacheable == b->cacheable &&
	       !a->uncacheable == !b->uncacheable && !a->in_daemon == !b->in_daemon &&
	       a->needs_frame == b->needs_frame && a->drop == b->drop && same_ops(a, b) &&
	       same_learn(&a->learn, &b->learn) && same_outputs(a, b);
}

/* ---- dice ---- */

/* A port in words; one in six has its link down. */
static inline void random_port(struct seeded *random, char text[64])
{
	static const char *const texts[] = {"open", "access 10", "access 20", "trunk 10,20", "trunk all",
		"trunk 10,20 native 10", "trunk all native 20", "trunk 20,30 native 10 tagged", "trunk 30"};
	static const char *const flaws[] = {"", "", "", "~", "=", "~="};

	sprintf(text, "%s%s%s", seeded_below(random, 6) ? "" : "-", flaws[seeded_below(random, 6)],
		texts[seeded_below(random, 9)]);
}

/* Of the VLANs in play; 0 is the open ports' own. */
static inline uint16_t random_vid(struct seeded *random)
{
	static const uint16_t vids[] = {0, 10, 20, 30};

	return vids[seeded_below(random, 4)];
}

/* Six addresses, and now and then one that stands for more or less than a host. */
static inline void random_mac(struct seeded *random, uint8_t mac[6])
{
	static const uint8_t odd_ones[][6] = {{0}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, {0x01, 0x80, 0xc2, 0, 0, 0},
		{0x01, 0x80, 0xc2, 0, 0, 0x0f}, {0x01, 0x80, 0xc2, 0, 0, 0x10}, {0x01, 0x80, 0xc2, 0, 0x01, 0},
		{0x33, 0x33, 0, 0, 0, 1}, {0x03, 0, 0, 0, 0, 1}};
	struct fdb_key plain = address(1, 0, (uint8_t)(1 + seeded_below(random, 6)));

	memcpy(mac, seeded_below(random, 5) ? plain.mac : odd_ones[seeded_below(random, 8)], 6);
}

/* A frame by one of the ports up to `n_ports`, or by a device that is none. */
static inline struct sw_key random_frame(struct seeded *random, uint16_t n_ports)
{
	uint16_t vid = seeded_below(random, 12) ? random_vid(random) : 4095;
	struct sw_key key;

	for (int w = 0; w < SW_KEY_WORDS; w++)
		key.w[w] = seeded_next(random);
	key.f.zero1 = key.f.zero2 = key.f.zero3 = 0;
	key.f.in_ifindex = IFINDEX_OF + seeded_below(random, n_ports + 2u);
	key.f.eth_type_be = htons(seeded_below(random, 2) ? 0x0800 : 0x86dd);
	key.f.ip_proto = seeded_below(random, 2) ? 6 : 17;
	key.f.vlan_tci_be = 0;
	if (seeded_below(random, 3))
		key.f.vlan_tci_be = htons((uint16_t)(SW_VLAN_PRESENT | vid | seeded_below(random, 8) << 13));
	random_mac(random, key.f.eth_src);
	random_mac(random, key.f.eth_dst);
	return key;
}

#endif
