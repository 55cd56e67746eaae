/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache holds hundreds of thousands of flows, and a person reads a page: the busiest are picked in one walk with a
 * heap, and only they are put into words, so that showing them does not hold up the slow path.
 */
#include "ctl/daemon.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/reply.h"
#include "dataplane/cache.h"
#include "dataplane/vswitch.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_LIMIT 1000

/* A copy of a view, which is borrowed for one call only. */
struct picked {
	struct cache_view view;
	struct sw_key key, mask;
	struct sw_step steps[SW_MAX_STEPS];
};

struct picking {
	struct picked *heap; /* the least busy on top */
	unsigned n, limit;
	uint64_t total;
};

static bool less(const struct picked *a, const struct picked *b)
{
	return a->view.packets < b->view.packets;
}

static void swap(struct picked *a, struct picked *b)
{
	struct picked kept = *a;

	*a = *b;
	*b = kept;
}

static void sift_up(struct picking *p, unsigned i)
{
	for (unsigned up; i && less(&p->heap[i], &p->heap[up = (i - 1) / 2]); i = up)
		swap(&p->heap[i], &p->heap[up]);
}

static void sift_down(struct picking *p)
{
	for (unsigned i = 0, least;; i = least) {
		least = i;
		if (2 * i + 1 < p->n && less(&p->heap[2 * i + 1], &p->heap[least]))
			least = 2 * i + 1;
		if (2 * i + 2 < p->n && less(&p->heap[2 * i + 2], &p->heap[least]))
			least = 2 * i + 2;
		if (least == i)
			return;
		swap(&p->heap[i], &p->heap[least]);
	}
}

static void copy(struct picked *to, const struct cache_view *view)
{
	to->view = *view;
	to->key = *view->key;
	to->mask = *view->mask;
	to->view.n_steps = view->n_steps < SW_MAX_STEPS ? view->n_steps : SW_MAX_STEPS;
	memcpy(to->steps, view->steps, to->view.n_steps * sizeof(to->steps[0]));
}

static void pick(void *ctx, const struct cache_view *view)
{
	struct picking *p = ctx;

	p->total++;
	if (p->n < p->limit) {
		copy(&p->heap[p->n], view);
		sift_up(p, p->n++);
	} else if (view->packets > p->heap[0].view.packets) {
		copy(&p->heap[0], view);
		sift_down(p);
	}
}

static int busier_first(const void *a, const void *b)
{
	const struct picked *x = a, *y = b;

	if (x->view.packets != y->view.packets)
		return x->view.packets > y->view.packets ? -1 : 1;
	return x->view.slot < y->view.slot ? -1 : x->view.slot > y->view.slot;
}

static void describe(const struct daemon *d, struct picked *flow, struct json_object *ret)
{
	struct flow_names names = pipeline_names(vswitch_pipeline(d->vs));
	char text[1024];

	flow->view.key = &flow->key;
	flow->view.mask = &flow->mask;
	flow->view.steps = flow->steps;
	json_add_number(ret, "slot", flow->view.slot);
	key_format(&flow->key, &flow->mask, &names, text, sizeof(text));
	json_add_text(ret, "match", text);
	vswitch_format_steps(d->vs, &flow->view, text, sizeof(text));
	json_add_text(ret, "actions", text);
	if (flow->view.why)
		json_add_text(ret, "why", flow->view.why);
	json_add_number(ret, "packets", flow->view.packets);
	json_add_number(ret, "bytes", flow->view.bytes);
	json_add_number(ret, "age_ms", flow->view.age_ns / 1000000);
	json_add_number(ret, "idle_ms", flow->view.idle_ns / 1000000);
}

void cache_show_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const struct grammar_value *limit = request_option(request, "limit");
	struct picking p = {.limit = limit ? (unsigned)limit->number : DEFAULT_LIMIT};
	struct switch_counters counters;
	struct json_object *result, *flows;

	p.heap = malloc(p.limit * sizeof(*p.heap));
	if (!p.heap) {
		reply_refuse(reply, "out of memory for %u flows; ask for fewer: cache show limit N", p.limit);
		return;
	}
	vswitch_each_flow(d->vs, pick, &p);
	qsort(p.heap, p.n, sizeof(*p.heap), busier_first);
	vswitch_counters(d->vs, &counters);
	result = json_object_new_object();
	flows = json_add_array(result, "flows");
	for (unsigned i = 0; i < p.n; i++)
		describe(d, &p.heap[i], json_append_object(flows));
	json_add_number(result, "total", p.total);
	json_add_number(result, "masks", counters.n_masks);
	json_add_number(result, "limit", counters.flow_limit);
	free(p.heap);
	reply_result(reply, result);
}

void cache_flush_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	vswitch_cache_flush(d->vs);
	reply_result(reply, NULL);
}
