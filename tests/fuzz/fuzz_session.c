/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_session.c - what a controller may send: framing, every message, in any order.
 *
 * Sources: tests/unit/fake_ofbridge.c ofp/agent.c ofp/agent_roles.c ofp/arena.c ofp/buffers.c
 * Sources: ofp/codec_actions.c ofp/codec_instructions.c ofp/codec_lists.c ofp/handle_flow.c
 * Sources: ofp/handle_group.c ofp/handle_role.c ofp/handle_session.c ofp/handle_switch.c ofp/message.c
 * Sources: ofp/mp_desc.c ofp/mp_flow.c ofp/mp_group.c ofp/mp_meter.c ofp/mp_port.c ofp/mp_table.c
 * Sources: ofp/mp_table_features.c ofp/multipart.c ofp/oxm.c ofp/packet_in.c ofp/session.c
 * Sources: ofp/session_output.c ofp/wire.c dataplane/action.c dataplane/classifier.c dataplane/cls_prefixes.c
 * Sources: dataplane/cls_set.c dataplane/cls_subtable.c dataplane/cls_trie.c dataplane/complaint.c
 * Sources: dataplane/flow.c dataplane/flow_extract.c dataplane/group.c dataplane/group_weigh.c
 * Sources: dataplane/id_map.c dataplane/layers.c dataplane/log.c dataplane/match_shape.c dataplane/meter.c
 * Sources: dataplane/meter_slots.c
 * Sources: dataplane/of_error.c dataplane/rule.c dataplane/rule_naming.c dataplane/table.c
 * Sources: dataplane/table_expire.c
 */
#include "tests/fuzz/fuzz_lab.h"

/* The stream as it is, in pieces of `step` bytes. */
static void say_stream(struct fuzz_lab *lab, const uint8_t *bytes, size_t size, size_t step)
{
	uint8_t *waiting = malloc(size + 1);
	size_t n_waiting = 0;

	for (size_t at = 0; at < size; at += step) {
		size_t n = size - at < step ? size - at : step, left;

		memcpy(waiting + n_waiting, bytes + at, n);
		n_waiting += n;
		left = fuzz_lab_say(lab, waiting, n_waiting);
		memmove(waiting, waiting + n_waiting - left, left);
		n_waiting = left;
	}
	fuzz_lab_end(lab, !n_waiting);
	free(waiting);
}

/* A type and a size each, and that many bytes of body, so that changing the bytes does not break the frames. */
static void say_messages(struct fuzz_lab *lab, struct wire_in *in)
{
	fuzz_lab_hello(lab);
	while (in->left >= 2) {
		uint8_t type = wire_get_u8(in) % OFPT_N_TYPES;
		size_t size = wire_get_u8(in);
		const uint8_t *body;

		size = size < in->left ? size : in->left;
		body = wire_get_view(in, size);
		fuzz_lab_say_message(lab, type, body, size);
	}
	fuzz_lab_end(lab, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct wire_in in = wire_in(bytes, size);
	uint8_t how = wire_get_u8(&in);
	struct fuzz_lab lab;

	if (in.failed)
		return 0;
	lab = fuzz_lab_begin(NULL);
	if (how & 1)
		say_stream(&lab, in.at, in.left, 1 + (how >> 1));
	else
		say_messages(&lab, &in);
	return 0;
}
