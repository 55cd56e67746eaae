/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/fdb.h"

#include "bpf/fdb.h"
#include "dataplane/complaint.h"
#include "dataplane/epoch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000ULL
#define N_CELLS  (SW_FDB_BUCKETS * SW_FDB_CELLS)
#define NONE     UINT32_MAX /* no cell */

/* What the table has in a cell, and what the program finds there. */
enum cell_state {
	CELL_FREE,  /* neither has anything, and no program can still hold what was there once */
	CELL_FRESH, /* an entry that the program does not have yet */
	CELL_LIVE,  /* an entry that the program has, perhaps at its last place */
	CELL_DYING, /* the entry was removed, and the program still has it */
	CELL_LIMBO, /* neither has anything, but a program may hold what it read: waits for a grace period */
};

/* The orders of use in which a learned entry stands. */
enum order_kind { OF_BRIDGE, OF_PORT, N_ORDERS };

struct order {
	uint32_t oldest, newest;
	uint32_t n;
};

struct cell {
	struct fdb_entry entry; /* in limbo: that was there last */
	struct {
		uint32_t older, newer;
	} in[N_ORDERS];
	uint8_t state;     /* enum cell_state */
	bool is_dirty;     /* it is in `dirty` */
	uint8_t n_resting; /* how often it is in `limbo`; free only when not at all */
};

struct bridge_state {
	uint32_t n_entries, limit;
	uint64_t ageing_ns; /* 0: never */
	struct order learned;
};

/* One allocation that is mostly never touched, and so costs nothing. */
struct fdb {
	struct fdb_storage storage;
	struct fdb_events events;
	struct bridge_state bridges[SW_MAX_BRIDGES];
	struct order ports[SW_MAX_PORTS];
	uint32_t n_entries, limit;
	bool is_stale; /* what `out` answers may have changed for any entry */
	uint32_t n_dirty;
	uint32_t limbo_head, n_limbo, n_closing; /* closing: the first so many, whose grace period began */
	uint64_t live[N_CELLS / 64];             /* bit map of the cells that are fresh or live */
	uint32_t dirty[N_CELLS];                 /* what the next settle is to look at, each once */
	uint32_t limbo[2 * N_CELLS];             /* a ring, in the order of clearing */
	struct cell cells[N_CELLS];
};

_Static_assert(!(N_CELLS & (N_CELLS - 1)), "limbo is a ring");

static inline const struct sw_fdb_bucket *sw_mem_fdb(const void *mem, __u32 index)
{
	return (const struct sw_fdb_bucket *)mem + index;
}

static bool is_live(const struct cell *cell)
{
	return cell->state == CELL_FRESH || cell->state == CELL_LIVE;
}

static bool is_static(const struct cell *cell)
{
	return cell->entry.flags & FDB_STATIC;
}

static void tell_changed(const struct fdb *fdb, const struct fdb_key *key)
{
	if (fdb->events.changed)
		fdb->events.changed(fdb->events.ctx, key);
}

/* ---- finding ---- */

/* As the program reads the address of a frame: a word of wire order, whose last two bytes the VID gets. */
static uint64_t mac_word(const struct fdb_key *key)
{
	uint64_t word = 0;

	memcpy(&word, key->mac, sizeof(key->mac));
	return word;
}

static uint64_t program_key(const struct fdb_key *key)
{
	return sw_fdb_key(mac_word(key), key->vid);
}

struct homes {
	uint32_t bucket[2]; /* the primary, the alternate; for few keys they are the same */
};

static struct homes homes_of(const struct fdb *fdb, const struct fdb_key *key)
{
	uint64_t hash = sw_fdb_hash(fdb->storage.seed, mac_word(key), key->vid, key->bridge);

	return (struct homes){{sw_fdb_primary(hash), sw_fdb_alternate(hash)}};
}

static bool is_for(const struct cell *cell, const struct fdb_key *key)
{
	return cell->state != CELL_FREE && !memcmp(&cell->entry.key, key, sizeof(*key));
}

