/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/netlink.h"

#include "dataplane/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUFFER_SIZE   32768   /* a dump's part is at most this: NLMSG_GOODSIZE and libmnl's own advice */
#define HEARING_BYTES 4194304 /* socket buffer of a listener: some thousand links at once */

struct netlink {
	struct mnl_socket *socket;
	uint32_t seq;
	char reason[200];
	_Alignas(8) uint8_t buffer[BUFFER_SIZE];
};

/* What a message handler knows of its call. */
struct call {
	struct netlink *nl;
	size_t header_size;
	nl_each *each;
	void *ctx;
	int32_t nsid; /* of what is being heard */
	int error;
};

int netlink_open(int protocol, int netns_fd, struct netlink **ret)
{
	static const int options[] = {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK};
	struct netlink *nl = calloc(1, sizeof(*nl));
	int on = 1, fd, error;

	if (!nl)
		return -ENOMEM;
	error = netns_socket(netns_fd, AF_NETLINK, SOCK_RAW, protocol, &fd);
	if (error)
		goto free_nl;
	nl->socket = mnl_socket_fdopen(fd);
	if (!nl->socket) {
		error = -errno;
		close(fd);
		goto free_nl;
	}
	if (mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		error = -errno;
		goto close_socket;
	}
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		mnl_socket_setsockopt(nl->socket, options[i], &on, sizeof(on));
	*ret = nl;
	return 0;

close_socket:
	mnl_socket_close(nl->socket);
free_nl:
	free(nl);
	return error;
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	mnl_socket_close(nl->socket);
	free(nl);
}

int netlink_fd(const struct netlink *nl)
{
	return mnl_socket_get_fd(nl->socket);
}

const char *netlink_reason(const struct netlink *nl)
{
	return nl->reason;
}

/* ---- requests ---- */

static struct nlmsghdr *head_of(struct nl_request *request)
{
	return (struct nlmsghdr *)request->bytes;
}

/* A request that does not fit is a bug of its builder: the sizes are all bounded by names. */
static void ensure_room(struct nl_request *request, size_t size)
{
	if (head_of(request)->nlmsg_len + MNL_ALIGN(size) + MNL_ATTR_HDRLEN > NL_REQUEST_SIZE)
		abort();
}

void nl_begin(struct nl_request *request, uint16_t type, uint16_t flags, const void *header, size_t size)
{
	struct nlmsghdr *nlh;

	memset(request, 0, sizeof(*request)); /* libmnl leaves the padding of attributes as it was */
	nlh = mnl_nlmsg_put_header(request->bytes);
	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		nlh->nlmsg_flags |= NLM_F_ACK;
	ensure_room(request, size);
	memcpy(mnl_nlmsg_put_extra_header(nlh, size), header, size);
}

void nl_put(struct nl_request *request, uint16_t attr, const void *data, size_t size)
{
	ensure_room(request, size);
	mnl_attr_put(head_of(request), attr, size, data);
}

void nl_put_u32(struct nl_request *request, uint16_t attr, uint32_t value)
{
	nl_put(request, attr, &value, sizeof(value));
}

void nl_put_text(struct nl_request *request, uint16_t attr, const char *text)
{
	nl_put(request, attr, text, strlen(text) + 1);
}

void *nl_nest(struct nl_request *request, uint16_t attr, const void *header, size_t size)
{
	struct nlattr *nest;

	ensure_room(request, size);
	nest = mnl_attr_nest_start(head_of(request), attr);
	if (size)
		memcpy(mnl_nlmsg_put_extra_header(head_of(request), size), header, size);
	return nest;
}

void nl_nest_end(struct nl_request *request, void *nest)
{
	mnl_attr_nest_end(head_of(request), nest);
}

/* ---- answers ---- */

static int message_came(const struct nlmsghdr *nlh, void *data)
{
	struct call *call = data;
	struct nl_message message = {
		.type = nlh->nlmsg_type, .nsid = call->nsid, .raw = nlh, .header_size = call->header_size};
	int verdict;

	if (mnl_nlmsg_get_payload_len(nlh) < call->header_size)
		return MNL_CB_OK;
	message.header = mnl_nlmsg_get_payload(nlh);
	verdict = call->each ? call->each(call->ctx, &message) : 0;
	if (!verdict)
		return MNL_CB_OK;
	if (verdict < 0)
		call->error = verdict;
	return MNL_CB_STOP;
}

static int find_words(const struct nlattr *attr, void *data)
{
	const char **words = data;

	if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
		*words = mnl_attr_get_str(attr);
	return MNL_CB_OK;
}

/* Documentation/userspace-api/netlink/intro.rst, "Ext ACK": behind the error, and behind its copy of the request. */
static void keep_reason(struct call *call, const struct nlmsghdr *nlh, size_t offset, int error)
{
	const char *words = NULL;

	if ((nlh->nlmsg_flags & NLM_F_ACK_TLVS) && offset <= mnl_nlmsg_get_payload_len(nlh))
		mnl_attr_parse(nlh, offset, find_words, &words);
	snprintf(call->nl->reason, sizeof(call->nl->reason), "%s", words && words[0] ? words : strerror(-error));
}

