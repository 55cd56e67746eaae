/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * N1: the NORMAL step of the program (bpf/normal.h) says of each frame what normal_carry_out() does. A table of frames,
 * a sentence each; then a random stream of changes and frames, in which both are asked after each settle.
 *
 * The step runs with what program_compile() and the key give it, over the cells that fdb_settle() wrote. In the random
 * stream half of the addresses fight for the cells of one bucket. TEST_SEED=n repeats the run of a failed test, which
 * names it.
 */
#include "bpf/normal.h"
#include "dataplane/copies.h"
#include "dataplane/dp_memory.h"
#include "dataplane/fdb.h"
#include "dataplane/normal.h"
#include "dataplane/pipeline.h"
#include "dataplane/program.h"
#include "dataplane/sets.h"

#include "tests/unit/pipeline_lab.h"
#include "tests/unit/seeded.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

/* ---- a switch, and both sides of it ---- */

struct box {
	struct bench bench;
	struct datapath *dp; /* for sets only: the cells are the bench's */
	struct sets *sets;
	uint64_t fdb_version; /* as in vswitch.c */
};

static void open_box(struct box *box)
{
	memset(box, 0, sizeof(*box));
	open_bench(&box->bench);
	box->dp = dp_memory_create(64, &(struct dp_events){0});
	box->sets = sets_create(box->dp);
	ck_assert(box->dp && box->sets);
	ck_assert_uint_eq(add_bridge(&box->bench, "br0"), 1);
	ck_assert_uint_eq(add_bridge(&box->bench, "br1"), 2);
}

static void close_box(struct box *box)
{
	sets_destroy(box->sets);
	box->dp->ops->destroy(box->dp, true);
	close_bench(&box->bench);
}

/* What vswitch_settle() does before flows are put. */
static void settle(struct box *box)
{
	struct pipeline *pl = box->bench.pl;
	struct fdb *fdb = box->bench.fdb;

	for (uint16_t id = 1; id <= 2; id++)
		pipeline_bridge_set_learning(pl, id, fdb_has_room(fdb, id));
	if (box->fdb_version != pipeline_version(pl))
		fdb_republish(fdb);
	box->fdb_version = pipeline_version(pl);
	fdb_settle(fdb);
	if (fdb_wants_grace(fdb)) {
		fdb_grace_began(fdb);
		fdb_grace_ended(fdb);
	}
}

/* A frame, and what both sides say of it. */
struct trial {
	struct sw_key key;
	struct xlate flood;       /* translate()'s answer */
	struct xlate carried_out; /* the daemon's */
	struct program program;
	struct sw_normal_frame question;
	enum sw_normal verdict; /* the program's */
	struct sw_normal_answer reply;
};

/* The flow is put for the masked key, so that is what is compiled; the addresses are the frame's. */
static void run_program(struct box *box, struct trial *trial)
{
	struct sw_key masked = key_masked(&trial->key, &trial->flood.mask);

	program_compile(box->sets, box->bench.pl, &masked, &trial->flood, &trial->program);
	if (copies_want_grace(sets_copies(box->sets))) { /* a port is to be followed first */
		copies_grace_began(sets_copies(box->sets));
		copies_grace_ended(sets_copies(box->sets));
		program_compile(box->sets, box->bench.pl, &masked, &trial->flood, &trial->program);
	}
	program_release(box->sets, &trial->program);
	trial->question = (struct sw_normal_frame){
		.dst = trial->key.w[1],
		.src = trial->key.w[2],
		.vid = trial->program.steps[0].arg,
		.bridge = trial->flood.bridge,
		.in_port = trial->flood.in_port,
		.flags = trial->program.flags,
		.seed = box->bench.storage.seed,
		.domain = program_domain(trial->program.steps, box->bench.storage.seed, trial->flood.bridge),
	};
	memset(&trial->reply, 0x5a, sizeof(trial->reply)); /* what is not said is rubbish */
	trial->verdict = sw_normal(box->bench.storage.buckets, &trial->question, &trial->reply);
}

/* false: the frame is nothing to ask the FDB about. */
static bool try_frame(struct box *box, const struct sw_key *key, struct trial *ret)
{
	ret->key = *key;
	translate(box->bench.pl, key, NULL, &ret->flood);
	ret->carried_out = ret->flood;
	normal_carry_out(box->bench.pl, key, NULL, &ret->carried_out);
	if (ret->flood.normal)
		run_program(box, ret);
	return ret->flood.normal;
}

static struct fdb_key address_of(const struct trial *trial, const uint8_t mac[6])
{
	struct fdb_key key = {.bridge = trial->flood.bridge, .vid = trial->flood.vid};

