/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/segment.h"

#include "tests/unit/hex.h"
#include "tests/unit/seeded.h"
#include "tests/unit/suite.h"

#include <errno.h>
#include <stdbool.h>

#define FRAME_MAX  66000
#define TAGS_MAX   3
#define EXTS_MAX   4
#define N_RANDOM   2000
#define N_MUTANTS  20000
#define TCP        6
#define UDP        17
#define HOPOPTS    0
#define ROUTING    43
#define FRAGMENT   44
#define AH         51
#define DSTOPTS    60
#define NO_EXT     255
#define FIN        0x01
#define PSH        0x08
#define ACK        0x10
#define ECE        0x40
#define CWR        0x80
#define DF         0x4000
#define MF         0x2000
#define WRONG_SEED "TEST_SEED=%llu"

enum field_state { UNFINISHED, FINISHED, GARBAGE, ZERO };

/* What a frame is made from; all that is zero here is plain. */
struct recipe {
	uint16_t tags[TAGS_MAX + 2]; /* TPIDs, until a zero */
	int version;                 /* 4 or 6 */
	int proto;
	uint32_t ip_options;        /* words */
	uint8_t exts[EXTS_MAX + 1]; /* of IPv6, until a NO_EXT; index 0 set to NO_EXT: none */
	uint16_t frag;              /* IPv4's flags and offset, IPv6's fragment header */
	uint8_t segments_left;      /* of a routing header */
	uint16_t ident;
	uint32_t tcp_options; /* words */
	uint32_t sequence;
	uint8_t flags;
	enum field_state field;
	uint32_t payload;
};

struct made {
	uint8_t bytes[FRAME_MAX];
	uint32_t size, l3, l4, payload, field;
};

/* ---- the twin: sums from the first byte to the last ---- */

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] * 256 + at[1]);
}

static void set16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value / 256);
	at[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) * 65536 + get16(at + 2);
}

static void set32(uint8_t *at, uint32_t value)
{
	set16(at, value / 65536);
	set16(at + 2, value);
}

static uint32_t words(const uint8_t *bytes, uint32_t size, uint32_t sum)
{
	for (uint32_t i = 0; i < size; i++)
		sum = (sum + (i % 2 ? bytes[i] : bytes[i] * 256u)) % 65535;
	return sum;
}

static uint32_t pseudo(const uint8_t *ip, int version, int proto, uint32_t l4_size)
{
	return version == 4 ? words(ip + 12, 8, (uint32_t)proto + l4_size)
			    : words(ip + 8, 32, (uint32_t)proto + l4_size);
}

/* Zero is 65535, too, and a sum with a protocol in it is not nothing. */
static bool l4_is_right(const struct recipe *r, const uint8_t *frame, uint32_t l3, uint32_t l4, uint32_t size)
{
	return words(frame + l4, size - l4, pseudo(frame + l3, r->version, r->proto, size - l4)) == 0;
}

static bool ipv4_is_right(const uint8_t *ip)
{
	return words(ip, (ip[0] & 15) * 4u, 0) == 0;
}

/* ---- building ---- */

static void put(struct made *m, struct seeded *random, uint32_t size)
{
	while (size--)
		m->bytes[m->size++] = (uint8_t)seeded_next(random);
}

static void put16(struct made *m, uint32_t value)
{
	set16(m->bytes + m->size, value);
	m->size += 2;
}

static void put_ext(struct made *m, const struct recipe *r, struct seeded *random, uint8_t type, uint32_t *named_at)
{
	uint32_t at = m->size, units = type == FRAGMENT ? 1 : 1 + seeded_below(random, 3);

	put(m, random, units * 8);
	m->bytes[*named_at] = type;
	*named_at = at;
	m->bytes[at + 1] = (uint8_t)(type == AH ? units * 2 - 2 : units - 1);
	if (type == FRAGMENT)
		set16(m->bytes + at + 2, r->frag);
	if (type == ROUTING)
		m->bytes[at + 3] = r->segments_left;
}

static void put_ip(struct made *m, const struct recipe *r, struct seeded *random)
{
	uint32_t named_at = m->l3 + (r->version == 4 ? 9 : 6);

	put(m, random, r->version == 4 ? 20 + 4 * r->ip_options : 40);
	if (r->version == 4) {
		m->bytes[m->l3] = (uint8_t)(0x45 + r->ip_options);
		set16(m->bytes + m->l3 + 4, r->ident);
		set16(m->bytes + m->l3 + 6, r->frag);
	} else {
		m->bytes[m->l3] = (uint8_t)(0x60 | (m->bytes[m->l3] & 15));
		for (int i = 0; r->exts[i] != NO_EXT; i++)
			put_ext(m, r, random, r->exts[i], &named_at);
	}
	m->bytes[named_at] = (uint8_t)r->proto;
	m->l4 = m->size;
}

static void put_l4(struct made *m, const struct recipe *r, struct seeded *random)
{
	put(m, random, r->proto == TCP ? 20 + 4 * r->tcp_options : 8);
	if (r->proto == TCP) {
		set32(m->bytes + m->l4 + 4, r->sequence);
		m->bytes[m->l4 + 12] = (uint8_t)((5 + r->tcp_options) << 4 | (m->bytes[m->l4 + 12] & 15));
		m->bytes[m->l4 + 13] = r->flags;
	}
	m->field = m->l4 + (r->proto == TCP ? 16 : 6);
	m->payload = m->size;
	put(m, random, r->payload);
	if (r->proto == UDP)
		set16(m->bytes + m->l4 + 4, m->size - m->l4);
}

