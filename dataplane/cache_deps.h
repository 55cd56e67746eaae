/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache_deps.h - which cached flows rest on what the FDB says of an address.
 *
 * A hash multimap from a dependency's name (fdb_dep()) to slots, of intrusive lists linked by index: linking and
 * unlinking take constant time, and walking costs what there is to walk. All memory is had at creation.
 */
#ifndef DATAPLANE_CACHE_DEPS_H
#define DATAPLANE_CACHE_DEPS_H

#include <stdbool.h>
#include <stdint.h>

struct dep_link {
	uint64_t dep;
	uint32_t next, prev; /* links; the first's prev is NO_LINK */
};

struct deps {
	uint32_t *heads;
	uint32_t n_heads;       /* a power of two */
	uint64_t seed;          /* so that nobody outside can make one list long */
	struct dep_link *links; /* slot * XLATE_MAX_DEPS + i */
	uint8_t *n;             /* by slot: links in use */
};

/* -ENOMEM. */
int deps_init(struct deps *deps, uint32_t n_slots, uint64_t seed);
void deps_free(struct deps *deps);

/* A slot is linked once between two unlinks; at most XLATE_MAX_DEPS. */
void deps_link(struct deps *deps, uint32_t slot, const uint64_t *names, uint32_t n);
void deps_unlink(struct deps *deps, uint32_t slot);
/* Links it under these names instead, if they are others. */
void deps_relink(struct deps *deps, uint32_t slot, const uint64_t *names, uint32_t n);

/* `each` must not link or unlink. A slot that names the dependency twice comes twice. */
void deps_each(const struct deps *deps, uint64_t name, void (*each)(void *ctx, uint32_t slot), void *ctx);

#endif