static int error_came(const struct nlmsghdr *nlh, void *data)
{
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(nlh);
	struct call *call = data;
	size_t offset = sizeof(*answer);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*answer)) {
		call->error = -EBADMSG;
		return MNL_CB_STOP;
	}
	if (!answer->error)
		return MNL_CB_STOP;
	call->error = answer->error;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED) && answer->msg.nlmsg_len >= sizeof(answer->msg))
		offset += MNL_ALIGN(answer->msg.nlmsg_len - sizeof(answer->msg));
	keep_reason(call, nlh, offset, answer->error);
	return MNL_CB_STOP;
}

/* The end of a dump carries its error. */
static int done_came(const struct nlmsghdr *nlh, void *data)
{
	struct call *call = data;
	int error = 0;

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(error))
		memcpy(&error, mnl_nlmsg_get_payload(nlh), sizeof(error));
	if (error < 0) {
		call->error = error;
		keep_reason(call, nlh, sizeof(error), error);
	}
	return MNL_CB_STOP;
}

static mnl_cb_t control[] = {[NLMSG_ERROR] = error_came, [NLMSG_DONE] = done_came};

/*
 * One part of an answer. libmnl would stop at a message marked NLM_F_DUMP_INTR, and for ever wait for the end if it is
 * the end that is marked: so the mark is noted here, and taken off. Leftovers of an earlier call are passed over.
 */
static int answer_part(struct call *call, uint32_t seq, size_t size, bool *disturbed)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)call->nl->buffer;
	int left = (int)size, more = MNL_CB_OK;

	for (; mnl_nlmsg_ok(nlh, left) && more == MNL_CB_OK; nlh = mnl_nlmsg_next(nlh, &left)) {
		if (nlh->nlmsg_seq != seq)
			continue;
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			*disturbed = true;
		nlh->nlmsg_flags &= ~NLM_F_DUMP_INTR;
		more = mnl_cb_run2(
			nlh, nlh->nlmsg_len, seq, 0, message_came, call, control, sizeof(control) / sizeof(control[0]));
	}
	return more;
}

static int answer_call(struct call *call, uint32_t seq)
{
	struct netlink *nl = call->nl;
	bool disturbed = false;

	for (;;) {
		ssize_t size = mnl_socket_recvfrom(nl->socket, nl->buffer, sizeof(nl->buffer));
		int more;

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return -errno;
		more = answer_part(call, seq, size, &disturbed);
		if (more < 0)
			return -errno;
		if (more == MNL_CB_STOP)
			return call->error ? call->error : disturbed ? -EINTR : 0;
	}
}

int netlink_call(struct netlink *nl, struct nl_request *request, size_t header_size, nl_each *each, void *ctx)
{
	struct call call = {.nl = nl, .header_size = header_size, .each = each, .ctx = ctx, .nsid = -1};
	struct nlmsghdr *nlh = head_of(request);
	int error;

	nlh->nlmsg_seq = ++nl->seq;
	nl->reason[0] = '\0';
	if (mnl_socket_sendto(nl->socket, nlh, nlh->nlmsg_len) < 0)
		error = -errno;
	else
		error = answer_call(&call, nl->seq);
	if (error && !nl->reason[0])
		snprintf(nl->reason, sizeof(nl->reason), "%s", strerror(-error));
	return error;
}

static int keep_attr(const struct nlattr *attr, void *data)
{
	struct nl_attrs *attrs = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type < NL_ATTRS)
		attrs->attr[type] = attr;
	return MNL_CB_OK;
}

void nl_attrs(const struct nl_message *message, struct nl_attrs *ret)
{
	memset(ret, 0, sizeof(*ret));
	mnl_attr_parse(message->raw, message->header_size, keep_attr, ret);
}

void nl_nested(const struct nl_attrs *attrs, uint16_t type, struct nl_attrs *ret)
{
	struct nl_attrs nested = {{NULL}};

	if (attrs->attr[type])
		mnl_attr_parse_nested(attrs->attr[type], keep_attr, &nested);
	*ret = nested;
}

bool nl_has(const struct nl_attrs *attrs, uint16_t type)
{
	return attrs->attr[type];
}

const void *nl_data(const struct nl_attrs *attrs, uint16_t type, size_t *ret_size)
{
	if (!attrs->attr[type])
		return NULL;
	*ret_size = mnl_attr_get_payload_len(attrs->attr[type]);
	return mnl_attr_get_payload(attrs->attr[type]);
}

/* An integer of `size` bytes, or nothing. */
static bool read_number(const struct nl_attrs *attrs, uint16_t type, void *ret, size_t size)
{
	size_t has = 0;
	const void *data = nl_data(attrs, type, &has);

	if (!data || has < size)
		return false;
	memcpy(ret, data, size);
	return true;
}

uint8_t nl_u8(const struct nl_attrs *attrs, uint16_t type, uint8_t otherwise)
{
	uint8_t value;

	return read_number(attrs, type, &value, sizeof(value)) ? value : otherwise;
}

uint16_t nl_u16(const struct nl_attrs *attrs, uint16_t type, uint16_t otherwise)
{
	uint16_t value;

	return read_number(attrs, type, &value, sizeof(value)) ? value : otherwise;
}

