/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/reconcile.h"

#include "ctl/control.h"
#include "ctl/metrics.h"
#include "ctl/model.h"
#include "ctl/openflow.h"
#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/vswitch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct reconcile {
	struct vswitch *vs;
	struct control *control;
	struct openflow *of;
	struct metrics *metrics;
	struct model failed;
	bool busy;
	struct model from, to; /* while busy */
	struct model_step *steps;
	unsigned n_steps, n_done, n_failed;
	char what[400];
	struct complaint trouble;
};

struct reconcile *reconcile_create(
	struct vswitch *vs, struct control *control, struct openflow *of, struct metrics *metrics)
{
	struct reconcile *rec = calloc(1, sizeof(*rec));

	if (!rec)
		return NULL;
	rec->vs = vs;
	rec->control = control;
	rec->of = of;
	rec->metrics = metrics;
	return rec;
}

static void put_down(struct reconcile *rec)
{
	model_free(&rec->from);
	model_free(&rec->to);
	free(rec->steps);
	rec->steps = NULL;
	rec->busy = false;
}

void reconcile_destroy(struct reconcile *rec)
{
	if (!rec)
		return;
	put_down(rec);
	model_free(&rec->failed);
	free(rec);
}

/* ---- what runs ---- */

struct reading {
	const struct vswitch *vs;
	struct model *model;
	int err;
};

static void read_mac(void *ctx, const struct fdb_entry *e)
{
	struct reading *reading = ctx;
	const struct pipeline *pl = vswitch_pipeline(reading->vs);
	const struct bridge *bridge = pipeline_bridge(pl, e->key.bridge);
	const struct port *port = pipeline_port(pl, e->port);
	struct static_mac mac = {.vid = e->key.vid};

	if (!(e->flags & FDB_STATIC) || !bridge || !port)
		return;
	memcpy(mac.bridge, bridge->name, sizeof(mac.bridge));
	memcpy(mac.port, port->name, sizeof(mac.port));
	memcpy(mac.mac, e->key.mac, sizeof(mac.mac));
	if (!model_put_mac(reading->model, &mac))
		reading->err = -ENOMEM;
}

static void read_mirror(void *ctx, const struct mirror_config *config, const struct mirror_counters *counters)
{
	struct reading *reading = ctx;

	if (!model_put_mirror(reading->model, config))
		reading->err = -ENOMEM;
}

static void read_listener(void *ctx, const struct control_tls *config, int64_t expiry)
{
	struct reading *reading = ctx;

	if (!model_put_listener(
		    reading->model, LISTENER_CONTROL, config->address, config->cert, config->key, config->ca))
		reading->err = -ENOMEM;
}

static void read_metrics(void *ctx, const struct metrics_config *config, int64_t expiry)
{
	struct reading *reading = ctx;

	if (!model_put_listener(
		    reading->model, LISTENER_METRICS, config->address, config->cert, config->key, config->ca))
		reading->err = -ENOMEM;
}

static void read_channel(void *ctx, const char *bridge, const struct channel_report *report)
{
	struct reading *reading = ctx;

	if (!model_put_channel(reading->model, bridge, report->config))
		reading->err = -ENOMEM;
}

static int read_bridges(const struct pipeline *pl, const struct openflow *of, struct model *model)
{
	const struct bridge *bridge;

	for (uint16_t id = 0; (bridge = pipeline_next_bridge(pl, id)); id = bridge->id) {
		struct model_bridge *element = model_put_bridge(model, bridge->name);

		if (!element)
			return -ENOMEM;
		element->settings = (struct bridge_settings){.ageing_s = bridge->ageing_s,
			.fdb_limit = bridge->fdb_limit,
			.forward_reserved = bridge->forward_reserved,
			.datapath_id = openflow_wanted_id(of, bridge->name)};
		element->fail = openflow_fail_mode(of, bridge->name);
	}
	return 0;
}