/*
 * The cell that has the key, or had it last; it may be dying or in limbo. There is at most one, because a key that
 * comes back gets it again: to who found the key there before, it is the same key's place still.
 */
static uint32_t find_cell(const struct fdb *fdb, const struct fdb_key *key)
{
	struct homes homes = homes_of(fdb, key);

	for (uint32_t n = 0; n < 2 * SW_FDB_CELLS; n++) {
		uint32_t i = homes.bucket[n / SW_FDB_CELLS] * SW_FDB_CELLS + n % SW_FDB_CELLS;

		if (is_for(&fdb->cells[i], key))
			return i;
	}
	return NONE;
}

static uint32_t find(const struct fdb *fdb, const struct fdb_key *key)
{
	uint32_t i = find_cell(fdb, key);

	return i != NONE && is_live(&fdb->cells[i]) ? i : NONE;
}

static uint32_t n_taken(const struct fdb *fdb, uint32_t bucket)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < SW_FDB_CELLS; i++)
		n += fdb->cells[bucket * SW_FDB_CELLS + i].state != CELL_FREE;
	return n;
}

/* Each time that it is cleared again takes a place in the ring, and counts. */
static bool may_revive(const struct fdb *fdb, uint32_t i)
{
	return fdb->n_limbo < N_CELLS && fdb->cells[i].n_resting < UINT8_MAX;
}

/*
 * The cell for a key that has no entry, or NONE. The primary bucket is found with one cache line; but to fill it before
 * the alternate is begun leaves 240 of 65,536 random addresses without a cell. From half full on the emptier one: 2,
 * and none below 48,000.
 */
static uint32_t choose(const struct fdb *fdb, const struct fdb_key *key)
{
	struct homes homes = homes_of(fdb, key);
	uint32_t own = find_cell(fdb, key), n_primary = n_taken(fdb, homes.bucket[0]);
	bool to_alternate = n_primary >= SW_FDB_CELLS / 2 && n_taken(fdb, homes.bucket[1]) < n_primary;

	if (own != NONE)
		return may_revive(fdb, own) ? own : NONE;
	for (uint32_t n = 0; n < SW_FDB_CELLS; n++) {
		uint32_t i = homes.bucket[to_alternate] * SW_FDB_CELLS + n;

		if (fdb->cells[i].state == CELL_FREE)
			return i;
	}
	return NONE;
}

/* ---- the cells that have an entry ---- */

static void live_add(struct fdb *fdb, uint32_t i)
{
	fdb->live[i / 64] |= 1ULL << i % 64;
	fdb->bridges[fdb->cells[i].entry.key.bridge].n_entries++;
	fdb->n_entries++;
}

static void live_remove(struct fdb *fdb, uint32_t i)
{
	fdb->live[i / 64] &= ~(1ULL << i % 64);
	fdb->bridges[fdb->cells[i].entry.key.bridge].n_entries--;
	fdb->n_entries--;
}

/* The first one from `i` on, or N_CELLS. */
static uint32_t live_from(const struct fdb *fdb, uint32_t i)
{
	uint64_t word = i < N_CELLS ? fdb->live[i / 64] & ~0ULL << i % 64 : 0;

	for (i /= 64; !word && ++i < N_CELLS / 64;)
		word = fdb->live[i];
	return word ? i * 64 + (uint32_t)__builtin_ctzll(word) : N_CELLS;
}

/* The body may remove entry `i`. */
#define for_each_live(fdb, i) for (uint32_t i = live_from(fdb, 0); i < N_CELLS; i = live_from(fdb, i + 1))

/* ---- the order of use ---- */

static struct order *order_of(struct fdb *fdb, const struct fdb_entry *entry, enum order_kind kind)
{
	return kind == OF_BRIDGE ? &fdb->bridges[entry->key.bridge].learned : &fdb->ports[entry->port];
}