static void set_field(struct made *m, const struct recipe *r, enum field_state state)
{
	uint32_t sum = pseudo(m->bytes + m->l3, r->version, r->proto, m->size - m->l4);

	if (state == GARBAGE) {
		set16(m->bytes + m->field, 0x1234);
		return;
	}
	set16(m->bytes + m->field, 0);
	if (state == FINISHED)
		sum = 65535 - words(m->bytes + m->l4, m->size - m->l4, sum);
	if (state != ZERO)
		set16(m->bytes + m->field, sum ? sum : 65535);
}

static void make(struct made *m, const struct recipe *r, struct seeded *random)
{
	m->size = 0;
	put(m, random, 12);
	for (int i = 0; r->tags[i]; i++) {
		put16(m, r->tags[i]);
		put(m, random, 2);
	}
	put16(m, r->version == 4 ? 0x0800 : 0x86dd);
	m->l3 = m->size;
	put_ip(m, r, random);
	put_l4(m, r, random);
	if (r->version == 4) {
		set16(m->bytes + m->l3 + 2, m->size - m->l3);
		set16(m->bytes + m->l3 + 10, 0);
		set16(m->bytes + m->l3 + 10, 65535 - words(m->bytes + m->l3, m->l4 - m->l3, 0));
	} else {
		set16(m->bytes + m->l3 + 4, m->size - m->l3 - 40);
	}
	set_field(m, r, r->field);
}

static struct recipe plain(int version, int proto, uint32_t payload)
{
	return (struct recipe){.version = version,
		.proto = proto,
		.payload = payload,
		.exts = {NO_EXT},
		.frag = version == 4 ? DF : 0,
		.ident = 0xfffe,
		.sequence = 0xfffffff0,
		.flags = ACK | PSH | FIN};
}

static struct segment_gso gso_of(uint32_t size)
{
	return (struct segment_gso){.size = (uint16_t)size};
}

/* ---- what is held against a segment ---- */

struct trial {
	struct made m;
	struct recipe r;
	struct segment_gso gso;
	unsigned long long seed;
	uint32_t n;
	uint8_t joined[FRAME_MAX]; /* payloads */
	uint32_t joined_size;
	uint8_t last[FRAME_MAX]; /* segment */
	uint32_t last_size;
};

/* Everything of segment i but its checksums, which are taken from it. */
static void expect(const struct trial *t, uint32_t i, const uint8_t *segment, uint32_t size, uint8_t *ret)
{
	uint32_t begin = i * t->gso.size;
	bool last = begin + t->gso.size >= t->r.payload, same_ident = t->gso.fixed_id && t->r.frag & DF;

	memcpy(ret, t->m.bytes, t->m.payload);
	memcpy(ret + t->m.payload, t->m.bytes + t->m.payload + begin, size - t->m.payload);
	memcpy(ret + t->m.field, segment + t->m.field, 2);
	if (t->r.version == 4) {
		set16(ret + t->m.l3 + 2, size - t->m.l3);
		set16(ret + t->m.l3 + 4, t->r.ident + (same_ident ? 0 : i));
		memcpy(ret + t->m.l3 + 10, segment + t->m.l3 + 10, 2);
	} else {
		set16(ret + t->m.l3 + 4, size - t->m.l3 - 40);
	}
	if (t->r.proto == UDP) {
		set16(ret + t->m.l4 + 4, size - t->m.l4);
		return;
	}
	set32(ret + t->m.l4 + 4, t->r.sequence + begin);
	if (!last)
		ret[t->m.l4 + 13] &= (uint8_t) ~(FIN | PSH);
	if (i && !t->gso.keep_cwr)
		ret[t->m.l4 + 13] &= (uint8_t)~CWR;
}

static void judge(struct trial *t, uint32_t i, const uint8_t *segment, uint32_t size)
{
	uint32_t left = t->r.payload - t->joined_size, part = left < t->gso.size ? left : t->gso.size;
	bool none = t->r.proto == UDP && t->r.version == 4 && t->r.field == ZERO;
	uint8_t *expected = malloc(size + 1);
	uint32_t at = 0;

	ck_assert_msg(size == t->m.payload + part, "segment %u has %u bytes, " WRONG_SEED, i, size, t->seed);
	expect(t, i, segment, size, expected);
	while (at < size && segment[at] == expected[at]) /* an assertion costs a system call */
		at++;
	ck_assert_msg(at == size, "segment %u, byte %u: %02x, not %02x; " WRONG_SEED, i, at, segment[at], expected[at],
		t->seed);
	free(expected);
	ck_assert_msg(t->r.version == 6 || ipv4_is_right(segment + t->m.l3), "IP checksum, " WRONG_SEED, t->seed);
	if (none)
		ck_assert_msg(!get16(segment + t->m.field), "a checksum where there was none, " WRONG_SEED, t->seed);
	else
		ck_assert_msg(l4_is_right(&t->r, segment, t->m.l3, t->m.l4, size),
			"checksum of segment %u, " WRONG_SEED, i, t->seed);
	ck_assert_msg(
		none || t->r.proto == TCP || get16(segment + t->m.field), "a checksum of zero, " WRONG_SEED, t->seed);
	memcpy(t->joined + t->joined_size, segment + t->m.payload, part);
	t->joined_size += part;
	memcpy(t->last, segment, size);
	t->last_size = size;
}

