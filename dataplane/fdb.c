/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/fdb.h"

#include "bpf/hash.h"
#include "dataplane/complaint.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NS_PER_S 1000000000ULL
#define NONE     UINT32_MAX /* no entry */

/* What the table knows of an entry beside what is in storage. */
struct link {
	uint32_t chain;        /* the next entry of this hash bucket, or the next free one */
	uint32_t older, newer; /* learned entries only: neighbours in the order of use */
};

struct bridge_state {
	uint32_t n_entries, limit;
	uint64_t ageing_ns; /* 0: never */
	uint32_t oldest, newest;
};

struct fdb {
	struct sw_fdb_entry *storage;
	struct link *links;
	uint32_t n;       /* entries in storage */
	uint32_t n_fresh; /* entries from here on were never used */
	uint32_t free;    /* entries below that are */
	uint32_t n_buckets;
	uint32_t *buckets;
	uint64_t seed; /* addresses are the senders' to choose: without it, so were the buckets */
	struct fdb_events events;
	struct bridge_state bridges[SW_MAX_BRIDGES];
};

static bool is_valid(const struct sw_fdb_entry *entry)
{
	return entry->flags & SW_FDB_VALID;
}

static bool is_static(const struct sw_fdb_entry *entry)
{
	return entry->flags & SW_FDB_STATIC;
}

static struct fdb_key key_of(const struct sw_fdb_entry *entry)
{
	struct fdb_key key = {.bridge = entry->bridge, .vid = entry->vid};

	memcpy(key.mac, entry->mac, sizeof(key.mac));
	return key;
}

static bool is_for(const struct sw_fdb_entry *entry, const struct fdb_key *key)
{
	return !memcmp(entry->mac, key->mac, sizeof(key->mac)) && entry->vid == key->vid &&
	       entry->bridge == key->bridge;
}

static uint32_t *bucket_of(const struct fdb *fdb, const struct fdb_key *key)
{
	uint64_t word = 0;

	memcpy(&word, key->mac, sizeof(key->mac));
	word = sw_hash_step(fdb->seed, word);
	word = sw_hash_step(word, (uint64_t)key->bridge << 16 | key->vid);
	return &fdb->buckets[word & (fdb->n_buckets - 1)];
}

static uint32_t find(const struct fdb *fdb, const struct fdb_key *key)
{
	uint32_t i = *bucket_of(fdb, key);

	while (i != NONE && !is_for(&fdb->storage[i], key))
		i = fdb->links[i].chain;
	return i;
}

static void tell_changed(const struct fdb *fdb, const struct fdb_key *key)
{
	if (fdb->events.changed)
		fdb->events.changed(fdb->events.ctx, key);
}

/* ---- the order of use ---- */

static void age_list_append(struct fdb *fdb, uint32_t i)
{
	struct bridge_state *bridge = &fdb->bridges[fdb->storage[i].bridge];
	struct link *link = &fdb->links[i];

	link->older = bridge->newest;
	link->newer = NONE;
	if (bridge->newest == NONE)
		bridge->oldest = i;
	else
		fdb->links[bridge->newest].newer = i;
	bridge->newest = i;
}

static void age_list_remove(struct fdb *fdb, uint32_t i)
{
	struct bridge_state *bridge = &fdb->bridges[fdb->storage[i].bridge];
	const struct link *link = &fdb->links[i];

	if (link->older == NONE)
		bridge->oldest = link->newer;
	else
		fdb->links[link->older].newer = link->newer;
	if (link->newer == NONE)
		bridge->newest = link->older;
	else
		fdb->links[link->newer].older = link->older;
}

/* ---- entries ---- */

