/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon.h - the daemon's parts, as its command handlers see them, and what goes beyond one request: loading a
 * configuration over several turns, keeping it for the next start, stopping.
 *
 * What is kept where. --conf FILE is the operator's; only `config save` writes it. RUN-DIR/running.conf is the daemon's
 * own: what runs now, with the digest of the file it started from. A daemon that starts and finds both its pinned state
 * and a running.conf of the same digest goes on with that, so that a crash or an upgrade loses nothing that was done by
 * hand; if the file was edited meanwhile, the file wins.
 */
#ifndef CTL_DAEMON_H
#define CTL_DAEMON_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct complaint;
struct control;
struct logbook;
struct loop;
struct metrics;
struct openflow;
struct reactor_timer;
struct reconcile;
struct reply;
struct request;
struct vswitch;
struct words;

struct daemon_paths {
	char run_dir[PATH_MAX];
	char conf[PATH_MAX];
	char running[PATH_MAX + 16];
	char socket[PATH_MAX + 16];
	char log[PATH_MAX + 16];
	char pid[PATH_MAX + 16];
	char bpffs[PATH_MAX];
};

struct daemon {
	struct daemon_paths paths;
	bool conf_given; /* by --conf: then it must be there */
	struct loop *loop;
	struct logbook *logbook;
	struct vswitch *vs;
	struct control *control;
	struct openflow *of;
	struct metrics *metrics;
	struct reconcile *rec;
	struct words *words; /* of the request at hand */
	struct reactor_timer *load_timer;
	struct reactor_timer *stop_timer; /* a client that does not read its reply does not hold up the end */
	struct reply *load_reply;         /* NULL: nobody waits for the load under way */
	uint64_t digest;                  /* of the configuration file as it was read last */
	uint64_t started_ns;
	bool changed;  /* running.conf is behind */
	bool stopping; /* when the replies are sent */
	bool flush;    /* and nothing is to stay */
};

/* Makes the timers. -ENOMEM. */
int daemon_init(struct daemon *d);
void daemon_fini(struct daemon *d);

/*
 * Where the maps of this run directory are pinned: /sys/fs/bpf/switchd/ and the absolute path with '/' as '-'; bytes
 * other than letters, digits and '_' as %XX, since bpffs takes no dots and no two directories may share a name.
 * -ENAMETOOLONG.
 */
int daemon_bpffs_dir(const char *run_dir, char *ret, unsigned size);

/* One request line, from any control socket. */
void daemon_request(struct daemon *d, const char *line, unsigned long size, struct reply *reply);

/* Brings the switch to what the start should bring: running.conf or the file. Returns when it is there. */
int daemon_restore(struct daemon *d, struct complaint *c);

/* SIGHUP: opens the log anew, reads certificates and the configuration file again. */
void daemon_reload(struct daemon *d);

/* Begins to load a file; the reply, which may be NULL, is ended when it is loaded. keep: removes nothing. */
void daemon_load(struct daemon *d, const char *path, bool keep, struct reply *reply);

/* What the loop's turn does before it sleeps: settle the maps, then speak (C3). */
void daemon_turn_ended(struct daemon *d);

/* What Prometheus hears: the text, malloc-ed (metrics.h). NULL: out of memory. */
char *daemon_metrics(void *d, size_t *ret_size);

/* A handler ends the reply, now or later. */
typedef void daemon_handler(struct daemon *d, const struct request *request, struct reply *reply);

daemon_handler bridge_add_asked, bridge_del_asked, bridge_set_asked, bridge_show_asked;
daemon_handler port_add_asked, port_del_asked, port_set_asked, port_show_asked;
daemon_handler mirror_add_asked, mirror_del_asked, mirror_show_asked;
daemon_handler fdb_add_asked, fdb_del_asked, fdb_flush_asked, fdb_show_asked;
daemon_handler cache_show_asked, cache_flush_asked;
daemon_handler stats_asked, drops_asked, trace_asked;
daemon_handler config_show_asked, config_save_asked, config_load_asked;
daemon_handler control_listen_asked, control_close_asked, control_show_asked;
daemon_handler controller_add_asked, controller_del_asked, controller_show_asked;
daemon_handler openflow_listen_asked, openflow_close_asked, openflow_show_asked;
daemon_handler metrics_listen_asked, metrics_close_asked, metrics_show_asked;
daemon_handler show_xdp_asked, log_asked, version_asked, daemon_stop_asked;

#endif
