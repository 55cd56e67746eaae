/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/flow.h"

#include "dataplane/complaint.h"
#include "dataplane/field_text.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TERM_SIZE 128 /* "ipv6_src=" and two addresses in their longest form fit */
#define ALL       0xffffffffu

#define ICMPV6_SOLICITATION  135
#define ICMPV6_ADVERTISEMENT 136

/* How a value is spelt. A number of which only some bits count is always 0xVALUE/0xMASK. */
enum form {
	FORM_DECIMAL,
	FORM_HEX,
	FORM_BYTE, /* decimal, up to 255, in a wider place */
	FORM_PORT, /* host order: by the port's name where it has one */
	FORM_VLAN, /* decimal: tagged with that VID; "none": no tag */
	FORM_FRAG, /* a word */
	FORM_MAC,
	FORM_IPV4,
	FORM_IPV6,
};

enum prerequisite {
	PRE_NONE,
	PRE_ARP,
	PRE_IP,
	PRE_IPV4,
	PRE_IPV6,
	PRE_TCP,
	PRE_UDP,
	PRE_SCTP,
	PRE_ICMP,
	PRE_ICMPV6,
	PRE_ND,
	PRE_ND_SOLICIT,
	PRE_ND_ADVERT,
	PRE_MPLS,
	PRE_PBB,
	PRE_VLAN,    /* there is a tag */
	PRE_IN_PORT, /* the port is looked at, whichever it is */
};

/* What a mask must look at, in full, and a key must hold for a prerequisite to be met. */
static const struct {
	uint16_t eth_type[2];   /* any of them; 0: none */
	uint8_t ip_proto;       /* 0: any */
	uint8_t icmpv6_type[2]; /* any of them; 0: none */
	const char *text;
} prerequisites[] = {
	[PRE_ARP] = {{0x0806}, .text = "eth_type=0x0806"},
	[PRE_IP] = {{0x0800, 0x86dd}, .text = "eth_type=0x0800 or 0x86dd"},
	[PRE_IPV4] = {{0x0800}, .text = "eth_type=0x0800"},
	[PRE_IPV6] = {{0x86dd}, .text = "eth_type=0x86dd"},
	[PRE_TCP] = {{0x0800, 0x86dd}, 6, .text = "eth_type=0x0800 or 0x86dd, and ip_proto=6"},
	[PRE_UDP] = {{0x0800, 0x86dd}, 17, .text = "eth_type=0x0800 or 0x86dd, and ip_proto=17"},
	[PRE_SCTP] = {{0x0800, 0x86dd}, 132, .text = "eth_type=0x0800 or 0x86dd, and ip_proto=132"},
	[PRE_ICMP] = {{0x0800}, 1, .text = "eth_type=0x0800,ip_proto=1"},
	[PRE_ICMPV6] = {{0x86dd}, 58, .text = "eth_type=0x86dd,ip_proto=58"},
	[PRE_ND] = {{0x86dd}, 58, {ICMPV6_SOLICITATION, ICMPV6_ADVERTISEMENT},
		.text = "eth_type=0x86dd,ip_proto=58, and icmpv6_type=135 or 136"},
	[PRE_ND_SOLICIT] = {{0x86dd}, 58, {ICMPV6_SOLICITATION}, .text = "eth_type=0x86dd,ip_proto=58,icmpv6_type=135"},
	[PRE_ND_ADVERT] = {{0x86dd}, 58, {ICMPV6_ADVERTISEMENT}, .text = "eth_type=0x86dd,ip_proto=58,icmpv6_type=136"},
	[PRE_MPLS] = {{0x8847, 0x8848}, .text = "eth_type=0x8847 or 0x8848"},
	[PRE_PBB] = {{0x88e7}, .text = "eth_type=0x88e7"},
	[PRE_VLAN] = {.text = "vlan_vid"},
	[PRE_IN_PORT] = {.text = "in_port"},
};

static const struct field_row rows[N_FIELDS] = {
#define FIELD(id, name, member, size, bits, form, prerequisite, oxm, oxm_size, oxm_bits, maskable, settable, needs)    \
	[FIELD_##id] = {name, bits, offsetof(struct flow_fields, member), size, FORM_##form, PRE_##prerequisite, oxm,  \
		oxm_size, oxm_bits, maskable, settable},
#include "dataplane/field.def"
#undef FIELD
};

