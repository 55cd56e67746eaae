/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/daemon.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/reconcile.h"
#include "ctl/reply.h"
#include "ctl/statement.h"
#include "dataplane/complaint.h"

#include <string.h>

void mirror_add_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	struct grammar_problem problem;
	struct mirror_config config;
	struct complaint c;

	if (statement_mirror(request, &config, &problem)) {
		reply_misuse(reply, &problem);
		return;
	}
	if (vswitch_mirror_add(d->vs, &config, &c)) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	reconcile_made_mirror(d->rec, config.bridge, config.name);
	reply_result(reply, NULL);
}

void mirror_del_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *bridge = request->args[0].text, *name = request->args[1].text;
	bool had = reconcile_gone_mirror(d->rec, bridge, name);
	struct complaint c;

	if (vswitch_mirror_remove(d->vs, bridge, name, &c) && !had) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	reply_result(reply, NULL);
}

struct listing {
	const char *bridge; /* NULL: any */
	struct json_object *mirrors;
};

static void list_mirror(void *ctx, const struct mirror_config *config, const struct mirror_counters *counters)
{
	const struct listing *listing = ctx;
	struct json_object *entry;
	char from[MIRROR_MAX_FROM * SW_NAME_SIZE];

	if (listing->bridge && strcmp(listing->bridge, config->bridge) != 0)
		return;
	statement_print_mirror_ports(config, from, sizeof(from));
	entry = json_append_object(listing->mirrors);
	json_add_text(entry, "bridge", config->bridge);
	json_add_text(entry, "name", config->name);
	json_add_text(entry, "from", from);
	json_add_text(entry, "to", config->to);
	json_add_number(entry, "sample", config->sample);
	json_add_number(entry, "copies", counters->copies);
	json_add_number(entry, "over_limit", counters->over_limit);
	json_add_number(entry, "ring_full", counters->ring_full);
}

void mirror_show_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	struct listing listing = {.bridge = request->args[0].given ? request->args[0].text : NULL};
	struct json_object *result;

	if (listing.bridge && !pipeline_bridge_by_name(vswitch_pipeline(d->vs), listing.bridge)) {
		reply_refuse(reply, "there is no bridge %s", listing.bridge);
		return;
	}
	result = json_object_new_object();
	listing.mirrors = json_add_array(result, "mirrors");
	vswitch_each_mirror(d->vs, list_mirror, &listing);
	reply_result(reply, result);
}
