/* SPDX-License-Identifier: BSD-2-Clause */
/* Which mirrors are to have a copy of a frame: as it came, and as it leaves. */
#include "dataplane/xlate.h"

#include <arpa/inet.h>

uint64_t xlate_mirrors_leaving(const struct pipeline *pl, const struct xlate *xlate)
{
	uint64_t mirrors = 0;

	for (uint32_t i = 0; i < xlate->n_outputs; i++)
		mirrors |= pipeline_port(pl, xlate->outputs[i].port)->mirrors_out;
	return mirrors & xlate->mirrors_out;
}

void xlate_tell_mirrors(const struct translation *t, int depth, const struct port *port)
{
	uint64_t left = port->mirrors_out & t->answer->mirrors_out;

	for (; t->trace && left; left &= left - 1)
		xlate_tell(t, depth, "a copy of what leaves there goes to mirror %s, if it has none yet",
			pipeline_mirror_name(t->pl, mirrors_first(left)));
}

/* The VLAN that the frame is in when it comes in; -1: its port admits it to none. */
static int vlan_of(const struct translation *t)
{
	static const struct vlan_config open = {.mode = VLAN_OPEN};
	uint16_t tci = ntohs(t->key->f.vlan_tci_be) & (SW_VLAN_PRESENT | SW_VLAN_VID), vid = 0;

	key_look(&t->answer->mask, FIELD_IN_PORT);
	key_look(&t->answer->mask, FIELD_VLAN_VID);
	return vlan_admit(t->in ? &t->in->vlan : &open, tci, &vid) == SW_DROP_NONE ? vid : -1;
}

void xlate_choose_mirrors(const struct translation *t, uint64_t in)
{
	struct xlate *answer = t->answer;
	uint64_t out = t->bridge->mirrors_out;
	int vid = pipeline_mirrors_by_vlan(t->pl, in | out) ? vlan_of(t) : -1;

	answer->mirrors = pipeline_mirrors_in_vlan(t->pl, in, vid);
	answer->mirrors_out = pipeline_mirrors_in_vlan(t->pl, out, vid) & ~answer->mirrors;
}
