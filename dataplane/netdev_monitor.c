/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * News of devices. A notification is only a hint that something happened to an ifindex: what is told is what a query
 * finds afterwards, so that bursts fold, order does not matter, and a lost message costs a second look and no more. The
 * one thing that a query cannot see is that a device left and came back with its ifindex in between: that is kept.
 *
 * The other end of a veth is looked at with it, so what happens to that end is news of ours. Kernels tell it: every
 * change of an end, its MTU and its offloads too, is an RTM_NEWLINK in the namespace where that end lives (rtnetlink.c,
 * rtnetlink_event(), has NETDEV_CHANGEMTU and NETDEV_FEAT_CHANGE on its list from long before 6.1 on), and is heard
 * across namespaces by a socket of its own: kernels from before 2026 put a number on our own news too where our
 * namespace has one for itself.
 *
 * Invariant V1: `known` holds exactly what the owner was told, or has found by himself, and not yet untold.
 */
#include "dataplane/netdev_reader.h"

#include "dataplane/log.h"
#include "dataplane/netlink.h"
#include "dataplane/reactor.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FOLD_MS       1    /* a container runtime takes some steps to plug in a device */
#define LOOK_AGAIN_MS 1000 /* when the namespace of a peer was not found: its process may not be there yet */
#define LOOKS         3
#define FAILED_MS     1000

#define ATTR_IFINDEX 1 /* NETDEV_A_DEV_IFINDEX, see netdev_features.c */

struct known {
	struct netdev_info info;
	uint8_t n_looks; /* at a peer that could not be reached */
};

struct dirty {
	uint32_t ifindex;
	bool left; /* a message said that it went, whatever is there now */
};

struct netdev_monitor {
	const struct reactor *reactor;
	struct netdev_events events;
	struct netlink *route, *everywhere, *generic; /* generic NULL: no netdev family */
	int uevent_fd;
	struct reactor_watch *route_watch, *everywhere_watch, *generic_watch, *uevent_watch;
	struct reactor_timer *fold, *look_again;
	bool lost; /* messages: everything is dirty */
	struct known *known;
	size_t n_known, room_known;
	struct dirty *dirty;
	size_t n_dirty, room_dirty;
};

/* ---- hearing ---- */

static void arm(struct netdev_monitor *m, struct reactor_timer *timer, uint64_t after_ms)
{
	m->reactor->arm(m->reactor->ctx, timer, after_ms);
}

/* Out of memory is a loss like any other: everything is read again. */
static void mark(struct netdev_monitor *m, uint32_t ifindex, bool left)
{
	struct dirty *grown;

	for (size_t i = m->n_dirty; i-- > 0;) {
		if (m->dirty[i].ifindex == ifindex) {
			m->dirty[i].left |= left;
			return;
		}
	}
	if (m->n_dirty == m->room_dirty) {
		size_t room = m->room_dirty ? 2 * m->room_dirty : 64;

		grown = realloc(m->dirty, room * sizeof(*grown));
		if (!grown) {
			m->lost = true;
			return;
		}
		m->dirty = grown;
		m->room_dirty = room;
	}
	m->dirty[m->n_dirty++] = (struct dirty){.ifindex = ifindex, .left = left};
}

static void mark_by_peer(struct netdev_monitor *m, int32_t nsid, uint32_t peer_ifindex)
{
	for (size_t i = 0; i < m->n_known; i++) {
		const struct netdev_info *info = &m->known[i].info;

		if (info->kind == NETDEV_VETH && info->peer.ifindex == peer_ifindex && info->peer.nsid == nsid)
			mark(m, info->ifindex, false);
	}
}

/* A bridge says RTM_DELLINK, in its own family, of a device that merely left the bridge. */
static int link_news(void *ctx, const struct nl_message *message)
{
	const struct ifinfomsg *header = message->header;

	if (message->type != RTM_NEWLINK && message->type != RTM_DELLINK)
		return 0;
	mark(ctx, (uint32_t)header->ifi_index, message->type == RTM_DELLINK && header->ifi_family == AF_UNSPEC);
	mark_by_peer(ctx, -1, (uint32_t)header->ifi_index);
	return 0;
}