static void order_append(struct fdb *fdb, uint32_t i, enum order_kind kind)
{
	struct cell *cell = &fdb->cells[i];
	struct order *order = order_of(fdb, &cell->entry, kind);

	cell->in[kind].older = order->newest;
	cell->in[kind].newer = NONE;
	if (order->newest == NONE)
		order->oldest = i;
	else
		fdb->cells[order->newest].in[kind].newer = i;
	order->newest = i;
	order->n++;
}

static void order_remove(struct fdb *fdb, uint32_t i, enum order_kind kind)
{
	const struct cell *cell = &fdb->cells[i];
	struct order *order = order_of(fdb, &cell->entry, kind);
	uint32_t older = cell->in[kind].older, newer = cell->in[kind].newer;

	if (older == NONE)
		order->oldest = newer;
	else
		fdb->cells[older].in[kind].newer = newer;
	if (newer == NONE)
		order->newest = older;
	else
		fdb->cells[newer].in[kind].older = older;
	order->n--;
}

static void orders_append(struct fdb *fdb, uint32_t i)
{
	order_append(fdb, i, OF_BRIDGE);
	order_append(fdb, i, OF_PORT);
}

static void orders_remove(struct fdb *fdb, uint32_t i)
{
	order_remove(fdb, i, OF_BRIDGE);
	order_remove(fdb, i, OF_PORT);
}

/* ---- entries ---- */

/* Before any settle: only the next daemon reads them, and only those of cells that have a key. */
static void write_times(struct fdb *fdb, uint32_t i)
{
	const struct fdb_entry *entry = &fdb->cells[i].entry;
	struct sw_fdb_times *times = &fdb->storage.times[i];

	__atomic_store_n(&times->used_ns, entry->used_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&times->learned_ns, entry->learned_ns, __ATOMIC_RELAXED);
}

static void mark_dirty(struct fdb *fdb, uint32_t i)
{
	if (fdb->cells[i].is_dirty)
		return;
	fdb->cells[i].is_dirty = true;
	fdb->dirty[fdb->n_dirty++] = i;
}

/* A dying cell has the same key already and needs only another place. */
static void add(struct fdb *fdb, uint32_t i, const struct fdb_key *key, uint16_t port, uint16_t flags, uint64_t now_ns)
{
	struct cell *cell = &fdb->cells[i];

	cell->entry = (struct fdb_entry){*key, port, flags, now_ns, now_ns};
	cell->state = cell->state == CELL_DYING ? CELL_LIVE : CELL_FRESH;
	live_add(fdb, i);
	if (!is_static(cell))
		orders_append(fdb, i);
	write_times(fdb, i);
	mark_dirty(fdb, i);
	tell_changed(fdb, key);
}

static void rewrite(struct fdb *fdb, uint32_t i, uint16_t port, uint16_t flags, uint64_t now_ns)
{
	struct cell *cell = &fdb->cells[i];

	if (!is_static(cell))
		orders_remove(fdb, i);
	cell->entry = (struct fdb_entry){cell->entry.key, port, flags, now_ns, now_ns};
	if (!is_static(cell))
		orders_append(fdb, i);
	write_times(fdb, i);
	mark_dirty(fdb, i);
	tell_changed(fdb, &cell->entry.key);
}

static void refresh(struct fdb *fdb, uint32_t i, uint64_t now_ns)
{
	struct cell *cell = &fdb->cells[i];

	if (now_ns <= cell->entry.used_ns)
		return;
	cell->entry.used_ns = now_ns;
	write_times(fdb, i);
	if (is_static(cell))
		return;
	orders_remove(fdb, i);
	orders_append(fdb, i);
}

/* What the program never had leaves nothing to clear: its cell is free at once. */
static void remove_entry(struct fdb *fdb, uint32_t i)
{
	struct cell *cell = &fdb->cells[i];

	live_remove(fdb, i);
	if (!is_static(cell))
		orders_remove(fdb, i);
	if (cell->state == CELL_FRESH)
		cell->state = cell->n_resting ? CELL_LIMBO : CELL_FREE;
	else
		cell->state = CELL_DYING;
	mark_dirty(fdb, i);
	tell_changed(fdb, &cell->entry.key);
}