/* What a match must look at beside the field; a row's `prerequisite` is only what gives the bits their name. */
static const uint8_t needs[N_FIELDS] = {
#define FIELD(id, name, member, size, bits, form, prerequisite, oxm, oxm_size, oxm_bits, maskable, settable, needs)    \
	[FIELD_##id] = PRE_##needs,
#include "dataplane/field.def"
#undef FIELD
};

/* ip_frag's words: of the bits SW_FRAG_ANY and SW_FRAG_LATER, which are looked at and what they are. */
static const struct {
	const char *word;
	uint8_t value, look;
} frags[] = {
	{"no", 0, 3},
	{"first", SW_FRAG_ANY, 3},
	{"later", SW_FRAG_ANY | SW_FRAG_LATER, 3},
	{"yes", SW_FRAG_ANY, SW_FRAG_ANY},
	{"not_later", 0, SW_FRAG_LATER},
};

struct flow flow_of_key(const struct sw_key *key)
{
	struct flow flow = {0};

	flow.fast = *key;
	return flow;
}

const struct field_row *field_row(enum field_id field)
{
	return &rows[field];
}

const char *field_name(enum field_id field)
{
	return rows[field].name;
}

enum field_id field_of_oxm(unsigned oxm_number)
{
	int i = 0;

	while (i < N_FIELDS && (rows[i].oxm < 0 || (unsigned)rows[i].oxm != oxm_number))
		i++;
	return i;
}

/* ---- a field's bits ---- */

static bool is_number(const struct field_row *row)
{
	return row->form < FORM_MAC;
}

static uint64_t low_bits(unsigned n)
{
	return n < 64 ? (1ULL << n) - 1 : UINT64_MAX;
}

/* The row's bits, of a number of `size` bytes. */
static uint64_t bits_of(const struct field_row *row)
{
	return row->bits == ALL ? low_bits(8u * row->size) : row->bits;
}

/* The row's bits, shifted down to be a number from 0 to this. */
static uint64_t number_max(const struct field_row *row)
{
	return bits_of(row) >> __builtin_ctzll(bits_of(row));
}

static uint64_t load_be(const uint8_t *at, int size)
{
	uint64_t number = 0;

	for (int i = 0; i < size; i++)
		number = number << 8 | at[i];
	return number;
}

static uint64_t load_number(const struct field_row *row, const void *key)
{
	const uint8_t *at = (const uint8_t *)key + row->offset;
	uint32_t host;

	if (row->form == FORM_PORT) {
		memcpy(&host, at, sizeof(host));
		return host;
	}
	return (load_be(at, row->size) & bits_of(row)) >> __builtin_ctzll(bits_of(row));
}

/* Replaces the field's bits. `key` is a struct flow or, for a field that it has, a struct sw_key. */
static void store_number(const struct field_row *row, void *key, uint64_t number)
{
	uint8_t *at = (uint8_t *)key + row->offset;
	uint32_t host = (uint32_t)number;
	uint64_t bits = bits_of(row);

	if (row->form == FORM_PORT) {
		memcpy(at, &host, sizeof(host));
		return;
	}
	number <<= __builtin_ctzll(bits);
	for (int i = row->size; i-- > 0; number >>= 8, bits >>= 8)
		at[i] = (uint8_t)((at[i] & ~bits) | (number & bits));
}

static void look(const struct field_row *row, void *mask)
{
	if (is_number(row))
		store_number(row, mask, number_max(row));
	else
		memset((uint8_t *)mask + row->offset, 0xff, row->size);
}

void flow_look(struct flow *mask, enum field_id field)
{
	look(&rows[field], mask);
}

void key_look(struct sw_key *mask, enum field_id field)
{
	assert(rows[field].offset + rows[field].size <= (int)sizeof(*mask));
	look(&rows[field], mask);
}

void field_read(enum field_id field, const struct flow *flow, uint8_t *ret_value)
{
	const struct field_row *row = &rows[field];
	uint64_t number;

	if (!is_number(row)) {
		memcpy(ret_value, (const uint8_t *)flow + row->offset, row->oxm_size);
		return;
	}
	number = load_number(row, flow);
	for (int i = row->oxm_size; i-- > 0; number >>= 8)
		ret_value[i] = (uint8_t)number;
}

void field_write(enum field_id field, struct flow *flow, const uint8_t *value)
{
	const struct field_row *row = &rows[field];

	if (is_number(row))
		store_number(row, flow, load_be(value, row->oxm_size));
	else
		memcpy((uint8_t *)flow + row->offset, value, row->oxm_size);
}

static bool is_one_of(uint16_t value, uint16_t a, uint16_t b)
{
	return value && (value == a || value == b);
}

static bool prerequisite_met(uint8_t prerequisite, const struct flow *key, const struct flow *mask)
{
	__be16 present = htons(SW_VLAN_PRESENT);
	const uint16_t *eth_type = prerequisites[prerequisite].eth_type;
	const uint8_t *icmpv6_type = prerequisites[prerequisite].icmpv6_type;
	uint8_t ip_proto = prerequisites[prerequisite].ip_proto;

	if (prerequisite == PRE_NONE)
		return true;
	if (prerequisite == PRE_IN_PORT)
		return mask->x.f.in_ifindex == UINT32_MAX;
	if (prerequisite == PRE_VLAN)
		return key->x.f.vlan_tci_be & mask->x.f.vlan_tci_be & present;
	if (mask->x.f.eth_type_be != 0xffff || !is_one_of(ntohs(key->x.f.eth_type_be), eth_type[0], eth_type[1]))
		return false;
	if (ip_proto && (mask->x.f.ip_proto != 0xff || key->x.f.ip_proto != ip_proto))
		return false;
	if (!icmpv6_type[0])
		return true;
	/* The type is a byte in a wider place, so a match may have looked at that byte alone. */
	return (ntohs(mask->x.f.l4_src_be) & 0xff) == 0xff &&
	       is_one_of(ntohs(key->x.f.l4_src_be), icmpv6_type[0], icmpv6_type[1]);
}

bool field_prerequisite_met(enum field_id field, const struct flow_match *match)
{
	return prerequisite_met(needs[field], &match->key, &match->mask);
}

/* ---- printing ---- */

void field_put_port(struct text *text, uint32_t number, const struct flow_names *names)
{
	const char *name = names && names->name_of ? names->name_of(names->ctx, number) : NULL;
	char digits[12];

	snprintf(digits, sizeof(digits), "%" PRIu32, number);
	if (name)
		text_put(text, "%s", name);
	else if (names && names->number_of && names->number_of(names->ctx, digits))
		text_put(text, "0x%" PRIx32, number); /* in decimal it would be read as the port that is called so */
	else
		text_put(text, "%s", digits);
}

/* Prints a number all of whose bits count in the words of its form; false: that has none for it. */
static bool put_whole_number(
	struct text *text, const struct field_row *row, uint64_t value, const struct flow_names *names)
{
	switch (row->form) {
	case FORM_PORT:
		field_put_port(text, (uint32_t)value, names);
		return true;
	case FORM_VLAN:
		if (value && !(value & SW_VLAN_PRESENT))
			return false; /* no frame has such a key */
		if (value)
			text_put(text, "%" PRIu64, value & SW_VLAN_VID);
		else
			text_put(text, "none");
		return true;
	case FORM_BYTE:
		if (value > 255)
			return false; /* no frame has such a key */
				      /* fall through */
	case FORM_DECIMAL:
		text_put(text, "%" PRIu64, value);
		return true;
	case FORM_HEX:
		text_put(text, "0x%0*" PRIx64, row->size < 8 ? row->size * 2 : 1, value);
		return true;
	}
	return false;
}

static void put_number(struct text *text, const struct field_row *row, const struct flow *key, const struct flow *mask,
	const struct flow_names *names)
{
	uint64_t value = load_number(row, key), bits = load_number(row, mask);

	if (row->form == FORM_FRAG) {
		for (size_t i = 0; i < sizeof(frags) / sizeof(frags[0]); i++) {
			if (frags[i].look == bits && frags[i].value == value) {
				text_put(text, "%s", frags[i].word);
				return;
			}
		}
	} else if (bits == number_max(row) && put_whole_number(text, row, value, names)) {
		return;
	}
	text_put(text, "0x%" PRIx64 "/0x%" PRIx64, value, bits);
}

static void put_mac(struct text *text, const uint8_t *mac)
{
	text_put(text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void put_ip(struct text *text, const struct field_row *row, const uint8_t *address)
{
	char spelt[INET6_ADDRSTRLEN];

	inet_ntop(row->form == FORM_IPV4 ? AF_INET : AF_INET6, address, spelt, sizeof(spelt));
	text_put(text, "%s", spelt);
}

/* Bits in the prefix that `mask` is, or -1 if it is none. */
static int prefix_length(const uint8_t *mask, int size)
{
	int n = 0;

	while (n < size * 8 && mask[n / 8] & 0x80 >> n % 8)
		n++;
	for (int i = n; i < size * 8; i++) {
		if (mask[i / 8] & 0x80 >> i % 8)
			return -1;
	}
	return n;
}

static void put_address(struct text *text, const struct field_row *row, const struct flow *key, const struct flow *look)
{
	const uint8_t *address = (const uint8_t *)key + row->offset, *mask = (const uint8_t *)look + row->offset;
	int prefix = prefix_length(mask, row->size);

	if (row->form == FORM_MAC)
		put_mac(text, address);
	else
		put_ip(text, row, address);
	if (prefix == row->size * 8)
		return;
	text_put(text, "/");
	if (row->form == FORM_MAC)
		put_mac(text, mask);
	else if (prefix >= 0)
		text_put(text, "%d", prefix);
	else
		put_ip(text, row, mask);
}

void field_put_value(struct text *text, enum field_id field, const struct flow *value, const struct flow *mask,
	const struct flow_names *names)
{
	const struct field_row *row = &rows[field];

	if (is_number(row))
		put_number(text, row, value, mask, names);
	else
		put_address(text, row, value, mask);
}

size_t flow_format(
	const struct flow *key, const struct flow *mask, const struct flow_names *names, char *buffer, size_t size)
{
	static const struct flow nothing;
	struct text text = text_begin(buffer, size);
	struct flow left = *mask; /* bits not yet told */

	for (int i = 0; i < N_FIELDS; i++) {
		struct flow bits = {0}, value;

		flow_look(&bits, i);
		bits = flow_masked(&bits, &left);
		if (flow_equal(&bits, &nothing) || !prerequisite_met(rows[i].prerequisite, key, mask))
			continue;
		value = flow_masked(key, &bits);
		text_put(&text, "%s%s=", text.length ? "," : "", rows[i].name);
		field_put_value(&text, i, &value, &bits, names);
		for (int w = 0; w < FLOW_WORDS; w++)
			left.w[w] &= ~bits.w[w];
	}
	if (!text.length)
		text_put(&text, "any");
	return text.length;
}

size_t key_format(
	const struct sw_key *key, const struct sw_key *mask, const struct flow_names *names, char *buffer, size_t size)
{
	struct flow wide_key = flow_of_key(key), wide_mask = flow_of_key(mask);

	return flow_format(&wide_key, &wide_mask, names, buffer, size);
}

/* ---- parsing ---- */

bool read_number(const char *word, uint64_t *ret)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t number = 0;
	int base = 10;

	if (word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
		base = 16;
		word += 2;
	}
	if (!*word)
		return false;
	for (; *word; word++) {
		const char *digit = strchr(digits, tolower((unsigned char)*word));

		if (!digit || digit - digits >= base)
			return false;
		if (__builtin_mul_overflow(number, base, &number) ||
			__builtin_add_overflow(number, digit - digits, &number))
			return false;
	}
	*ret = number;
	return true;
}

/* One value with all bits counting. */
static int read_whole_number(const struct field_row *row, const char *word, const struct flow_names *names,
	uint64_t *ret, struct complaint *complaint)
{
	uint64_t max = row->form == FORM_VLAN ? SW_VLAN_VID : row->form == FORM_BYTE ? 255 : number_max(row);

	if (row->form == FORM_PORT && names && names->number_of) {
		*ret = names->number_of(names->ctx, word);
		if (*ret)
			return 0; /* a port that is named "7" wins over port 7 */
	}
	if (row->form == FORM_VLAN && !strcmp(word, "none")) {
		*ret = 0;
		return 0;
	}
	if (!read_number(word, ret) || *ret > max) {
		if (row->form == FORM_PORT)
			return complain(complaint, -EINVAL, "%s: there is no port '%s'", row->name, word);
		return complain(complaint, -EINVAL,
			"%s: '%s': expected %sa number from 0 to %" PRIu64 ", or 0xVALUE/0xMASK", row->name, word,
			row->form == FORM_VLAN ? "none, " : "", max);
	}
	if (row->form == FORM_VLAN)
		*ret |= SW_VLAN_PRESENT;
	return 0;
}

static int read_frag(
	const struct field_row *row, const char *word, struct flow_match *match, struct complaint *complaint)
{
	for (size_t i = 0; i < sizeof(frags) / sizeof(frags[0]); i++) {
		if (!strcmp(word, frags[i].word)) {
			store_number(row, &match->key, frags[i].value);
			store_number(row, &match->mask, frags[i].look);
			return 0;
		}
	}
	return complain(complaint, -EINVAL, "%s: '%s': expected no, yes, first, later or not_later", row->name, word);
}

/* `mask` is the text behind the slash, or NULL. Bits of the value outside the mask are let go, as ovs-ofctl does. */
static int read_number_term(const struct field_row *row, const char *word, const char *mask,
	const struct flow_names *names, struct flow_match *match, struct complaint *complaint)
{
	uint64_t value, bits = number_max(row);
	int error;

	if (mask) {
		if (!read_number(word, &value) || value > number_max(row))
			return complain(complaint, -EINVAL,
				"%s: '%s': expected a number from 0 to %" PRIu64 " before the '/'", row->name, word,
				number_max(row));
		if (!read_number(mask, &bits) || bits > number_max(row))
			return complain(complaint, -EINVAL,
				"%s: '%s': expected a mask from 0 to 0x%" PRIx64 " after the '/'", row->name, mask,
				number_max(row));
	} else if (row->form == FORM_FRAG) {
		return read_frag(row, word, match, complaint);
	} else {
		error = read_whole_number(row, word, names, &value, complaint);
		if (error)
			return error;
	}
	store_number(row, &match->key, value & bits);
	store_number(row, &match->mask, bits);
	return 0;
}

static bool read_mac(const char *word, uint8_t *ret)
{
	static const char digits[] = "0123456789abcdefABCDEF";

	for (int i = 0; i < 6; i++, word += 3) {
		uint64_t byte;
		char pair[5] = "0x";

		if (strspn(word, digits) != 2 || word[2] != (i < 5 ? ':' : '\0'))
			return false;
		memcpy(pair + 2, word, 2);
		read_number(pair, &byte);
		ret[i] = (uint8_t)byte;
	}
	return true;
}

static bool read_address(const struct field_row *row, const char *word, uint8_t *ret)
{
	if (row->form == FORM_MAC)
		return read_mac(word, ret);
	return inet_pton(row->form == FORM_IPV4 ? AF_INET : AF_INET6, word, ret) == 1;
}

/* An address all of whose bits count, or, for IP, the number of bits that do. */
static bool read_address_mask(const struct field_row *row, const char *word, uint8_t *ret)
{
	uint64_t prefix;

	if (row->form == FORM_MAC || !read_number(word, &prefix))
		return read_address(row, word, ret);
	if (prefix > row->size * 8u)
		return false;
	memset(ret, 0, row->size);
	for (uint64_t i = 0; i < prefix; i++)
		ret[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return true;
}

static int read_address_term(const struct field_row *row, const char *word, const char *mask, struct flow_match *match,
	struct complaint *complaint)
{
	static const char *const expected[] = {
		[FORM_MAC] = "an address like 02:00:00:00:00:01",
		[FORM_IPV4] = "an address like 192.0.2.1",
		[FORM_IPV6] = "an address like 2001:db8::1",
	};
	uint8_t *key_at = (uint8_t *)&match->key + row->offset, *mask_at = (uint8_t *)&match->mask + row->offset;
	uint8_t address[16], bits[16];

	memset(bits, 0xff, sizeof(bits));
	if (!read_address(row, word, address))
		return complain(complaint, -EINVAL, "%s: '%s': expected %s", row->name, word, expected[row->form]);
	if (mask && !read_address_mask(row, mask, bits))
		return complain(complaint, -EINVAL, "%s: '%s': expected a mask, %s%s", row->name, mask,
			expected[row->form], row->form == FORM_MAC ? "" : ", or a prefix length");
	for (int i = 0; i < row->size; i++) {
		key_at[i] |= address[i] & bits[i];
		mask_at[i] |= bits[i];
	}
	return 0;
}

int field_read_value(enum field_id field, const char *word, const char *mask, const struct flow_names *names,
	struct flow_match *match, struct complaint *complaint)
{
	const struct field_row *row = &rows[field];

	return is_number(row) ? read_number_term(row, word, mask, names, match, complaint)
			      : read_address_term(row, word, mask, match, complaint);
}

/* Names that the specification's tables, Open vSwitch's older ones or both use. Read, never printed. */
static const struct {
	const char *other, *name;
} aliases[] = {
	{"ipv4_src", "ip_src"},
	{"ipv4_dst", "ip_dst"},
	{"nw_src", "ip_src"},
	{"nw_dst", "ip_dst"},
	{"nw_proto", "ip_proto"},
	{"nw_ecn", "ip_ecn"},
	{"nw_ttl", "ip_ttl"},
	{"nw_frag", "ip_frag"},
	{"dl_src", "eth_src"},
	{"dl_dst", "eth_dst"},
	{"dl_type", "eth_type"},
	{"dl_vlan", "vlan_vid"},
	{"dl_vlan_pcp", "vlan_pcp"},
	{"icmpv4_type", "icmp_type"},
	{"icmpv4_code", "icmp_code"},
	{"ipv6_flabel", "ipv6_label"},
	{"tun_id", "tunnel_id"},
};

enum field_id field_of_name(const char *name)
{
	int i = 0;

	for (size_t k = 0; k < sizeof(aliases) / sizeof(aliases[0]); k++) {
		if (!strcmp(aliases[k].other, name))
			name = aliases[k].name;
	}
	while (i < N_FIELDS && strcmp(rows[i].name, name))
		i++;
	return i;
}

/* Adds `term`, "name=value" or "name=value/mask", to the match. Cuts the term up. */
static int read_term(char *term, const struct flow_names *names, struct flow_match *match, enum field_id *ret_field,
	struct complaint *complaint)
{
	struct flow_match one = {0};
	char *value = strchr(term, '='), *mask;
	enum field_id field;
	int error;

	if (!value)
		return complain(complaint, -EINVAL, "'%s': expected FIELD=VALUE", term);
	*value++ = '\0';
	field = field_of_name(term);
	if (field == N_FIELDS)
		return complain(complaint, -EINVAL, "'%s': there is no such field", term);
	mask = strchr(value, '/');
	if (mask)
		*mask++ = '\0';
	error = field_read_value(field, value, mask, names, &one, complaint);
	if (error)
		return error;
	for (int w = 0; w < FLOW_WORDS; w++) {
		if (match->mask.w[w] & one.mask.w[w])
			return complain(complaint, -EINVAL, "'%s': it was given already", field_name(field));
		match->mask.w[w] |= one.mask.w[w];
		match->key.w[w] |= one.key.w[w];
	}
	*ret_field = field;
	return 0;
}

int flow_parse(const char *text, const struct flow_names *names, struct flow_match *ret, struct complaint *complaint)
{
	bool named[N_FIELDS] = {false};
	struct flow_match match = {0};

	for (const char *at = text; strcmp(text, "any"); at++) {
		enum field_id field = N_FIELDS;
		size_t n = strcspn(at, ",");
		char term[TERM_SIZE];
		int error;

		if (n >= sizeof(term))
			return complain(complaint, -EINVAL, "'%.32s...': longer than any field", at);
		memcpy(term, at, n);
		term[n] = '\0';
		error = read_term(term, names, &match, &field, complaint);
		if (error)
			return error;
		named[field] = true;
		at += n;
		if (!*at)
			break;
	}
	for (int i = 0; i < N_FIELDS; i++) {
		uint8_t prerequisite = rows[i].prerequisite;

		if (named[i] && !prerequisite_met(prerequisite, &match.key, &match.mask))
			return complain(complaint, -EINVAL, "'%s': needs %s with it", rows[i].name,
				prerequisites[prerequisite].text);
	}
	*ret = match;
	return 0;
}
