/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * oxm.h - match fields on the wire: OXM TLVs (OF 1.3.5 §7.2.3).
 *
 * What: an OXM header names a field by class, number, mask bit and length; value and mask follow. All of it is read out
 * of field.def: number, width, whether it may have a mask and be set. There is no field here that has code of its own,
 * but for VLAN_VID, whose value says whether there is a tag, and in_phy_port, which is in_port.
 *
 * Classes: OFPXMC_OPENFLOW_BASIC, with the forty fields of OF 1.3.5; and OFPXMC_EXPERIMENTER with ONF's id for
 * tcp_flags, as Open vSwitch and os-ken speak it in this version (ONF EXT-109). Nicira's classes are no part of the
 * specification and are refused as fields that are not known.
 *
 * What a match must keep to, and how it is refused otherwise (all OFPET_BAD_MATCH)
 *   BAD_TYPE       not OFPMT_OXM
 *   BAD_LEN        lengths that do not add up, or a value of a length that is not its field's
 *   BAD_FIELD      class or field not known
 *   DUP_FIELD      a field twice
 *   BAD_MASK       a mask of a field that has none, unless it is all ones; a bit of it beyond the field's width
 *   BAD_WILDCARDS  a bit set in the value where the mask has none (§7.2.3.5)
 *   BAD_VALUE      a bit beyond the field's width; a VLAN_VID without OFPVID_PRESENT; a match that no frame can meet
 *   BAD_PREREQ     what the field needs beside it (table 12) does not stand before it
 * Padding is not looked at.
 *
 * Order: a switch may answer with the fields in any order, but os-ken's test tool expects that in which they were sent,
 * and with the mask where there was one. So the order is decoded too: `field << 1 | has_mask`, as struct flow_mod and
 * rules have it (table.h).
 *
 * Invariant Q1: decoding what was encoded gives the same match and order; encoding what was decoded gives the same
 * bytes, but for padding, and for masks that were given all ones beyond the field's width.
 *
 * Ownership: nothing is kept; nothing is allocated but what a writer needs.
 */
#ifndef OFP_OXM_H
#define OFP_OXM_H

#include "dataplane/flow.h"
#include "dataplane/of_error.h"
#include "dataplane/table.h"
#include "ofp/wire.h"

#define OXM_VALUE_MAX 16 /* bytes of the widest value */

/*
 * Reads a match with its header and padding off the front of `in`; what stands behind it stays. `ret_n_fields` and
 * `ret_fields` may be NULL together. On an error the outputs are untouched and the reader is anywhere.
 */
enum of_err oxm_get_match(
	struct wire_in *in, struct flow_match *ret, uint32_t *ret_n_fields, uint16_t ret_fields[MATCH_SHAPE_MAX]);

/* Writes a match with header and padding. `fields` NULL: in field.def's order, with masks where they are not all ones.
 */
void oxm_put_match(struct wire_out *out, const struct flow_match *match, uint32_t n_fields, const uint16_t *fields);

/* The match of a packet-in: in_port, and metadata and tunnel id where they are not zero (OF 1.3.5 §7.4.1). */
void oxm_put_packet_in(struct wire_out *out, const struct flow *flow);

/* A header alone, as in table features (OF 1.3.5 §7.3.5.5.2); with a mask the length counts it. */
void oxm_put_id(struct wire_out *out, enum field_id field, bool has_mask);
/* OF_ERR_BAD_MATCH_BAD_FIELD: not known; OF_ERR_BAD_MATCH_BAD_LEN: not all there, or not the field's length. */
enum of_err oxm_get_id(struct wire_in *in, enum field_id *ret_field, bool *ret_has_mask);

/*
 * The TLV inside a set-field action: a header and a value without mask. Errors are those of a set-field action:
 * BAD_SET_TYPE, BAD_SET_LEN, BAD_SET_ARGUMENT. `ret_value` is as field_write() takes it, zero behind.
 */
enum of_err oxm_get_setting(struct wire_in *in, enum field_id *ret_field, uint8_t ret_value[OXM_VALUE_MAX]);
void oxm_put_setting(struct wire_out *out, enum field_id field, const uint8_t *value);

#endif
