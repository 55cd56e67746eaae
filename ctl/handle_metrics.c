/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/daemon.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/metrics.h"
#include "ctl/reconcile.h"
#include "ctl/reply.h"
#include "ctl/statement.h"
#include "dataplane/complaint.h"

static const char *file(const struct request *request, const char *word)
{
	const struct grammar_value *value = request_option(request, word);

	return value ? value->text : NULL;
}

void metrics_listen_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const struct metrics_config config = {.address = request->args[0].text,
		.cert = file(request, "cert"),
		.key = file(request, "key"),
		.ca = file(request, "ca")};
	struct grammar_problem problem;
	struct complaint c;

	if (statement_files(request, &request->args[0], &problem)) {
		reply_misuse(reply, &problem);
		return;
	}
	if (config.cert && (config.cert[0] != '/' || config.key[0] != '/' || config.ca[0] != '/')) {
		reply_refuse(reply, "the daemon takes absolute paths");
		return;
	}
	if (metrics_listen(d->metrics, &config, &c)) {
		reply_refuse(reply, "%s", c.text);
		return;
	}
	reconcile_made_listener(d->rec, LISTENER_METRICS, config.address);
	reply_result(reply, NULL);
}

void metrics_close_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	const char *address = request->args[0].text;
	bool had = reconcile_gone_listener(d->rec, LISTENER_METRICS, address);
	struct complaint c;

	if (metrics_close(d->metrics, address, &c) && !had)
		reply_refuse(reply, "%s", c.text);
	else
		reply_result(reply, NULL);
}

static void add_listener(void *ctx, const struct metrics_config *config, int64_t expiry)
{
	struct json_object *listener = json_append_object(ctx);

	json_add_text(listener, "address", config->address);
	json_add_expiry(listener, expiry);
}

void metrics_show_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	struct json_object *result = json_object_new_object();

	metrics_each_listener(d->metrics, add_listener, json_add_array(result, "listeners"));
	json_add_number(result, "connections", metrics_n_scrapes(d->metrics));
	json_add_number(result, "answers", metrics_n_answers(d->metrics));
	reply_result(reply, result);
}