	memcpy(key.mac, mac, sizeof(key.mac));
	return key;
}

/* ---- a table ---- */

#define FROM(mac) "in_port=p1,eth_src=" mac
#define KNOWN     "0a/0@1 "
#define GROUP     "03:00:00:00:00:0a"
#define ZERO      "00:00:00:00:00:00"
#define STP       ",eth_dst=01:80:c2:00:00:00"
#define LLDP      ",eth_dst=01:80:c2:00:00:0e"

/* In front of the addresses. */
#define FORWARD_RESERVED "+" /* the bridge's setting */
#define FULL             "*" /* there is no room for more than these */

static const struct row {
	const char *sentence;
	const char *ports[4]; /* p1 .. p4 of bridge 1 */
	const char *addresses;
	const char *frame;
	const char *answer; /* behind ';': the addresses that are marked as used */
} rows[] = {
	/* Sources. */
	{"an unknown source goes up, to be learned", {"open", "open"}, "", IN("p1") A TO_ALL, "learn;"},
	{"so it does where the destination is known", {"open", "open"}, "0b/0@2", IN("p1") A TO_B, "learn;"},
	{"a source that is known in another VLAN is unknown", {"open", "open"}, "0a/10@1", IN("p1") A TO_ALL, "learn;"},
	{"a moved source goes up, and is not marked where it was", {"open", "open", "open"}, "0a/0@3 0b/0@2",
		IN("p1") A TO_B, "learn;"},
	{"a known source is marked as used", {"open", "open"}, KNOWN, IN("p1") A TO_ALL, "flood; 0a/0"},
	{"a static source may be seen on its port", {"open", "open"}, "0a/0@1! 0b/0@2", IN("p1") A TO_B, "p2; 0a/0"},
	{"a static source may be seen anywhere", {"open", "open", "open"}, "0a/0@3! 0b/0@2", IN("p1") A TO_B,
		"p2; 0a/0"},
	{"a group address is no source", {"open", "open"}, "0b/0@2", FROM(GROUP) TO_B, "drop bad_source;"},
	{"zero is no source", {"open", "open"}, "0b/0@2", FROM(ZERO) TO_B, "drop bad_source;"},
	{"a group address is no source for a reserved address either", {"open", "open"}, "", FROM(GROUP) STP,
		"drop bad_source;"},

	/* A full FDB. */
	{"with a full FDB an unknown source is let be", {"open", "open"}, FULL "0b/0@2", IN("p1") A TO_B, "p2;"},
	{"with a full FDB an unknown source floods", {"open", "open"}, FULL, IN("p1") A TO_B, "flood;"},
	{"with a full FDB a known source is marked still", {"open", "open"}, FULL KNOWN, IN("p1") A TO_B,
		"flood; 0a/0"},
	{"with a full FDB a moved source goes up still", {"open", "open", "open"}, FULL "0a/0@3", IN("p1") A TO_ALL,
		"learn;"},
	{"with a full FDB a group address is no source still", {"open", "open"}, FULL, FROM(GROUP) TO_B,
		"drop bad_source;"},
	{"with a full FDB zero is no source still", {"open", "open"}, FULL, FROM(ZERO) TO_B, "drop bad_source;"},
	{"with a full FDB a reserved address stays here still", {"open", "open"}, FULL, IN("p1") A STP,
		"drop reserved_mac;"},

	/* Reserved addresses. */
	{"a reserved address stays here", {"open", "open"}, KNOWN, IN("p1") A STP, "drop reserved_mac; 0a/0"},
	{"the last reserved address stays here", {"open", "open"}, KNOWN, IN("p1") A ",eth_dst=01:80:c2:00:00:0f",
		"drop reserved_mac; 0a/0"},
	{"the address after the reserved ones is a multicast", {"open", "open"}, KNOWN,
		IN("p1") A ",eth_dst=01:80:c2:00:00:10", "flood; 0a/0"},
	{"an address that looks reserved is not", {"open", "open"}, KNOWN, IN("p1") A ",eth_dst=01:80:c2:00:01:00",
		"flood; 0a/0"},
	{"from a reserved address's sender nothing is learned", {"open", "open"}, "", IN("p1") A LLDP,
		"drop reserved_mac;"},
	{"a bridge forwards reserved addresses when asked to", {"open", "open"}, FORWARD_RESERVED KNOWN,
		IN("p1") A LLDP, "flood; 0a/0"},
	{"and learns from their senders", {"open", "open"}, FORWARD_RESERVED, IN("p1") A LLDP, "learn;"},

	/* Destinations. */
	{"a known destination is sent to its port alone", {"open", "open", "open"}, KNOWN "0b/0@3", IN("p1") A TO_B,
		"p3; 0a/0"},
	{"so is a static one", {"open", "open", "open"}, KNOWN "0b/0@3!", IN("p1") A TO_B, "p3; 0a/0"},
	{"an unknown destination floods", {"open", "open", "open"}, KNOWN, IN("p1") A TO_B, "flood; 0a/0"},
	{"a destination that is known in another VLAN floods", {"open", "open"}, KNOWN "0b/10@2", IN("p1") A TO_B,
		"flood; 0a/0"},
	{"a multicast floods", {"open", "open", "open"}, KNOWN, IN("p1") A MULTICAST, "flood; 0a/0"},
	{"the destination zero floods", {"open", "open", "open"}, KNOWN, IN("p1") A ",eth_dst=" ZERO, "flood; 0a/0"},
	{"a flood with nowhere to go is the flow's to drop", {"open"}, KNOWN, IN("p1") A TO_ALL, "flood; 0a/0"},
	{"a frame does not go back to where it came from", {"open", "open"}, KNOWN "0b/0@1", IN("p1") A TO_B,
		"drop same_port; 0a/0"},
	{"nor to its own sender", {"open", "open"}, KNOWN, IN("p1") A TO_A, "drop same_port; 0a/0"},
	{"a static address may be sent to from anywhere, by itself too", {"open", "open"}, "0a/0@2!", IN("p1") A TO_A,
		"p2; 0a/0"},
	{"a known port that is down drops", {"open", "-open", "open"}, KNOWN "0b/0@2", IN("p1") A TO_B,
		"drop port_down; 0a/0"},
	{"an address on a port that is gone drops", {"open", "open"}, KNOWN "0b/0@77", IN("p1") A TO_B,
		"drop port_down; 0a/0"},
	{"an address on another bridge's port drops", {"open", "open"}, KNOWN "0b/0@3", IN("p1") A TO_B,
		"drop port_down; 0a/0"},
	{"a known port that left the VLAN drops", {"access 10", "access 20", "access 10"}, "0a/10@1 0b/10@2",
		IN("p1") A TO_B, "drop no_output; 0a/10"},

	/* How it leaves. */
	{"between open ports a tag stays", {"open", "open"}, "0a/10@1 0b/10@2", IN("p1") A TO_B ",vlan_vid=10",
		"p2/tagged; 0a/10"},
	{"to a trunk it leaves tagged", {"access 10", "trunk 10"}, "0a/10@1 0b/10@2", IN("p1") A TO_B,
		"p2/tagged; 0a/10"},
	{"to an access port it leaves untagged", {"trunk 10", "access 10"}, "0a/10@1 0b/10@2",
		IN("p1") A TO_B ",vlan_vid=10", "p2/untagged; 0a/10"},
	{"a native VLAN leaves untagged", {"trunk 10", "trunk 10 native 10"}, "0a/10@1 0b/10@2",
		IN("p1") A TO_B ",vlan_vid=10", "p2/untagged; 0a/10"},
	{"to a driver that takes no redirected frame the daemon sends", {"open", "~open"}, KNOWN "0b/0@2",
		IN("p1") A TO_B, "up for p2; 0a/0"},
	{"from such a driver the program may send", {"~open", "open"}, KNOWN "0b/0@2", IN("p1") A TO_B, "p2; 0a/0"},
	{"a driver that takes one buffer only is told by a flag", {"open", "=open"}, KNOWN "0b/0@2", IN("p1") A TO_B,
		"p2 in one buffer; 0a/0"},
};