/* Parts the frame as it was made. Blocks have exact sizes, so that what is read or written beyond is seen. */
static void part(struct trial *t)
{
	uint32_t largest = t->m.payload + (t->r.payload < t->gso.size ? t->r.payload : t->gso.size), size;
	uint8_t *frame = exact_copy(t->m.bytes, t->m.size), *buf = malloc(largest);
	struct segment s;
	int error = segment_begin(frame, t->m.size, &t->gso, largest, &s);

	ck_assert_msg(!error, "refused with %d, " WRONG_SEED, error, t->seed);
	t->joined_size = 0;
	for (t->n = 0; (size = segment_next(&s, buf)); t->n++)
		judge(t, t->n, buf, size);
	ck_assert_uint_eq(segment_next(&s, buf), 0);
	ck_assert_msg(t->n == s.n && t->joined_size == t->r.payload, "%u of %u bytes, " WRONG_SEED, t->joined_size,
		t->r.payload, t->seed);
	ck_assert_mem_eq(t->joined, t->m.bytes + t->m.payload, t->r.payload);
	ck_assert_mem_eq(frame, t->m.bytes, t->m.size);
	free(buf);
	free(frame);
}

static struct trial trial; /* large */

static struct trial *part_recipe(const struct recipe *r, struct segment_gso gso, struct seeded *random)
{
	trial.r = *r;
	trial.gso = gso;
	trial.seed = random->seed;
	make(&trial.m, r, random);
	part(&trial);
	return &trial;
}

/* What segment_begin() says of these bytes, in a block of their size. */
static int begin(const uint8_t *bytes, uint32_t size, struct segment_gso gso, uint32_t room)
{
	struct segment s, before;
	uint8_t *frame = exact_copy(bytes, size);
	int error;

	memset(&s, 0x5a, sizeof(s));
	before = s;
	error = segment_begin(frame, size, &gso, room, &s);
	if (error)
		ck_assert_mem_eq(&s, &before, sizeof(s));
	free(frame);
	return error;
}

static int begin_recipe(const struct recipe *r, struct segment_gso gso)
{
	struct seeded random = {1, 1};

	make(&trial.m, r, &random);
	return begin(trial.m.bytes, trial.m.size, gso, FRAME_MAX);
}

/* ---- sizes ---- */

static const struct {
	const char *name;
	uint32_t payload, gso, n;
} sizes[] = {
	{"a short last one", 3500, 1000, 4},
	{"an exact multiple", 4000, 1000, 4},
	{"one byte in the last", 3001, 1000, 4},
	{"one byte less than a multiple", 2999, 1000, 3},
	{"gso_size is the payload", 1000, 1000, 1},
	{"gso_size is larger", 999, 1000, 1},
	{"no payload", 0, 1000, 1},
	{"odd sizes", 3333, 333, 11},
	{"small ones", 64, 8, 8},
	{"less than TCP's least, but one", 5, 7, 1},
	{"as much as IP can carry", 65000, 1448, 45},
	{"as large as gso_size can be", 65000, 65000, 1},
};

START_TEST(a_payload_is_cut_to_size)
{
	struct seeded random = seeded_start();
	int version = _i % 2 ? 6 : 4, proto = _i / 2 % 2 ? UDP : TCP;
	struct recipe r = plain(version, proto, sizes[_i / 4].payload);

	part_recipe(&r, gso_of(sizes[_i / 4].gso), &random);
	ck_assert_msg(trial.n == sizes[_i / 4].n, "%s: %u segments", sizes[_i / 4].name, trial.n);
}
END_TEST

START_TEST(a_segment_that_does_not_fit_is_refused_beforehand)
{
	struct recipe r = plain(4, TCP, 3500);
	struct seeded random = {1, 1};

	make(&trial.m, &r, &random);
	ck_assert_int_eq(begin(trial.m.bytes, trial.m.size, gso_of(1000), 14 + 20 + 20 + 1000), 0);
	ck_assert_int_eq(begin(trial.m.bytes, trial.m.size, gso_of(1000), 14 + 20 + 20 + 999), -ENOBUFS);
	ck_assert_int_eq(begin(trial.m.bytes, trial.m.size, gso_of(5000), 14 + 20 + 20 + 3500), 0);
	ck_assert_int_eq(begin(trial.m.bytes, trial.m.size, gso_of(5000), 14 + 20 + 20 + 3499), -ENOBUFS);
}
END_TEST

START_TEST(an_absurd_gso_size_is_refused)
{
	struct recipe tcp = plain(4, TCP, 1000), udp = plain(4, UDP, 129);

	ck_assert_int_eq(begin_recipe(&tcp, gso_of(0)), -EINVAL);
	ck_assert_int_eq(begin_recipe(&tcp, gso_of(0xffff)), -EINVAL);
	ck_assert_int_eq(begin_recipe(&tcp, gso_of(SEGMENT_TCP_MIN - 1)), -EINVAL);
	ck_assert_int_eq(begin_recipe(&tcp, gso_of(SEGMENT_TCP_MIN)), 0);
	ck_assert_int_eq(begin_recipe(&udp, gso_of(1)), -EINVAL);
	udp.payload = SEGMENT_UDP_MAX;
	ck_assert_int_eq(begin_recipe(&udp, gso_of(1)), 0);
}
END_TEST

/* ---- headers ---- */

