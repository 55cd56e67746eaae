/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/daemon.h"

#include "ctl/conf.h"
#include "ctl/control.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/logbook.h"
#include "ctl/loop.h"
#include "ctl/metrics.h"
#include "ctl/model.h"
#include "ctl/openflow.h"
#include "ctl/reconcile.h"
#include "ctl/reply.h"
#include "ctl/words.h"
#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/reactor.h"
#include "dataplane/vswitch.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER       "switchd: what runs now, written by the daemon for its next start; configuration file "
#define LOAD_TURN_NS 5000000ULL /* of a load, before others have their turn */
#define STOP_MS      1000

static void load_goes_on(void *arg);
static void stop_waited_enough(void *arg);

/* By enum command_id; NULL: switchctl's own. */
static daemon_handler *const handlers[N_COMMANDS] = {
	[CMD_BRIDGE_ADD] = bridge_add_asked,
	[CMD_BRIDGE_DEL] = bridge_del_asked,
	[CMD_BRIDGE_SET] = bridge_set_asked,
	[CMD_BRIDGE_SHOW] = bridge_show_asked,
	[CMD_PORT_ADD] = port_add_asked,
	[CMD_PORT_DEL] = port_del_asked,
	[CMD_PORT_SET] = port_set_asked,
	[CMD_PORT_SHOW] = port_show_asked,
	[CMD_FDB_ADD] = fdb_add_asked,
	[CMD_FDB_DEL] = fdb_del_asked,
	[CMD_FDB_FLUSH] = fdb_flush_asked,
	[CMD_FDB_SHOW] = fdb_show_asked,
	[CMD_MIRROR_ADD] = mirror_add_asked,
	[CMD_MIRROR_DEL] = mirror_del_asked,
	[CMD_MIRROR_SHOW] = mirror_show_asked,
	[CMD_CACHE_SHOW] = cache_show_asked,
	[CMD_CACHE_FLUSH] = cache_flush_asked,
	[CMD_STATS] = stats_asked,
	[CMD_DROPS] = drops_asked,
	[CMD_TRACE] = trace_asked,
	[CMD_CONFIG_SHOW] = config_show_asked,
	[CMD_CONFIG_SAVE] = config_save_asked,
	[CMD_CONFIG_LOAD] = config_load_asked,
	[CMD_CONTROL_LISTEN] = control_listen_asked,
	[CMD_CONTROL_CLOSE] = control_close_asked,
	[CMD_CONTROL_SHOW] = control_show_asked,
	[CMD_CONTROLLER_ADD] = controller_add_asked,
	[CMD_CONTROLLER_DEL] = controller_del_asked,
	[CMD_CONTROLLER_SHOW] = controller_show_asked,
	[CMD_OPENFLOW_LISTEN] = openflow_listen_asked,
	[CMD_OPENFLOW_CLOSE] = openflow_close_asked,
	[CMD_OPENFLOW_SHOW] = openflow_show_asked,
	[CMD_METRICS_LISTEN] = metrics_listen_asked,
	[CMD_METRICS_CLOSE] = metrics_close_asked,
	[CMD_METRICS_SHOW] = metrics_show_asked,
	[CMD_SHOW_XDP] = show_xdp_asked,
	[CMD_LOG] = log_asked,
	[CMD_VERSION] = version_asked,
	[CMD_DAEMON_STOP] = daemon_stop_asked,
};

int daemon_bpffs_dir(const char *run_dir, char *ret, unsigned size)
{
	unsigned used = (unsigned)snprintf(ret, size, "/sys/fs/bpf/switchd/"), base = used;

	for (const unsigned char *p = (const unsigned char *)run_dir; *p && used < size; p++) {
		bool plain = isalnum(*p) || *p == '_' || *p == '/';

		used += (unsigned)snprintf(ret + used, size - used, plain ? "%c" : "%%%02X", *p == '/' ? '-' : *p);
	}
	return used < size && used - base <= 255 ? 0 : -ENAMETOOLONG;
}