/* F1: a daemon that is killed anywhere in between leaves no half entry for the next one to believe. */
static void unpublish(struct sw_fdb_entry *entry)
{
	__atomic_store_n(&entry->flags, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void publish(struct sw_fdb_entry *entry, uint32_t flags)
{
	__atomic_store_n(&entry->flags, SW_FDB_VALID | flags, __ATOMIC_RELEASE);
}

/* NONE: the storage is full. */
static uint32_t take_free(struct fdb *fdb)
{
	uint32_t i = fdb->free;

	if (i != NONE)
		fdb->free = fdb->links[i].chain;
	else if (fdb->n_fresh < fdb->n)
		i = fdb->n_fresh++;
	return i;
}

static void put_free(struct fdb *fdb, uint32_t i)
{
	fdb->links[i].chain = fdb->free;
	fdb->free = i;
}

/* Makes a stored entry findable. */
static void link_entry(struct fdb *fdb, uint32_t i)
{
	struct sw_fdb_entry *entry = &fdb->storage[i];
	struct fdb_key key = key_of(entry);
	uint32_t *bucket = bucket_of(fdb, &key);

	fdb->links[i].chain = *bucket;
	*bucket = i;
	fdb->bridges[entry->bridge].n_entries++;
	if (!is_static(entry))
		age_list_append(fdb, i);
}

static void add(struct fdb *fdb, uint32_t i, const struct fdb_key *key, uint16_t port, uint32_t flags, uint64_t now_ns)
{
	struct sw_fdb_entry *entry = &fdb->storage[i];

	unpublish(entry);
	memcpy(entry->mac, key->mac, sizeof(entry->mac));
	entry->vid = key->vid;
	entry->bridge = key->bridge;
	entry->port = port;
	entry->used_ns = entry->learned_ns = now_ns;
	publish(entry, flags);
	link_entry(fdb, i);
	tell_changed(fdb, key);
}

static void rewrite(struct fdb *fdb, uint32_t i, uint16_t port, uint32_t flags, uint64_t now_ns)
{
	struct sw_fdb_entry *entry = &fdb->storage[i];
	struct fdb_key key = key_of(entry);

	if (!is_static(entry))
		age_list_remove(fdb, i);
	unpublish(entry);
	entry->port = port;
	entry->used_ns = entry->learned_ns = now_ns;
	publish(entry, flags);
	if (!is_static(entry))
		age_list_append(fdb, i);
	tell_changed(fdb, &key);
}

static void remove_entry(struct fdb *fdb, uint32_t i)
{
	struct sw_fdb_entry *entry = &fdb->storage[i];
	struct fdb_key key = key_of(entry);
	uint32_t *at = bucket_of(fdb, &key);

	while (*at != i)
		at = &fdb->links[*at].chain;
	*at = fdb->links[i].chain;
	fdb->bridges[entry->bridge].n_entries--;
	if (!is_static(entry))
		age_list_remove(fdb, i);
	unpublish(entry);
	put_free(fdb, i);
	tell_changed(fdb, &key);
}

/* ---- adoption ---- */

static bool is_plausible(const struct sw_fdb_entry *entry)
{
	static const uint8_t zero[6];

	return entry->bridge && entry->bridge < SW_MAX_BRIDGES && entry->port && entry->port < SW_MAX_PORTS &&
	       entry->vid < 4095 && !(entry->mac[0] & 1) && memcmp(entry->mac, zero, sizeof(zero));
}

static int by_use(const void *a, const void *b, void *storage)
{
	const struct sw_fdb_entry *entries = storage;
	uint64_t used_a = entries[*(const uint32_t *)a].used_ns, used_b = entries[*(const uint32_t *)b].used_ns;

	return (used_a > used_b) - (used_a < used_b);
}

/* Links what is valid, in the order of use; what cannot be an entry of ours is cleared, and so is a second for its key.
 */
static void adopt(struct fdb *fdb, uint32_t *found)
{
	uint32_t n_found = 0;

	for (uint32_t i = 0; i < fdb->n; i++) {
		if (!is_valid(&fdb->storage[i]))
			continue;
		fdb->n_fresh = i + 1;
		if (is_plausible(&fdb->storage[i]))
			found[n_found++] = i;
		else
			unpublish(&fdb->storage[i]);
	}
	qsort_r(found, n_found, sizeof(*found), by_use, fdb->storage);
	for (uint32_t i = 0; i < n_found; i++) {
		struct fdb_key key = key_of(&fdb->storage[found[i]]);

		if (find(fdb, &key) == NONE)
			link_entry(fdb, found[i]);
		else
			unpublish(&fdb->storage[found[i]]);
	}
	for (uint32_t i = fdb->n_fresh; i-- > 0;) {
		if (!is_valid(&fdb->storage[i]))
			put_free(fdb, i);
	}
}

struct fdb *fdb_create(struct sw_fdb_entry *storage, uint32_t n, const struct fdb_events *events)
{
	struct fdb *fdb = calloc(1, sizeof(*fdb));
	uint32_t *found = malloc((n + 1) * sizeof(*found));

	if (!fdb || !found)
		goto fail;
	fdb->storage = storage;
	fdb->n = n;
	fdb->free = NONE;
	for (fdb->n_buckets = 1; fdb->n_buckets < n; fdb->n_buckets *= 2)
		;
	fdb->links = calloc(n + 1, sizeof(*fdb->links));
	fdb->buckets = malloc(fdb->n_buckets * sizeof(*fdb->buckets));
	if (!fdb->links || !fdb->buckets)
		goto fail;
	memset(fdb->buckets, 0xff, fdb->n_buckets * sizeof(*fdb->buckets)); /* NONE */
	if (getrandom(&fdb->seed, sizeof(fdb->seed), 0) != sizeof(fdb->seed))
		goto fail;
	if (events)
		fdb->events = *events;
	for (int i = 0; i < SW_MAX_BRIDGES; i++) {
		fdb->bridges[i].oldest = fdb->bridges[i].newest = NONE;
		fdb->bridges[i].limit = FDB_DEFAULT_LIMIT;
		fdb->bridges[i].ageing_ns = FDB_DEFAULT_AGEING_S * NS_PER_S;
	}
	adopt(fdb, found);
	free(found);
	return fdb;
fail:
	free(found);
	fdb_destroy(fdb);
	return NULL;
}

void fdb_destroy(struct fdb *fdb)
{
	if (!fdb)
		return;
	free(fdb->buckets);
	free(fdb->links);
	free(fdb);
}

/* ---- the table ---- */

const struct sw_fdb_entry *fdb_lookup(const struct fdb *fdb, const struct fdb_key *key)
{
	uint32_t i = find(fdb, key);

	return i == NONE ? NULL : &fdb->storage[i];
}

static void refresh(struct fdb *fdb, uint32_t i, uint64_t now_ns)
{
	struct sw_fdb_entry *entry = &fdb->storage[i];

	if (now_ns <= entry->used_ns)
		return;
	__atomic_store_n(&entry->used_ns, now_ns, __ATOMIC_RELAXED);
	if (is_static(entry))
		return;
	age_list_remove(fdb, i);
	age_list_append(fdb, i);
}

enum fdb_learned fdb_learn(struct fdb *fdb, const struct fdb_key *key, uint16_t port, uint64_t now_ns)
{
	const struct bridge_state *bridge = &fdb->bridges[key->bridge];
	uint32_t i = find(fdb, key);

	assert(key->bridge && key->bridge < SW_MAX_BRIDGES);
	if (i != NONE && fdb->storage[i].port == port)
		refresh(fdb, i, now_ns);
	if (i != NONE && is_static(&fdb->storage[i]))
		return FDB_IS_STATIC; /* F3 */
	if (i != NONE && fdb->storage[i].port == port)
		return FDB_REFRESHED;
	if (i != NONE) {
		rewrite(fdb, i, port, 0, now_ns);
		return FDB_MOVED;
	}
	if (bridge->n_entries >= bridge->limit)
		return FDB_FULL;
	i = take_free(fdb);
	if (i == NONE)
		return FDB_FULL;
	add(fdb, i, key, port, 0, now_ns);
	return FDB_NEW;
}

int fdb_add_static(
	struct fdb *fdb, const struct fdb_key *key, uint16_t port, uint64_t now_ns, struct complaint *complaint)
{
	uint32_t i = find(fdb, key);

	assert(key->bridge && key->bridge < SW_MAX_BRIDGES);
	if (i != NONE) {
		if (!is_static(&fdb->storage[i]) || fdb->storage[i].port != port)
			rewrite(fdb, i, port, SW_FDB_STATIC, now_ns);
		return 0;
	}
	i = take_free(fdb);
	if (i == NONE)
		return complain(complaint, -ENOSPC,
			"the FDB is full: it holds %u addresses, all bridges together; flush some first", fdb->n);
	add(fdb, i, key, port, SW_FDB_STATIC, now_ns);
	return 0;
}

int fdb_remove(struct fdb *fdb, const struct fdb_key *key)
{
	uint32_t i = find(fdb, key);

	if (i == NONE)
		return -ENOENT;
	remove_entry(fdb, i);
	return 0;
}

uint32_t fdb_flush(struct fdb *fdb, uint16_t bridge, uint16_t port, int vid, bool statics_too)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < fdb->n_fresh; i++) {
		const struct sw_fdb_entry *entry = &fdb->storage[i];

		if (!is_valid(entry) || (bridge && entry->bridge != bridge) || (port && entry->port != port) ||
			(vid >= 0 && entry->vid != vid) || (is_static(entry) && !statics_too))
			continue;
		remove_entry(fdb, i);
		n++;
	}
	return n;
}