static const struct {
	const char *name;
	uint8_t flags;
	bool keep_cwr;
	uint8_t first, middle, last;
} flags[] = {
	{"FIN and PSH come once, at the end", ACK | PSH | FIN, false, ACK, ACK, ACK | PSH | FIN},
	{"CWR comes once, at the beginning", ACK | CWR, false, ACK | CWR, ACK, ACK},
	{"ECE stays", ACK | ECE | CWR, false, ACK | ECE | CWR, ACK | ECE, ACK | ECE},
	{"CWR as a bit of a counter stays", ACK | CWR | PSH, true, ACK | CWR, ACK | CWR, ACK | CWR | PSH},
	{"one that is not set is not set", ACK | ECE, true, ACK | ECE, ACK | ECE, ACK | ECE},
};

START_TEST(flags_stand_where_they_belong)
{
	struct recipe r = plain(6, TCP, 3000);
	struct segment_gso gso = {.size = 1000, .keep_cwr = flags[_i].keep_cwr};
	struct seeded random = {1, 1};
	struct segment s;
	uint8_t buf[2000];

	r.flags = flags[_i].flags;
	make(&trial.m, &r, &random);
	ck_assert_int_eq(segment_begin(trial.m.bytes, trial.m.size, &gso, sizeof(buf), &s), 0);
	segment_next(&s, buf);
	ck_assert_uint_eq(buf[trial.m.l4 + 13], flags[_i].first);
	segment_next(&s, buf);
	ck_assert_uint_eq(buf[trial.m.l4 + 13], flags[_i].middle);
	segment_next(&s, buf);
	ck_assert_uint_eq(buf[trial.m.l4 + 13], flags[_i].last);
	part_recipe(&r, gso, &random);
}
END_TEST

START_TEST(flags_of_a_lone_segment_all_stay)
{
	struct recipe r = plain(4, TCP, 100);
	struct seeded random = {1, 1};

	r.flags = 0xff;
	part_recipe(&r, gso_of(100), &random);
	ck_assert_uint_eq(trial.last[trial.m.l4 + 13], 0xff);
}
END_TEST

static const struct {
	bool fixed_id;
	uint16_t frag, third;
} idents[] = {
	{false, DF, 0}, {false, 0, 0}, {true, DF, 0xfffe},
	{true, 0, 0}, /* without DF a NIC may not repeat it: routers may have fragmented */
};

START_TEST(ident_grows_and_wraps)
{
	struct recipe r = plain(4, UDP, 3000);
	struct seeded random = {1, 1};

	r.frag = idents[_i].frag;
	part_recipe(&r, (struct segment_gso){.size = 1000, .fixed_id = idents[_i].fixed_id}, &random);
	ck_assert_uint_eq(get16(trial.last + trial.m.l3 + 4), idents[_i].third);
}
END_TEST

START_TEST(sequence_numbers_wrap)
{
	struct recipe r = plain(4, TCP, 3000);
	struct seeded random = {1, 1};

	part_recipe(&r, gso_of(1000), &random);
	ck_assert_uint_eq(get32(trial.last + trial.m.l4 + 4), 2000 - 16);
}
END_TEST

START_TEST(tags_options_and_extensions_are_copied)
{
	struct seeded random = seeded_start();
	struct recipe r = plain(4, TCP, 3000);

	r.ip_options = 10;
	r.tcp_options = 10;
	memcpy(r.tags, (uint16_t[]){0x8100, 0x88a8, 0x8100}, 6);
	part_recipe(&r, gso_of(700), &random);
	memcpy(r.tags, (uint16_t[]){0x88a8, 0x8100, 0}, 6);
	part_recipe(&r, gso_of(700), &random);
	r.version = 6;
	r.frag = 0;
	memcpy(r.exts, (uint8_t[]){HOPOPTS, ROUTING, FRAGMENT, DSTOPTS, NO_EXT}, 5);
	part_recipe(&r, gso_of(700), &random);
	r.proto = UDP;
	part_recipe(&r, gso_of(700), &random);
}
END_TEST

/* ---- checksums ---- */

START_TEST(what_the_field_held_does_not_matter)
{
	struct recipe r = plain(_i % 2 ? 6 : 4, _i / 2 ? UDP : TCP, 3100);
	struct seeded random = {1, 1};
	uint8_t last[2000];
	uint32_t size;

	part_recipe(&r, gso_of(1000), &random);
	size = trial.last_size;
	memcpy(last, trial.last, size);
	for (r.field = FINISHED; r.field <= GARBAGE; r.field++) {
		random = (struct seeded){1, 1};
		part_recipe(&r, gso_of(1000), &random);
		ck_assert_mem_eq(last, trial.last, size);
	}
}
END_TEST

START_TEST(udp_without_a_checksum_is_taken_for_a_tunnel_unless_known_better)
{
	struct segment_gso gso = {.size = 1000, .tunnel = SEGMENT_TUNNEL_NONE};
	struct recipe r = plain(4, UDP, 2500);
	struct seeded random = {1, 1};

	r.field = ZERO;
	ck_assert_int_eq(begin_recipe(&r, gso_of(1000)), -EPFNOSUPPORT);
	part_recipe(&r, gso, &random);
	ck_assert_uint_eq(get16(trial.last + trial.m.field), 0);
	r.version = 6;
	r.frag = 0;
	ck_assert_int_eq(begin_recipe(&r, gso_of(1000)), -EPFNOSUPPORT);
	part_recipe(&r, gso, &random);
	ck_assert_uint_ne(get16(trial.last + trial.m.field), 0);
}
END_TEST