uint32_t nl_u32(const struct nl_attrs *attrs, uint16_t type, uint32_t otherwise)
{
	uint32_t value;

	return read_number(attrs, type, &value, sizeof(value)) ? value : otherwise;
}

uint64_t nl_u64(const struct nl_attrs *attrs, uint16_t type, uint64_t otherwise)
{
	uint64_t value;

	return read_number(attrs, type, &value, sizeof(value)) ? value : otherwise;
}

const char *nl_text(const struct nl_attrs *attrs, uint16_t type)
{
	size_t size = 0;
	const char *text = nl_data(attrs, type, &size);

	return text && memchr(text, '\0', size) ? text : "";
}

int nl_each_nest(
	const struct nl_attrs *attrs, uint16_t type, int (*each)(void *ctx, const struct nl_attrs *element), void *ctx)
{
	const struct nlattr *nest = attrs->attr[type], *element;

	if (!nest)
		return 0;
	mnl_attr_for_each_nested(element, nest)
	{
		struct nl_attrs inner = {{NULL}};
		int verdict;

		mnl_attr_parse_nested(element, keep_attr, &inner);
		verdict = each(ctx, &inner);
		if (verdict)
			return verdict;
	}
	return 0;
}

/* ---- news ---- */

int netlink_join(struct netlink *nl, uint32_t group)
{
	int fd = netlink_fd(nl), bytes = HEARING_BYTES;

	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (mnl_socket_setsockopt(nl->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	return 0;
}

int netlink_join_everywhere(struct netlink *nl, uint32_t group)
{
	int on = 1;

	if (mnl_socket_setsockopt(nl->socket, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on)) < 0)
		return -errno;
	return netlink_join(nl, group);
}

static int32_t nsid_of(struct msghdr *msg)
{
	int32_t nsid = -1;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level == SOL_NETLINK && cmsg->cmsg_type == NETLINK_LISTEN_ALL_NSID)
			memcpy(&nsid, CMSG_DATA(cmsg), sizeof(nsid));
	}
	return nsid;
}

/* libmnl's own reading leaves out the ancillary data. The size, or -errno. */
static ssize_t read_news(struct netlink *nl, int32_t *ret_nsid)
{
	_Alignas(struct cmsghdr) uint8_t control_bytes[CMSG_SPACE(sizeof(int32_t)) + 64];
	struct iovec iov = {.iov_base = nl->buffer, .iov_len = sizeof(nl->buffer)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control_bytes,
		.msg_controllen = sizeof(control_bytes),
	};
	ssize_t size = recvmsg(netlink_fd(nl), &msg, 0);

	if (size < 0)
		return -errno;
	if (msg.msg_flags & MSG_TRUNC) /* longer than the buffer, and cut off: as good as lost */
		return -ENOBUFS;
	*ret_nsid = nsid_of(&msg);
	return size;
}

int netlink_hear(struct netlink *nl, size_t header_size, nl_each *each, void *ctx)
{
	struct call call = {.nl = nl, .header_size = header_size, .each = each, .ctx = ctx};

	for (;;) {
		ssize_t size = read_news(nl, &call.nsid);

		if (size == -EINTR)
			continue;
		if (size == -EAGAIN || size == -EWOULDBLOCK)
			return 0;
		if (size < 0)
			return (int)size;
		mnl_cb_run2(nl->buffer, size, 0, 0, message_came, &call, control, sizeof(control) / sizeof(control[0]));
	}
}

/* ---- generic netlink ---- */

struct family {
	const char *group;
	uint16_t id;
	uint32_t group_id;
};

static int match_group(void *ctx, const struct nl_attrs *element)
{
	struct family *family = ctx;

	if (strcmp(nl_text(element, CTRL_ATTR_MCAST_GRP_NAME), family->group) == 0)
		family->group_id = nl_u32(element, CTRL_ATTR_MCAST_GRP_ID, 0);
	return 0;
}

static int family_came(void *ctx, const struct nl_message *message)
{
	struct family *family = ctx;
	struct nl_attrs attrs;

	nl_attrs(message, &attrs);
	family->id = nl_u16(&attrs, CTRL_ATTR_FAMILY_ID, 0);
	if (family->group)
		nl_each_nest(&attrs, CTRL_ATTR_MCAST_GROUPS, match_group, family);
	return 0;
}

int netlink_family(struct netlink *nl, const char *name, const char *group, uint16_t *ret_id, uint32_t *ret_group)
{
	struct genlmsghdr header = {.cmd = CTRL_CMD_GETFAMILY, .version = 1};
	struct family family = {.group = group};
	struct nl_request request;
	int error;

	nl_begin(&request, GENL_ID_CTRL, 0, &header, sizeof(header));
	nl_put_text(&request, CTRL_ATTR_FAMILY_NAME, name);
	error = netlink_call(nl, &request, sizeof(header), family_came, &family);
	if (error)
		return error;
	if (!family.id)
		return -ENOENT;
	*ret_id = family.id;
	if (ret_group)
		*ret_group = family.group_id;
	return 0;
}
