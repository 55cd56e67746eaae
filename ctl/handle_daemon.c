/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/daemon.h"
#include "ctl/grammar.h"
#include "ctl/json.h"
#include "ctl/logbook.h"
#include "ctl/reply.h"
#include "dataplane/log.h"
#include "dataplane/vswitch.h"

#include <sys/utsname.h>
#include <unistd.h>

#define DEFAULT_LINES 50

static void add_line(void *ctx, const char *line)
{
	json_object_array_add(ctx, json_object_new_string(line));
}

void log_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	unsigned n = request->args[0].given ? (unsigned)request->args[0].number : DEFAULT_LINES;
	struct json_object *result = json_object_new_object();

	json_add_text(result, "file", d->paths.log);
	logbook_last(d->logbook, n, add_line, json_add_array(result, "lines"));
	reply_result(reply, result);
}

void version_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	struct json_object *result = json_object_new_object();
	struct utsname kernel;

	json_add_text(result, "switchd", SWITCHD_VERSION);
	json_add_number(result, "abi", SW_ABI_VERSION);
	json_add_number(result, "pid", (uint64_t)getpid());
	json_add_number(result, "uptime_s", (vswitch_now_ns(d->vs) - d->started_ns) / 1000000000ULL);
	json_add_text(result, "run_dir", d->paths.run_dir);
	json_add_text(result, "bpffs", d->paths.bpffs);
	json_add_text(result, "conf", d->paths.conf);
	if (!uname(&kernel))
		json_add_text(result, "kernel", kernel.release);
	reply_result(reply, result);
}

void daemon_stop_asked(struct daemon *d, const struct request *request, struct reply *reply)
{
	d->flush = request_option(request, "flush") != NULL;
	d->stopping = true;
	log_info("stopping: asked to%s", d->flush ? ", and to remove everything" : "; forwarding goes on");
	reply_result(reply, NULL);
}