/* Two bytes of payload make the sum of the only segment what one's complement has two names for. */
START_TEST(a_udp_checksum_of_zero_is_sent_as_its_other_name)
{
	struct recipe r = plain(4, UDP, 100);
	struct segment_gso gso = gso_of(100);
	struct seeded random = {1, 1};
	struct segment s;
	uint8_t buf[2000];

	make(&trial.m, &r, &random);
	set16(trial.m.bytes + trial.m.payload, 0);
	set_field(&trial.m, &r, FINISHED);
	set16(trial.m.bytes + trial.m.payload, get16(trial.m.bytes + trial.m.field));
	set_field(&trial.m, &r, UNFINISHED);
	ck_assert_int_eq(segment_begin(trial.m.bytes, trial.m.size, &gso, sizeof(buf), &s), 0);
	segment_next(&s, buf);
	ck_assert_uint_eq(get16(buf + trial.m.field), 0xffff);
	ck_assert(segment_finish_checksum(trial.m.bytes, trial.m.size));
	ck_assert_uint_eq(get16(trial.m.bytes + trial.m.field), 0xffff);
}
END_TEST

/* ---- refusals ---- */

static void spoil_version(struct made *m)
{
	m->bytes[m->l3] = (uint8_t)(m->bytes[m->l3] ^ 0xf0);
}
static void spoil_ihl(struct made *m)
{
	m->bytes[m->l3] = 0x44;
}
static void spoil_tcp_offset(struct made *m)
{
	m->bytes[m->l4 + 12] = 0x40;
}
static void spoil_tcp_offset_beyond(struct made *m)
{
	m->size = m->l4 + 24;
	set16(m->bytes + m->l3 + 2, m->size - m->l3);
	m->bytes[m->l4 + 12] = 0x70;
}
static void spoil_udp_header(struct made *m)
{
	m->size = m->l4 + 7;
	set16(m->bytes + m->l3 + 2, m->size - m->l3);
}
static void spoil_tcp_header(struct made *m)
{
	m->size = m->l4 + 19;
	set16(m->bytes + m->l3 + 2, m->size - m->l3);
}
static void spoil_total_more(struct made *m)
{
	set16(m->bytes + m->l3 + 2, m->size - m->l3 + 1);
}
static void spoil_total_less(struct made *m)
{
	set16(m->bytes + m->l3 + 2, m->size - m->l3 - 1);
}
static void spoil_total_none(struct made *m)
{
	set16(m->bytes + m->l3 + 2, 0);
}
static void spoil_payload_none(struct made *m)
{
	set16(m->bytes + m->l3 + 4, 0);
}
static void spoil_udp_length(struct made *m)
{
	set16(m->bytes + m->l4 + 4, 1008);
}
static void spoil_proto(struct made *m)
{
	m->bytes[m->l3 + 9] = 132;
}
static void spoil_gre(struct made *m)
{
	m->bytes[m->l3 + 9] = 47;
}
static void spoil_ipip(struct made *m)
{
	m->bytes[m->l3 + 9] = 4;
}
static void spoil_sit(struct made *m)
{
	m->bytes[m->l3 + 9] = 41;
}
static void spoil_mpls(struct made *m)
{
	m->bytes[m->l3 + 9] = 137;
}
static void spoil_esp6(struct made *m)
{
	m->bytes[m->l3 + 6] = 50;
}
static void spoil_arp(struct made *m)
{
	set16(m->bytes + m->l3 - 2, 0x0806);
}
static void spoil_length(struct made *m)
{
	set16(m->bytes + m->l3 - 2, 0x05dc);
}
static void spoil_more_fragments(struct made *m)
{
	set16(m->bytes + m->l3 + 6, MF);
}
static void spoil_later_fragment(struct made *m)
{
	set16(m->bytes + m->l3 + 6, 185);
}
static void spoil_chain(struct made *m)
{
	m->bytes[m->l3 + 41] = 255;
}
static void spoil_last_tag(struct made *m)
{
	m->size = m->l3 - 1;
}

