/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * speaker.h - one end of an OpenFlow 1.3 connection, for measuring the other one.
 *
 * What: it connects by TCP or TLS, says hello, sends what it is given, and hands out whole messages. While it waits to
 * send it reads, so that a switch that answers before it has read everything does not wait for it for ever.
 * Why not os-ken or ovs-ofctl: both take longer over a message than the switches that are measured.
 *
 * A speaker belongs to one thread at a time.
 */
#ifndef BENCH_SPEAKER_H
#define BENCH_SPEAKER_H

#include <stddef.h>
#include <stdint.h>

struct speaker;

struct speaker_place {
	const char *host, *port;
	const char *pki; /* a folder with client.crt, client.key and ca.crt: TLS; NULL: TCP */
};

/* Connects and has said and heard hello. 0 or -errno; -EPROTO when TLS or the hello failed. */
int speaker_open(const struct speaker_place *place, struct speaker **ret_speaker);
/* Accepts NULL. */
void speaker_close(struct speaker *s);

/* All of it, in up to 60 seconds without progress. 0 or -errno. */
int speaker_send(struct speaker *s, const void *bytes, size_t size);

/*
 * The next message, until the next call; -ETIMEDOUT after so many ms without one. Echo requests are answered here and
 * not handed out.
 */
int speaker_receive(struct speaker *s, int timeout_ms, const uint8_t **ret_message, size_t *ret_size);

/* Receives until the answer to xid (neither an error nor another part follows), and counts the errors before it. */
int speaker_wait(struct speaker *s, uint32_t xid, int timeout_ms, uint32_t *ret_n_errors);

#endif
