/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Putting a map into `sets` waits for an RCU grace period, 10 to 200 ms that the daemon's thread cannot spare while a
 * new flood waits. Changing the members of a map that is there does not. So the grace thread keeps empty maps in stock
 * for the ids that will be used next, ids being used from the lowest up (a flow for which there is none is told so by
 * dpk_set_ready(), and asks again after the next period), and a map is changed in place as long as it is
 * large enough, and not so large that the kernel walks many empty hash buckets on each broadcast.
 *
 * Who makes a set's map moves its state from ABSENT to BUSY, and to READY when it is in `sets`; from then on it is the
 * daemon's thread's alone.
 */
#include "dataplane/dp_kernel.h"

#include "dataplane/grace.h"
#include "switch.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define STOCK          16
#define LEAST_CAPACITY 16
#define MOST_SPARE     16 /* times the members that there are */

enum { ABSENT, BUSY, READY };

static uint32_t capacity_for(uint32_t n)
{
	uint32_t capacity = LEAST_CAPACITY;

	while (capacity < n)
		capacity *= 2;
	return capacity;
}

/* ---- maps ---- */

static int make_map(uint32_t capacity)
{
	int fd = bpf_map_create(
		BPF_MAP_TYPE_DEVMAP_HASH, "sw_set", sizeof(uint32_t), sizeof(struct bpf_devmap_val), capacity, NULL);

	return fd < 0 ? -errno : fd;
}

static int sets_fd(const struct dpk *k)
{
	return bpf_map__fd(k->skel->maps.sets);
}

/* Waits for a grace period. */
static int install(struct dpk *k, uint32_t set, int fd)
{
	uint32_t value = fd;

	return bpf_map_update_elem(sets_fd(k), &set, &value, BPF_ANY) ? -errno : 0;
}

static bool claim(struct dpk_set *set)
{
	int absent = ABSENT;

	return __atomic_compare_exchange_n(&set->state, &absent, BUSY, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

static int state_of(const struct dpk_set *set)
{
	return __atomic_load_n(&set->state, __ATOMIC_ACQUIRE);
}

static void settle(struct dpk *k, struct dpk_set *set, int state)
{
	pthread_mutex_lock(&k->set_lock);
	__atomic_store_n(&set->state, state, __ATOMIC_RELEASE);
	pthread_cond_broadcast(&k->set_settled);
	pthread_mutex_unlock(&k->set_lock);
}

/* ---- the stock, on the grace thread ---- */

/* One call, and since Linux 6.8 one wait for all of them. */
static bool install_batch(struct dpk *k, const uint32_t *ids, uint32_t n)
{
	uint32_t fds[STOCK], n_done = n;

	for (uint32_t i = 0; i < n; i++)
		fds[i] = k->sets[ids[i]].fd;
	if (bpf_map_update_batch(sets_fd(k), ids, fds, &n_done, NULL) == 0)
		return true;
	for (uint32_t i = 0; i < n; i++) {
		if (install(k, ids[i], fds[i]))
			return false;
	}
	return true;
}

static uint32_t claim_stock(struct dpk *k, uint32_t *ids)
{
	uint32_t end = __atomic_load_n(&k->n_sets_used, __ATOMIC_ACQUIRE) + STOCK, n = 0;
	uint32_t capacity = __atomic_load_n(&k->set_capacity, __ATOMIC_RELAXED);

	for (uint32_t id = 0; id < SW_MAX_SETS && id < end && n < STOCK; id++) {
		struct dpk_set *set = &k->sets[id];

		if (!claim(set))
			continue;
		set->fd = make_map(capacity);
		set->capacity = capacity;
		if (set->fd < 0)
			settle(k, set, ABSENT);
		else
			ids[n++] = id;
	}
	return n;
}

void dpk_sets_stock(struct dpk *k)
{
	uint32_t ids[STOCK], n = claim_stock(k, ids);
	bool installed = n && install_batch(k, ids, n);

	for (uint32_t i = 0; i < n; i++) {
		struct dpk_set *set = &k->sets[ids[i]];

		if (!installed) {
			close(set->fd);
			set->fd = -1;
		}
		settle(k, set, installed ? READY : ABSENT);
	}
}

static void order_stock(struct dpk *k, uint32_t set, uint32_t n_members)
{
	uint32_t low = set + STOCK / 2, capacity = capacity_for(n_members);

	if (set >= k->n_sets_used)
		__atomic_store_n(&k->n_sets_used, set + 1, __ATOMIC_RELEASE);
	if (capacity > k->set_capacity)
		__atomic_store_n(&k->set_capacity, capacity, __ATOMIC_RELAXED);
	if (low < SW_MAX_SETS && state_of(&k->sets[low]) == ABSENT)
		grace_begin(k->grace);
}

/* ---- members ---- */

static int put_member(struct dpk *k, int fd, uint16_t id)
{
	const struct dp_port *port = &k->ports[id].port;
	bool has_egress = dpk_has_egress(k, id);
	struct bpf_devmap_val value = {.ifindex = port->ifindex, .bpf_prog.fd = has_egress ? k->egress_fd : -1};
	uint32_t key = id, program_id = has_egress ? k->egress_id : 0;
	struct bpf_devmap_val now;

	if (bpf_map_lookup_elem(fd, &key, &now) == 0 && now.ifindex == value.ifindex && now.bpf_prog.id == program_id)
		return 0;
	return bpf_map_update_elem(fd, &key, &value, BPF_ANY) ? -errno : 0;
}

static int put_members(struct dpk *k, int fd, const uint16_t *members, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		int error = k->ports[members[i]].port.ifindex ? put_member(k, fd, members[i]) : 0;

		if (error)
			return error;
	}
	return 0;
}

static bool is_among(const struct dpk *k, uint32_t id, const uint16_t *members, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (members[i] == id)
			return k->ports[id].port.ifindex;
	}
	return false;
}

