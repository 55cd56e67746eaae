/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/multipart.h"

#include "ofp/session_parts.h"

#include <stdlib.h>
#include <string.h>

#define LOOKS_A_TURN 4096 /* entries, or rules passed over, of all sessions of an agent together */
#define LOOKS_LEAST  64

#define PARTS_ONE  false
#define PARTS_MANY true

static const struct multipart_row rows[] = {
#define MULTIPART(id, name, number, least, greatest, parts, stem)                                                      \
	{name, number, least, greatest, PARTS_##parts, mp_##stem##_begin, mp_##stem##_next},
#include "ofp/multipart.def"
#undef MULTIPART
};

const struct multipart_row *multipart_row(uint16_t number)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].number == number)
			return &rows[i];
	}
	return NULL;
}

/* ---- segments ---- */

static void open_segment(struct dump *dump)
{
	struct wire_out *out = session_begin(dump->session, OFPT_MULTIPART_REPLY, dump->xid);

	wire_put_u16(out, dump->row->number);
	wire_put_u16(out, 0);
	wire_put_zeros(out, 4);
}

static void close_segment(struct dump *dump, bool more)
{
	struct session *session = dump->session;

	if (more)
		wire_set_u16(&session->out, session->message_start + OFP_HEADER_SIZE + 2, OFPMPF_REPLY_MORE);
	session_end(session);
}

/* The entry that was written at `entry` does not fit into the segment any more: it becomes the first of the next one.
 */
static void split_segment(struct dump *dump, size_t entry)
{
	struct wire_out *out = &dump->session->out;
	size_t size = out->size - entry;

	wire_put_zeros(out, MULTIPART_HEADER);
	if (out->failed)
		return;
	memmove(out->bytes + entry + MULTIPART_HEADER, out->bytes + entry, size);
	wire_cut(out, entry);
	close_segment(dump, true);
	open_segment(dump);
	/* The header stands where the zeros were, and the entry behind it is still there. */
	out->size += size;
}

/* Writes a segment, or a few where an entry overflows one. Returns why it stopped: never DUMP_PUT but for the quota. */
static enum dump_step run(struct dump *dump)
{
	struct session *session = dump->session;
	struct wire_out *out = &session->out;
	struct dumps *dumps = &session->dumps;
	enum dump_step step = DUMP_PUT;
	size_t start, entry, n = 0;

	open_segment(dump);
	while (step == DUMP_PUT && dumps->looks && dumps->bytes && !out->failed) {
		entry = out->size;
		step = dump->row->next(dump, out, &dumps->looks);
		if (step == DUMP_DONE || step == DUMP_LATER)
			break;
		n++;
		dumps->bytes -= out->size - entry < dumps->bytes ? (uint32_t)(out->size - entry) : dumps->bytes;
		if (out->size - session->message_start > OFP_MESSAGE_MAX)
			split_segment(dump, entry);
	}
	start = session->message_start;
	if (!n && step != DUMP_DONE && !out->failed)
		wire_cut(out, start);
	else
		close_segment(dump, step == DUMP_PUT || step == DUMP_LATER);
	return step;
}

/* ---- dumps ---- */

static void free_dump(struct dump *dump)
{
	if (dump->walks)
		rule_cursor_end(&dump->rules);
	free(dump);
}

static void add(struct session *session, struct dump *dump)
{
	struct dump **end = &session->dumps.first;

	while (*end)
		end = &(*end)->next;
	*end = dump;
	dump->next = NULL;
	if (!session->dumps.n++)
		session->agent->n_dumping++;
}

static struct dump *take_first(struct session *session)
{
	struct dump *dump = session->dumps.first;

	session->dumps.first = dump->next;
	if (!--session->dumps.n)
		session->agent->n_dumping--;
	return dump;
}

void dumps_renew(struct session *session)
{
	uint32_t n = session->agent->n_dumping;
	uint32_t looks = LOOKS_A_TURN / (n ? n : 1);

	session->dumps.looks = looks > LOOKS_LEAST ? looks : LOOKS_LEAST;
	session->dumps.bytes = SESSION_PIECE;
}

bool dumps_any(const struct session *session)
{
	return session->dumps.n;
}

bool dumps_can_run(const struct session *session)
{
	return session->dumps.n && session_waiting(session) < SESSION_PIECE;
}

/* In turns, a segment or two each. */
void dumps_run(struct session *session)
{
	while (dumps_can_run(session) && session->dumps.looks && session->dumps.bytes && !session->out.failed) {
		struct dump *dump = take_first(session);
		enum dump_step step = run(dump);

		if (step == DUMP_LAST || step == DUMP_DONE)
			free_dump(dump);
		else
			add(session, dump);
	}
}