/* ---- the program's cells ---- */

static struct sw_fdb_cell *program_cell(const struct fdb *fdb, uint32_t i)
{
	return &fdb->storage.buckets[i / SW_FDB_CELLS].cell[i % SW_FDB_CELLS];
}

static union sw_fdb_place place_for(const struct fdb *fdb, const struct fdb_entry *entry)
{
	struct fdb_out out = {.out = SW_FDB_OUT_UPCALL};

	if (fdb->events.out)
		out = fdb->events.out(fdb->events.ctx, entry);
	return (union sw_fdb_place){
		.port = entry->port,
		.bridge = (uint8_t)entry->key.bridge,
		.flags = (entry->flags & FDB_STATIC ? SW_FDB_STATIC : 0) | (out.flags & SW_FDB_ONE_BUFFER),
		.out = out.out,
		.drop = out.drop,
		.mirror = out.mirror,
	};
}

/*
 * F1: the key is stored after its place, and cleared before it, so that a daemon that is killed in between leaves no
 * key without its place. To a reader the order means nothing, as it may load the two in any: it is the grace period in
 * which the cell was empty that keeps it from putting this key together with the last one's place (F5). The store also
 * takes away the mark of a program that was late, and marked the cell when it was cleared already.
 */
static void publish(struct fdb *fdb, uint32_t i)
{
	struct sw_fdb_cell *cell = program_cell(fdb, i);

	__atomic_store_n(&cell->place.word, place_for(fdb, &fdb->cells[i].entry).word, __ATOMIC_RELAXED);
	__atomic_store_n(&cell->key, program_key(&fdb->cells[i].entry.key), __ATOMIC_RELEASE);
	fdb->cells[i].state = CELL_LIVE;
}

static void clear(struct fdb *fdb, uint32_t i)
{
	struct sw_fdb_cell *cell = program_cell(fdb, i);

	__atomic_store_n(&cell->key, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&cell->place.word, 0, __ATOMIC_RELEASE);
	epoch_end(fdb->storage.epoch);
	fdb->cells[i].state = CELL_LIMBO;
	fdb->cells[i].n_resting++;
	fdb->limbo[(fdb->limbo_head + fdb->n_limbo++) & (2 * N_CELLS - 1)] = i;
}

/* One store, so that a reader has the old place or the new one. A mark that was on the old one is put on the new. */
static void move(struct fdb *fdb, uint32_t i)
{
	struct sw_fdb_cell *cell = program_cell(fdb, i);
	union sw_fdb_place place = place_for(fdb, &fdb->cells[i].entry), old;

	old.word = __atomic_load_n(&cell->place.word, __ATOMIC_RELAXED);
	place.used = old.used;
	if (place.word == old.word)
		return;
	place.used = 0;
	old.word = __atomic_exchange_n(&cell->place.word, place.word, __ATOMIC_RELAXED);
	if (old.used)
		__atomic_store_n(&cell->place.used, 1, __ATOMIC_RELAXED);
	epoch_end(fdb->storage.epoch);
}

static void settle_cell(struct fdb *fdb, uint32_t i)
{
	fdb->cells[i].is_dirty = false;
	switch ((enum cell_state)fdb->cells[i].state) {
	case CELL_FRESH:
		publish(fdb, i);
		break;
	case CELL_LIVE:
		move(fdb, i);
		break;
	case CELL_DYING:
		clear(fdb, i);
		break;
	case CELL_FREE: /* its entry came and went since the last time */
	case CELL_LIMBO:
		break;
	}
}

/* ---- adoption ---- */

static struct fdb_entry read_entry(const struct fdb *fdb, uint32_t i)
{
	const struct sw_fdb_cell *cell = program_cell(fdb, i);
	const struct sw_fdb_times *times = &fdb->storage.times[i];
	struct fdb_entry entry = {
		.key = {.bridge = cell->place.bridge, .vid = (uint16_t)(cell->key >> SW_FDB_VID_SHIFT)},
		.port = cell->place.port,
		.flags = cell->place.flags & SW_FDB_STATIC ? FDB_STATIC : 0,
		.used_ns = times->used_ns,
		.learned_ns = times->learned_ns,
	};