/* RTM_DELLINK too: a peer that moves on to another namespace is no news of its other end. */
static int link_news_elsewhere(void *ctx, const struct nl_message *message)
{
	const struct ifinfomsg *header = message->header;

	if (message->nsid >= 0 && (message->type == RTM_NEWLINK || message->type == RTM_DELLINK))
		mark_by_peer(ctx, message->nsid, (uint32_t)header->ifi_index);
	return 0;
}

static int feature_news(void *ctx, const struct nl_message *message)
{
	struct nl_attrs attrs;
	uint32_t ifindex;

	nl_attrs(message, &attrs);
	ifindex = nl_u32(&attrs, ATTR_IFINDEX, 0);
	if (ifindex)
		mark(ctx, ifindex, false);
	return 0;
}

static void heard(struct netdev_monitor *m, int error)
{
	if (error)
		log_limited(LOG_LEVEL_ERROR, "news of devices cannot be read: %s", strerror(-error));
	if (m->n_dirty || m->lost)
		arm(m, m->fold, FOLD_MS);
}

static void hear(struct netdev_monitor *m, struct netlink *nl, size_t header_size, nl_each *each)
{
	int error;

	while ((error = netlink_hear(nl, header_size, each, m)) == -ENOBUFS)
		m->lost = true;
	heard(m, error);
}

static void route_ready(void *arg)
{
	struct netdev_monitor *m = arg;

	hear(m, m->route, sizeof(struct ifinfomsg), link_news);
}

static void everywhere_ready(void *arg)
{
	struct netdev_monitor *m = arg;

	hear(m, m->everywhere, sizeof(struct ifinfomsg), link_news_elsewhere);
}

static void generic_ready(void *arg)
{
	struct netdev_monitor *m = arg;

	hear(m, m->generic, sizeof(struct genlmsghdr), feature_news);
}

/* A device that is not known by this name yet is about to be told, with its queues. */
static void uevent_ready(void *arg)
{
	struct netdev_monitor *m = arg;
	char name[SW_NAME_SIZE];
	int error;

	while ((error = netdev_uevent_next(m->uevent_fd, name)) != -EAGAIN) {
		if (error == -ENOBUFS)
			m->lost = true;
		else if (error)
			break;
		for (size_t i = 0; i < m->n_known && !error; i++) {
			if (strcmp(m->known[i].info.name, name) == 0)
				mark(m, m->known[i].info.ifindex, false);
		}
	}
	heard(m, error == -EAGAIN ? 0 : error);
}

/* ---- telling ---- */

static struct known *find(struct netdev_monitor *m, uint32_t ifindex)
{
	for (size_t i = 0; i < m->n_known; i++) {
		if (m->known[i].info.ifindex == ifindex)
			return &m->known[i];
	}
	return NULL;
}

static void tell_gone(struct netdev_monitor *m, uint32_t ifindex)
{
	struct known *known = find(m, ifindex);
	char name[SW_NAME_SIZE];

	if (!known)
		return;
	memcpy(name, known->info.name, sizeof(name));
	*known = m->known[--m->n_known];
	m->events.gone(m->events.ctx, ifindex, name);
}

static bool wants_another_look(const struct known *known)
{
	return known->info.peer.ifindex && !known->info.peer.reachable && known->n_looks < LOOKS;
}

static struct known *make_known(struct netdev_monitor *m, uint32_t ifindex)
{
	struct known *known = find(m, ifindex), *grown;

	if (known)
		return known;
	if (m->n_known == m->room_known) {
		size_t room = m->room_known ? 2 * m->room_known : 64;

		grown = realloc(m->known, room * sizeof(*grown));
		if (!grown)
			return NULL;
		m->known = grown;
		m->room_known = room;
	}
	known = &m->known[m->n_known++];
	memset(known, 0, sizeof(*known));
	return known;
}