int daemon_init(struct daemon *d)
{
	const struct reactor *r = loop_reactor(d->loop);

	d->load_timer = r->timer(r->ctx, load_goes_on, d);
	d->stop_timer = r->timer(r->ctx, stop_waited_enough, d);
	d->words = malloc(sizeof(*d->words));
	d->started_ns = r->now_ns(r->ctx);
	return d->load_timer && d->stop_timer && d->words ? 0 : -ENOMEM;
}

void daemon_fini(struct daemon *d)
{
	const struct reactor *r = loop_reactor(d->loop);

	if (d->load_reply)
		reply_refuse(d->load_reply, "the daemon stopped before the configuration was loaded");
	d->load_reply = NULL;
	r->timer_free(r->ctx, d->load_timer);
	r->timer_free(r->ctx, d->stop_timer);
	free(d->words);
}

/* ---- requests ---- */

static void dispatch(struct daemon *d, const struct request *request, struct reply *reply)
{
	unsigned flags = grammar_commands[request->id].flags;

	if (!handlers[request->id]) {
		reply_refuse(reply, "switchctl does that by itself");
		return;
	}
	if (d->stopping) {
		reply_refuse(reply, "the daemon is stopping");
		return;
	}
	if (flags & COMMAND_CONFIGURES) {
		if (reconcile_busy(d->rec)) {
			reply_refuse(reply, "a configuration is being loaded; try again when it is");
			return;
		}
		d->changed = true;
	}
	handlers[request->id](d, request, reply);
}

/* One refused line in the log is help enough; a client in a loop is held back. */
static void log_request(const char *line, size_t size, const struct request *request)
{
	char safe[400];

	if (!(grammar_commands[request->id].flags & COMMAND_CONFIGURES))
		return;
	words_printable(line, size, safe, sizeof(safe));
	log_info("asked: %s", safe);
}

void daemon_request(struct daemon *d, const char *line, unsigned long size, struct reply *reply)
{
	struct grammar_problem problem = {0};
	struct request request;
	struct complaint c;
	unsigned column;

	if (words_split(line, size, d->words, &column, &c)) {
		problem.column = column;
		snprintf(problem.text, sizeof(problem.text), "%s", c.text);
		snprintf(problem.expected, sizeof(problem.expected), "a line of words");
		reply_misuse(reply, &problem);
		return;
	}
	if (grammar_parse(d->words, &request, &problem)) {
		reply_misuse(reply, &problem);
		return;
	}
	log_request(line, size, &request);
	dispatch(d, &request, reply);
}

/* ---- loading ---- */

static void add_progress(struct json_object *result, const struct reconcile_progress *progress)
{
	json_add_number(result, "steps", progress->total);
	json_add_number(result, "failed", progress->failed);
}

static void load_ended(struct daemon *d)
{
	struct reply *reply = d->load_reply;
	struct reconcile_progress progress;
	struct json_object *result;

	reconcile_progress(d->rec, &progress);
	log_info("config: loaded: %u changes, %u failed", progress.total, progress.failed);
	d->changed = true;
	d->load_reply = NULL;
	if (!reply)
		return;
	if (progress.failed) {
		reply_refuse(reply, "%u of %u change%s failed (config show lists them), the first: %s", progress.failed,
			progress.total, progress.total == 1 ? "" : "s", progress.trouble);
		return;
	}
	result = json_object_new_object();
	add_progress(result, &progress);
	reply_result(reply, result);
}

static void load_goes_on(void *arg)
{
	struct daemon *d = arg;
	const struct reactor *r = loop_reactor(d->loop);
	uint64_t until = r->now_ns(r->ctx) + LOAD_TURN_NS;
	struct reconcile_progress progress;

	do {
		if (reconcile_step(d->rec))
			continue;
		load_ended(d);
		return;
	} while (r->now_ns(r->ctx) < until);
	reconcile_progress(d->rec, &progress);
	if (d->load_reply)
		reply_progress(d->load_reply, progress.done, progress.total, progress.what);
	r->arm(r->ctx, d->load_timer, 0);
}

static void load_refused(struct reply *reply, const struct complaint *c)
{
	log_error("config: %s", c->text);
	if (reply)
		reply_refuse(reply, "%s", c->text);
}