	memcpy(entry.key.mac, &cell->key, sizeof(entry.key.mac));
	return entry;
}

/* Whether this can be an entry of ours, in cell `i`. */
static bool is_plausible(const struct fdb *fdb, uint32_t i, const struct fdb_entry *entry)
{
	static const uint8_t zero[6];
	const struct fdb_key *key = &entry->key;
	struct homes homes = homes_of(fdb, key);

	return key->bridge && key->bridge < SW_MAX_BRIDGES && entry->port && entry->port < SW_MAX_PORTS &&
	       key->vid < 4095 && !(key->mac[0] & 1) && memcmp(key->mac, zero, sizeof(zero)) &&
	       (homes.bucket[0] == i / SW_FDB_CELLS || homes.bucket[1] == i / SW_FDB_CELLS);
}

/* Nobody's address: it does not get the cell again. */
static void reject(struct fdb *fdb, uint32_t i)
{
	clear(fdb, i);
	fdb->cells[i].entry = (struct fdb_entry){0};
}

/* Fills `ret` with the cells that may have an entry, and clears what is left of others. Returns how many. */
static uint32_t sift(struct fdb *fdb, uint32_t *ret)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < N_CELLS; i++) {
		const struct sw_fdb_cell *cell = program_cell(fdb, i);

		if (!cell->key && !cell->place.word)
			continue;
		fdb->cells[i].entry = read_entry(fdb, i);
		if (is_plausible(fdb, i, &fdb->cells[i].entry))
			ret[n++] = i;
		else
			reject(fdb, i);
	}
	return n;
}

static int by_use(const void *a, const void *b, void *cells)
{
	const struct cell *of = cells;
	uint64_t used_a = of[*(const uint32_t *)a].entry.used_ns, used_b = of[*(const uint32_t *)b].entry.used_ns;

	return (used_a > used_b) - (used_a < used_b);
}

/* What was used last first, so that the others go: a second one for its key, and those beyond the limit. */
static void adopt(struct fdb *fdb)
{
	uint32_t *found = fdb->dirty; /* where nothing is yet */
	uint32_t n_found = sift(fdb, found);

	qsort_r(found, n_found, sizeof(*found), by_use, fdb->cells);
	for (uint32_t n = n_found; n-- > 0;) {
		struct cell *cell = &fdb->cells[found[n]];

		if (fdb->n_entries == fdb->limit || find(fdb, &cell->entry.key) != NONE) {
			reject(fdb, found[n]);
			continue;
		}
		cell->state = CELL_LIVE;
		live_add(fdb, found[n]);
	}
	for (uint32_t n = 0; n < n_found; n++) {
		if (is_live(&fdb->cells[found[n]]) && !is_static(&fdb->cells[found[n]]))
			orders_append(fdb, found[n]);
	}
	fdb->is_stale = true;
}

struct fdb *fdb_create(const struct fdb_storage *storage, uint32_t limit, const struct fdb_events *events)
{
	struct fdb *fdb = calloc(1, sizeof(*fdb));

	if (!fdb)
		return NULL;
	fdb->storage = *storage;
	fdb->limit = limit;
	if (events)
		fdb->events = *events;
	for (int i = 0; i < SW_MAX_BRIDGES; i++) {
		fdb->bridges[i].learned = (struct order){NONE, NONE, 0};
		fdb->bridges[i].limit = FDB_DEFAULT_LIMIT;
		fdb->bridges[i].ageing_ns = FDB_DEFAULT_AGEING_S * NS_PER_S;
	}
	for (int i = 0; i < SW_MAX_PORTS; i++)
		fdb->ports[i] = (struct order){NONE, NONE, 0};
	adopt(fdb);
	return fdb;
}

