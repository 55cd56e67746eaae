/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/flow.h"

#include "dataplane/complaint.h"
#include "dataplane/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#define TERM_SIZE 128 /* "ipv6_src=" and two addresses in their longest form fit */
#define ALL       0xffffffffu

/* How a value is spelt. A number of which only some bits count is always 0xVALUE/0xMASK. */
enum form {
	FORM_DECIMAL,
	FORM_HEX,
	FORM_BYTE, /* decimal, up to 255, in a wider place */
	FORM_PORT, /* host order: an ifindex, by the port's name where it has one */
	FORM_VLAN, /* decimal: tagged with that VID; "none": no tag */
	FORM_FRAG, /* a word */
	FORM_MAC,
	FORM_IPV4,
	FORM_IPV6,
};

enum prerequisite { PRE_NONE, PRE_ARP, PRE_IPV4, PRE_IPV6, PRE_TCP, PRE_UDP, PRE_SCTP, PRE_ICMP, PRE_ICMPV6 };

/* What a mask must look at, in full, and a key must hold for a prerequisite to be met. */
static const struct {
	uint16_t eth_type[2]; /* any of them; 0: none */
	uint8_t ip_proto;     /* 0: any */
	const char *text;
} prerequisites[] = {
	[PRE_ARP] = {{0x0806}, 0, "eth_type=0x0806"},
	[PRE_IPV4] = {{0x0800}, 0, "eth_type=0x0800"},
	[PRE_IPV6] = {{0x86dd}, 0, "eth_type=0x86dd"},
	[PRE_TCP] = {{0x0800, 0x86dd}, 6, "eth_type=0x0800 or 0x86dd, and ip_proto=6"},
	[PRE_UDP] = {{0x0800, 0x86dd}, 17, "eth_type=0x0800 or 0x86dd, and ip_proto=17"},
	[PRE_SCTP] = {{0x0800, 0x86dd}, 132, "eth_type=0x0800 or 0x86dd, and ip_proto=132"},
	[PRE_ICMP] = {{0x0800}, 1, "eth_type=0x0800,ip_proto=1"},
	[PRE_ICMPV6] = {{0x86dd}, 58, "eth_type=0x86dd,ip_proto=58"},
};