static int read_ports(const struct vswitch *vs, const struct pipeline *pl, struct model *model)
{
	const struct port *port;
	const struct port_config *config;

	for (uint16_t id = 0; (port = pipeline_next_port(pl, id)); id = port->id) {
		config = vswitch_port_config(vs, port->name);
		if (config && !model_put_port(model, config))
			return -ENOMEM;
	}
	return 0;
}

static int read_running(const struct reconcile *rec, struct model *ret)
{
	const struct pipeline *pl = vswitch_pipeline(rec->vs);
	struct reading reading = {.vs = rec->vs, .model = ret};
	int err = read_bridges(pl, rec->of, ret);

	if (!err)
		err = read_ports(rec->vs, pl, ret);
	fdb_each(vswitch_fdb(rec->vs), 0, read_mac, &reading);
	vswitch_each_mirror(rec->vs, read_mirror, &reading);
	control_each_listener(rec->control, read_listener, &reading);
	metrics_each_listener(rec->metrics, read_metrics, &reading);
	openflow_each_channel(rec->of, NULL, read_channel, &reading);
	return err ? err : reading.err;
}

int reconcile_intent(const struct reconcile *rec, struct model *ret)
{
	int err = read_running(rec, ret);

	return err ? err : model_merge(ret, &rec->failed);
}

/* ---- steps ---- */

static int add_port(struct reconcile *rec, const struct port_config *wanted, struct complaint *c)
{
	struct port_config config = *wanted;

	/* A device that preflight refuses today is waited for: the file is right, the machine is not ready. */
	config.patient = true;
	return vswitch_port_add(rec->vs, &config, c);
}

/* As patient as with a port that is new: the file may be of a machine with more CPUs. */
static int set_port(struct reconcile *rec, const struct port_config *wanted, unsigned which, struct complaint *c)
{
	struct port_config config = *wanted;

	config.patient = true;
	return vswitch_port_set(rec->vs, &config, which, c);
}

static int set_bridge(struct reconcile *rec, const struct model_bridge *bridge, unsigned which, struct complaint *c)
{
	enum fail_wish fail = which & MODEL_SET_FAIL ? bridge->fail : FAIL_WISH_NONE;
	struct bridge_settings settings = bridge->settings;

	settings.which = which & ~MODEL_SET_FAIL;
	return openflow_bridge_set(rec->of, bridge->name, &settings, fail, c);
}

static int add_listener(struct reconcile *rec, const struct model_listener *listener, struct complaint *c)
{
	const struct control_tls config = {
		.address = listener->address, .cert = listener->cert, .key = listener->key, .ca = listener->ca};
	const struct metrics_config metrics = {
		.address = listener->address, .cert = listener->cert, .key = listener->key, .ca = listener->ca};

	if (listener->kind == LISTENER_METRICS)
		return metrics_listen(rec->metrics, &metrics, c);
	return control_listen_tls(rec->control, &config, c);
}

static int remove_listener(struct reconcile *rec, const struct model_listener *listener, struct complaint *c)
{
	if (listener->kind == LISTENER_METRICS)
		return metrics_close(rec->metrics, listener->address, c);
	return control_close(rec->control, listener->address, c);
}

static int remove_channel(struct reconcile *rec, const struct model_channel *channel, struct complaint *c)
{
	return openflow_channel_remove(rec->of, channel->bridge, channel->config.kind, channel->config.address, c);
}

static int add_mac(struct reconcile *rec, const struct static_mac *mac, struct complaint *c)
{
	return vswitch_fdb_add(rec->vs, mac->bridge, mac->port, mac->vid, mac->mac, c);
}

static int remove_mac(struct reconcile *rec, const struct static_mac *mac, struct complaint *c)
{
	return vswitch_fdb_remove(rec->vs, mac->bridge, mac->vid, mac->mac, c);
}