size_t fdb_bytes(void)
{
	return sizeof(struct fdb);
}

void fdb_destroy(struct fdb *fdb)
{
	free(fdb);
}

/* ---- the table ---- */

const struct fdb_entry *fdb_lookup(const struct fdb *fdb, const struct fdb_key *key)
{
	uint32_t i = find(fdb, key);

	return i == NONE ? NULL : &fdb->cells[i].entry;
}

/* Whose the entry is that would make way: one of this bridge, or any where it is the storage that is full. */
static bool may_yield(const struct fdb *fdb, const struct order *port, uint16_t bridge)
{
	return port->n && (fdb->bridges[bridge].n_entries < fdb->bridges[bridge].limit ||
				  fdb->cells[port->oldest].entry.key.bridge == bridge);
}

/* Of the ports that may yield that with most entries; NULL: there is none. */
static const struct order *fullest(const struct fdb *fdb, uint16_t bridge)
{
	const struct order *best = NULL;

	for (int i = 1; i < SW_MAX_PORTS; i++) {
		if ((!best || fdb->ports[i].n > best->n) && may_yield(fdb, &fdb->ports[i], bridge))
			best = &fdb->ports[i];
	}
	return best;
}

/* F6. One goes where one comes: so no limit is exceeded by more than it was. */
static bool make_way(struct fdb *fdb, uint16_t bridge, uint16_t port)
{
	const struct order *other = fullest(fdb, bridge);

	if (!other || fdb->ports[port].n + 1 >= other->n)
		return false;
	remove_entry(fdb, other->oldest);
	return true;
}

enum fdb_learned fdb_learn(struct fdb *fdb, const struct fdb_key *key, uint16_t port, uint64_t now_ns)
{
	uint32_t i = find(fdb, key);

	assert(key->bridge && key->bridge < SW_MAX_BRIDGES && port < SW_MAX_PORTS);
	if (i != NONE && fdb->cells[i].entry.port == port)
		refresh(fdb, i, now_ns);
	if (i != NONE && is_static(&fdb->cells[i]))
		return FDB_IS_STATIC; /* F3 */
	if (i != NONE && fdb->cells[i].entry.port == port)
		return FDB_REFRESHED;
	if (i != NONE) {
		rewrite(fdb, i, port, 0, now_ns);
		return FDB_MOVED;
	}
	i = choose(fdb, key);
	if (i == NONE || !(fdb_has_room(fdb, key->bridge) || make_way(fdb, key->bridge, port)))
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
		if (!is_static(&fdb->cells[i]) || fdb->cells[i].entry.port != port)
			rewrite(fdb, i, port, FDB_STATIC, now_ns);
		return 0;
	}
	if (fdb->n_entries >= fdb->limit)
		return complain(complaint, -ENOSPC,
			"the FDB is full: it holds %u addresses, all bridges together; flush some first", fdb->limit);
	i = choose(fdb, key);
	if (i == NONE)
		return complain(complaint, -ENOSPC,
			"the FDB has no place for this address: others took the few that it could have; flush some");
	add(fdb, i, key, port, FDB_STATIC, now_ns);
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
	uint32_t n_before = fdb->n_entries;

	for_each_live(fdb, i)
	{
		const struct fdb_entry *entry = &fdb->cells[i].entry;

		if ((!bridge || entry->key.bridge == bridge) && (!port || entry->port == port) &&
			(vid < 0 || entry->key.vid == vid) && (statics_too || !is_static(&fdb->cells[i])))
			remove_entry(fdb, i);
	}
	return n_before - fdb->n_entries;
}

