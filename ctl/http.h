/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http.h - as much of HTTP (RFC 9110, RFC 9112) as answering `GET /metrics` takes: the head of one request, read, and
 * the head of its answer, written.
 *
 * What: pure, bytes in and a verdict out. One request a connection: what follows the head is nobody's, be it a body or
 * the next request, for every answer says that the connection closes.
 *
 * Why not a library: see docs/decisions/0024-metrics.md.
 *
 * Safe error: to refuse a request that a kinder server would take. A head has HTTP_HEAD_MAX bytes, whatever is in it.
 */
#ifndef CTL_HTTP_H
#define CTL_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HEAD_MAX 4096 /* bytes of a request, its empty line counted */

struct http_request {
	unsigned status; /* 200, or why not: 400, 404, 405, 431, 505 */
	bool head;       /* HEAD: the answer has no body */
};

/*
 * Looks at the first `size` bytes of a connection. False: it takes more to tell, and `size` is less than
 * HTTP_HEAD_MAX.
 */
bool http_read(const char *data, size_t size, struct http_request *ret);

#define HTTP_ANSWER_MAX 320

/* The head of an answer whose body has `body_size` bytes, its empty line included. Below HTTP_ANSWER_MAX bytes. */
size_t http_answer(unsigned status, size_t body_size, char text[HTTP_ANSWER_MAX]);
/* What a person reads who got this status instead of metrics. */
const char *http_excuse(unsigned status);

#endif
