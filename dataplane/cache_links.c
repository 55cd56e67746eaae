/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/cache_links.h"

#include <errno.h>
#include <stdlib.h>

#define LINKS_A_SLOT 4 /* on average; memory is touched only where it is used */

int links_init(struct links *links, uint32_t n_slots, uint32_t n_more)
{
	*links = (struct links){.n_pool = n_slots * LINKS_A_SLOT + 1, .n_used = 1};
	links->pool = calloc(links->n_pool, sizeof(*links->pool));
	links->first = calloc(n_slots + n_more, sizeof(*links->first));
	return links->pool && links->first ? 0 : -ENOMEM;
}

void links_fini(struct links *links)
{
	free(links->pool);
	free(links->first);
}

size_t links_bytes_a_slot(void)
{
	return LINKS_A_SLOT * sizeof(struct link) + sizeof(uint32_t);
}

bool links_have_room(const struct links *links, uint32_t n)
{
	uint32_t at = links->free;

	if (links->n_pool - links->n_used >= n)
		return true;
	for (n -= links->n_pool - links->n_used; n && at; n--)
		at = links->pool[at].next_of_slot;
	return !n;
}

static uint32_t take(struct links *links)
{
	uint32_t at = links->free;

	if (!at)
		return links->n_used++;
	links->free = links->pool[at].next_of_slot;
	return at;
}

static void give_back(struct links *links, uint32_t at)
{
	links->pool[at] = (struct link){.next_of_slot = links->free};
	links->free = at;
}

void links_add(struct links *links, uint32_t slot, struct tally *tally, bool behind)
{
	uint32_t at = take(links);

	links->pool[at] = (struct link){
		.tally = tally,
		.slot = slot,
		.behind = behind,
		.next_of_slot = links->first[slot],
		.next_of_tally = tally->links,
	};
	if (tally->links)
		links->pool[tally->links].prev_of_tally = at;
	tally->links = at;
	links->first[slot] = at;
}

static void leave_tally(struct links *links, const struct link *link)
{
	if (link->prev_of_tally)
		links->pool[link->prev_of_tally].next_of_tally = link->next_of_tally;
	else
		link->tally->links = link->next_of_tally;
	if (link->next_of_tally)
		links->pool[link->next_of_tally].prev_of_tally = link->prev_of_tally;
}

void links_drop_slot(struct links *links, uint32_t slot)
{
	uint32_t next;

	for (uint32_t at = links->first[slot]; at; at = next) {
		next = links->pool[at].next_of_slot;
		leave_tally(links, &links->pool[at]);
		give_back(links, at);
	}
	links->first[slot] = 0;
}

static void leave_slot(struct links *links, uint32_t at)
{
	uint32_t *from = &links->first[links->pool[at].slot];

	while (*from != at)
		from = &links->pool[*from].next_of_slot;
	*from = links->pool[at].next_of_slot;
}

void links_drop_tally(struct links *links, struct tally *tally)
{
	uint32_t next;

	for (uint32_t at = tally->links; at; at = next) {
		next = links->pool[at].next_of_tally;
		leave_slot(links, at);
		give_back(links, at);
	}
	tally->links = 0;
}

void links_credit(
	const struct links *links, uint32_t slot, bool behind, uint64_t packets, uint64_t bytes, uint64_t now_ns)
{
	for (uint32_t at = links->first[slot]; at; at = links->pool[at].next_of_slot) {
		if (links->pool[at].behind == behind)
			tally_add(links->pool[at].tally, packets, bytes, now_ns);
	}
}