static int do_step(struct reconcile *rec, const struct model_step *step, struct complaint *c)
{
	const struct model *from = &rec->from, *to = &rec->to;
	unsigned i = step->index;

	switch (step->verb) {
	case STEP_DEL_LISTENER:
		return remove_listener(rec, &from->listeners[i], c);
	case STEP_DEL_CHANNEL:
		return remove_channel(rec, &from->channels[i], c);
	case STEP_DEL_MIRROR:
		return vswitch_mirror_remove(rec->vs, from->mirrors[i].config.bridge, from->mirrors[i].config.name, c);
	case STEP_ADD_MIRROR:
		return vswitch_mirror_add(rec->vs, &to->mirrors[i].config, c);
	case STEP_DEL_MAC:
		return remove_mac(rec, &from->macs[i].mac, c);
	case STEP_DEL_PORT:
		return vswitch_port_remove(rec->vs, from->ports[i].config.name, c);
	case STEP_DEL_BRIDGE:
		return openflow_bridge_remove(rec->of, from->bridges[i].name, c);
	case STEP_ADD_BRIDGE:
		return openflow_bridge_add(rec->of, to->bridges[i].name, c);
	case STEP_SET_BRIDGE:
		return set_bridge(rec, &to->bridges[i], step->which, c);
	case STEP_ADD_PORT:
		return add_port(rec, &to->ports[i].config, c);
	case STEP_SET_PORT:
		return set_port(rec, &to->ports[i].config, step->which, c);
	case STEP_ADD_MAC:
		return add_mac(rec, &to->macs[i].mac, c);
	case STEP_ADD_LISTENER:
		return add_listener(rec, &to->listeners[i], c);
	case STEP_ADD_CHANNEL:
		return openflow_channel_add(rec->of, to->channels[i].bridge, &to->channels[i].config, c);
	case STEP_SET_CHANNEL:
		return openflow_channel_set(rec->of, to->channels[i].bridge, &to->channels[i].config, c);
	}
	return complain(c, -EINVAL, "no such step");
}

static void name_channel(const struct model_channel *channel, bool add, char *text, size_t size)
{
	bool controller = channel->config.kind == CHANNEL_CONTROLLER;

	snprintf(text, size, "%s %s %s",
		controller ? add ? "controller add" : "controller del"
		: add      ? "openflow listen"
			   : "openflow close",
		channel->bridge, channel->config.address);
}

static void name_listener(const struct model_listener *listener, const char *deed, char *text, size_t size)
{
	snprintf(text, size, "%s %s %s", listener->kind == LISTENER_METRICS ? "metrics" : "control", deed,
		listener->address);
}

static void name_step(struct reconcile *rec, const struct model_step *step)
{
	static char text[STATEMENT_SIZE];
	const struct model *from = &rec->from, *to = &rec->to;
	unsigned i = step->index;

	switch (step->verb) {
	case STEP_DEL_LISTENER:
		name_listener(&from->listeners[i], "close", text, sizeof(text));
		break;
	case STEP_DEL_CHANNEL:
		name_channel(&from->channels[i], false, text, sizeof(text));
		break;
	case STEP_DEL_MIRROR:
		snprintf(text, sizeof(text), "mirror del %s %s", from->mirrors[i].config.bridge,
			from->mirrors[i].config.name);
		break;
	case STEP_ADD_MIRROR:
		statement_print_mirror(&to->mirrors[i].config, text, sizeof(text));
		break;
	case STEP_DEL_MAC:
		statement_print_mac(&from->macs[i].mac, text, sizeof(text));
		memcpy(text + 4, "del", 3);
		break;
	case STEP_DEL_PORT:
		snprintf(
			text, sizeof(text), "port del %s %s", from->ports[i].config.bridge, from->ports[i].config.name);
		break;
	case STEP_DEL_BRIDGE:
		snprintf(text, sizeof(text), "bridge del %s", from->bridges[i].name);
		break;
	case STEP_ADD_BRIDGE:
		snprintf(text, sizeof(text), "bridge add %s", to->bridges[i].name);
		break;
	case STEP_SET_BRIDGE:
		snprintf(text, sizeof(text), "bridge set %s", to->bridges[i].name);
		break;
	case STEP_ADD_PORT:
		statement_print_port(&to->ports[i].config, text, sizeof(text));
		break;
	case STEP_SET_PORT:
		snprintf(text, sizeof(text), "port set %s %s", to->ports[i].config.bridge, to->ports[i].config.name);
		break;
	case STEP_ADD_MAC:
		statement_print_mac(&to->macs[i].mac, text, sizeof(text));
		break;
	case STEP_ADD_LISTENER:
		name_listener(&to->listeners[i], "listen", text, sizeof(text));
		break;
	case STEP_ADD_CHANNEL:
	case STEP_SET_CHANNEL:
		name_channel(&to->channels[i], true, text, sizeof(text));
		break;
	}
	snprintf(rec->what, sizeof(rec->what), "%.399s", text);
}