static void set_row(const struct row *row, struct box *box)
{
	const char *settings = row->addresses;
	size_t n_settings = strspn(settings, FORWARD_RESERVED FULL);
	struct fdb_key elsewhere[] = {address(2, 0, 0x0a), address(2, 0, 0x0b)};

	open_box(box);
	add_ports(&box->bench, 1, row->ports, 4);
	/* Another bridge with the same addresses: nothing of it may show. */
	add_port(&box->bench, 2, "q1", "open");
	fdb_learn(box->bench.fdb, &elsewhere[0], 1, S);
	fdb_learn(box->bench.fdb, &elsewhere[1], 4, S);
	add_addresses(&box->bench, settings + n_settings);
	pipeline_bridge_set(box->bench.pl, 1, 300, 100, memchr(settings, *FORWARD_RESERVED, n_settings));
	if (memchr(settings, *FULL, n_settings))
		fdb_set_limit(box->bench.fdb, 1, fdb_count(box->bench.fdb, 1));
	settle(box);
}

struct words {
	const struct box *box;
	char *at;
};

static void put_if_used(void *ctx, const struct fdb_entry *entry)
{
	struct words *words = ctx;

	if (lab_find(&words->box->bench.storage, &entry->key, NULL)->place.used)
		words->at += sprintf(words->at, " %02x/%u", entry->key.mac[5], entry->key.vid);
}

