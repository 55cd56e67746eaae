/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/rule_naming.h"

#include "bpf/hash.h"

#include <stdlib.h>

#define FIRST_BUCKETS 64

struct naming_node {
	struct naming_node *chain;       /* in its bucket */
	struct naming_node *prev, *next; /* of the same `what`; the head has no `prev` */
	uint64_t what;
	struct rule *rule; /* NULL: the head */
};

void naming_free(struct naming *naming)
{
	for (uint32_t i = 0; i < naming->n_buckets; i++) {
		struct naming_node *next;

		for (struct naming_node *node = naming->buckets[i]; node; node = next) {
			next = node->chain;
			free(node);
		}
	}
	free(naming->buckets);
	*naming = (struct naming){0};
}

static struct naming_node **bucket_of(const struct naming *naming, uint64_t what, const struct rule *rule)
{
	uint64_t hash = sw_hash_step(sw_hash_step(0, what), (uintptr_t)rule);
	uint32_t i = (uint32_t)(hash >> 32) & (2 * naming->half - 1);

	return &naming->buckets[i < naming->n_buckets ? i : i - naming->half];
}

/* Where the pair is, or the end of its chain. */
static struct naming_node **find(const struct naming *naming, uint64_t what, const struct rule *rule)
{
	struct naming_node **link = bucket_of(naming, what, rule);

	while (*link && ((*link)->what != what || (*link)->rule != rule))
		link = &(*link)->chain;
	return link;
}

static bool make_room(struct naming *naming)
{
	uint32_t room = naming->half ? 4 * naming->half : FIRST_BUCKETS;
	struct naming_node **buckets;

	if (naming->half && naming->n_buckets < 2 * naming->half)
		return true;
	buckets = realloc(naming->buckets, room * sizeof(*buckets));
	if (!buckets)
		return false;
	naming->buckets = buckets;
	naming->half = room / 2;
	return true;
}

/* What of the bucket half below belongs into the new one goes there. */
static void split(struct naming *naming)
{
	struct naming_node *chain = naming->buckets[naming->n_buckets - naming->half];

	naming->buckets[naming->n_buckets - naming->half] = NULL;
	naming->buckets[naming->n_buckets++] = NULL;
	while (chain) {
		struct naming_node *node = chain, **bucket;

		chain = node->chain;
		bucket = bucket_of(naming, node->what, node->rule);
		node->chain = *bucket;
		*bucket = node;
	}
}

static bool begin(struct naming *naming)
{
	if (!make_room(naming))
		return false;
	for (; naming->n_buckets <= naming->half; naming->n_buckets++)
		naming->buckets[naming->n_buckets] = NULL;
	return true;
}

static struct naming_node *put(struct naming *naming, uint64_t what, struct rule *rule)
{
	struct naming_node *node, **bucket;

	if (naming->n >= naming->n_buckets && make_room(naming))
		split(naming);
	node = calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	node->what = what;
	node->rule = rule;
	bucket = bucket_of(naming, what, rule);
	node->chain = *bucket;
	*bucket = node;
	naming->n++;
	return node;
}

static void take(struct naming *naming, struct naming_node **link)
{
	struct naming_node *node = *link;

	*link = node->chain;
	naming->n--;
	free(node);
}

static void drop_if_alone(struct naming *naming, struct naming_node *head)
{
	if (!head->next)
		take(naming, find(naming, head->what, NULL));
}

void naming_add(struct naming *naming, uint64_t what, struct rule *rule)
{
	struct naming_node *head, *node;

	if (!naming->n_buckets && !begin(naming)) {
		naming->is_incomplete = true;
		return;
	}
	head = *find(naming, what, NULL);
	if (!head)
		head = put(naming, what, NULL);
	node = head ? put(naming, what, rule) : NULL;
	if (!node) {
		naming->is_incomplete = true;
		if (head)
			drop_if_alone(naming, head);
		return;
	}
	node->prev = head;
	node->next = head->next;
	if (node->next)
		node->next->prev = node;
	head->next = node;
}

void naming_remove(struct naming *naming, uint64_t what, struct rule *rule)
{
	struct naming_node **link = naming->n_buckets ? find(naming, what, rule) : NULL;
	struct naming_node *node = link ? *link : NULL;

	if (!node)
		return;
	node->prev->next = node->next;
	if (node->next)
		node->next->prev = node->prev;
	take(naming, link);
	drop_if_alone(naming, *find(naming, what, NULL));
}

struct rule *naming_any(const struct naming *naming, uint64_t what)
{
	const struct naming_node *head = naming->n_buckets ? *find(naming, what, NULL) : NULL;

	return head ? head->next->rule : NULL;
}