/* But for its name nothing is known of it, so it is told of when it is first seen, as any. */
int netdev_monitor_found(struct netdev_monitor *m, const struct netdev_info *info)
{
	struct known *known;

	if (find(m, info->ifindex))
		return 0;
	known = make_known(m, info->ifindex);
	if (!known)
		return -ENOMEM;
	known->info.ifindex = info->ifindex;
	memcpy(known->info.name, info->name, sizeof(known->info.name));
	return 0;
}

/* An info is zeroed before it is filled, so that bytes can be compared. */
static void tell_changed(struct netdev_monitor *m, const struct netdev_info *info)
{
	struct known *known = find(m, info->ifindex);

	if (known && strcmp(known->info.name, info->name) != 0) {
		tell_gone(m, info->ifindex);
		known = NULL;
	}
	if (known && memcmp(&known->info, info, sizeof(*info)) == 0)
		return;
	known = make_known(m, info->ifindex);
	if (!known) {
		m->lost = true;
		arm(m, m->fold, FAILED_MS);
		return;
	}
	memcpy(&known->info, info, sizeof(*info));
	if (info->peer.reachable)
		known->n_looks = 0;
	if (wants_another_look(known))
		arm(m, m->look_again, LOOK_AGAIN_MS);
	m->events.changed(m->events.ctx, info);
}

static bool listed(const struct netdev_info *infos, size_t n, uint32_t ifindex)
{
	for (size_t i = 0; i < n; i++) {
		if (infos[i].ifindex == ifindex)
			return true;
	}
	return false;
}

static int tell_all(struct netdev_monitor *m, struct netdev_reader *reader)
{
	struct netdev_info *infos;
	size_t n;
	int error = netdev_reader_all(reader, &infos, &n);

	if (error)
		return error;
	for (size_t i = m->n_known; i-- > 0;) {
		uint32_t ifindex = m->known[i].info.ifindex;

		if (!listed(infos, n, ifindex))
			tell_gone(m, ifindex);
	}
	for (size_t i = 0; i < n; i++)
		tell_changed(m, &infos[i]);
	free(infos);
	return 0;
}

static int tell_one(struct netdev_monitor *m, struct netdev_reader *reader, const struct dirty *dirty)
{
	struct netdev_info info;
	int error = netdev_reader_query(reader, NULL, dirty->ifindex, &info);

	if (error && error != -ENODEV)
		return error;
	if (error || dirty->left)
		tell_gone(m, dirty->ifindex);
	if (!error)
		tell_changed(m, &info);
	return 0;
}

static int tell_dirty(struct netdev_monitor *m, struct netdev_reader *reader)
{
	for (size_t i = 0; i < m->n_dirty; i++) {
		int error = tell_one(m, reader, &m->dirty[i]);

		if (error)
			return error;
	}
	return 0;
}

/* Devices that left are untold first, also when all is read again: a query cannot see that they came back. */
static int tell(struct netdev_monitor *m)
{
	struct netdev_reader reader;
	int error = netdev_reader_open(&reader);

	if (error)
		return error;
	for (size_t i = 0; i < m->n_dirty && m->lost; i++) {
		if (m->dirty[i].left)
			tell_gone(m, m->dirty[i].ifindex);
	}
	if (m->lost) {
		m->lost = false;
		error = tell_all(m, &reader);
	} else {
		error = tell_dirty(m, &reader);
	}
	netdev_reader_close(&reader);
	return error;
}

static void fold_due(void *arg)
{
	struct netdev_monitor *m = arg;
	int error = tell(m);

	m->n_dirty = 0;
	if (!error)
		return;
	log_limited(LOG_LEVEL_ERROR, "devices cannot be looked at (%s): trying again", strerror(-error));
	m->lost = true;
	arm(m, m->fold, FAILED_MS);
}