static int put_forward(const struct box *box, const union sw_fdb_place *to, char *text)
{
	static const char *const forms[] = {
		[SW_FDB_OUT_AS_IS] = "", [SW_FDB_OUT_UNTAGGED] = "/untagged", [SW_FDB_OUT_TAGGED] = "/tagged"};

	return sprintf(text, "%s%s%s", pipeline_port(box->bench.pl, to->port)->name, forms[to->out],
		to->flags & SW_FDB_ONE_BUFFER ? " in one buffer" : "");
}

/* "p2/tagged; 0a/10": what the step said, and the addresses that are marked. */
static const char *step_in_words(const struct box *box, const struct trial *trial)
{
	static char text[200];
	struct words words = {box, text};

	switch (trial->verdict) {
	case SW_NORMAL_FLOOD:
		words.at += sprintf(words.at, "flood");
		break;
	case SW_NORMAL_LEARN:
		words.at += sprintf(words.at, "learn");
		break;
	case SW_NORMAL_DROP:
		words.at += sprintf(words.at, "drop %s", drop_word(trial->reply.drop));
		break;
	case SW_NORMAL_MIRRORED:
	case SW_NORMAL_FORWARD:
		words.at += put_forward(box, &trial->reply.to, words.at);
		break;
	case SW_NORMAL_UPCALL:
		words.at += sprintf(words.at, "up for %s", pipeline_port(box->bench.pl, trial->reply.to.port)->name);
		break;
	}
	*words.at++ = ';';
	*words.at = '\0';
	fdb_each(box->bench.fdb, 0, put_if_used, &words);
	return text;
}

START_TEST(the_step_does_what_the_sentence_says)
{
	const struct row *row = &rows[_i];
	struct trial trial;
	struct box box;
	struct sw_key key;

	set_row(row, &box);
	key = key_of(&box.bench, row->frame);
	ck_assert(try_frame(&box, &key, &trial));
	ck_assert_msg(!strcmp(step_in_words(&box, &trial), row->answer), "%s: got '%s', expected '%s'", row->sentence,
		step_in_words(&box, &trial), row->answer);
	close_box(&box);
}
END_TEST

/* Nobody can make that happen by choosing addresses, and it may happen. */
START_TEST(an_address_of_another_bridge_in_the_same_bucket_is_another_address)
{
	const struct fdb_key host = address(1, 0, 0x0b);
	struct fdb_storage storage = lab_storage(1);
	struct sw_fdb_bucket *bucket = &storage.buckets[sw_fdb_primary(lab_hash(1, &host))];
	const uint64_t domain = sw_fdb_hash_domain(1, 0, 1);
	struct sw_normal_frame to_it = {
		.dst = lab_word(&host), .src = 2, .bridge = 1, .in_port = 4, .seed = 1, .domain = domain};
	struct sw_normal_frame from_it = {.dst = 4,
		.src = lab_word(&host),
		.bridge = 1,
		.in_port = 7,
		.seed = 1,
		.domain = domain,
		.flags = SW_FLOW_LEARN};
	struct sw_normal_answer reply;

	bucket->cell[1] = (struct sw_fdb_cell){lab_word(&host), {.port = 7, .bridge = 2, .out = SW_FDB_OUT_AS_IS}};
	ck_assert_int_eq(sw_normal(storage.buckets, &to_it, &reply), SW_NORMAL_FLOOD);
	ck_assert_int_eq(sw_normal(storage.buckets, &from_it, &reply), SW_NORMAL_LEARN);
	bucket->cell[3] = (struct sw_fdb_cell){lab_word(&host), {.port = 3, .bridge = 1, .out = SW_FDB_OUT_AS_IS}};
	ck_assert_int_eq(sw_normal(storage.buckets, &to_it, &reply), SW_NORMAL_FORWARD);
	ck_assert_uint_eq(reply.to.port, 3);
	from_it.in_port = 3;
	ck_assert_int_eq(sw_normal(storage.buckets, &from_it, &reply), SW_NORMAL_FLOOD);
	ck_assert(bucket->cell[3].place.used && !bucket->cell[1].place.used);
	lab_storage_free(&storage);
}
END_TEST

