/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_multipart.c - multipart requests, whole and in parts, to a bridge that has something of each kind.
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

#define BODY_OFFSET 16

/* What there is to be listed: a rule, a group with two buckets, a meter. */
static void furnish(struct fuzz_lab *lab)
{
	static const struct meter_band bands[] = {{.type = BAND_DROP, .rate = 10}};
	static const struct action outputs[] = {{.type = ACTION_OUTPUT, .arg = 1}};
	const struct actions actions = {1, outputs};
	const struct bucket buckets[] = {
		{.watch_port = OF_PORT_ANY, .watch_group = GROUP_ANY, .actions = actions},
		{.watch_port = OF_PORT_ANY, .watch_group = GROUP_ANY, .actions = actions},
	};
	const struct group_mod group = {.id = 1, .n_buckets = 2, .buckets = buckets};
	const struct meter_mod meter = {.flags = METER_PKTPS, .id = 1, .n_bands = 1, .bands = bands};
	const struct instructions rest = {0};
	struct flow_mod mod = {.out_port = OF_PORT_ANY, .out_group = GROUP_ANY};

	fuzz_require(!ofbridge_group_mod(lab->bridge, &group));
	fuzz_require(!ofbridge_meter_mod(lab->bridge, &meter));
	mod.instructions = instructions_create(&rest, &actions, &actions);
	fuzz_require(mod.instructions && !ofbridge_flow_mod(lab->bridge, &mod));
	free(mod.instructions);
}

/* Entries that tell their length at their start fill a reply to its end. */
static void look(const uint8_t *message, size_t size)
{
	struct wire_in in = wire_in(message, size);
	uint16_t kind = wire_peek_u16(&in, 8);
	bool has_length = kind == OFPMP_FLOW || kind == OFPMP_GROUP || kind == OFPMP_GROUP_DESC ||
			  kind == OFPMP_METER_CONFIG || kind == OFPMP_TABLE_FEATURES;

	if (message[1] != OFPT_MULTIPART_REPLY || !has_length)
		return;
	wire_skip(&in, BODY_OFFSET);
	while (in.left) {
		uint16_t length = wire_peek_u16(&in, 0);

		fuzz_require(length >= 8 && length % 8 == 0);
		wire_skip(&in, length);
		fuzz_require(!in.failed);
	}
}

/* A kind, flags and a size each, and that many bytes of body. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct wire_in in = wire_in(bytes, size);
	struct fuzz_lab lab = fuzz_lab_begin(look);

	furnish(&lab);
	fuzz_lab_hello(&lab);
	while (in.left >= 3) {
		struct wire_out body = {0};
		uint8_t kind = wire_get_u8(&in), flags = wire_get_u8(&in);
		size_t n = wire_get_u8(&in);

		n = n < in.left ? n : in.left;
		wire_put_u16(&body, kind == 0xff ? OFPMP_EXPERIMENTER : kind % (OFPMP_N_TYPES + 1));
		wire_put_u16(&body, flags);
		wire_put_zeros(&body, 4);
		wire_put_bytes(&body, wire_get_view(&in, n), n);
		fuzz_lab_say_message(&lab, OFPT_MULTIPART_REQUEST, body.bytes, body.size);
		wire_out_free(&body);
	}
	fuzz_lab_end(&lab, true);
	return 0;
}