void daemon_load(struct daemon *d, const char *path, bool keep, struct reply *reply)
{
	const struct reactor *r = loop_reactor(d->loop);
	struct complaint c = {0};
	struct model model;
	uint64_t digest;

	model_init(&model);
	if (conf_read(path, &model, &digest, &c)) {
		model_free(&model);
		load_refused(reply, &c);
		return;
	}
	if (reconcile_begin(d->rec, &model, keep, &c)) {
		load_refused(reply, &c);
		return;
	}
	log_info("config: loading %s", path);
	if (!strcmp(path, d->paths.conf))
		d->digest = digest;
	d->load_reply = reply;
	r->arm(r->ctx, d->load_timer, 0);
}

void daemon_reload(struct daemon *d)
{
	log_info("reloading");
	logbook_reopen(d->logbook);
	control_renew(d->control);
	openflow_renew(d->of);
	metrics_renew(d->metrics);
	if (!d->conf_given && !conf_digest(d->paths.conf))
		log_warn("config: there is no %s; what runs stays", d->paths.conf);
	else
		daemon_load(d, d->paths.conf, false, NULL);
}

/* ---- start ---- */

static bool running_fits(const struct daemon *d)
{
	char line[256];
	unsigned long long digest;

	return vswitch_inherited(d->vs) && conf_first_line(d->paths.running, line, sizeof(line)) &&
	       sscanf(line, "# " HEADER "%llx", &digest) == 1 && digest == d->digest;
}

static int read_file(struct daemon *d, struct model *model, struct complaint *c)
{
	int err = conf_read(d->paths.conf, model, &d->digest, c);

	if (err != -ENOENT || d->conf_given)
		return err;
	d->digest = 0;
	return 0;
}

/* The model of what the start should bring. */
static int read_wanted(struct daemon *d, struct model *model, struct complaint *c)
{
	struct model running;
	uint64_t ignored;
	int err = read_file(d, model, c);

	if (err)
		return err;
	if (!running_fits(d)) {
		if (vswitch_inherited(d->vs))
			log_warn("config: %s is not what the last daemon was started with: what ran then and is not in "
				 "it goes",
				d->paths.conf);
		return 0;
	}
	model_init(&running);
	running.resumed = true;
	err = conf_read(d->paths.running, &running, &ignored, c);
	if (err) {
		log_warn("config: %s; starting from %s instead", c->text, d->paths.conf);
		model_free(&running);
		return 0;
	}
	log_info("config: going on with what ran before (%s)", d->paths.running);
	model_free(model);
	*model = running;
	return 0;
}

int daemon_restore(struct daemon *d, struct complaint *c)
{
	struct reconcile_progress progress;
	struct model model;
	int err;

	model_init(&model);
	err = read_wanted(d, &model, c);
	if (err) {
		model_free(&model);
		return err;
	}
	err = reconcile_begin(d->rec, &model, false, c);
	if (err)
		return err;
	while (reconcile_step(d->rec))
		;
	vswitch_restored(d->vs);
	reconcile_progress(d->rec, &progress);
	log_info("config: %u statements brought about, %u failed", progress.total - progress.failed, progress.failed);
	d->changed = true;
	return 0;
}

/* ---- the turn ---- */

static void keep_running(struct daemon *d)
{
	struct model model;
	struct complaint c = {"out of memory"};
	char header[200];

	d->changed = false;
	model_init(&model);
	snprintf(header, sizeof(header), HEADER "%016llx", (unsigned long long)d->digest);
	if (reconcile_intent(d->rec, &model) || conf_write(d->paths.running, &model, header, false, &c))
		log_limited(LOG_LEVEL_ERROR, "config: a restart would not know what runs now: %s", c.text);
	model_free(&model);
}

static void stop_waited_enough(void *arg)
{
	struct daemon *d = arg;

	loop_stop(d->loop);
}

void daemon_turn_ended(struct daemon *d)
{
	const struct reactor *r = loop_reactor(d->loop);

	vswitch_settle(d->vs);
	if (d->changed && !reconcile_busy(d->rec))
		keep_running(d);
	control_flush(d->control);
	openflow_flush(d->of);
	metrics_flush(d->metrics);
	if (!d->stopping)
		return;
	if (control_quiet(d->control) && openflow_quiet(d->of)) {
		loop_stop(d->loop);
		return;
	}
	r->arm(r->ctx, d->stop_timer, STOP_MS);
}