/* ---- a random stream ---- */

#define N_WORLDS 30
#define N_STEPS  80 /* a world */
#define N_FRAMES 40 /* a step */
#define N_CROWD  8  /* addresses that have the same bucket, in VLAN 10 of bridge 1 */
#define CROWDED  1234

struct world {
	struct seeded random;
	struct box box;
	uint16_t n_ports; /* ids 1 .. n_ports; each may be gone for a while */
	uint64_t now_ns;
	struct sw_fdb_bucket *expected; /* what the cells are to say: as settled, and marked since */
	struct xlate_learn to_learn[N_FRAMES];
	uint32_t n_to_learn;
};

/* What the stream has come by. */
static struct {
	uint32_t verdicts[5], drops[SW_N_DROPS], tag[4];
	uint32_t several, floods_mirrored, one_buffer, floods_up, marked, static_elsewhere, moved_in_full, let_be,
		in_alternate;
} seen;

static uint8_t crowd[N_CROWD][6];

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

/* The same in each run, as BENCH_SEED is. */
static void gather_crowd(void)
{
	struct seeded random = {.seed = 1};

	for (int n = 0; n < N_CROWD; n++) {
		struct fdb_key key;

		do {
			key = lab_aim(&random, BENCH_SEED, 1, CROWDED, LAB_ANY);
		} while (key.vid != 10);
		memcpy(crowd[n], key.mac, sizeof(key.mac));
	}
}

/* ---- changes ---- */

static void random_host(struct world *world, uint8_t mac[6])
{
	struct fdb_key plain = address(0, 0, (uint8_t)(1 + below(world, 6)));

	memcpy(mac, below(world, 2) ? plain.mac : crowd[below(world, N_CROWD)], 6);
}

static struct fdb_key random_key(struct world *world)
{
	struct fdb_key key = {.bridge = (uint16_t)(1 + !below(world, 4)), .vid = random_vid(&world->random)};

	if (below(world, 2))
		key.vid = 10;
	random_host(world, key.mac);
	return key;
}

/* Also one that never was. */
static uint16_t random_id(struct world *world)
{
	return (uint16_t)(1 + below(world, world->n_ports + 1u));
}

static void change_addresses(struct world *world)
{
	struct fdb *fdb = world->box.bench.fdb;
	struct fdb_key key = random_key(world);
	uint16_t port = random_id(world);

	switch (below(world, 12)) {
	case 0:
		fdb_add_static(fdb, &key, port, world->now_ns, NULL);
		break;
	case 1:
	case 2:
		fdb_remove(fdb, &key);
		break;
	case 3:
		fdb_flush(fdb, (uint16_t)below(world, 3), port, below(world, 2) ? -1 : key.vid, !below(world, 3));
		break;
	case 4:
		fdb_harvest(fdb, world->now_ns);
		break;
	case 5:
		world->now_ns += below(world, 40) * S;
		fdb_harvest(fdb, world->now_ns);
		fdb_age(fdb, world->now_ns);
		break;
	case 6:
		fdb_set_limit(fdb, key.bridge, below(world, 2) ? below(world, 16) : FDB_DEFAULT_LIMIT);
		break;
	default:
		fdb_learn(fdb, &key, port, world->now_ns);
	}
}

/* Its addresses stay behind, but for half of the times. */
static void pull_or_plug(struct world *world, uint16_t id)
{
	struct bench *bench = &world->box.bench;
	char name[SW_NAME_SIZE], text[64];
	uint16_t given;

	if (pipeline_port(bench->pl, id)) {
		pipeline_port_remove(bench->pl, id);
		if (below(world, 2))
			fdb_flush(bench->fdb, 0, id, -1, true);
		return;
	}
	snprintf(name, sizeof(name), "p%u", id);
	random_port(&world->random, text);
	ck_assert_int_eq(pipeline_port_add(bench->pl, 1 + !below(world, 4), name, id, &given, NULL), 0);
	set_port(bench, id, text);
}

static void change_ports(struct world *world)
{
	struct bench *bench = &world->box.bench;
	uint16_t id = (uint16_t)(1 + below(world, world->n_ports));
	char text[64];

	if (!pipeline_port(bench->pl, id) || !below(world, 4)) {
		pull_or_plug(world, id);
	} else if (!below(world, 4)) {
		pipeline_port_set_mirrors(bench->pl, id, 0, (uint64_t[]){0, 2, 4, 6, 6, 6}[below(world, 6)], false);
	} else if (below(world, 3)) {
		random_port(&world->random, text);
		set_port(bench, id, text);
	} else {
		pipeline_bridge_set(bench->pl, (uint16_t)(1 + below(world, 2)), 300, 100, below(world, 2));
	}
}