static void look_again_due(void *arg)
{
	struct netdev_monitor *m = arg;
	bool more = false;

	for (size_t i = 0; i < m->n_known; i++) {
		if (!wants_another_look(&m->known[i]))
			continue;
		m->known[i].n_looks++;
		more |= wants_another_look(&m->known[i]);
		mark(m, m->known[i].info.ifindex, false);
	}
	if (m->n_dirty || m->lost)
		arm(m, m->fold, FOLD_MS);
	if (more)
		arm(m, m->look_again, LOOK_AGAIN_MS);
}

/* ---- life ---- */

static int listen_to_links(struct netdev_monitor *m)
{
	int error = netlink_open(NETLINK_ROUTE, -1, &m->route);

	if (!error)
		error = netlink_join(m->route, RTNLGRP_LINK);
	if (error)
		return error;
	m->route_watch = m->reactor->watch(m->reactor->ctx, netlink_fd(m->route), route_ready, m);
	return m->route_watch ? 0 : -ENOMEM;
}

static int listen_to_peers(struct netdev_monitor *m)
{
	int error = netlink_open(NETLINK_ROUTE, -1, &m->everywhere);

	if (!error)
		error = netlink_join_everywhere(m->everywhere, RTNLGRP_LINK);
	if (error)
		return error;
	m->everywhere_watch = m->reactor->watch(m->reactor->ctx, netlink_fd(m->everywhere), everywhere_ready, m);
	return m->everywhere_watch ? 0 : -ENOMEM;
}

static int listen_to_features(struct netdev_monitor *m)
{
	uint16_t family;
	uint32_t group = 0;
	int error = netdev_features_open(&m->generic, &family, &group);

	if (error == -ENOENT)
		return 0;
	if (!error)
		error = netlink_join(m->generic, group);
	if (error)
		return error;
	m->generic_watch = m->reactor->watch(m->reactor->ctx, netlink_fd(m->generic), generic_ready, m);
	return m->generic_watch ? 0 : -ENOMEM;
}

static int listen_to_queues(struct netdev_monitor *m)
{
	int error = netdev_uevent_open(&m->uevent_fd);

	if (error)
		return error;
	m->uevent_watch = m->reactor->watch(m->reactor->ctx, m->uevent_fd, uevent_ready, m);
	return m->uevent_watch ? 0 : -ENOMEM;
}

int netdev_monitor_create(
	const struct reactor *reactor, const struct netdev_events *events, struct netdev_monitor **ret)
{
	struct netdev_monitor *m = calloc(1, sizeof(*m));
	int error = -ENOMEM;

	if (!m)
		return -ENOMEM;
	m->reactor = reactor;
	m->events = *events;
	m->uevent_fd = -1;
	m->fold = reactor->timer(reactor->ctx, fold_due, m);
	m->look_again = reactor->timer(reactor->ctx, look_again_due, m);
	if (m->fold && m->look_again)
		error = listen_to_links(m);
	if (!error)
		error = listen_to_peers(m);
	if (!error)
		error = listen_to_features(m);
	if (!error)
		error = listen_to_queues(m);
	if (error) {
		netdev_monitor_destroy(m);
		return error;
	}
	m->lost = true; /* nothing is known yet */
	arm(m, m->fold, 0);
	*ret = m;
	return 0;
}

void netdev_monitor_destroy(struct netdev_monitor *m)
{
	if (!m)
		return;
	m->reactor->unwatch(m->reactor->ctx, m->uevent_watch);
	m->reactor->unwatch(m->reactor->ctx, m->generic_watch);
	m->reactor->unwatch(m->reactor->ctx, m->everywhere_watch);
	m->reactor->unwatch(m->reactor->ctx, m->route_watch);
	m->reactor->timer_free(m->reactor->ctx, m->look_again);
	m->reactor->timer_free(m->reactor->ctx, m->fold);
	if (m->uevent_fd >= 0)
		close(m->uevent_fd);
	netlink_close(m->generic);
	netlink_close(m->everywhere);
	netlink_close(m->route);
	free(m->dirty);
	free(m->known);
	free(m);
}