static void remove_others(struct dpk *k, int fd, const uint16_t *members, uint32_t n)
{
	uint32_t gone[SW_MAX_PORTS], n_gone = 0, id, *last = NULL, key;

	while (n_gone < SW_MAX_PORTS && !bpf_map_get_next_key(fd, last, &key)) {
		if (!is_among(k, key, members, n))
			gone[n_gone++] = key;
		id = key;
		last = &id;
	}
	while (n_gone--)
		bpf_map_delete_elem(fd, &gone[n_gone]);
}

/* Newcomers first, so that who stays in or replaces another is reached throughout; unless there is no room for both. */
static int change_members(struct dpk *k, int fd, const uint16_t *members, uint32_t n)
{
	int error = put_members(k, fd, members, n);

	remove_others(k, fd, members, n);
	if (error == -E2BIG)
		error = put_members(k, fd, members, n);
	return error;
}

static struct sw_set_info summary(const struct dpk *k, const uint16_t *members, uint32_t n)
{
	struct sw_set_info info = {.min_frame = UINT32_MAX};

	for (uint32_t i = 0; i < n; i++) {
		const struct dp_port *port = &k->ports[members[i]].port;

		if (!port->ifindex)
			continue;
		info.n_members++;
		info.needs_marks |= dpk_has_egress(k, members[i]);
		if (port->max_frame < info.min_frame)
			info.min_frame = port->max_frame;
	}
	return info;
}

/* ---- the operations ---- */

static int replace_map(struct dpk *k, struct dpk_set *s, uint32_t set, const uint16_t *members, uint32_t n)
{
	uint32_t capacity = capacity_for(n);
	int fd = make_map(capacity), error;

	if (fd < 0)
		return fd;
	error = put_members(k, fd, members, n);
	if (!error)
		error = install(k, set, fd);
	if (error) {
		close(fd);
		return error;
	}
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	s->capacity = capacity;
	return 0;
}

/* The set's map is ours from here on: it is READY, or we claimed it. */
static void await(struct dpk *k, struct dpk_set *s)
{
	pthread_mutex_lock(&k->set_lock);
	while (state_of(s) == BUSY)
		pthread_cond_wait(&k->set_settled, &k->set_lock);
	pthread_mutex_unlock(&k->set_lock);
}

static int write_members(struct dpk *k, struct dpk_set *s, uint32_t set, const uint16_t *members, uint32_t n)
{
	int error;

	if (!claim(s))
		await(k, s);
	if (state_of(s) == READY && s->capacity >= n && s->capacity <= MOST_SPARE * capacity_for(n))
		return change_members(k, s->fd, members, n);
	error = replace_map(k, s, set, members, n);
	settle(k, s, s->fd >= 0 ? READY : ABSENT);
	return error;
}

/* Before members are written: holds for those of before and those to be. */
static void tell_both(struct sw_set_info *info, const struct sw_set_info *now)
{
	if (!info->n_members || now->min_frame < info->min_frame)
		info->min_frame = now->min_frame; /* a frame too long for one of them goes up from now on */
	info->needs_marks |= now->needs_marks;
}

static void tell_written(struct sw_set_info *info, const struct sw_set_info *now)
{
	info->min_frame = now->min_frame;
	info->needs_marks = now->needs_marks;
	__atomic_store_n(&info->n_members, now->n_members, __ATOMIC_RELEASE);
}