static const struct {
	const char *name;
	int version, proto;
	void (*spoil)(struct made *m);
	uint8_t ext;
	uint16_t frag;
	uint8_t segments_left;
	uint16_t tags[TAGS_MAX + 2];
	enum segment_tunnel tunnel;
	int error;
} refusals[] = {
	{.name = "version", .version = 4, .spoil = spoil_version, .error = -EBADMSG},
	{.name = "version 6", .version = 6, .spoil = spoil_version, .error = -EBADMSG},
	{.name = "IHL", .version = 4, .spoil = spoil_ihl, .error = -EBADMSG},
	{.name = "TCP header of four words", .version = 4, .spoil = spoil_tcp_offset, .error = -EBADMSG},
	{.name = "TCP options not there", .version = 4, .spoil = spoil_tcp_offset_beyond, .error = -EBADMSG},
	{.name = "UDP header not whole", .version = 4, .proto = UDP, .spoil = spoil_udp_header, .error = -EBADMSG},
	{.name = "TCP header not whole", .version = 4, .spoil = spoil_tcp_header, .error = -EBADMSG},
	{.name = "total length, more", .version = 4, .spoil = spoil_total_more, .error = -EMSGSIZE},
	{.name = "total length, less", .version = 4, .spoil = spoil_total_less, .error = -EMSGSIZE},
	{.name = "BIG TCP, IPv4", .version = 4, .spoil = spoil_total_none, .error = -EMSGSIZE},
	{.name = "BIG TCP, IPv6", .version = 6, .spoil = spoil_payload_none, .error = -EMSGSIZE},
	{.name = "UDP length", .version = 4, .proto = UDP, .spoil = spoil_udp_length, .error = -EMSGSIZE},
	{.name = "SCTP", .version = 4, .spoil = spoil_proto, .error = -EPROTONOSUPPORT},
	{.name = "ESP, IPv6", .version = 6, .spoil = spoil_esp6, .error = -EPROTONOSUPPORT},
	{.name = "ARP", .version = 4, .spoil = spoil_arp, .error = -EPROTONOSUPPORT},
	{.name = "802.3", .version = 4, .spoil = spoil_length, .error = -EPROTONOSUPPORT},
	{.name = "GRE", .version = 4, .spoil = spoil_gre, .error = -EPFNOSUPPORT},
	{.name = "IPv6 in IP", .version = 4, .spoil = spoil_sit, .error = -EPFNOSUPPORT},
	{.name = "MPLS in IP", .version = 4, .spoil = spoil_mpls, .error = -EPFNOSUPPORT},
	{.name = "IP in IP", .version = 4, .spoil = spoil_ipip, .error = -EPFNOSUPPORT},
	{.name = "a tunnel, as is known", .version = 4, .tunnel = SEGMENT_TUNNEL_INSIDE, .error = -EPFNOSUPPORT},
	{.name = "first fragment", .version = 4, .spoil = spoil_more_fragments, .error = -EOPNOTSUPP},
	{.name = "later fragment", .version = 4, .spoil = spoil_later_fragment, .error = -EOPNOTSUPP},
	{.name = "first fragment, IPv6", .version = 6, .ext = FRAGMENT, .frag = 1, .error = -EOPNOTSUPP},
	{.name = "later fragment, IPv6", .version = 6, .ext = FRAGMENT, .frag = 0x100, .error = -EOPNOTSUPP},
	{.name = "AH", .version = 6, .ext = AH, .error = -EOPNOTSUPP},
	{.name = "routing under way", .version = 6, .ext = ROUTING, .segments_left = 1, .error = -EOPNOTSUPP},
	{.name = "routing at its end", .version = 6, .ext = ROUTING, .error = 0},
	{.name = "extension beyond the end", .version = 6, .ext = DSTOPTS, .spoil = spoil_chain, .error = -EBADMSG},
	{.name = "a tag not whole", .version = 4, .tags = {0x8100, 0x8100}, .spoil = spoil_last_tag, .error = -EBADMSG},
	{.name = "four tags", .version = 4, .tags = {0x8100, 0x8100, 0x8100, 0x8100}, .error = -EPROTONOSUPPORT},
};

START_TEST(what_cannot_be_parted_is_refused_by_name)
{
	struct recipe r = plain(refusals[_i].version, refusals[_i].proto ? refusals[_i].proto : TCP, 1500);
	struct segment_gso gso = {.size = 1000, .tunnel = refusals[_i].tunnel};
	struct seeded random = {1, 1};
	int error;

	if (refusals[_i].ext) {
		r.exts[0] = refusals[_i].ext;
		r.exts[1] = NO_EXT;
		r.frag = refusals[_i].frag;
		r.segments_left = refusals[_i].segments_left;
	}
	memcpy(r.tags, refusals[_i].tags, sizeof(refusals[_i].tags));
	make(&trial.m, &r, &random);
	if (refusals[_i].spoil)
		refusals[_i].spoil(&trial.m);
	error = begin(trial.m.bytes, trial.m.size, gso, FRAME_MAX);
	ck_assert_msg(error == refusals[_i].error, "%s: %d, not %d", refusals[_i].name, error, refusals[_i].error);
}
END_TEST

static bool is_named(int error)
{
	return error == -EINVAL || error == -EPROTONOSUPPORT || error == -EPFNOSUPPORT || error == -EOPNOTSUPP ||
	       error == -EBADMSG || error == -EMSGSIZE;
}

static struct recipe random_recipe(struct seeded *random)
{
	static const uint16_t tpids[] = {0x8100, 0x88a8};
	static const uint8_t exts[] = {HOPOPTS, ROUTING, FRAGMENT, DSTOPTS};
	static const uint32_t payloads[] = {50, 5000, 65000};
	struct recipe r =
		plain(seeded_below(random, 2) ? 4 : 6, seeded_below(random, 2) ? TCP : UDP, seeded_below(random, 5000));
	uint32_t n_exts = seeded_below(random, 2) ? 0 : seeded_below(random, EXTS_MAX + 1);

	/* The parser takes one 802.1Q tag apart itself, and there are two more. */
	for (uint32_t i = 0, n = seeded_below(random, 3); i < n; i++)
		r.tags[i] = tpids[seeded_below(random, 2)];
	for (uint32_t i = 0; i < n_exts; i++)
		r.exts[i] = exts[seeded_below(random, 4)];
	r.exts[n_exts] = NO_EXT;
	r.ip_options = seeded_below(random, 3) ? 0 : seeded_below(random, 11);
	r.tcp_options = seeded_below(random, 3) ? 0 : seeded_below(random, 11);
	r.frag = r.version == 4 && seeded_below(random, 2) ? DF : 0;
	r.ident = (uint16_t)seeded_next(random);
	r.sequence = (uint32_t)seeded_next(random);
	r.flags = (uint8_t)seeded_next(random);
	r.field = (enum field_state)seeded_below(random, ZERO + 1);
	r.payload = seeded_below(random, payloads[seeded_below(random, 20) ? seeded_below(random, 2) : 2]);
	return r;
}