/* Puts the element of a failed step aside, with the reason. */
static void remember(struct reconcile *rec, const struct model_step *step, const char *why)
{
	const struct model *to = &rec->to;
	struct model *failed = &rec->failed;
	char **trouble = NULL;

	if (step->verb == STEP_ADD_BRIDGE || step->verb == STEP_SET_BRIDGE) {
		struct model_bridge *bridge = model_put_bridge(failed, to->bridges[step->index].name);

		if (bridge) {
			bridge->settings = to->bridges[step->index].settings;
			bridge->fail = to->bridges[step->index].fail;
		}
		trouble = bridge ? &bridge->trouble : NULL;
	} else if (step->verb == STEP_ADD_PORT || step->verb == STEP_SET_PORT) {
		struct model_port *port = model_put_port(failed, &to->ports[step->index].config);

		trouble = port ? &port->trouble : NULL;
	} else if (step->verb == STEP_ADD_MAC) {
		struct model_mac *mac = model_put_mac(failed, &to->macs[step->index].mac);

		trouble = mac ? &mac->trouble : NULL;
	} else if (step->verb == STEP_ADD_MIRROR) {
		struct model_mirror *mirror = model_put_mirror(failed, &to->mirrors[step->index].config);

		trouble = mirror ? &mirror->trouble : NULL;
	} else if (step->verb == STEP_ADD_LISTENER) {
		const struct model_listener *l = &to->listeners[step->index];
		struct model_listener *listener =
			model_put_listener(failed, l->kind, l->address, l->cert, l->key, l->ca);

		trouble = listener ? &listener->trouble : NULL;
	} else if (step->verb == STEP_ADD_CHANNEL || step->verb == STEP_SET_CHANNEL) {
		const struct model_channel *has = &to->channels[step->index];
		struct model_channel *channel = model_put_channel(failed, has->bridge, &has->config);

		trouble = channel ? &channel->trouble : NULL;
	}
	if (trouble && !*trouble)
		*trouble = strdup(why);
}

/* A step went well: an earlier failure of its element is over. */
static void forgive(struct reconcile *rec, const struct model_step *step)
{
	const struct model *to = &rec->to;

	if (step->verb == STEP_ADD_BRIDGE || step->verb == STEP_SET_BRIDGE)
		reconcile_made_bridge(rec, to->bridges[step->index].name);
	else if (step->verb == STEP_ADD_PORT || step->verb == STEP_SET_PORT)
		reconcile_made_port(rec, to->ports[step->index].config.name);
	else if (step->verb == STEP_ADD_MAC)
		reconcile_made_mac(rec, &to->macs[step->index].mac);
	else if (step->verb == STEP_ADD_MIRROR)
		reconcile_made_mirror(
			rec, to->mirrors[step->index].config.bridge, to->mirrors[step->index].config.name);
	else if (step->verb == STEP_ADD_LISTENER)
		reconcile_made_listener(rec, to->listeners[step->index].kind, to->listeners[step->index].address);
	else if (step->verb == STEP_ADD_CHANNEL || step->verb == STEP_SET_CHANNEL)
		reconcile_made_channel(rec, to->channels[step->index].bridge, to->channels[step->index].config.kind,
			to->channels[step->index].config.address);
}