int dpk_set_put(struct datapath *dp, uint32_t set, const uint16_t *members, uint32_t n)
{
	struct dpk *k = dpk_of(dp);
	struct sw_set_info now;
	int error;

	if (set >= SW_MAX_SETS)
		return -EINVAL;
	now = summary(k, members, n);
	tell_both(&k->set_info[set], &now);
	order_stock(k, set, n);
	error = write_members(k, &k->sets[set], set, members, n);
	if (!error)
		tell_written(&k->set_info[set], &now);
	return error;
}

int dpk_set_change(struct datapath *dp, uint32_t set, const uint16_t *members, uint32_t n, uint16_t port)
{
	struct dpk *k = dpk_of(dp);
	uint32_t key = port;
	struct sw_set_info now;

	if (set >= SW_MAX_SETS || port >= SW_MAX_PORTS)
		return -EINVAL;
	if (state_of(&k->sets[set]) != READY || !k->set_info[set].n_members) /* from stock, or of nobody so far */
		return dpk_set_put(dp, set, members, n);
	now = summary(k, members, n);
	tell_both(&k->set_info[set], &now);
	if (!k->ports[port].port.ifindex)
		bpf_map_delete_elem(k->sets[set].fd, &key); /* or the kernel has */
	else if (put_member(k, k->sets[set].fd, port))
		return dpk_set_put(dp, set, members, n); /* there may be others that should have gone */
	tell_written(&k->set_info[set], &now);
	return 0;
}

/* The first ones are made at the start, and worth waiting for if need be. */
bool dpk_set_ready(struct datapath *dp, uint32_t set, uint32_t n)
{
	struct dpk *k = dpk_of(dp);

	order_stock(k, set, n);
	return set < STOCK || state_of(&k->sets[set]) == READY;
}

void dpk_set_remove(struct datapath *dp, uint32_t set)
{
	struct dpk *k = dpk_of(dp);

	if (set >= SW_MAX_SETS)
		return;
	__atomic_store_n(&k->set_info[set].n_members, 0, __ATOMIC_RELEASE);
	if (state_of(&k->sets[set]) == READY)
		remove_others(k, k->sets[set].fd, NULL, 0);
}

/* What the longest frame for all of the set's members is now, and whether its copies need marks. */
static void sum_up_again(struct dpk *k, uint32_t set)
{
	uint16_t members[SW_MAX_PORTS];
	uint32_t n = 0, id, *last = NULL, key;
	struct sw_set_info now;

	while (n < SW_MAX_PORTS && !bpf_map_get_next_key(k->sets[set].fd, last, &key)) {
		members[n++] = key % SW_MAX_PORTS;
		id = key;
		last = &id;
	}
	now = summary(k, members, n);
	k->set_info[set].min_frame = now.min_frame;
	k->set_info[set].needs_marks = now.needs_marks;
}

void dpk_sets_changed(struct dpk *k, uint16_t port)
{
	struct bpf_devmap_val value;
	uint32_t key = port;

	for (uint32_t set = 0; set < k->n_sets_used; set++) {
		if (state_of(&k->sets[set]) != READY || bpf_map_lookup_elem(k->sets[set].fd, &key, &value))
			continue;
		sum_up_again(k, set);
		put_member(k, k->sets[set].fd, port);
	}
}

/* ---- life ---- */

int dpk_sets_init(struct dpk *k)
{
	pthread_mutex_init(&k->set_lock, NULL);
	pthread_cond_init(&k->set_settled, NULL);
	k->set_capacity = LEAST_CAPACITY;
	for (int i = 0; i < SW_MAX_SETS; i++)
		k->sets[i].fd = -1;
	k->set_info = dpk_map_memory(k->skel->maps.set_info);
	return k->set_info ? 0 : -errno;
}

static void adopt(struct dpk *k, uint32_t id)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info), map_id;
	struct dpk_set *set = &k->sets[id];

	if (bpf_map_lookup_elem(sets_fd(k), &id, &map_id))
		return;
	set->fd = bpf_map_get_fd_by_id(map_id);
	if (set->fd < 0 || bpf_obj_get_info_by_fd(set->fd, &info, &size))
		return;
	set->capacity = info.max_entries;
	set->state = READY;
	if (k->set_info[id].n_members)
		k->n_sets_used = id + 1;
}

void dpk_sets_adopt(struct dpk *k)
{
	for (uint32_t id = 0; id < SW_MAX_SETS; id++)
		adopt(k, id);
}

void dpk_sets_close(struct dpk *k)
{
	for (int i = 0; i < SW_MAX_SETS; i++) {
		if (k->sets[i].fd >= 0)
			close(k->sets[i].fd);
	}
	dpk_unmap(k->skel->maps.set_info, k->set_info);
	pthread_cond_destroy(&k->set_settled);
	pthread_mutex_destroy(&k->set_lock);
}