/* One that the frame can be parted by. */
static struct segment_gso random_gso(const struct recipe *r, struct seeded *random)
{
	struct segment_gso gso = {.fixed_id = seeded_below(random, 2), .keep_cwr = seeded_below(random, 2)};
	uint32_t least = r->proto == TCP ? SEGMENT_TCP_MIN : r->payload / SEGMENT_UDP_MAX + 1;

	gso.size = (uint16_t)(least + seeded_below(random, seeded_below(random, 10) ? 1500 : 20));
	gso.tunnel = SEGMENT_TUNNEL_NONE;
	return gso;
}

START_TEST(a_frame_that_is_cut_short_is_refused)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < 12; i++) {
		struct recipe r = random_recipe(&random);

		r.payload = 40;
		make(&trial.m, &r, &random);
		for (uint32_t size = 0; size < trial.m.size; size++) {
			int error = begin(trial.m.bytes, size, gso_of(8), FRAME_MAX);

			ck_assert_msg(error == -EBADMSG || error == -EMSGSIZE, "%u of %u bytes: %d, " WRONG_SEED, size,
				trial.m.size, error, (unsigned long long)random.seed);
		}
	}
}
END_TEST

/* The same with lengths that say so: headers end anywhere. */
START_TEST(a_datagram_that_is_cut_short_is_refused_while_its_headers_are_not_whole)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < 12; i++) {
		struct recipe r = random_recipe(&random);

		r.payload = 40;
		make(&trial.m, &r, &random);
		for (uint32_t size = trial.m.l3 + (r.version == 4 ? 20 : 40); size < trial.m.payload; size++) {
			if (r.version == 4)
				set16(trial.m.bytes + trial.m.l3 + 2, size - trial.m.l3);
			else
				set16(trial.m.bytes + trial.m.l3 + 4, size - trial.m.l3 - 40);
			ck_assert_msg(begin(trial.m.bytes, size, gso_of(8), FRAME_MAX) == -EBADMSG,
				"%u bytes, " WRONG_SEED, size, (unsigned long long)random.seed);
		}
	}
}
END_TEST

START_TEST(random_frames_are_parted_as_the_twin_says)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < N_RANDOM; i++) {
		struct recipe r = random_recipe(&random);

		part_recipe(&r, random_gso(&r, &random), &random);
	}
}
END_TEST

/* G1, G3 of whatever is not refused. */
static void part_anything(const uint8_t *bytes, uint32_t size, struct segment_gso gso, unsigned long long seed)
{
	uint32_t room = 1 + size, at, joined = 0;
	uint8_t *frame = exact_copy(bytes, size), *buf = malloc(room);
	struct segment s;
	int error = segment_begin(frame, size, &gso, room, &s);

	ck_assert_msg(!error || is_named(error), "%d, " WRONG_SEED, error, seed);
	while (!error && (at = segment_next(&s, buf))) {
		ck_assert_msg(at <= room && at >= s.payload && at - s.payload <= gso.size, WRONG_SEED, seed);
		ck_assert_msg(!memcmp(buf + s.payload, frame + s.payload + joined, at - s.payload), WRONG_SEED, seed);
		joined += at - s.payload;
	}
	ck_assert_msg(error || s.payload + joined == size, WRONG_SEED, seed);
	segment_finish_checksum(frame, size);
	free(buf);
	free(frame);
}

START_TEST(mutants_do_no_harm)
{
	struct seeded random = seeded_start();

	for (int i = 0; i < N_MUTANTS; i++) {
		struct recipe r = random_recipe(&random);
		uint32_t n = 1 + seeded_below(&random, 4);

		r.payload = seeded_below(&random, 200);
		make(&trial.m, &r, &random);
		while (n--)
			trial.m.bytes[seeded_below(&random, trial.m.payload)] = (uint8_t)seeded_next(&random);
		if (!seeded_below(&random, 3))
			trial.m.size = seeded_below(&random, trial.m.size);
		part_anything(trial.m.bytes, trial.m.size, gso_of(seeded_below(&random, 100)),
			(unsigned long long)random.seed);
	}
}
END_TEST

/* ---- a frame that is left whole ---- */

START_TEST(an_unfinished_checksum_is_finished_once)
{
	struct seeded random = seeded_start();
	static struct made before;

	for (int i = 0; i < N_RANDOM; i++) {
		struct recipe r = random_recipe(&random);
		bool was_right;

		r.field = UNFINISHED;
		make(&trial.m, &r, &random);
		before = trial.m;
		/* 1 of 65,536 is its own checksum. */
		was_right = l4_is_right(&r, before.bytes, before.l3, before.l4, before.size);
		ck_assert_msg(segment_finish_checksum(trial.m.bytes, trial.m.size) == !was_right, WRONG_SEED,
			(unsigned long long)random.seed);
		ck_assert_msg(l4_is_right(&r, trial.m.bytes, trial.m.l3, trial.m.l4, trial.m.size), WRONG_SEED,
			(unsigned long long)random.seed);
		memcpy(before.bytes + before.field, trial.m.bytes + before.field, 2);
		ck_assert_mem_eq(before.bytes, trial.m.bytes, before.size);
		segment_finish_checksum(trial.m.bytes, trial.m.size);
		ck_assert_mem_eq(before.bytes, trial.m.bytes, before.size);
	}
}
END_TEST

