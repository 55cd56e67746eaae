/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * of_lab.h - a switch on a table: the double of a bridge, an agent, sessions, and their bytes as hex.
 *
 * Messages are written as people read them: "04 02 0008 00000001" (blanks anywhere). What a session says is taken from
 * it message by message.
 */
#ifndef TESTS_OF_LAB_H
#define TESTS_OF_LAB_H

#include "ofp/agent.h"
#include "ofp/of_spec.h"
#include "ofp/session.h"
#include "tests/unit/fake_ofbridge.h"

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAB_MS       1000000ull
#define LAB_S        1000000000ull
#define LAB_TEXT_MAX (2 * 65536 + 1)

struct lab {
	struct ofbridge *bridge;
	struct agent *agent;
	uint64_t now_ns;
	char text[LAB_TEXT_MAX]; /* of the message taken last, as hex without blanks; "" */
	uint8_t bytes[65536];
	size_t size;
};

static inline struct lab *lab_open(void)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	ck_assert_ptr_nonnull(lab);
	lab->now_ns = 10 * LAB_S;
	lab->bridge = fake_ofbridge_create();
	fake_ofbridge_set_now(lab->bridge, lab->now_ns);
	fake_ofbridge_port(lab->bridge, 1, "p1");
	fake_ofbridge_port(lab->bridge, 2, "p2");
	fake_ofbridge_port(lab->bridge, 3, "p3");
	lab->agent = agent_create(lab->bridge, NULL, lab->now_ns);
	ck_assert_ptr_nonnull(lab->agent);
	return lab;
}

static inline void lab_close(struct lab *lab)
{
	const struct session *session;

	while ((session = agent_next_session(lab->agent, NULL)))
		session_free((struct session *)session);
	agent_free(lab->agent);
	fake_ofbridge_free(lab->bridge);
	free(lab);
}

static inline void lab_advance(struct lab *lab, uint64_t ns)
{
	lab->now_ns += ns;
	fake_ofbridge_set_now(lab->bridge, lab->now_ns);
}

/* Returns the number of bytes. */
static inline size_t lab_bytes(const char *hex, uint8_t *ret)
{
	size_t n = 0;
	int high = -1;

	for (; *hex; hex++) {
		int digit;

		if (!isxdigit((unsigned char)*hex))
			continue;
		digit = isdigit((unsigned char)*hex) ? *hex - '0' : tolower((unsigned char)*hex) - 'a' + 10;
		if (high < 0) {
			high = digit;
		} else {
			ret[n++] = (uint8_t)(high << 4 | digit);
			high = -1;
		}
	}
	ck_assert_int_lt(high, 0);
	return n;
}

static inline void lab_text(const uint8_t *bytes, size_t size, char *ret)
{
	for (size_t i = 0; i < size; i++)
		sprintf(ret + 2 * i, "%02x", bytes[i]);
	ret[2 * size] = '\0';
}

/* The next message of the session's output, without taking a turn. */
static inline const char *lab_peek(struct lab *lab, struct session *session)
{
	size_t size;
	const uint8_t *bytes = session_output(session, &size);

	lab->text[0] = '\0';
	lab->size = 0;
	if (!bytes)
		return lab->text;
	ck_assert_uint_ge(size, OFP_HEADER_SIZE);
	lab->size = (size_t)bytes[2] << 8 | bytes[3];
	ck_assert_uint_le(lab->size, size);
	memcpy(lab->bytes, bytes, lab->size);
	lab_text(lab->bytes, lab->size, lab->text);
	session_sent(session, lab->size, lab->now_ns);
	return lab->text;
}

/* The same after a turn of the loop, as the channel would have it. "" if there is none. */
static inline const char *lab_hear(struct lab *lab, struct session *session)
{
	session_turn(session, lab->now_ns);
	return lab_peek(lab, session);
}

/* Takes what there is, and forgets it. Returns the number of messages. */
static inline unsigned lab_drain(struct lab *lab, struct session *session)
{
	unsigned n = 0;

	while (lab_hear(lab, session)[0])
		n++;
	return n;
}

/* All of it, turn by turn. */
static inline void lab_say_bytes(struct lab *lab, struct session *session, const uint8_t *bytes, size_t size)
{
	while (size) {
		size_t n = session_receive(session, bytes, size, lab->now_ns);

		if (!n) {
			session_turn(session, lab->now_ns);
			n = session_receive(session, bytes, size, lab->now_ns);
		}
		ck_assert_msg(n, "%zu bytes are not taken", size);
		bytes += n;
		size -= n;
	}
}

static inline void lab_say(struct lab *lab, struct session *session, const char *hex)
{
	static uint8_t bytes[65536];

	lab_say_bytes(lab, session, bytes, lab_bytes(hex, bytes));
}

/* Says it and returns the first thing that is said then. */
static inline const char *lab_ask(struct lab *lab, struct session *session, const char *hex)
{
	lab_say(lab, session, hex);
	return lab_hear(lab, session);
}

static inline struct session *lab_join_with(struct lab *lab, const struct session_options *options)
{
	struct session *session = session_create(lab->agent, options, lab->now_ns);

	ck_assert_ptr_nonnull(session);
	return session;
}

#define LAB_HELLO "04 00 0010 00000000 0001 0008 00000010"

/* A session that is open, its hello taken. */
static inline struct session *lab_join(struct lab *lab)
{
	const struct session_options options = {.from = "tcp:test", .limits = session_default_limits()};
	struct session *session = lab_join_with(lab, &options);

	lab_say(lab, session, LAB_HELLO);
	ck_assert_int_eq(session_state(session), SESSION_OPEN);
	lab_drain(lab, session);
	return session;
}

/* The session still answers an echo request with just that. */
static inline void lab_expect_alive(struct lab *lab, struct session *session, const char *after)
{
	lab_drain(lab, session);
	lab_say(lab, session, "04 02 000c 0badcafe 61626364");
	ck_assert_msg(!strcmp(lab_hear(lab, session), "0403000c0badcafe61626364"), "after %s: %s", after, lab->text);
}

#endif
