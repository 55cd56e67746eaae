/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/http.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct line {
	const char *text;
	size_t size;
};

/* Bytes of a token (RFC 9110 §5.6.2). */
static size_t token(const char *text, size_t size)
{
	static const char other[] = "!#$%&'*+-.^_`|~";
	size_t n = 0;

	while (n < size && ((text[n] >= '0' && text[n] <= '9') || (text[n] >= 'A' && text[n] <= 'Z') ||
				   (text[n] >= 'a' && text[n] <= 'z') || (text[n] && strchr(other, text[n]))))
		n++;
	return n;
}

/* A byte that no head has: whoever sends one speaks something else, TLS perhaps. */
static bool is_foreign(char c)
{
	return (c >= 0 && c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == 127;
}

/* The next line without its end, CRLF or a bare LF (RFC 9112 §2.2). False: it is not whole. */
static bool next_line(const char *data, size_t size, size_t *at, struct line *ret)
{
	const char *end = memchr(data + *at, '\n', size - *at);

	if (!end)
		return false;
	*ret = (struct line){.text = data + *at, .size = (size_t)(end - (data + *at))};
	*at += ret->size + 1;
	if (ret->size && ret->text[ret->size - 1] == '\r')
		ret->size--;
	return true;
}

/* Up to the empty line that ends the head; all, if there is none. What follows is a body, of any bytes. */
static size_t measure(const char *data, size_t size)
{
	bool begun = false;
	struct line line;
	size_t at = 0;

	while (next_line(data, size, &at, &line)) {
		if (begun && !line.size)
			return at;
		begun |= line.size > 0;
	}
	return size;
}

/* "HTTP/1.1": 200, and whether it asks for a Host (RFC 9112 §3.2). */
static unsigned read_version(const char *text, size_t size, bool *ret_host)
{
	if (size != 8 || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.' || text[5] < '0' || text[5] > '9' ||
		text[7] < '0' || text[7] > '9')
		return 400;
	*ret_host = text[5] == '1' && text[7] != '0';
	return text[5] == '1' ? 200 : 505;
}

/* The path, be it in a whole URI, which a server has to take too (RFC 9112 §3.2.2). */
static unsigned read_target(const char *text, size_t size)
{
	static const char path[] = "/metrics";
	size_t scheme = size > 7 && !strncasecmp(text, "http://", 7)    ? 7
			: size > 8 && !strncasecmp(text, "https://", 8) ? 8
									: 0;
	const char *slash = memchr(text + scheme, '/', size - scheme);

	if (!scheme && slash != text)
		return 400;
	if (!slash)
		return 404;
	size -= (size_t)(slash - text);
	if (size < strlen(path) || memcmp(slash, path, strlen(path)) != 0)
		return 404;
	return size == strlen(path) || slash[strlen(path)] == '?' ? 200 : 404;
}

static unsigned read_request_line(const struct line *line, struct http_request *ret, bool *ret_host)
{
	size_t method = token(line->text, line->size);
	const char *target = line->text + method + 1, *end = line->text + line->size, *space;
	unsigned status;

	if (!method || method >= line->size || line->text[method] != ' ')
		return 400;
	space = memchr(target, ' ', (size_t)(end - target));
	if (!space || space == target)
		return 400;
	status = read_version(space + 1, (size_t)(end - space) - 1, ret_host);
	if (status != 200)
		return status;
	ret->head = method == 4 && !memcmp(line->text, "HEAD", 4);
	if (!ret->head && (method != 3 || memcmp(line->text, "GET", 3) != 0))
		return 405;
	return read_target(target, (size_t)(space - target));
}

/* "Name: value"; a line that goes on with the one before has no name (RFC 9112 §5.2). */
static bool is_field(const struct line *line, bool *ret_is_host)
{
	size_t name = token(line->text, line->size);

	*ret_is_host = name == 4 && !strncasecmp(line->text, "Host", 4);
	return name && name < line->size && line->text[name] == ':';
}

static unsigned judge(const char *data, size_t size, struct http_request *ret, bool *ret_whole)
{
	bool needs_host = false, is_host;
	unsigned status, n_hosts = 0;
	struct line line;
	size_t at = 0;

	*ret_whole = true;
	size = measure(data, size);
	for (size_t i = 0; i < size; i++) {
		if (is_foreign(data[i]))
			return 400;
	}
	do /* empty lines in front are overlooked (RFC 9112 §2.2) */
		*ret_whole = next_line(data, size, &at, &line);
	while (*ret_whole && !line.size);
	if (!*ret_whole)
		return 0;
	status = read_request_line(&line, ret, &needs_host);
	if (status == 400)
		return status;
	while ((*ret_whole = next_line(data, size, &at, &line)) && line.size) {
		if (!is_field(&line, &is_host))
			return 400;
		n_hosts += is_host;
	}
	if (n_hosts > 1 || (*ret_whole && needs_host && !n_hosts))
		return 400;
	return status;
}

bool http_read(const char *data, size_t size, struct http_request *ret)
{
	struct http_request request = {0};
	size_t looked = size < HTTP_HEAD_MAX ? size : HTTP_HEAD_MAX;
	bool whole;

	request.status = judge(data, looked, &request, &whole);
	/* A fault that shows is a verdict; else the head has to be whole. */
	if (!whole && request.status != 400 && looked < HTTP_HEAD_MAX)
		return false;
	if (!whole && request.status != 400)
		request.status = 431;
	if (request.status == 400) /* what is no request has no method */
		request.head = false;
	*ret = request;
	return true;
}

static const struct reason {
	unsigned status;
	const char *phrase, *excuse;
} reasons[] = {
	{200, "OK", ""},
	{400, "Bad Request", "This is no request of HTTP/1.0 or HTTP/1.1.\n"},
	{404, "Not Found", "There is one page here: /metrics\n"},
	{405, "Method Not Allowed", "There is GET and HEAD here.\n"},
	{431, "Request Header Fields Too Large", "The head of a request has 4096 bytes here.\n"},
	{505, "HTTP Version Not Supported", "There is HTTP/1.0 and HTTP/1.1 here.\n"},
	{500, "Internal Server Error", "Out of memory.\n"},
};

static const struct reason *find(unsigned status)
{
	const struct reason *last = &reasons[sizeof(reasons) / sizeof(reasons[0]) - 1];

	for (const struct reason *reason = reasons; reason < last; reason++) {
		if (reason->status == status)
			return reason;
	}
	return last;
}

size_t http_answer(unsigned status, size_t body_size, char text[HTTP_ANSWER_MAX])
{
	return (size_t)snprintf(text, HTTP_ANSWER_MAX,
		"HTTP/1.1 %u %s\r\n"
		"Content-Type: text/plain; %scharset=utf-8\r\n"
		"Content-Length: %zu\r\n"
		"%sConnection: close\r\n\r\n",
		status, find(status)->phrase, status == 200 ? "version=0.0.4; " : "", body_size,
		status == 405 ? "Allow: GET, HEAD\r\n" : "");
}

const char *http_excuse(unsigned status)
{
	return find(status)->excuse;
}
