/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/id_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 16

void id_map_free(struct id_map *map)
{
	free(map->ids);
	free(map->values);
	*map = (struct id_map){0};
}

/* The place of the lowest id that is at least `id`. */
static uint32_t place_of(const struct id_map *map, uint32_t id)
{
	uint32_t low = 0, high = map->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (map->ids[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void *id_map_find(const struct id_map *map, uint32_t id)
{
	uint32_t i = place_of(map, id);

	return i < map->n && map->ids[i] == id ? map->values[i] : NULL;
}

void *id_map_at_or_above(const struct id_map *map, uint32_t id)
{
	uint32_t i = place_of(map, id);

	return i < map->n ? map->values[i] : NULL;
}

static int make_room(struct id_map *map)
{
	uint32_t size = map->size ? map->size * 2 : FIRST_SIZE;
	uint32_t *ids;
	void **values;

	if (map->n < map->size)
		return 0;
	ids = realloc(map->ids, size * sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	map->ids = ids;
	values = realloc(map->values, size * sizeof(*values));
	if (!values)
		return -ENOMEM;
	map->values = values;
	map->size = size;
	return 0;
}

int id_map_insert(struct id_map *map, uint32_t id, void *value)
{
	uint32_t i = place_of(map, id);

	if (make_room(map) < 0)
		return -ENOMEM;
	memmove(&map->ids[i + 1], &map->ids[i], (map->n - i) * sizeof(*map->ids));
	memmove(&map->values[i + 1], &map->values[i], (map->n - i) * sizeof(*map->values));
	map->ids[i] = id;
	map->values[i] = value;
	map->n++;
	return 0;
}

void id_map_replace(struct id_map *map, uint32_t id, void *value)
{
	map->values[place_of(map, id)] = value;
}

void id_map_remove(struct id_map *map, uint32_t id)
{
	uint32_t i = place_of(map, id);

	if (i == map->n || map->ids[i] != id)
		return;
	map->n--;
	memmove(&map->ids[i], &map->ids[i + 1], (map->n - i) * sizeof(*map->ids));
	memmove(&map->values[i], &map->values[i + 1], (map->n - i) * sizeof(*map->values));
}
