/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * id_map.h - what a controller has given 32-bit ids to (groups, meters), in the order of the ids.
 *
 * Sorted arrays: found by halving, walked without any state of the walker's. An insertion moves what is above it; with
 * the 65,536 that there may be this is 0.8 MB in the worst case, which is why it is no tree.
 *
 * Ownership: what is mapped to is the caller's.
 */
#ifndef DATAPLANE_ID_MAP_H
#define DATAPLANE_ID_MAP_H

#include <stdint.h>

/* All zero: empty. */
struct id_map {
	uint32_t n, size;
	uint32_t *ids; /* rising */
	void **values;
};

void id_map_free(struct id_map *map);

void *id_map_find(const struct id_map *map, uint32_t id); /* NULL: none */
/* Of the lowest id that is at least `id`; NULL: none. */
void *id_map_at_or_above(const struct id_map *map, uint32_t id);

/* The id is not in. -ENOMEM. */
int id_map_insert(struct id_map *map, uint32_t id, void *value);
void id_map_replace(struct id_map *map, uint32_t id, void *value); /* the id is in */
void id_map_remove(struct id_map *map, uint32_t id);               /* no error if it is not in */

#endif