/* ---- frames ---- */

static struct sw_key random_question(struct world *world)
{
	struct sw_key key = random_frame(&world->random, world->n_ports);

	if (below(world, 2))
		random_host(world, key.f.eth_src);
	if (below(world, 2))
		random_host(world, key.f.eth_dst);
	return key;
}

static bool is_group(const uint8_t mac[6])
{
	return mac[0] & 1;
}

static const struct fdb_entry *entry_of(const struct world *world, const struct trial *trial, const uint8_t mac[6])
{
	struct fdb_key key = address_of(trial, mac);

	return fdb_lookup(world->box.bench.fdb, &key);
}

/* A host that the FDB does not have on this port, nor as a static one, which may be seen on any. */
static bool is_stranger(const struct trial *trial, const struct fdb_entry *source)
{
	if (trial->carried_out.drop == SW_DROP_BAD_SOURCE || trial->carried_out.drop == SW_DROP_RESERVED_MAC)
		return false;
	return !source || (source->port != trial->flood.in_port && !(source->flags & FDB_STATIC));
}

/* Who has copies of what leaves by the port, in the VLAN of the frame: mirror 1 takes all, and 2 a few. */
static uint64_t mirrors_of(const struct world *world, const struct trial *trial, uint16_t port)
{
	uint64_t mirrors = pipeline_port(world->box.bench.pl, port)->mirrors_out;

	return trial->flood.vid == 10 || trial->flood.vid == 30 ? mirrors : mirrors & ~4ULL;
}

/* What normal_carry_out() found, as the step is to put it. */
static enum sw_normal expected_verdict(const struct world *world, const struct trial *trial)
{
	const struct fdb_entry *source = entry_of(world, trial, trial->key.f.eth_src);
	const struct xlate *carried_out = &trial->carried_out;

	if (is_stranger(trial, source) && (source || trial->program.flags & SW_FLOW_LEARN))
		return SW_NORMAL_LEARN;
	if (carried_out->flood)
		return SW_NORMAL_FLOOD;
	if (carried_out->n_outputs) {
		if (!pipeline_port(world->box.bench.pl, carried_out->outputs[0].port)->fast)
			return SW_NORMAL_UPCALL;
		return mirrors_of(world, trial, carried_out->outputs[0].port) ? SW_NORMAL_MIRRORED : SW_NORMAL_FORWARD;
	}
	if (carried_out->drop == SW_DROP_NO_OUTPUT && !trial->flood.n_outputs &&
		(is_group(trial->key.f.eth_dst) || !entry_of(world, trial, trial->key.f.eth_dst)))
		return SW_NORMAL_FLOOD; /* to nobody */
	return SW_NORMAL_DROP;
}

/* What act.h leaves of the frame's tag, as a TCI with the frame's priority; 0: no tag. */
static uint16_t tci_after_step(const struct trial *trial, uint8_t out)
{
	uint16_t tci = ntohs(trial->key.f.vlan_tci_be);

	if (out == SW_FDB_OUT_AS_IS)
		return tci;
	return out == SW_FDB_OUT_UNTAGGED ? 0 : (tci & ~SW_VLAN_VID) | SW_VLAN_PRESENT | trial->question.vid;
}

static uint16_t tci_after(const struct trial *trial, uint8_t tag)
{
	uint16_t tci = ntohs(trial->key.f.vlan_tci_be);

	switch (tag) {
	case XLATE_UNTAGGED:
		return 0;
	case XLATE_TAGGED:
		return (tci & ~SW_VLAN_VID) | SW_VLAN_PRESENT | trial->carried_out.vid;
	}
	return tci;
}

enum tag_work { TAG_STAYS, TAG_POPPED, TAG_PUSHED, TAG_REWRITTEN };

static enum tag_work work_on_tag(uint16_t before, uint16_t after)
{
	if (before == after)
		return TAG_STAYS;
	return !after ? TAG_POPPED : !before ? TAG_PUSHED : TAG_REWRITTEN;
}