void fdb_prune(struct fdb *fdb, bool (*keep)(void *ctx, const struct sw_fdb_entry *entry), void *ctx)
{
	for (uint32_t i = 0; i < fdb->n_fresh; i++) {
		const struct sw_fdb_entry *entry = &fdb->storage[i];

		if (is_valid(entry) && !is_static(entry) && !keep(ctx, entry))
			remove_entry(fdb, i);
	}
}

void fdb_set_ageing(struct fdb *fdb, uint16_t bridge, uint32_t seconds)
{
	fdb->bridges[bridge].ageing_ns = seconds * NS_PER_S;
}

void fdb_set_limit(struct fdb *fdb, uint16_t bridge, uint32_t n)
{
	fdb->bridges[bridge].limit = n;
}

/* The same for one bridge. */
static uint64_t age_bridge(struct fdb *fdb, const struct bridge_state *bridge, uint64_t now_ns)
{
	while (bridge->ageing_ns && bridge->oldest != NONE) {
		struct sw_fdb_entry *entry = &fdb->storage[bridge->oldest];

		if (entry->used_ns > now_ns)
			entry->used_ns = now_ns; /* a time to come can only be adopted rubbish */
		if (now_ns - entry->used_ns < bridge->ageing_ns)
			return entry->used_ns + bridge->ageing_ns;
		remove_entry(fdb, bridge->oldest);
	}
	return UINT64_MAX;
}

uint64_t fdb_age(struct fdb *fdb, uint64_t now_ns)
{
	uint64_t next_ns = UINT64_MAX;

	for (int i = 1; i < SW_MAX_BRIDGES; i++) {
		uint64_t due_ns = age_bridge(fdb, &fdb->bridges[i], now_ns);

		next_ns = due_ns < next_ns ? due_ns : next_ns;
	}
	return next_ns;
}

uint32_t fdb_count(const struct fdb *fdb, uint16_t bridge)
{
	uint32_t n = 0;

	if (bridge)
		return fdb->bridges[bridge].n_entries;
	for (int i = 1; i < SW_MAX_BRIDGES; i++)
		n += fdb->bridges[i].n_entries;
	return n;
}

void fdb_each(const struct fdb *fdb, uint16_t bridge, void (*each)(void *ctx, const struct sw_fdb_entry *e), void *ctx)
{
	for (uint32_t i = 0; i < fdb->n_fresh; i++) {
		if (is_valid(&fdb->storage[i]) && (!bridge || fdb->storage[i].bridge == bridge))
			each(ctx, &fdb->storage[i]);
	}
}
