/* SPDX-License-Identifier: BSD-2-Clause */
#include "speaker.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include "orders.h"

#define SEND_TIMEOUT_MS  60000
#define HELLO_TIMEOUT_MS 5000
#define READ_SIZE        (256 * 1024)
#define INPUT_SIZE       (READ_SIZE + 65536)

struct speaker {
	int fd;
	SSL_CTX *tls;
	SSL *ssl;          /* NULL: TCP */
	size_t begin, end; /* of what was read and not handed out */
	uint8_t input[INPUT_SIZE];
};

static int connect_tcp(const struct speaker_place *place)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	int fd, one = 1, err = -EHOSTUNREACH;

	if (getaddrinfo(place->host, place->port, &hints, &found))
		return err;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen)) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		fd = err;
	} else {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	freeaddrinfo(found);
	return fd;
}

static bool load_files(SSL_CTX *tls, const char *pki)
{
	char cert[512], key[512], ca[512];

	snprintf(cert, sizeof(cert), "%s/client.crt", pki);
	snprintf(key, sizeof(key), "%s/client.key", pki);
	snprintf(ca, sizeof(ca), "%s/ca.crt", pki);
	return SSL_CTX_use_certificate_chain_file(tls, cert) == 1 &&
	       SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1 &&
	       SSL_CTX_load_verify_locations(tls, ca, NULL) == 1;
}

static int connect_tls(struct speaker *s, const char *pki)
{
	s->tls = SSL_CTX_new(TLS_client_method());
	if (!s->tls || !load_files(s->tls, pki))
		return -EPROTO;
	SSL_CTX_set_verify(s->tls, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(s->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	s->ssl = SSL_new(s->tls);
	return s->ssl && SSL_set_fd(s->ssl, s->fd) == 1 && SSL_connect(s->ssl) == 1 ? 0 : -EPROTO;
}

int speaker_open(const struct speaker_place *place, struct speaker **ret_speaker)
{
	struct speaker *s = calloc(1, sizeof(*s));
	uint8_t hello[ORDER_MAX_SIZE];
	const uint8_t *message;
	size_t size;
	int err;

	if (!s)
		return -ENOMEM;
	s->fd = err = connect_tcp(place);
	if (err >= 0)
		err = place->pki ? connect_tls(s, place->pki) : 0;
	if (!err && fcntl(s->fd, F_SETFL, O_NONBLOCK))
		err = -errno;
	if (!err)
		err = speaker_send(s, hello, order_hello(hello));
	if (!err)
		err = speaker_receive(s, HELLO_TIMEOUT_MS, &message, &size);
	if (!err && message[1] != ORDER_HELLO)
		err = -EPROTO;
	if (err) {
		speaker_close(s);
		return err;
	}
	*ret_speaker = s;
	return 0;
}

void speaker_close(struct speaker *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	SSL_CTX_free(s->tls);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

/* How many bytes, 0 when it would block, or -errno. */
static ssize_t outcome(const struct speaker *s, ssize_t n)
{
	if (n > 0)
		return n;
	if (!s->ssl)
		return n == 0 ? -ECONNRESET : errno == EAGAIN ? 0 : -errno;
	switch (SSL_get_error(s->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return 0;
	default:
		return -ECONNRESET;
	}
}

static ssize_t try_write(struct speaker *s, const void *bytes, size_t size)
{
	if (size > 1 << 20)
		size = 1 << 20;
	return outcome(s, s->ssl ? SSL_write(s->ssl, bytes, size) : send(s->fd, bytes, size, MSG_NOSIGNAL));
}

static ssize_t try_read(struct speaker *s)
{
	ssize_t n;

	if (s->begin) {
		memmove(s->input, s->input + s->begin, s->end - s->begin);
		s->end -= s->begin;
		s->begin = 0;
	}
	if (s->end == INPUT_SIZE)
		return 0;
	n = outcome(s, s->ssl ? SSL_read(s->ssl, s->input + s->end, INPUT_SIZE - s->end)
			      : recv(s->fd, s->input + s->end, INPUT_SIZE - s->end, 0));
	if (n > 0)
		s->end += n;
	return n;
}

static int wait_for(const struct speaker *s, short events, int timeout_ms)
{
	struct pollfd fd = {.fd = s->fd, .events = events};
	int n = poll(&fd, 1, timeout_ms);

	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

int speaker_send(struct speaker *s, const void *bytes, size_t size)
{
	const uint8_t *next = bytes, *end = next + size;
	ssize_t n, heard;
	int err;

	while (next < end) {
		n = try_write(s, next, end - next);
		if (n < 0)
			return n;
		next += n;
		if (n)
			continue;
		heard = try_read(s);
		if (heard < 0)
			return heard;
		err = heard ? 0 : wait_for(s, s->end < INPUT_SIZE ? POLLIN | POLLOUT : POLLOUT, SEND_TIMEOUT_MS);
		if (err)
			return err;
	}
	return 0;
}

/* The size of the message at the front, or 0 when it is not there as a whole. */
static size_t whole(const struct speaker *s)
{
	size_t there = s->end - s->begin, size;

	if (there < 8)
		return 0;
	size = s->input[s->begin + 2] << 8 | s->input[s->begin + 3];
	return size >= 8 && size <= there ? size : 0;
}

static int answer_echo(struct speaker *s, const uint8_t *request, size_t size)
{
	uint8_t reply[65536];

	memcpy(reply, request, size);
	reply[1] = ORDER_ECHO_REPLY;
	return speaker_send(s, reply, size);
}

int speaker_receive(struct speaker *s, int timeout_ms, const uint8_t **ret_message, size_t *ret_size)
{
	for (;;) {
		const size_t size = whole(s);
		const uint8_t *message = s->input + s->begin;
		ssize_t n;
		int err;

		if (size) {
			s->begin += size;
			if (message[1] != ORDER_ECHO_REQUEST) {
				*ret_message = message;
				*ret_size = size;
				return 0;
			}
			err = answer_echo(s, message, size);
			if (err)
				return err;
			continue;
		}
		n = try_read(s);
		if (n < 0)
			return n;
		err = n ? 0 : wait_for(s, POLLIN, timeout_ms);
		if (err)
			return err;
	}
}

int speaker_wait(struct speaker *s, uint32_t xid, int timeout_ms, uint32_t *ret_n_errors)
{
	const uint8_t *message = NULL;
	uint32_t n_errors = 0;
	size_t size;
	int err;

	while (!(err = speaker_receive(s, timeout_ms, &message, &size))) {
		uint32_t its_xid;

		memcpy(&its_xid, message + 4, sizeof(its_xid));
		if (message[1] == ORDER_ERROR)
			n_errors++;
		else if (be32toh(its_xid) == xid)
			break;
	}
	if (!err && ret_n_errors)
		*ret_n_errors = n_errors;
	return err;
}
