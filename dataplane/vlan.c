/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/vlan.h"

#include "dataplane/complaint.h"
#include "dataplane/text.h"

#include <errno.h>
#include <string.h>

#define VLAN_FIRST 1 /* that a person may name */
#define VLAN_LAST  4094

static bool is_allowed(const struct vlan_config *vlan, uint32_t vid)
{
	return vlan->allowed[vid / 64] >> vid % 64 & 1;
}

static void allow(struct vlan_config *vlan, uint32_t vid)
{
	vlan->allowed[vid / 64] |= 1ULL << vid % 64;
}

/*
 *		untagged	VID 0 (a priority tag)	VID 1 .. 4094		VID 4095
 * open		VLAN 0		VLAN 0			its VID			refused
 * access N	VLAN N		VLAN N			refused, also N		refused
 * trunk	native VLAN, or refused if there is none	its VID if allowed	refused
 *
 * A priority tag names no VLAN: the frame belongs where an untagged one does (IEEE 802.1Q-2018 §6.9.1). VID 4095 is
 * reserved and never sent (ibid., table 9-2).
 */
enum sw_drop vlan_admit(const struct vlan_config *vlan, uint16_t tci, uint16_t *ret_vid)
{
	uint16_t vid = tci & SW_VLAN_PRESENT ? tci & SW_VLAN_VID : 0;

	if (vid >= VLAN_IDS)
		return SW_DROP_VLAN_DENIED;
	switch (vlan->mode) {
	case VLAN_OPEN:
		break;
	case VLAN_ACCESS:
		if (vid)
			return SW_DROP_VLAN_DENIED;
		vid = vlan->vid;
		break;
	case VLAN_TRUNK:
		if (!vid)
			vid = vlan->vid;
		if (!vid || !is_allowed(vlan, vid))
			return SW_DROP_VLAN_DENIED;
		break;
	}
	*ret_vid = vid;
	return SW_DROP_NONE;
}

/*
 *		VLAN 0		VLAN N
 * open		untagged	tagged
 * access M	not a member	untagged if N == M, else not a member
 * trunk	not a member	tagged if allowed; untagged if it is the native VLAN and that is not `tagged`
 *
 * VLAN 0 is the open ports' own, where frames without a VLAN pass as they came, a priority tag included: there is
 * nobody in it to whom they would have to be rewritten. A frame of VLAN 10 leaves an open port with the tag 10, also
 * when it came in untagged by an access port: whoever sits behind an open port sees all VLANs and tells them apart.
 */
enum vlan_form vlan_leave(const struct vlan_config *vlan, uint16_t vid)
{
	switch (vlan->mode) {
	case VLAN_OPEN:
		return vid ? VLAN_TAGGED : VLAN_UNTAGGED;
	case VLAN_ACCESS:
		return vid == vlan->vid ? VLAN_UNTAGGED : VLAN_NOT_A_MEMBER;
	case VLAN_TRUNK:
		if (!vid || !is_allowed(vlan, vid))
			return VLAN_NOT_A_MEMBER;
		return vid == vlan_untagged(vlan) ? VLAN_UNTAGGED : VLAN_TAGGED;
	}
	return VLAN_NOT_A_MEMBER;
}

uint16_t vlan_untagged(const struct vlan_config *vlan)
{
	return vlan->mode == VLAN_ACCESS || (vlan->mode == VLAN_TRUNK && !vlan->native_tagged) ? vlan->vid : 0;
}

/* ---- printing ---- */

static bool allows_all(const struct vlan_config *vlan)
{
	for (uint32_t vid = VLAN_FIRST; vid <= VLAN_LAST; vid++) {
		if (!is_allowed(vlan, vid))
			return false;
	}
	return true;
}

/* The native VLAN goes without saying in the list, unless the list would be empty or a range torn apart for it. */
static bool is_listed(const struct vlan_config *vlan, uint32_t vid)
{
	if (!is_allowed(vlan, vid) || vid != vlan->vid || is_allowed(vlan, vid - 1) || is_allowed(vlan, vid + 1))
		return is_allowed(vlan, vid);
	for (uint32_t other = VLAN_FIRST; other <= VLAN_LAST; other++) {
		if (other != vid && is_allowed(vlan, other))
			return false;
	}
	return true;
}

static void put_list(struct text *text, const struct vlan_config *vlan)
{
	const char *separator = "";

	for (uint32_t first = VLAN_FIRST; first <= VLAN_LAST; first++) {
		uint32_t last = first;

		if (!is_listed(vlan, first))
			continue;
		while (last < VLAN_LAST && is_listed(vlan, last + 1))
			last++;
		text_put(text, "%s%u", separator, first);
		if (last > first)
			text_put(text, "-%u", last);
		separator = ",";
		first = last;
	}
}

