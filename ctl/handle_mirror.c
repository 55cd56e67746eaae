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

/* Which are asked for: `mirror show`, `mirror show BRIDGE`, `mirror show MIRROR`, `mirror show BRIDGE MIRROR`. */
struct listing {
	const char *bridge, *name; /* NULL: any */
	struct json_object *mirrors;
};

static bool is_asked_for(const struct listing *listing, const struct mirror_config *config)
{
	return (!listing->bridge || !strcmp(listing->bridge, config->bridge)) &&
	       (!listing->name || !strcmp(listing->name, config->name));
}

static void list_mirror(void *ctx, const struct mirror_config *config, const struct mirror_counters *counters)
{
	const struct listing *listing = ctx;
	struct json_object *entry;
	char ports[MIRROR_MAX_PORTS * SW_NAME_SIZE], vlans[VLAN_SET_TEXT];

	if (!is_asked_for(listing, config))
		return;
	entry = json_append_object(listing->mirrors);
	json_add_text(entry, "bridge", config->bridge);
	json_add_text(entry, "name", config->name);
	statement_print_mirror_ports(&config->from, ports, sizeof(ports));
	json_add_text(entry, "from", ports);
	statement_print_mirror_ports(&config->out_of, ports, sizeof(ports));
	json_add_text(entry, "out_of", ports);
	vlan_set_format(&config->vlans, vlans, sizeof(vlans));
	json_add_text(entry, "vlan", vlans);
	json_add_text(entry, "to", config->to);
	json_add_number(entry, "sample", config->sample);
	json_add_number(entry, "copies", counters->copies);
	json_add_number(entry, "over_limit", counters->over_limit);
	json_add_number(entry, "ring_full", counters->ring_full);
}

static struct listing understand(const struct pipeline *pl, const struct request *request)
{
	const struct grammar_value *first = &request->args[0], *second = &request->args[1];
	struct listing listing = {0};

	if (second->given || (first->given && pipeline_bridge_by_name(pl, first->text)))
		listing.bridge = first->text;
	else if (first->given)
		listing.name = first->text;
	if (second->given)
		listing.name = second->text;
	return listing;
}

void mirror_show_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const struct pipeline *pl = vswitch_pipeline(d->vs);
	struct listing listing = understand(pl, request);
	struct json_object *result;

	if (listing.bridge && !pipeline_bridge_by_name(pl, listing.bridge)) {
		reply_refuse(reply, "there is no bridge %s", listing.bridge);
		return;
	}
	result = json_object_new_object();
	listing.mirrors = json_add_array(result, "mirrors");
	vswitch_each_mirror(d->vs, list_mirror, &listing);
	if (!listing.name || json_object_array_length(listing.mirrors)) {
		reply_result(reply, result);
		return;
	}
	json_object_put(result);
	if (listing.bridge)
		reply_refuse(reply, "bridge %s has no mirror %s", listing.bridge, listing.name);
	else
		reply_refuse(reply, "there is no bridge and no mirror %s", listing.name);
}
