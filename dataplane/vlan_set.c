/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/vlan_set.h"

#include "dataplane/text.h"

#define VLAN_LAST 4094

bool vlan_set_is_empty(const struct vlan_set *set)
{
	for (int i = 0; i < 64; i++) {
		if (set->bits[i])
			return false;
	}
	return true;
}

bool vlan_sets_meet(const struct vlan_set *a, const struct vlan_set *b)
{
	for (int i = 0; i < 64; i++) {
		if (a->bits[i] & b->bits[i])
			return true;
	}
	return false;
}

/* Reads digits at *at, and moves it behind them. */
static bool read_vid(const char **at, uint16_t *ret)
{
	const char *digit = *at;
	uint32_t vid = 0;

	while (*digit >= '0' && *digit <= '9' && vid <= VLAN_LAST)
		vid = vid * 10 + (uint32_t)(*digit++ - '0');
	if (digit == *at || vid > VLAN_LAST)
		return false;
	*at = digit;
	*ret = (uint16_t)vid;
	return true;
}

static bool read_range(const char **at, struct vlan_set *set)
{
	uint16_t first, last;

	if (!read_vid(at, &first))
		return false;
	last = first;
	if (**at == '-') {
		(*at)++;
		if (!read_vid(at, &last) || last < first)
			return false;
	}
	for (uint16_t vid = first; vid <= last; vid++)
		set->bits[vid / 64] |= 1ULL << vid % 64;
	return true;
}

bool vlan_set_parse(const char *text, struct vlan_set *ret)
{
	struct vlan_set set = {{0}};

	while (read_range(&text, &set)) {
		if (!*text) {
			*ret = set;
			return true;
		}
		if (*text++ != ',')
			return false;
	}
	return false;
}

size_t vlan_set_format(const struct vlan_set *set, char *buffer, size_t size)
{
	struct text text = text_begin(buffer, size);
	const char *separator = "";

	for (uint16_t first = 0; first <= VLAN_LAST; first++) {
		uint16_t last = first;

		if (!vlan_set_has(set, first))
			continue;
		while (last < VLAN_LAST && vlan_set_has(set, last + 1))
			last++;
		text_put(&text, "%s%u", separator, first);
		if (last > first)
			text_put(&text, "-%u", last);
		separator = ",";
		first = last;
	}
	return text.length;
}