size_t vlan_format(const struct vlan_config *vlan, char *buffer, size_t size)
{
	struct text text = text_begin(buffer, size);

	switch (vlan->mode) {
	case VLAN_OPEN:
		text_put(&text, "open");
		break;
	case VLAN_ACCESS:
		text_put(&text, "access %u", vlan->vid);
		break;
	case VLAN_TRUNK:
		text_put(&text, "trunk ");
		if (allows_all(vlan))
			text_put(&text, "all");
		else
			put_list(&text, vlan);
		if (vlan->vid)
			text_put(&text, " native %u%s", vlan->vid, vlan->native_tagged ? " tagged" : "");
		break;
	}
	return text.length;
}

/* ---- parsing ---- */

/* Reads digits at *at as a VID and moves *at behind them. */
static bool read_vid(const char **at, uint32_t *ret)
{
	const char *digit = *at;
	uint32_t vid = 0;

	while (*digit >= '0' && *digit <= '9' && vid <= VLAN_LAST)
		vid = vid * 10 + (uint32_t)(*digit++ - '0');
	if (vid < VLAN_FIRST || vid > VLAN_LAST)
		return false;
	*at = digit;
	*ret = vid;
	return true;
}

static int read_vid_word(const char *word, const char *what, uint16_t *ret, struct complaint *complaint)
{
	const char *end = word;
	uint32_t vid;

	if (!read_vid(&end, &vid) || *end)
		return complain(complaint, -EINVAL, "'%s': expected %s, a VLAN from %d to %d", word, what, VLAN_FIRST,
			VLAN_LAST);
	*ret = (uint16_t)vid;
	return 0;
}

static int read_list(const char *list, struct vlan_config *vlan, struct complaint *complaint)
{
	if (!strcmp(list, "all"))
		list = "1-4094";
	for (const char *at = list;; at++) {
		uint32_t first, last;
		const char *element = at;
		bool ok = read_vid(&at, &first);

		last = first = ok ? first : 0;
		if (ok && *at == '-') {
			at++;
			ok = read_vid(&at, &last) && last >= first;
		}
		if (!ok || (*at && *at != ','))
			return complain(complaint, -EINVAL,
				"'%.*s': expected all, or VLANs from %d to %d in rising ranges, as in 10,20-29",
				(int)strcspn(element, ","), element, VLAN_FIRST, VLAN_LAST);
		for (uint32_t vid = first; vid <= last; vid++)
			allow(vlan, vid);
		if (!*at)
			return 0;
	}
}

/* LIST [native VID [tagged|untagged]]. A native VLAN that the list leaves out is allowed nonetheless: why else name it?
 */
static int read_trunk(const char *const *words, size_t n, struct vlan_config *vlan, struct complaint *complaint)
{
	int error;

	if (!n)
		return complain(complaint, -EINVAL, "trunk: expected its VLANs: all, or a list as in 10,20-29");
	error = read_list(words[0], vlan, complaint);
	if (error || n == 1)
		return error;
	if (strcmp(words[1], "native"))
		return complain(complaint, -EINVAL, "'%s': expected native or the end", words[1]);
	if (n == 2)
		return complain(complaint, -EINVAL, "native: expected the VLAN of untagged frames");
	error = read_vid_word(words[2], "the VLAN of untagged frames", &vlan->vid, complaint);
	if (error)
		return error;
	allow(vlan, vlan->vid);
	if (n == 3)
		return 0;
	if (strcmp(words[3], "tagged") && strcmp(words[3], "untagged"))
		return complain(complaint, -EINVAL, "'%s': expected tagged, untagged or the end", words[3]);
	vlan->native_tagged = !strcmp(words[3], "tagged");
	if (n > 4)
		return complain(complaint, -EINVAL, "'%s': expected the end", words[4]);
	return 0;
}

static int read_access(const char *const *words, size_t n, struct vlan_config *vlan, struct complaint *complaint)
{
	if (!n)
		return complain(complaint, -EINVAL, "access: expected its VLAN, from %d to %d", VLAN_FIRST, VLAN_LAST);
	if (n > 1)
		return complain(complaint, -EINVAL, "'%s': expected the end", words[1]);
	return read_vid_word(words[0], "its VLAN", &vlan->vid, complaint);
}

int vlan_parse(const char *const *words, size_t n_words, struct vlan_config *ret, struct complaint *complaint)
{
	struct vlan_config vlan = {.mode = VLAN_OPEN};
	int error = 0;

	if (!n_words)
		return complain(complaint, -EINVAL, "vlan: expected open, access or trunk");
	if (!strcmp(words[0], "access")) {
		vlan.mode = VLAN_ACCESS;
		error = read_access(words + 1, n_words - 1, &vlan, complaint);
	} else if (!strcmp(words[0], "trunk")) {
		vlan.mode = VLAN_TRUNK;
		error = read_trunk(words + 1, n_words - 1, &vlan, complaint);
	} else if (strcmp(words[0], "open")) {
		error = complain(complaint, -EINVAL, "'%s': expected open, access or trunk", words[0]);
	} else if (n_words > 1) {
		error = complain(complaint, -EINVAL, "'%s': expected the end", words[1]);
	}
	if (!error)
		*ret = vlan;
	return error;
}
