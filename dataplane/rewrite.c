/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/rewrite.h"

#include "dataplane/action.h"
#include "dataplane/rewrite_parts.h"

#define LABEL_BOS_AT 2 /* byte of a label stack entry; its lowest bit */
#define LABEL_TTL_AT 3

static enum rewrite decrement_nw_ttl(struct frame *frame, const struct ip_layer *ip)
{
	if (!ip->version)
		return REWRITE_DONE;
	if (ip_ttl(frame, ip) <= 1)
		return REWRITE_BAD_TTL;
	ip_set_ttl(frame, ip, ip_ttl(frame, ip) - 1);
	return REWRITE_DONE;
}

static enum rewrite decrement_mpls_ttl(struct frame *frame, const struct layers *layers)
{
	uint8_t *ttl = frame->data + layers->l3 + LABEL_TTL_AT;

	if (!layers_has_label(frame, layers))
		return REWRITE_DONE;
	if (*ttl <= 1)
		return REWRITE_BAD_TTL;
	--*ttl;
	return REWRITE_DONE;
}

static void set_mpls_ttl(struct frame *frame, const struct layers *layers, uint8_t ttl)
{
	if (layers_has_label(frame, layers))
		frame->data[layers->l3 + LABEL_TTL_AT] = ttl;
}

/*
 * Between the outermost label and what is behind it: the next label, or below the bottom of the stack what looks like
 * an IP header, for nothing there says what it is.
 */
static void copy_ttl(struct frame *frame, const struct layers *layers, bool inwards)
{
	uint32_t next = layers->l3 + LAYERS_LABEL_SIZE;
	uint8_t *outer = frame->data + layers->l3, *inner = frame->data + next;
	struct ip_layer ip;

	if (!layers_has_label(frame, layers) || frame->size - next < LAYERS_LABEL_SIZE)
		return;
	if (!(outer[LABEL_BOS_AT] & 1)) {
		if (inwards)
			inner[LABEL_TTL_AT] = outer[LABEL_TTL_AT];
		else
			outer[LABEL_TTL_AT] = inner[LABEL_TTL_AT];
		return;
	}
	ip_find(frame, next, inner[0] >> 4, &ip);
	if (!ip.version)
		return;
	if (inwards)
		ip_set_ttl(frame, &ip, outer[LABEL_TTL_AT]);
	else
		outer[LABEL_TTL_AT] = ip_ttl(frame, &ip);
}

static enum rewrite apply(struct frame *frame, const struct layers *layers, const struct action *action)
{
	switch ((enum action_type)action->type) {
	case ACTION_SET_FIELD:
		rewrite_set_field(frame, layers, action->field, action->value);
		return REWRITE_DONE;
	case ACTION_PUSH_VLAN:
		return rewrite_push_vlan(frame, layers, (uint16_t)action->arg);
	case ACTION_PUSH_MPLS:
		return rewrite_push_mpls(frame, layers, (uint16_t)action->arg);
	case ACTION_PUSH_PBB:
		return rewrite_push_pbb(frame, layers, (uint16_t)action->arg);
	case ACTION_POP_VLAN:
		rewrite_pop_vlan(frame, layers);
		return REWRITE_DONE;
	case ACTION_POP_MPLS:
		rewrite_pop_mpls(frame, layers, (uint16_t)action->arg);
		return REWRITE_DONE;
	case ACTION_POP_PBB:
		rewrite_pop_pbb(frame, layers);
		return REWRITE_DONE;
	case ACTION_COPY_TTL_OUT:
		copy_ttl(frame, layers, false);
		return REWRITE_DONE;
	case ACTION_COPY_TTL_IN:
		copy_ttl(frame, layers, true);
		return REWRITE_DONE;
	case ACTION_SET_MPLS_TTL:
		set_mpls_ttl(frame, layers, (uint8_t)action->arg);
		return REWRITE_DONE;
	case ACTION_DEC_MPLS_TTL:
		return decrement_mpls_ttl(frame, layers);
	case ACTION_SET_NW_TTL:
		if (layers->ip.version)
			ip_set_ttl(frame, &layers->ip, (uint8_t)action->arg);
		return REWRITE_DONE;
	case ACTION_DEC_NW_TTL:
		return decrement_nw_ttl(frame, &layers->ip);
	case ACTION_OUTPUT:
	case ACTION_GROUP:
	case ACTION_SET_QUEUE:
	case N_ACTIONS:
		break;
	}
	return REWRITE_DONE;
}

enum rewrite rewrite_apply(struct frame *frame, const struct action *action)
{
	struct layers layers;

	return layers_find(frame, &layers) ? apply(frame, &layers, action) : REWRITE_DONE;
}

/* Assured forwarding, RFC 2597 §6: bits cccdd0, class 1 to 4, drop precedence 1 to 3. */
static bool is_assured(uint8_t dscp)
{
	return dscp >> 3 >= 1 && dscp >> 3 <= 4 && dscp & 0x06 && !(dscp & 0x01);
}

/* Other code points have no drop precedence. */
void rewrite_remark(struct frame *frame, uint8_t levels)
{
	struct layers layers;
	uint8_t tos, dscp, precedence;

	if (!layers_find(frame, &layers) || !layers.ip.version)
		return;
	tos = ip_tos(frame, &layers.ip);
	dscp = tos >> 2;
	if (!is_assured(dscp))
		return;
	precedence = dscp >> 1 & 3;
	precedence = levels < 3 - precedence ? precedence + levels : 3;
	dscp = (uint8_t)((dscp & 0x38) | precedence << 1);
	ip_set_tos(frame, &layers.ip, (uint8_t)(dscp << 2 | (tos & 0x03)));
}
