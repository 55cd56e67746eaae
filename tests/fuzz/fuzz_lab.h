/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_lab.h - a session over a double of a bridge, for fuzz targets that feed it.
 *
 * Whatever was fed, what the session says must be whole messages of OpenFlow 1.3, and unless it has closed, it answers
 * an echo request.
 */
#ifndef TESTS_FUZZ_LAB_H
#define TESTS_FUZZ_LAB_H

#include "dataplane/log.h"
#include "ofp/agent.h"
#include "ofp/of_spec.h"
#include "ofp/session.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/fake_ofbridge.h"

#define FUZZ_ECHO_XID 0x0badcafe

struct fuzz_lab {
	struct ofbridge *bridge;
	struct agent *agent;
	struct session *session;
	uint64_t now_ns;
	uint32_t n_echoes; /* answers to fuzz_lab_end()'s request */
	/* Looks at each message that is said; NULL: nothing but its frame is. */
	void (*look)(const uint8_t *message, size_t size);
};

static void say_nothing(void *ctx, enum log_level level, const char *line)
{
}

static inline struct fuzz_lab fuzz_lab_begin(void (*look)(const uint8_t *message, size_t size))
{
	const struct session_options options = {.from = "tcp:fuzz", .limits = session_default_limits()};
	struct fuzz_lab lab = {.now_ns = 1000000000, .look = look};

	log_to(say_nothing, NULL);
	lab.bridge = fake_ofbridge_create();
	fake_ofbridge_port(lab.bridge, 1, "p1");
	fake_ofbridge_port(lab.bridge, 2, "p2");
	lab.agent = agent_create(lab.bridge, NULL, lab.now_ns);
	lab.session = session_create(lab.agent, &options, lab.now_ns);
	return lab;
}

/* A turn of the loop: whatever is said then is read. */
static inline void fuzz_lab_turn(struct fuzz_lab *lab)
{
	const uint8_t *output;
	size_t size;

	lab->now_ns += 1000000;
	fake_ofbridge_set_now(lab->bridge, lab->now_ns);
	fake_ofbridge_expire(lab->bridge);
	session_turn(lab->session, lab->now_ns);
	while ((output = session_output(lab->session, &size))) {
		struct wire_in in = wire_in(output, size);
		uint8_t version = wire_get_u8(&in), type = wire_get_u8(&in);
		uint16_t length = wire_get_u16(&in);

		fuzz_require(version == OFP_VERSION && type < OFPT_N_TYPES);
		fuzz_require(length >= OFP_HEADER_SIZE && length <= size);
		lab->n_echoes += type == OFPT_ECHO_REPLY && wire_get_u32(&in) == FUZZ_ECHO_XID;
		if (lab->look)
			lab->look(output, length);
		session_sent(lab->session, length, lab->now_ns);
	}
}

/* Says these bytes, in a block of their own size. Returns how many were not taken: an incomplete message. */
static inline size_t fuzz_lab_say(struct fuzz_lab *lab, const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	size_t taken = 0;

	memcpy(copy, bytes, size);
	for (int turn = 0; turn < 1000 && taken < size; turn++) {
		size_t n = session_receive(lab->session, copy + taken, size - taken, lab->now_ns);

		taken += n;
		fuzz_require(taken <= size);
		if (!n && !(session_wants(lab->session) & SESSION_WANTS_TURN))
			break;
		fuzz_lab_turn(lab);
	}
	free(copy);
	return size - taken;
}

/* A message of that type with this body. */
static inline void fuzz_lab_say_message(struct fuzz_lab *lab, uint8_t type, const uint8_t *body, size_t size)
{
	struct wire_out out = {0};

	wire_put_u8(&out, OFP_VERSION);
	wire_put_u8(&out, type);
	wire_put_u16(&out, (uint16_t)(OFP_HEADER_SIZE + size));
	wire_put_u32(&out, 1);
	wire_put_bytes(&out, body, size);
	fuzz_require(!out.failed);
	fuzz_require(!fuzz_lab_say(lab, out.bytes, out.size));
	wire_out_free(&out);
}

static inline void fuzz_lab_hello(struct fuzz_lab *lab)
{
	fuzz_lab_say_message(lab, OFPT_HELLO, NULL, 0);
	fuzz_lab_turn(lab);
}

static inline void fuzz_lab_end(struct fuzz_lab *lab, bool whole)
{
	static const uint8_t echo[] = {OFP_VERSION, OFPT_ECHO_REQUEST, 0, 8, 0x0b, 0xad, 0xca, 0xfe};

	for (int turn = 0; turn < 1000 && session_wants(lab->session) & SESSION_WANTS_TURN; turn++)
		fuzz_lab_turn(lab);
	lab->n_echoes = 0;
	if (whole && session_state(lab->session) == SESSION_OPEN) {
		fuzz_require(!fuzz_lab_say(lab, echo, sizeof(echo)));
		fuzz_lab_turn(lab);
		fuzz_require(lab->n_echoes == 1);
	}
	session_free(lab->session);
	agent_free(lab->agent);
	fake_ofbridge_free(lab->bridge);
}

#endif
