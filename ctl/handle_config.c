/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/daemon.h"
#include "ctl/conf.h"
#include "ctl/control.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/model.h"
#include "ctl/reconcile.h"
#include "ctl/reply.h"
#include "ctl/words.h"
#include "dataplane/complaint.h"
#include "dataplane/log.h"

#include <string.h>

static void add_statement(void *ctx, const char *statement, const char *trouble)
{
	struct json_object *entry = json_append_object(ctx);

	json_add_text(entry, "statement", statement);
	json_add_text(entry, "state", trouble ? "failed" : "ok");
	if (trouble)
		json_add_text(entry, "reason", trouble);
}

void config_show_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	struct json_object *result;
	struct model model;

	model_init(&model);
	if (reconcile_intent(d->rec, &model)) {
		model_free(&model);
		reply_refuse(reply, "out of memory");
		return;
	}
	result = json_object_new_object();
	json_add_text(result, "file", d->paths.conf);
	model_each_statement(&model, add_statement, json_add_array(result, "statements"));
	model_free(&model);
	reply_result(reply, result);
}

/* The file that the request names, or the daemon's own; NULL after the reply was ended. */
static const char *name_file(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *path = request->args[0].given ? request->args[0].text : d->paths.conf;

	if (path[0] == '/')
		return path;
	reply_refuse(reply, "%s is a relative path; the daemon takes absolute ones", path);
	return NULL;
}

void config_save_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *path = name_file(d, request, reply);
	struct json_object *result;
	struct model model;
	struct complaint c;
	int err;

	if (!path)
		return;
	model_init(&model);
	err = reconcile_intent(d->rec, &model);
	if (err)
		complain(&c, err, "out of memory");
	else
		err = conf_write(path, &model, "written by `switchctl config save`", true, &c);
	model_free(&model);
	if (err) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	log_info("config: saved to %s", path);
	if (!strcmp(path, d->paths.conf)) {
		d->digest = conf_digest(path);
		d->changed = true;
	}
	result = json_object_new_object();
	json_add_text(result, "file", path);
	reply_result(reply, result);
}

void config_load_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *path = name_file(d, request, reply);

	if (path)
		daemon_load(d, path, request_option(request, "merge") != NULL, reply);
}

/* ---- control sockets ---- */

void control_listen_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const struct control_tls config = {.address = request->args[0].text,
		.cert = request_option(request, "cert")->text,
		.key = request_option(request, "key")->text,
		.ca = request_option(request, "ca")->text};
	struct complaint c;

	if (config.cert[0] != '/' || config.key[0] != '/' || config.ca[0] != '/') {
		reply_refuse(reply, "the daemon takes absolute paths");
		return;
	}
	if (control_listen_tls(d->control, &config, &c)) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	reconcile_made_listener(d->rec, LISTENER_CONTROL, config.address);
	reply_result(reply, NULL);
}

void control_close_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *address = request->args[0].text;
	bool had = reconcile_gone_listener(d->rec, LISTENER_CONTROL, address);
	struct complaint c;

	if (control_close(d->control, address, &c) && !had)
		reply_refuse(reply, "%s", c.text);
	else
		reply_result(reply, NULL);
}

static void add_listener(void *ctx, const struct control_tls *config, int64_t expiry)
{
	struct json_object *listener = json_append_object(ctx);

	json_add_text(listener, "address", config->address);
	json_add_text(listener, "cert", config->cert);
	json_add_text(listener, "key", config->key);
	json_add_text(listener, "ca", config->ca);
}

static void add_connection(void *ctx, const char *peer, bool young, bool tls)
{
	struct json_object *connection = json_append_object(ctx);
	char safe[800];

	/* The name in a certificate is its owner's choice. */
	words_printable(peer, strlen(peer), safe, sizeof(safe));
	json_add_text(connection, "peer", safe);
	json_add_text(connection, "socket", tls ? "tls" : "unix");
	json_add_text(connection, "state", young ? "handshake" : "open");
}

void control_show_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	struct json_object *result = json_object_new_object();

	json_add_text(result, "unix", d->paths.socket);
	control_each_listener(d->control, add_listener, json_add_array(result, "listeners"));
	control_each_connection(d->control, add_connection, json_add_array(result, "connections"));
	reply_result(reply, result);
}