int reconcile_begin(struct reconcile *rec, struct model *wanted, bool keep, struct complaint *c)
{
	int err;

	if (rec->busy) {
		model_free(wanted);
		return complain(c, -EBUSY, "a configuration is being loaded");
	}
	rec->to = *wanted;
	model_init(wanted);
	model_init(&rec->from);
	rec->n_done = rec->n_failed = 0;
	rec->what[0] = rec->trouble.text[0] = '\0';
	err = read_running(rec, &rec->from);
	if (!err)
		err = model_diff(&rec->from, &rec->to, keep, &rec->steps, &rec->n_steps);
	if (err) {
		put_down(rec);
		return complain(c, err, "out of memory");
	}
	rec->busy = true;
	/* What failed before and is still wanted is tried again; what is not is forgotten. */
	if (!keep)
		model_free(&rec->failed);
	return 0;
}

bool reconcile_step(struct reconcile *rec)
{
	const struct model_step *step;
	struct complaint c = {0};

	if (!rec->busy)
		return false;
	if (rec->n_done == rec->n_steps) {
		put_down(rec);
		return false;
	}
	step = &rec->steps[rec->n_done];
	name_step(rec, step);
	if (do_step(rec, step, &c)) {
		log_error("config: %s: %s", rec->what, c.text);
		if (!rec->n_failed++)
			complain(&rec->trouble, 0, "%.200s: %.190s", rec->what, c.text);
		remember(rec, step, c.text);
	} else {
		forgive(rec, step);
	}
	rec->n_done++;
	return true;
}

bool reconcile_busy(const struct reconcile *rec)
{
	return rec->busy;
}

void reconcile_progress(const struct reconcile *rec, struct reconcile_progress *ret)
{
	*ret = (struct reconcile_progress){.done = rec->n_done,
		.total = rec->n_steps,
		.failed = rec->n_failed,
		.what = rec->what,
		.trouble = rec->trouble.text};
}

void reconcile_made_bridge(struct reconcile *rec, const char *name)
{
	model_drop_bridge(&rec->failed, name);
}

/* What names it as a port of another bridge can never be made, nor loaded again. */
void reconcile_made_port(struct reconcile *rec, const char *name)
{
	const struct port_config *made = vswitch_port_config(rec->vs, name);

	model_drop_port(&rec->failed, name);
	if (made)
		model_drop_on_port(&rec->failed, name, made->bridge);
}

void reconcile_made_mac(struct reconcile *rec, const struct static_mac *mac)
{
	model_drop_mac(&rec->failed, mac);
}

void reconcile_made_mirror(struct reconcile *rec, const char *bridge, const char *name)
{
	model_drop_mirror(&rec->failed, bridge, name);
}

bool reconcile_gone_mirror(struct reconcile *rec, const char *bridge, const char *name)
{
	return model_drop_mirror(&rec->failed, bridge, name);
}

void reconcile_made_listener(struct reconcile *rec, enum listener_kind kind, const char *address)
{
	model_drop_listener(&rec->failed, kind, address);
}

void reconcile_made_channel(struct reconcile *rec, const char *bridge, enum channel_kind kind, const char *address)
{
	model_drop_channel(&rec->failed, bridge, kind, address);
}

bool reconcile_gone_bridge(struct reconcile *rec, const char *name)
{
	model_drop_on_bridge(&rec->failed, name);
	return model_drop_bridge(&rec->failed, name);
}

bool reconcile_gone_port(struct reconcile *rec, const char *name)
{
	model_drop_on_port(&rec->failed, name, NULL);
	return model_drop_port(&rec->failed, name);
}

bool reconcile_gone_mac(struct reconcile *rec, const struct static_mac *mac)
{
	return model_drop_mac(&rec->failed, mac);
}

bool reconcile_gone_listener(struct reconcile *rec, enum listener_kind kind, const char *address)
{
	return model_drop_listener(&rec->failed, kind, address);
}

bool reconcile_gone_channel(struct reconcile *rec, const char *bridge, enum channel_kind kind, const char *address)
{
	return model_drop_channel(&rec->failed, bridge, kind, address);
}