static const struct row {
	const char *name;
	uint32_t bits;
	uint8_t offset, size; /* bytes, in struct sw_key */
	uint8_t form, prerequisite;
} rows[N_FIELDS] = {
#define FIELD(id, name, member, size, bits, form, prerequisite)                                                        \
	[FIELD_##id] = {name, bits, offsetof(struct sw_key_fields, member), size, FORM_##form, PRE_##prerequisite},
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

static bool is_number(const struct row *row)
{
	return row->form < FORM_MAC;
}

/* The row's bits, shifted down to be a number from 0 to this. */
static uint32_t number_max(const struct row *row)
{
	uint32_t bits = row->size < 4 ? row->bits & ((1u << 8 * row->size) - 1) : row->bits;

	return bits >> __builtin_ctz(row->bits);
}

static uint32_t load_number(const struct row *row, const struct sw_key *key)
{
	const uint8_t *at = (const uint8_t *)key + row->offset;
	uint32_t host, number = 0;

	if (row->form == FORM_PORT) {
		memcpy(&host, at, sizeof(host));
		return host;
	}
	for (int i = 0; i < row->size; i++)
		number = number << 8 | at[i];
	return (number & row->bits) >> __builtin_ctz(row->bits);
}

static void or_number(const struct row *row, struct sw_key *key, uint32_t number)
{
	uint8_t *at = (uint8_t *)key + row->offset;

	if (row->form == FORM_PORT) {
		key->f.in_ifindex |= number;
		return;
	}
	number <<= __builtin_ctz(row->bits);
	for (int i = row->size; i-- > 0; number >>= 8)
		at[i] |= (uint8_t)number;
}

void flow_look(struct sw_key *mask, enum field_id field)
{
	const struct row *row = &rows[field];

	if (is_number(row))
		or_number(row, mask, number_max(row));
	else
		memset((uint8_t *)mask + row->offset, 0xff, row->size);
}

const char *field_name(enum field_id field)
{
	return rows[field].name;
}

static bool prerequisite_met(uint8_t prerequisite, const struct sw_key *key, const struct sw_key *mask)
{
	uint16_t eth_type = ntohs(key->f.eth_type_be);
	uint8_t ip_proto = prerequisites[prerequisite].ip_proto;

	if (prerequisite == PRE_NONE)
		return true;
	if (mask->f.eth_type_be != 0xffff || !eth_type)
		return false;
	if (eth_type != prerequisites[prerequisite].eth_type[0] && eth_type != prerequisites[prerequisite].eth_type[1])
		return false;
	return !ip_proto || (mask->f.ip_proto == 0xff && key->f.ip_proto == ip_proto);
}

/* ---- printing ---- */

/* Prints a number all of whose bits count in the words of its form; false: that has none for it. */
static bool put_whole_number(struct text *text, const struct row *row, uint32_t value, const struct flow_names *names)
{
	const char *name;

	switch (row->form) {
	case FORM_PORT:
		name = names && names->name_of ? names->name_of(names->ctx, value) : NULL;
		if (name)
			text_put(text, "%s", name);
		else
			text_put(text, "%u", value);
		return true;
	case FORM_VLAN:
		if (value && !(value & SW_VLAN_PRESENT))
			return false; /* no frame has such a key */
		if (value)
			text_put(text, "%u", value & SW_VLAN_VID);
		else
			text_put(text, "none");
		return true;
	case FORM_BYTE:
		if (value > 255)
			return false; /* no frame has such a key */
				      /* fall through */
	case FORM_DECIMAL:
		text_put(text, "%u", value);
		return true;
	case FORM_HEX:
		text_put(text, "0x%0*x", row->size * 2, value);
		return true;
	}
	return false;
}

static void put_number(struct text *text, const struct row *row, const struct sw_key *key, const struct sw_key *look,
	const struct flow_names *names)
{
	uint32_t value = load_number(row, key), bits = load_number(row, look);

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
	text_put(text, "0x%x/0x%x", value, bits);
}

static void put_mac(struct text *text, const uint8_t *mac)
{
	text_put(text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void put_ip(struct text *text, const struct row *row, const uint8_t *address)
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

static void put_address(struct text *text, const struct row *row, const struct sw_key *key, const struct sw_key *look)
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

size_t flow_format(
	const struct sw_key *key, const struct sw_key *mask, const struct flow_names *names, char *buffer, size_t size)
{
	struct text text = text_begin(buffer, size);
	struct sw_key left = *mask; /* bits not yet told */

	for (int i = 0; i < N_FIELDS; i++) {
		const struct row *row = &rows[i];
		struct sw_key look = {0}, value;

		flow_look(&look, i);
		look = flow_masked(&look, &left);
		if (flow_equal(&look, &(struct sw_key){0}) || !prerequisite_met(row->prerequisite, key, mask))
			continue;
		value = flow_masked(key, &look);
		text_put(&text, "%s%s=", text.length ? "," : "", row->name);
		if (is_number(row))
			put_number(&text, row, &value, &look, names);
		else
			put_address(&text, row, &value, &look);
		for (int w = 0; w < SW_KEY_WORDS; w++)
			left.w[w] &= ~look.w[w];
	}
	if (!text.length)
		text_put(&text, "any");
	return text.length;
}

/* ---- parsing ---- */

/* A whole word of decimal or 0x digits, up to 32 bits. */
static bool read_number(const char *word, uint32_t *ret)
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
		number = number * (uint64_t)base + (uint64_t)(digit - digits);
		if (number > UINT32_MAX)
			return false;
	}
	*ret = (uint32_t)number;
	return true;
}

/* One value with all bits counting. */
static int read_whole_number(const struct row *row, const char *word, const struct flow_names *names, uint32_t *ret,
	struct complaint *complaint)
{
	uint32_t max = row->form == FORM_VLAN ? SW_VLAN_VID : row->form == FORM_BYTE ? 255 : number_max(row);

	if (row->form == FORM_PORT && names && names->ifindex_of) {
		*ret = names->ifindex_of(names->ctx, word);
		if (*ret)
			return 0; /* a port that is named "7" wins over ifindex 7 */
	}
	if (row->form == FORM_VLAN && !strcmp(word, "none")) {
		*ret = 0;
		return 0;
	}
	if (!read_number(word, ret) || *ret > max) {
		if (row->form == FORM_PORT)
			return complain(complaint, -EINVAL, "%s: there is no port '%s'", row->name, word);
		return complain(complaint, -EINVAL, "%s: '%s': expected %sa number from 0 to %u, or 0xVALUE/0xMASK",
			row->name, word, row->form == FORM_VLAN ? "none, " : "", max);
	}
	if (row->form == FORM_VLAN)
		*ret |= SW_VLAN_PRESENT;
	return 0;
}

static int read_frag(const struct row *row, const char *word, struct flow_match *match, struct complaint *complaint)
{
	for (size_t i = 0; i < sizeof(frags) / sizeof(frags[0]); i++) {
		if (!strcmp(word, frags[i].word)) {
			or_number(row, &match->key, frags[i].value);
			or_number(row, &match->mask, frags[i].look);
			return 0;
		}
	}
	return complain(complaint, -EINVAL, "%s: '%s': expected no, yes, first, later or not_later", row->name, word);
}

/* `mask` is the text behind the slash, or NULL. Bits of the value outside the mask are let go, as ovs-ofctl does. */
static int read_number_term(const struct row *row, const char *word, const char *mask, const struct flow_names *names,
	struct flow_match *match, struct complaint *complaint)
{
	uint32_t value, bits = number_max(row);
	int error;

	if (mask) {
		if (!read_number(word, &value) || value > number_max(row))
			return complain(complaint, -EINVAL, "%s: '%s': expected a number from 0 to %u before the '/'",
				row->name, word, number_max(row));
		if (!read_number(mask, &bits) || bits > number_max(row))
			return complain(complaint, -EINVAL, "%s: '%s': expected a mask from 0 to 0x%x after the '/'",
				row->name, mask, number_max(row));
	} else if (row->form == FORM_FRAG) {
		return read_frag(row, word, match, complaint);
	} else {
		error = read_whole_number(row, word, names, &value, complaint);
		if (error)
			return error;
	}
	or_number(row, &match->key, value & bits);
	or_number(row, &match->mask, bits);
	return 0;
}

static bool read_mac(const char *word, uint8_t *ret)
{
	static const char digits[] = "0123456789abcdefABCDEF";

	for (int i = 0; i < 6; i++, word += 3) {
		uint32_t byte;
		char pair[5] = "0x";

		if (strspn(word, digits) != 2 || word[2] != (i < 5 ? ':' : '\0'))
			return false;
		memcpy(pair + 2, word, 2);
		read_number(pair, &byte);
		ret[i] = (uint8_t)byte;
	}
	return true;
}

static bool read_address(const struct row *row, const char *word, uint8_t *ret)
{
	if (row->form == FORM_MAC)
		return read_mac(word, ret);
	return inet_pton(row->form == FORM_IPV4 ? AF_INET : AF_INET6, word, ret) == 1;
}

/* An address all of whose bits count, or, for IP, the number of bits that do. */
static bool read_address_mask(const struct row *row, const char *word, uint8_t *ret)
{
	uint32_t prefix;

	if (row->form == FORM_MAC || !read_number(word, &prefix))
		return read_address(row, word, ret);
	if (prefix > row->size * 8u)
		return false;
	memset(ret, 0, row->size);
	for (uint32_t i = 0; i < prefix; i++)
		ret[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return true;
}

static int read_address_term(const struct row *row, const char *word, const char *mask, struct flow_match *match,
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

static const struct row *find_row(const char *name)
{
	for (int i = 0; i < N_FIELDS; i++) {
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	}
	return NULL;
}

/* Adds `term`, "name=value" or "name=value/mask", to the match. Cuts the term up. */
static int read_term(char *term, const struct flow_names *names, struct flow_match *match, const struct row **ret_row,
	struct complaint *complaint)
{
	struct flow_match one = {0};
	const struct row *row;
	char *value = strchr(term, '='), *mask;
	int error;

	if (!value)
		return complain(complaint, -EINVAL, "'%s': expected FIELD=VALUE", term);
	*value++ = '\0';
	row = find_row(term);
	if (!row)
		return complain(complaint, -EINVAL, "'%s': there is no such field", term);
	mask = strchr(value, '/');
	if (mask)
		*mask++ = '\0';
	error = is_number(row) ? read_number_term(row, value, mask, names, &one, complaint)
			       : read_address_term(row, value, mask, &one, complaint);
	if (error)
		return error;
	for (int w = 0; w < SW_KEY_WORDS; w++) {
		if (match->mask.w[w] & one.mask.w[w])
			return complain(complaint, -EINVAL, "'%s': it was given already", row->name);
		match->mask.w[w] |= one.mask.w[w];
		match->key.w[w] |= one.key.w[w];
	}
	*ret_row = row;
	return 0;
}

int flow_parse(const char *text, const struct flow_names *names, struct flow_match *ret, struct complaint *complaint)
{
	bool named[N_FIELDS] = {false};
	struct flow_match match = {0};

	for (const char *at = text; strcmp(text, "any"); at++) {
		const struct row *row = NULL;
		size_t n = strcspn(at, ",");
		char term[TERM_SIZE];
		int error;

		if (n >= sizeof(term))
			return complain(complaint, -EINVAL, "'%.32s...': longer than any field", at);
		memcpy(term, at, n);
		term[n] = '\0';
		error = read_term(term, names, &match, &row, complaint);
		if (error)
			return error;
		named[row - rows] = true;
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