static void check_forward(const struct world *world, const struct trial *trial)
{
	const struct xlate_output *output = &trial->carried_out.outputs[0];
	const struct port *port = pipeline_port(world->box.bench.pl, output->port);
	const union sw_fdb_place *to = &trial->reply.to;
	uint16_t after = tci_after(trial, output->tag);
	uint64_t mirrors = mirrors_of(world, trial, output->port);
	uint8_t form = mirrors ? to->form : to->out;

	expect(trial->carried_out.n_outputs == 1 && to->port == output->port);
	expect(form >= SW_FDB_OUT_AS_IS && tci_after_step(trial, form) == after);
	if (mirrors) {
		expect((to->mirror & (SW_FDB_MIRRORS - 1)) == (mirrors & 2 ? 1 : 2));
		expect(!(to->mirror & SW_FDB_MIRRORS) == (mirrors != 6));
		seen.several += mirrors == 6;
	}
	expect(!(to->flags & SW_FDB_ONE_BUFFER) == port->sg);
	seen.one_buffer += !port->sg;
	seen.tag[work_on_tag(ntohs(trial->key.f.vlan_tci_be), after)]++;
}

/* The outputs are the flow's, which are carried out by the steps behind. */
static void check_flood(const struct world *world, const struct trial *trial)
{
	const struct xlate *flood = &trial->flood, *carried_out = &trial->carried_out;
	uint8_t last = trial->program.steps[trial->program.n_steps - 1].op;
	uint64_t mirrors = 0;
	bool is_fast = true;

	expect(same_outputs(flood, carried_out) && flood->drop == carried_out->drop);
	for (uint32_t i = 0; i < flood->n_outputs; i++) {
		is_fast &= pipeline_port(world->box.bench.pl, flood->outputs[i].port)->fast;
		mirrors |= mirrors_of(world, trial, flood->outputs[i].port);
	}
	if (last != SW_OP_UPCALL) {
		expect(!trial->program.floods == !mirrors);
		expect(!(trial->program.floods & SW_TELL_ALL) == (mirrors != 6 && (!mirrors || flood->n_outputs == 1)));
		seen.floods_mirrored += mirrors != 0;
	}
	expect((last == SW_OP_DROP) == !flood->n_outputs);
	expect((last == SW_OP_UPCALL) == !is_fast);
	seen.floods_up += !is_fast;
}

static void check_verdict(const struct world *world, const struct trial *trial)
{
	expect(trial->program.steps[0].op == SW_OP_NORMAL);
	expect(trial->verdict == expected_verdict(world, trial));
	seen.verdicts[trial->verdict]++;
	switch (trial->verdict) {
	case SW_NORMAL_FLOOD:
		check_flood(world, trial);
		break;
	case SW_NORMAL_FORWARD:
	case SW_NORMAL_MIRRORED:
		check_forward(world, trial);
		break;
	case SW_NORMAL_DROP:
		expect(!trial->carried_out.n_outputs && trial->reply.drop == trial->carried_out.drop);
		seen.drops[trial->reply.drop]++;
		break;
	case SW_NORMAL_UPCALL:
	case SW_NORMAL_LEARN:
		break;
	}
}

/* The daemon wants to learn what the step sends up, but from a port that is down; and what it lets be. */
static void check_learning(const struct world *world, const struct trial *trial)
{
	const struct fdb_entry *source = entry_of(world, trial, trial->key.f.eth_src);
	const struct port *in = pipeline_port(world->box.bench.pl, trial->flood.in_port);
	bool wanted = trial->carried_out.learn.wanted, learns = trial->program.flags & SW_FLOW_LEARN;

	expect(learns == pipeline_bridge(world->box.bench.pl, trial->flood.bridge)->learning);
	expect(wanted == (is_stranger(trial, source) && in->up));
	if (wanted)
		expect((trial->verdict == SW_NORMAL_LEARN) == (learns || source));
	seen.moved_in_full += wanted && !learns && source;
	seen.let_be += wanted && !learns && !source;
}

/* A source is marked where it is known on its port, or static; nothing else is ever written. */
static void expect_mark(struct world *world, const struct trial *trial)
{
	const struct fdb_storage *storage = &world->box.bench.storage;
	const struct fdb_key key = address_of(trial, trial->key.f.eth_src);
	const struct fdb_entry *source = fdb_lookup(world->box.bench.fdb, &key);
	struct sw_fdb_cell *cell;
	uint32_t i;

	if (!source || (source->port != trial->flood.in_port && !(source->flags & FDB_STATIC)))
		return;
	cell = lab_find(storage, &key, NULL);
	expect(cell && cell->place.used);
	i = lab_index(storage, cell);
	cell = &world->expected[i / SW_FDB_CELLS].cell[i % SW_FDB_CELLS];
	seen.marked += !cell->place.used;
	seen.static_elsewhere += source->port != trial->flood.in_port;
	seen.in_alternate += i / SW_FDB_CELLS != sw_fdb_primary(lab_hash(storage->seed, &key));
	cell->place.used = 1;
}