START_TEST(padding_is_not_summed)
{
	struct recipe r = plain(4, TCP, 1);
	struct seeded random = {1, 1};
	uint32_t size;

	make(&trial.m, &r, &random);
	size = trial.m.size;
	memset(trial.m.bytes + size, 0xee, 5);
	ck_assert(segment_finish_checksum(trial.m.bytes, size + 5));
	ck_assert(l4_is_right(&r, trial.m.bytes, trial.m.l3, trial.m.l4, size));
}
END_TEST

START_TEST(what_is_not_unfinished_stays_to_the_bit)
{
	struct seeded random = seeded_start();
	static struct made before;

	for (int i = 0; i < N_RANDOM; i++) {
		struct recipe r = random_recipe(&random);
		uint32_t size;

		r.field = (enum field_state)(FINISHED + seeded_below(&random, 3));
		make(&trial.m, &r, &random);
		if (r.field != FINISHED && l4_is_right(&r, trial.m.bytes, trial.m.l3, trial.m.l4, trial.m.size))
			continue;
		/* Garbage may be the sum that is waited for. */
		if (r.field == GARBAGE &&
			pseudo(trial.m.bytes + trial.m.l3, r.version, r.proto, trial.m.size - trial.m.l4) == 0x1234)
			continue;
		before = trial.m;
		size = seeded_below(&random, 2) ? before.size : seeded_below(&random, before.size);
		ck_assert_msg(
			!segment_finish_checksum(trial.m.bytes, size), WRONG_SEED, (unsigned long long)random.seed);
		ck_assert_mem_eq(before.bytes, trial.m.bytes, before.size);
	}
}
END_TEST

START_TEST(an_unfinished_checksum_of_a_fragment_stays)
{
	struct recipe r = plain(4, UDP, 100);
	struct seeded random = {1, 1};

	r.frag = MF;
	make(&trial.m, &r, &random);
	ck_assert(!segment_finish_checksum(trial.m.bytes, trial.m.size));
}
END_TEST

START_TEST(a_right_checksum_that_looks_unfinished_is_not_counted)
{
	struct recipe r = plain(4, UDP, 100);
	struct seeded random = {1, 1};
	uint32_t sum;

	make(&trial.m, &r, &random);
	set16(trial.m.bytes + trial.m.payload, 0);
	sum = pseudo(trial.m.bytes + trial.m.l3, 4, UDP, 108);
	set16(trial.m.bytes + trial.m.payload, 65535 - words(trial.m.bytes + trial.m.l4, 108, sum));
	ck_assert(l4_is_right(&r, trial.m.bytes, trial.m.l3, trial.m.l4, trial.m.size));
	ck_assert(!segment_finish_checksum(trial.m.bytes, trial.m.size));
}
END_TEST

START_TEST(a_field_behind_the_datagram_is_padding)
{
	struct recipe r = plain(4, TCP, 100);
	struct seeded random = {1, 1};

	make(&trial.m, &r, &random);
	set16(trial.m.bytes + trial.m.l3 + 2, 20 + 17);
	set16(trial.m.bytes + trial.m.field, pseudo(trial.m.bytes + trial.m.l3, 4, TCP, 17));
	ck_assert(!segment_finish_checksum(trial.m.bytes, trial.m.size));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("segment");
	TCase *parts = tcase_create("parts"), *refused = tcase_create("refused"), *whole = tcase_create("whole");

	tcase_set_timeout(parts, 60);
	tcase_set_timeout(refused, 60);
	tcase_set_timeout(whole, 60);
	tcase_add_loop_test(parts, a_payload_is_cut_to_size, 0, 4 * (sizeof(sizes) / sizeof(sizes[0])));
	tcase_add_loop_test(parts, flags_stand_where_they_belong, 0, sizeof(flags) / sizeof(flags[0]));
	tcase_add_test(parts, flags_of_a_lone_segment_all_stay);
	tcase_add_loop_test(parts, ident_grows_and_wraps, 0, sizeof(idents) / sizeof(idents[0]));
	tcase_add_test(parts, sequence_numbers_wrap);
	tcase_add_test(parts, tags_options_and_extensions_are_copied);
	tcase_add_loop_test(parts, what_the_field_held_does_not_matter, 0, 4);
	tcase_add_test(parts, a_udp_checksum_of_zero_is_sent_as_its_other_name);
	tcase_add_test(parts, random_frames_are_parted_as_the_twin_says);
	tcase_add_test(refused, a_segment_that_does_not_fit_is_refused_beforehand);
	tcase_add_test(refused, an_absurd_gso_size_is_refused);
	tcase_add_test(refused, udp_without_a_checksum_is_taken_for_a_tunnel_unless_known_better);
	tcase_add_loop_test(
		refused, what_cannot_be_parted_is_refused_by_name, 0, sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(refused, a_frame_that_is_cut_short_is_refused);
	tcase_add_test(refused, a_datagram_that_is_cut_short_is_refused_while_its_headers_are_not_whole);
	tcase_add_test(refused, mutants_do_no_harm);
	tcase_add_test(whole, an_unfinished_checksum_is_finished_once);
	tcase_add_test(whole, padding_is_not_summed);
	tcase_add_test(whole, a_right_checksum_that_looks_unfinished_is_not_counted);
	tcase_add_test(whole, a_field_behind_the_datagram_is_padding);
	tcase_add_test(whole, what_is_not_unfinished_stays_to_the_bit);
	tcase_add_test(whole, an_unfinished_checksum_of_a_fragment_stays);
	suite_add_tcase(suite, parts);
	suite_add_tcase(suite, refused);
	suite_add_tcase(suite, whole);
	return run_suite(suite);
}