void dumps_end(struct session *session)
{
	while (session->dumps.first)
		free_dump(take_first(session));
	wire_out_free(&session->dumps.parts);
	session->dumps.collecting = false;
	session->dumps.n_refused = 0;
}

void dump_refresh(struct dump *dump)
{
	ofbridge_refresh(dump->session->agent->bridge);
	session_rest(dump->session);
}

/* ---- requests ---- */

static enum of_err start(struct session *session, const struct multipart_row *row, uint32_t xid, struct wire_in body)
{
	struct dump *dump;
	enum of_err error;

	if (body.left < row->least || body.left > row->greatest)
		return OF_ERR_BAD_REQUEST_BAD_LEN;
	dump = session->dumps.n < SESSION_DUMPS_MAX ? calloc(1, sizeof(*dump)) : NULL;
	if (!dump)
		return OF_ERR_BAD_REQUEST_MULTIPART_BUFFER_OVERFLOW;
	dump->row = row;
	dump->session = session;
	dump->xid = xid;
	error = row->begin(dump, &body);
	if (error) {
		free_dump(dump);
		return error;
	}
	add(session, dump);
	dumps_run(session);
	return OF_OK;
}

/* Adds a part. On an error nothing of that request is kept. */
static enum of_err collect(struct session *session, uint32_t xid, const struct wire_in *part)
{
	struct dumps *dumps = &session->dumps;

	if (dumps->collecting && dumps->parts_xid == xid && dumps->parts.size + part->left <= MULTIPART_PARTS_MAX) {
		wire_put_bytes(&dumps->parts, part->at, part->left);
	} else if (!dumps->collecting) {
		dumps->collecting = true;
		dumps->parts_xid = xid;
		wire_put_bytes(&dumps->parts, part->at, part->left);
	} else {
		if (dumps->parts_xid == xid) {
			dumps->collecting = false;
			wire_out_free(&dumps->parts);
		}
		return OF_ERR_BAD_REQUEST_MULTIPART_BUFFER_OVERFLOW;
	}
	return OF_OK;
}

static enum of_err start_collected(struct session *session, const struct multipart_row *row, uint32_t xid)
{
	struct dumps *dumps = &session->dumps;
	struct wire_in body = wire_in(dumps->parts.bytes, dumps->parts.size);
	enum of_err error = dumps->parts.failed ? OF_ERR_BAD_REQUEST_MULTIPART_BUFFER_OVERFLOW : OF_OK;

	if (!error)
		error = start(session, row, xid, body);
	dumps->collecting = false;
	wire_out_free(&dumps->parts);
	return error;
}

/* NULL: nothing of this xid was refused. */
static uint32_t *find_refused(struct dumps *dumps, uint32_t xid)
{
	for (uint32_t i = 0; i < dumps->n_refused; i++) {
		if (dumps->refused[i] == xid)
			return &dumps->refused[i];
	}
	return NULL;
}

/* The rest of it is refused too, if there is more. */
static void refuse(struct session *session, uint32_t xid, bool more)
{
	struct dumps *dumps = &session->dumps;
	uint32_t *known = find_refused(dumps, xid);

	if (known && !more)
		*known = dumps->refused[--dumps->n_refused];
	else if (!known && more && dumps->n_refused < MULTIPART_REFUSED_MAX)
		dumps->refused[dumps->n_refused++] = xid;
	else if (!known && more)
		session_step(session, SESSION_REFUSED, "began too many requests in parts");
}

static enum of_err in_parts(
	struct session *session, const struct multipart_row *row, uint32_t xid, const struct wire_in *part, bool more)
{
	enum of_err error = OF_ERR_BAD_REQUEST_MULTIPART_BUFFER_OVERFLOW;

	if (!find_refused(&session->dumps, xid))
		error = collect(session, xid, part);
	if (error) {
		refuse(session, xid, more);
		return error;
	}
	return more ? OF_OK : start_collected(session, row, xid);
}

enum of_err handle_multipart(struct session *session, struct message *message)
{
	struct dumps *dumps = &session->dumps;
	uint16_t number = wire_get_u16(&message->body);
	bool more = wire_get_u16(&message->body) & OFPMPF_REQ_MORE;
	const struct multipart_row *row = multipart_row(number);

	wire_skip(&message->body, 4);
	if (!row || (more && !row->many))
		return OF_ERR_BAD_REQUEST_BAD_MULTIPART;
	if (row->many &&
		(more || (dumps->collecting && dumps->parts_xid == message->xid) || find_refused(dumps, message->xid)))
		return in_parts(session, row, message->xid, &message->body, more);
	return start(session, row, message->xid, message->body);
}