static void check_frame(struct world *world)
{
	struct sw_key key = random_question(world);
	struct trial trial;

	if (!try_frame(&world->box, &key, &trial))
		return;
	check_verdict(world, &trial);
	check_learning(world, &trial);
	expect_mark(world, &trial);
	if (trial.verdict == SW_NORMAL_LEARN)
		world->to_learn[world->n_to_learn++] = trial.carried_out.learn;
}

/* ---- the stream ---- */

static void change(struct world *world)
{
	for (uint32_t n = below(world, 5); n; n--)
		change_addresses(world);
	if (!below(world, 4))
		change_ports(world);
}

/* What came up teaches, when the batch is over. */
static void learn(struct world *world)
{
	for (uint32_t i = 0; i < world->n_to_learn; i++) {
		const struct xlate_learn *what = &world->to_learn[i];

		if (what->port && below(world, 2))
			fdb_learn(world->box.bench.fdb, &what->key, what->port, world->now_ns);
	}
	world->n_to_learn = 0;
}

static void step(struct world *world)
{
	const struct fdb_storage *storage = &world->box.bench.storage;
	size_t size = SW_FDB_BUCKETS * sizeof(*storage->buckets);

	change(world);
	settle(&world->box);
	memcpy(world->expected, storage->buckets, size);
	for (int i = 0; i < N_FRAMES; i++)
		check_frame(world);
	expect(!memcmp(world->expected, storage->buckets, size));
	learn(world);
}

static void open_world(struct world *world)
{
	struct vlan_set some;

	world->now_ns = 1000 * S;
	world->n_ports = (uint16_t)(3 + below(world, 5));
	world->expected = calloc(SW_FDB_BUCKETS, sizeof(*world->expected));
	ck_assert_ptr_nonnull(world->expected);
	open_box(&world->box);
	fdb_set_ageing(world->box.bench.fdb, 1, 100);
	for (uint16_t id = 1; id <= world->n_ports; id++)
		pull_or_plug(world, id);
	ck_assert(vlan_set_parse("10,30", &some));
	pipeline_set_mirror(world->box.bench.pl, 1, "all", NULL);
	pipeline_set_mirror(world->box.bench.pl, 2, "some", &some);
	pipeline_bridge_set_mirrors(world->box.bench.pl, 1, 0, 6);
	pipeline_bridge_set_mirrors(world->box.bench.pl, 2, 0, 6);
}

static void close_world(struct world *world)
{
	close_box(&world->box);
	free(world->expected);
}

/* Each enough that it was no accident. */
static void check_variety(const struct world *world)
{
	const uint32_t counts[] = {seen.verdicts[SW_NORMAL_FLOOD], seen.verdicts[SW_NORMAL_FORWARD],
		seen.verdicts[SW_NORMAL_MIRRORED], seen.several, seen.floods_mirrored, seen.verdicts[SW_NORMAL_LEARN],
		seen.drops[SW_DROP_BAD_SOURCE], seen.drops[SW_DROP_RESERVED_MAC], seen.drops[SW_DROP_SAME_PORT],
		seen.drops[SW_DROP_PORT_DOWN], seen.drops[SW_DROP_NO_OUTPUT], seen.tag[TAG_STAYS], seen.tag[TAG_POPPED],
		seen.tag[TAG_PUSHED], seen.tag[TAG_REWRITTEN], seen.verdicts[SW_NORMAL_UPCALL], seen.one_buffer,
		seen.floods_up, seen.marked, seen.static_elsewhere, seen.moved_in_full, seen.let_be, seen.in_alternate};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		ck_assert_msg(counts[i] >= 20, "seed %#lx: count %zu is %u: that was hardly tried", world->random.seed,
			i, counts[i]);
}

START_TEST(the_step_says_of_every_frame_what_the_daemon_says) /* N1 */
{
	static struct world world;

	world.random = seeded_start();
	for (int w = 0; w < N_WORLDS; w++) {
		open_world(&world);
		for (int i = 0; i < N_STEPS; i++)
			step(&world);
		close_world(&world);
	}
	check_variety(&world);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("normal");
	Suite *suite = suite_create("normal");
	SRunner *runner;
	int n_failed;

	gather_crowd();
	tcase_set_timeout(tcase, 100);
	tcase_add_loop_test(tcase, the_step_does_what_the_sentence_says, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tcase, an_address_of_another_bridge_in_the_same_bucket_is_another_address);
	tcase_add_test(tcase, the_step_says_of_every_frame_what_the_daemon_says);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? 1 : 0;
}
