/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cache_deps.h"

#include "bpf/hash.h"
#include "dataplane/pipeline.h"

#include <errno.h>
#include <stdlib.h>

#define NO_LINK UINT32_MAX

static uint32_t *head_of(const struct deps *deps, uint64_t name)
{
	return &deps->heads[sw_hash_step(deps->seed, name) & (deps->n_heads - 1)];
}

int deps_init(struct deps *deps, uint32_t n_slots, uint64_t seed)
{
	deps->n_heads = n_slots;
	deps->seed = seed;
	deps->heads = malloc(n_slots * sizeof(*deps->heads));
	deps->links = calloc((size_t)n_slots * XLATE_MAX_DEPS, sizeof(*deps->links));
	deps->n = calloc(n_slots, sizeof(*deps->n));
	if (!deps->heads || !deps->links || !deps->n) {
		deps_free(deps);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n_slots; i++)
		deps->heads[i] = NO_LINK;
	return 0;
}

void deps_free(struct deps *deps)
{
	free(deps->heads);
	free(deps->links);
	free(deps->n);
	*deps = (struct deps){0};
}

static void link_one(struct deps *deps, uint32_t index, uint64_t name)
{
	uint32_t *head = head_of(deps, name);

	deps->links[index] = (struct dep_link){.dep = name, .next = *head, .prev = NO_LINK};
	if (*head != NO_LINK)
		deps->links[*head].prev = index;
	*head = index;
}

static void unlink_one(struct deps *deps, uint32_t index)
{
	const struct dep_link *link = &deps->links[index];

	if (link->prev != NO_LINK)
		deps->links[link->prev].next = link->next;
	else
		*head_of(deps, link->dep) = link->next;
	if (link->next != NO_LINK)
		deps->links[link->next].prev = link->prev;
}

void deps_link(struct deps *deps, uint32_t slot, const uint64_t *names, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		link_one(deps, slot * XLATE_MAX_DEPS + i, names[i]);
	deps->n[slot] = n;
}

void deps_unlink(struct deps *deps, uint32_t slot)
{
	for (uint32_t i = 0; i < deps->n[slot]; i++)
		unlink_one(deps, slot * XLATE_MAX_DEPS + i);
	deps->n[slot] = 0;
}

static bool same(const struct deps *deps, uint32_t slot, const uint64_t *names, uint32_t n)
{
	if (deps->n[slot] != n)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		if (deps->links[slot * XLATE_MAX_DEPS + i].dep != names[i])
			return false;
	}
	return true;
}

void deps_relink(struct deps *deps, uint32_t slot, const uint64_t *names, uint32_t n)
{
	if (same(deps, slot, names, n))
		return;
	deps_unlink(deps, slot);
	deps_link(deps, slot, names, n);
}

void deps_each(const struct deps *deps, uint64_t name, void (*each)(void *ctx, uint32_t slot), void *ctx)
{
	for (uint32_t i = *head_of(deps, name); i != NO_LINK; i = deps->links[i].next) {
		if (deps->links[i].dep == name)
			each(ctx, i / XLATE_MAX_DEPS);
	}
}