void fdb_prune(struct fdb *fdb, bool (*keep)(void *ctx, const struct fdb_entry *entry), void *ctx)
{
	for_each_live(fdb, i)
	{
		if (!is_static(&fdb->cells[i]) && !keep(ctx, &fdb->cells[i].entry))
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

/* Whether the program marked it. A mark where an entry is fresh was made late, for the address that was there before.
 */
static bool take_mark(struct fdb *fdb, uint32_t i)
{
	uint8_t *used = &program_cell(fdb, i)->place.used;

	if (fdb->cells[i].state != CELL_LIVE || !__atomic_load_n(used, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(used, 0, __ATOMIC_RELAXED);
	return true;
}

/* The same for one bridge. */
static uint64_t age_bridge(struct fdb *fdb, const struct bridge_state *bridge, uint64_t now_ns)
{
	while (bridge->ageing_ns && bridge->learned.oldest != NONE) {
		struct fdb_entry *entry = &fdb->cells[bridge->learned.oldest].entry;

		if (entry->used_ns > now_ns) { /* a time to come can only be adopted rubbish */
			entry->used_ns = now_ns;
			write_times(fdb, bridge->learned.oldest);
		}
		if (now_ns - entry->used_ns < bridge->ageing_ns)
			return entry->used_ns + bridge->ageing_ns;
		if (take_mark(fdb,
			    bridge->learned.oldest)) { /* used since the last harvest, perhaps while no daemon ran */
			epoch_end(fdb->storage.epoch);
			refresh(fdb, bridge->learned.oldest, now_ns);
		} else {
			remove_entry(fdb, bridge->learned.oldest);
		}
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

void fdb_republish(struct fdb *fdb)
{
	fdb->is_stale = true;
}

/* In one pass: a key has one cell, so what is cleared and what is written have nothing to do with each other. */
void fdb_settle(struct fdb *fdb)
{
	if (fdb->is_stale) {
		for_each_live(fdb, i) mark_dirty(fdb, i);
	}
	fdb->is_stale = false;
	for (uint32_t n = 0; n < fdb->n_dirty; n++)
		settle_cell(fdb, fdb->dirty[n]);
	fdb->n_dirty = 0;
}

bool fdb_wants_grace(const struct fdb *fdb)
{
	return fdb->n_limbo > fdb->n_closing;
}

void fdb_grace_began(struct fdb *fdb)
{
	fdb->n_closing = fdb->n_limbo;
}

void fdb_grace_ended(struct fdb *fdb)
{
	for (; fdb->n_closing; fdb->n_closing--, fdb->n_limbo--) {
		struct cell *cell = &fdb->cells[fdb->limbo[fdb->limbo_head]];

		cell->n_resting--;
		if (cell->state == CELL_LIMBO && !cell->n_resting)
			cell->state = CELL_FREE;
		fdb->limbo_head = (fdb->limbo_head + 1) & (2 * N_CELLS - 1);
	}
}

/* The program recalls frames without a mark, so the epoch ends: the next frame of each address is looked up. */
void fdb_harvest(struct fdb *fdb, uint64_t now_ns)
{
	bool any = false;

	for_each_live(fdb, i)
	{
		if (!take_mark(fdb, i))
			continue;
		refresh(fdb, i, now_ns);
		any = true;
	}
	if (any)
		epoch_end(fdb->storage.epoch);
}

bool fdb_has_room(const struct fdb *fdb, uint16_t bridge)
{
	return fdb->bridges[bridge].n_entries < fdb->bridges[bridge].limit && fdb->n_entries < fdb->limit;
}

uint32_t fdb_most(const struct fdb *fdb, uint16_t bridge)
{
	const struct order *port = fullest(fdb, bridge);

	return port ? port->n : 0;
}

uint32_t fdb_count_of_port(const struct fdb *fdb, uint16_t port)
{
	return fdb->ports[port].n;
}

uint32_t fdb_count(const struct fdb *fdb, uint16_t bridge)
{
	return bridge ? fdb->bridges[bridge].n_entries : fdb->n_entries;
}

void fdb_each(const struct fdb *fdb, uint16_t bridge, void (*each)(void *ctx, const struct fdb_entry *e), void *ctx)
{
	for_each_live(fdb, i)
	{
		if (!bridge || fdb->cells[i].entry.key.bridge == bridge)
			each(ctx, &fdb->cells[i].entry);
	}
}
