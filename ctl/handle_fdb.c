/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/daemon.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/reconcile.h"
#include "ctl/reply.h"
#include "ctl/statement.h"
#include "dataplane/complaint.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct bridge *find_bridge(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *name = request->args[0].text;
	const struct bridge *bridge = pipeline_bridge_by_name(vswitch_pipeline(d->vs), name);

	if (!bridge)
		reply_refuse(reply, "there is no bridge %s", name);
	return bridge;
}

static const struct port *find_port(
	struct daemon *d, const struct bridge *bridge, const struct grammar_value *name, struct reply *reply)
{
	const struct port *port = pipeline_port_by_name(vswitch_pipeline(d->vs), name->text);

	if (port && (!bridge || port->bridge == bridge->id))
		return port;
	if (bridge)
		reply_refuse(reply, "bridge %s has no port %s", bridge->name, name->text);
	else
		reply_refuse(reply, "there is no port %s", name->text);
	return NULL;
}

void fdb_add_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const struct bridge *bridge = find_bridge(d, request, reply);
	const struct port *port = bridge ? find_port(d, bridge, &request->args[2], reply) : NULL;
	const struct fdb_entry *has;
	struct static_mac mac;
	struct fdb_key key;
	struct complaint c;

	if (!port)
		return;
	statement_mac(request, &mac);
	key = (struct fdb_key){.bridge = bridge->id, .vid = mac.vid};
	memcpy(key.mac, mac.mac, 6);
	has = fdb_lookup(vswitch_fdb(d->vs), &key);
	if (has && (has->flags & FDB_STATIC)) {
		port = pipeline_port(vswitch_pipeline(d->vs), has->port);
		reply_refuse(reply, "%s is a static address of port %s already", request->args[1].text,
			port ? port->name : "?");
		return;
	}
	if (vswitch_fdb_add(d->vs, mac.bridge, mac.port, mac.vid, mac.mac, &c)) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	reconcile_made_mac(d->rec, &mac);
	reply_result(reply, NULL);
}

void fdb_del_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const struct grammar_value *vlan = request_option(request, "vlan");
	struct static_mac mac = {.vid = vlan ? (uint16_t)vlan->number : 0};
	struct complaint c = {0};
	bool had;

	if (!find_bridge(d, request, reply))
		return;
	snprintf(mac.bridge, sizeof(mac.bridge), "%s", request->args[0].text);
	memcpy(mac.mac, request->args[1].mac, 6);
	had = reconcile_gone_mac(d->rec, &mac);
	if (vswitch_fdb_remove(d->vs, mac.bridge, mac.vid, mac.mac, &c) && !had) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	reply_result(reply, NULL);
}

/* What `fdb flush` and `fdb show` select. */
struct selection {
	const struct bridge *bridge; /* NULL: any */
	const struct port *port;     /* NULL: any */
	int vid;                     /* -1: any */
};

static bool select_entries(struct daemon *d, const struct request *request, struct selection *ret, struct reply *reply)
{
	const struct grammar_value *port = request_option(request, "port"), *vlan = request_option(request, "vlan");

	*ret = (struct selection){.vid = vlan ? (int)vlan->number : -1};
	if (request->args[0].given) {
		ret->bridge = find_bridge(d, request, reply);
		if (!ret->bridge)
			return false;
	}
	if (!port)
		return true;
	ret->port = find_port(d, ret->bridge, port, reply);
	if (ret->port && !ret->bridge)
		ret->bridge = pipeline_bridge(vswitch_pipeline(d->vs), ret->port->bridge);
	return ret->port != NULL;
}

void fdb_flush_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	struct json_object *result;
	struct selection s;
	struct complaint c;
	uint32_t n = 0;

	if (!select_entries(d, request, &s, reply))
		return;
	if (vswitch_fdb_flush(d->vs, s.bridge ? s.bridge->name : NULL, s.port ? s.port->name : NULL, s.vid, &n, &c)) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	result = json_object_new_object();
	json_add_number(result, "flushed", n);
	reply_result(reply, result);
}

struct listing {
	const struct daemon *d;
	struct selection selection;
	struct json_object *addresses;
	uint64_t now_ns;
};

static uint64_t seconds_since(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? (now_ns - then_ns) / 1000000000ULL : 0;
}

static void list_entry(void *ctx, const struct fdb_entry *e)
{
	struct listing *listing = ctx;
	const struct pipeline *pl = vswitch_pipeline(listing->d->vs);
	const struct bridge *bridge = pipeline_bridge(pl, e->key.bridge);
	const struct port *port = pipeline_port(pl, e->port);
	struct json_object *entry;
	char mac[18];

	if ((listing->selection.port && port != listing->selection.port) ||
		(listing->selection.vid >= 0 && listing->selection.vid != e->key.vid))
		return;
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", e->key.mac[0], e->key.mac[1], e->key.mac[2],
		e->key.mac[3], e->key.mac[4], e->key.mac[5]);
	entry = json_append_object(listing->addresses);
	json_add_text(entry, "bridge", bridge ? bridge->name : "");
	json_add_number(entry, "vlan", e->key.vid);
	json_add_text(entry, "mac", mac);
	json_add_text(entry, "port", port ? port->name : "");
	json_add_text(entry, "kind", e->flags & FDB_STATIC ? "static" : "learned");
	json_add_number(entry, "age_s", seconds_since(listing->now_ns, e->learned_ns));
	json_add_number(entry, "idle_s", seconds_since(listing->now_ns, e->used_ns));
}

void fdb_show_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	struct listing listing = {.d = d, .now_ns = vswitch_now_ns(d->vs)};
	struct json_object *result;

	if (!select_entries(d, request, &listing.selection, reply))
		return;
	result = json_object_new_object();
	listing.addresses = json_add_array(result, "addresses");
	vswitch_harvest(d->vs);
	fdb_each(vswitch_fdb(d->vs), listing.selection.bridge ? listing.selection.bridge->id : 0, list_entry, &listing);
	reply_result(reply, result);
}
