/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * codec.h - what stands inside messages: actions, instructions, buckets, meter bands, ports (OF 1.3.5 §7.2).
 *
 * What: each structure that several messages hold has a pair, codec_get_ and codec_put_. The forms are read out of
 * action.def and field.def; the results are the dataplane's own structs, which know nothing of the wire.
 *
 * Lists: a codec_get_ reads until its reader is empty, so the caller gives it a sub-reader of the list's length
 * (wire_get_sub()). A reader that has already failed is refused with the list's own BAD_LEN.
 *
 * What is checked here: all that can be told without knowing the bridge. Lengths, types, ranges, ports that no rule may
 * name, limits. Not here: whether a port, group, meter or table exists, whether a match permits an action
 * (tables_flow_mod(), groups_mod(), ofbridge_check_actions()).
 *
 * Invariants
 * Q2 Nothing takes effect here: a decoder only fills memory of its arena. On an error outputs are untouched.
 * Q3 Encoding what was decoded gives the same bytes, but for padding, and for the order of instructions, which is that
 *    of their execution, for one that holds an empty list, which is left out, and for bits of metadata outside the
 * mask. Decoding what was encoded gives the same structs.
 *
 * Limits: CODEC_ACTIONS_MAX, GROUP_BUCKETS_LIMIT, METER_BANDS_LIMIT; beyond them, or where memory ran out, the answer
 * is the specification's "too many".
 *
 * Ownership: results live in the arena, until it is reset.
 */
#ifndef OFP_CODEC_H
#define OFP_CODEC_H

#include "dataplane/action.h"
#include "dataplane/group.h"
#include "dataplane/meter.h"
#include "dataplane/of_error.h"
#include "dataplane/ofbridge.h"
#include "ofp/arena.h"
#include "ofp/wire.h"

#define CODEC_ACTIONS_MAX 256 /* of one list; OF_ERR_BAD_ACTION_TOO_MANY beyond */

/*
 * Errors, all OFPET_BAD_ACTION: BAD_LEN; BAD_TYPE; BAD_EXPERIMENTER (there is no experimenter's action); BAD_OUT_PORT
 * (0, OFPP_ANY, or between OFPP_MAX and the reserved ones); BAD_OUT_GROUP (above OFPG_MAX); BAD_ARGUMENT (an EtherType
 * that cannot be pushed); BAD_SET_TYPE, BAD_SET_LEN, BAD_SET_ARGUMENT; TOO_MANY. An output to OFPP_TABLE is let
 * through: whether it is of a packet-out is the caller's knowledge.
 */
enum of_err codec_get_actions(struct wire_in *in, struct arena *arena, struct actions *ret);
void codec_put_actions(struct wire_out *out, const struct actions *actions);

/* The action of an OFPAT_* number; N_ACTIONS: there is none. */
enum action_type codec_action_of(uint16_t of_type);

/*
 * In one block of the arena, as struct instructions wants it; never NULL, also for no instruction at all (a drop).
 * Errors, OFPET_BAD_INSTRUCTION: BAD_LEN; UNKNOWN_INST; BAD_EXPERIMENTER; DUP_INST; BAD_TABLE_ID (goto 255); and
 * those of actions. A meter of 0 or above OFPM_MAX is OF_ERR_METER_MOD_INVALID_METER.
 */
enum of_err codec_get_instructions(struct wire_in *in, struct arena *arena, struct instructions **ret);
/* In the order in which they are carried out (OF 1.3.5 §5.9). NULL: none. */
void codec_put_instructions(struct wire_out *out, const struct instructions *instructions);

/* Errors: GROUP_MOD_BAD_BUCKET (lengths), GROUP_MOD_OUT_OF_BUCKETS, and those of actions. */
enum of_err codec_get_buckets(
	struct wire_in *in, struct arena *arena, uint32_t *ret_n_buckets, const struct bucket **ret);
void codec_put_buckets(struct wire_out *out, uint32_t n_buckets, const struct bucket *buckets);

/* Errors: BAD_REQUEST_BAD_LEN, METER_MOD_BAD_BAND (experimenter's ones and unknown ones), METER_MOD_OUT_OF_BANDS. */
enum of_err codec_get_bands(
	struct wire_in *in, struct arena *arena, uint32_t *ret_n_bands, const struct meter_band **ret);
void codec_put_bands(struct wire_out *out, uint32_t n_bands, const struct meter_band *bands);

/* struct ofp_port, 64 bytes (OF 1.3.5 §7.2.1). */
void codec_put_port(struct wire_out *out, const struct of_port_desc *desc);

#endif
