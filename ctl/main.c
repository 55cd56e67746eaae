/* SPDX-License-Identifier: BSD-2-Clause */
/* switchd: the daemon's start and end. */
#include "ctl/control.h"
#include "ctl/daemon.h"
#include "ctl/logbook.h"
#include "ctl/loop.h"
#include "ctl/metrics.h"
#include "ctl/openflow.h"
#include "ctl/reconcile.h"
#include "ctl/supervisor.h"
#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/vswitch.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_CONF    "/etc/switchd.conf"
#define DEFAULT_RUN_DIR "/run/switchd"
#define N_FRAMES        8192
#define LOCK_NAP_MS     10
#define LOCK_LEAST_MS   100   /* that a killed process may take until it shows */
#define LOCK_WAIT_MS    10000 /* for one that is dying */

struct options {
	const char *conf, *run_dir;
	bool conf_given, detach;
	unsigned n_flows;
	uint64_t memory; /* bytes; 0: what the host has left */
};

/* ---- words of the command line ---- */

static void usage(FILE *out)
{
	fprintf(out, "usage: switchd [--conf FILE] [--run-dir DIR] [--detach] [--log-level error|warn|info|debug]\n"
		     "               [--flows N] [--memory SIZE]\n"
		     "  --conf FILE     configuration, statements of the grammar (" DEFAULT_CONF ")\n"
		     "  --run-dir DIR   control socket, pid file, log (" DEFAULT_RUN_DIR ")\n"
		     "  --detach        go to the background once the switch is up\n"
		     "  --flows N       size of the flow cache, a power of two (262144)\n"
		     "  --memory SIZE   memory that the switch may take, as 512M (what the host has left)\n"
		     "  --help, --version\n"
		     "TERM stops the daemon and leaves forwarding on; HUP reads the configuration again.\n");
}

static int set_log_level(const char *word)
{
	static const char *const levels[] = {[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_WARN] = "warn",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug"};

	for (int i = 0; i <= LOG_LEVEL_DEBUG; i++) {
		if (!strcmp(word, levels[i])) {
			log_threshold((enum log_level)i);
			return 0;
		}
	}
	fprintf(stderr, "switchd: --log-level %s: expected error, warn, info or debug\n", word);
	return -EINVAL;
}

static int set_flows(const char *word, unsigned *ret)
{
	char *end;
	unsigned long n = strtoul(word, &end, 10);

	if (*word < '0' || *word > '9' || *end || n < 1024 || n > 1 << 22 || (n & (n - 1))) {
		fprintf(stderr, "switchd: --flows %s: expected a power of two from 1024 to 4194304\n", word);
		return -EINVAL;
	}
	*ret = (unsigned)n;
	return 0;
}

static int set_memory(const char *word, uint64_t *ret)
{
	static const char units[] = "KMG";
	const char *unit;
	unsigned shift = 0;
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(word, &end, 10);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
	}
	if (*word < '0' || *word > '9' || *end || errno || !n || n > UINT64_MAX >> shift) {
		fprintf(stderr, "switchd: --memory %s: expected bytes, or a number and K, M or G, as 512M\n", word);
		return -EINVAL;
	}
	*ret = (uint64_t)n << shift;
	return 0;
}

/* What takes a word that may be wrong. */
static int set_checked(int option, struct options *ret)
{
	switch (option) {
	case 'l':
		return set_log_level(optarg);
	case 'f':
		return set_flows(optarg, &ret->n_flows);
	case 'm':
		return set_memory(optarg, &ret->memory);
	default:
		usage(stderr);
		return -EINVAL;
	}
}

/* 0: go on; 1: all done; -EINVAL. */
static int read_options(int argc, char **argv, struct options *ret)
{
	static const struct option known[] = {{"conf", required_argument, NULL, 'c'},
		{"run-dir", required_argument, NULL, 'r'}, {"detach", no_argument, NULL, 'd'},
		{"log-level", required_argument, NULL, 'l'}, {"flows", required_argument, NULL, 'f'},
		{"memory", required_argument, NULL, 'm'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'}, {0}};
	int option;

	*ret = (struct options){.conf = DEFAULT_CONF, .run_dir = DEFAULT_RUN_DIR, .n_flows = SW_DEFAULT_FLOWS};
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'c') {
			ret->conf = optarg;
			ret->conf_given = true;
		} else if (option == 'r') {
			ret->run_dir = optarg;
		} else if (option == 'd') {
			ret->detach = true;
		} else if (option == 'h') {
			usage(stdout);
			return 1;
		} else if (option == 'v') {
			printf("switchd %s (ABI %d)\n", SWITCHD_VERSION, SW_ABI_VERSION);
			return 1;
		} else if (set_checked(option, ret)) {
			return -EINVAL;
		}
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "switchd: unknown word \"%s\"\n", argv[optind]);
	usage(stderr);
	return -EINVAL;
}

/* ---- the run directory ---- */

static int make_directories(const char *path, struct complaint *c)
{
	char part[PATH_MAX];
	size_t n = strlen(path);

	if (!n || n >= sizeof(part))
		return complain(c, -ENAMETOOLONG, "--run-dir: not a path that can be used");
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (mkdir(part, 0755) && errno != EEXIST)
			return complain(c, -errno, "cannot make %s: %s", part, strerror(errno));
	}
	return 0;
}

static int find_conf(const char *conf, char ret[PATH_MAX], struct complaint *c)
{
	char cwd[PATH_MAX] = "";
	int n;

	if (conf[0] != '/' && !getcwd(cwd, sizeof(cwd)))
		return complain(c, -errno, "cannot tell the working directory: %s", strerror(errno));
	n = conf[0] == '/' ? snprintf(ret, PATH_MAX, "%s", conf) : snprintf(ret, PATH_MAX, "%s/%s", cwd, conf);
	return n < PATH_MAX ? 0 : complain(c, -ENAMETOOLONG, "--conf: the path is too long");
}

static int prepare_paths(const struct options *options, struct daemon_paths *paths, struct complaint *c)
{
	int err = find_conf(options->conf, paths->conf, c);

	if (!err)
		err = make_directories(options->run_dir, c);
	if (err)
		return err;
	if (!realpath(options->run_dir, paths->run_dir))
		return complain(c, -errno, "%s: %s", options->run_dir, strerror(errno));
	snprintf(paths->running, sizeof(paths->running), "%s/running.conf", paths->run_dir);
	snprintf(paths->socket, sizeof(paths->socket), "%s/switchd.sock", paths->run_dir);
	snprintf(paths->log, sizeof(paths->log), "%s/switchd.log", paths->run_dir);
	snprintf(paths->pid, sizeof(paths->pid), "%s/switchd.pid", paths->run_dir);
	if (daemon_bpffs_dir(paths->run_dir, paths->bpffs, sizeof(paths->bpffs)))
		return complain(
			c, -ENAMETOOLONG, "%s is too long a name for a directory below /sys/fs/bpf", paths->run_dir);
	return 0;
}

/* The number in the pid file; 0: none. */
static int read_pid(int fd)
{
	char text[32] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : 0;
}

static int already_there(int fd, const char *run_dir, struct complaint *c)
{
	int pid = read_pid(fd);

	close(fd);
	return complain(
		c, -EBUSY, "another switchd (pid %d) runs in %s; give this one its own --run-dir", pid, run_dir);
}

/* A process that was killed has no command line any more, but its lock until the kernel has closed its sockets. */
static bool is_dying(int pid)
{
	char path[64], byte;
	bool dying;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	dying = fd < 0 || read(fd, &byte, 1) <= 0;
	if (fd >= 0)
		close(fd);
	return dying;
}

/* Who starts a switch right after it killed the last one need not wait himself. */
static int lock_soon(int fd)
{
	for (int waited_ms = 0;; waited_ms += LOCK_NAP_MS) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return 0;
		if (waited_ms >= LOCK_WAIT_MS || (waited_ms >= LOCK_LEAST_MS && !is_dying(read_pid(fd))))
			return -EBUSY;
		usleep(LOCK_NAP_MS * 1000);
	}
}

/* Locks the pid file for as long as the process lives. */
static int lock_run_dir(const struct daemon_paths *paths, int *ret_fd, struct complaint *c)
{
	struct stat held, there;
	int fd;

	for (;;) {
		fd = open(paths->pid, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd < 0)
			return complain(c, -errno, "cannot open %s: %s", paths->pid, strerror(errno));
		if (lock_soon(fd))
			return already_there(fd, paths->run_dir, c);
		/* The last owner may have removed the file between our open and our lock. */
		if (!fstat(fd, &held) && !stat(paths->pid, &there) && held.st_ino == there.st_ino)
			break;
		close(fd);
	}
	if (ftruncate(fd, 0) || dprintf(fd, "%d\n", (int)getpid()) < 0) {
		close(fd);
		return complain(c, -EIO, "cannot write %s", paths->pid);
	}
	*ret_fd = fd;
	return 0;
}

/* ---- going to the background ---- */

/* The parent waits for the word of the child: nothing, if the switch is up, or what went wrong. */
static int wait_for_child(int fd)
{
	char text[sizeof(struct complaint)];
	ssize_t n = read(fd, text, sizeof(text));

	if (n == 1 && text[0] == '\0')
		return EXIT_SUCCESS;
	if (n > 0)
		fprintf(stderr, "switchd: %.*s\n", (int)n, text);
	else
		fprintf(stderr, "switchd: died at its start\n");
	return EXIT_FAILURE;
}

/* Returns in the child, with the pipe to its parent; the parent exits here. */
static int go_to_background(int *ret_fd, struct complaint *c)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return complain(c, -errno, "cannot make a pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		return complain(c, -errno, "cannot fork: %s", strerror(errno));
	if (child) {
		close(ends[1]);
		_exit(wait_for_child(ends[0]));
	}
	close(ends[0]);
	setsid();
	*ret_fd = ends[1];
	return 0;
}

static void let_go_of_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; fd >= 0 && i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
	if (chdir("/"))
		log_warn("cannot change to /: %s", strerror(errno));
}

static void tell_parent(int fd, const char *trouble)
{
	size_t size = trouble ? strlen(trouble) : 1;

	if (fd < 0)
		return;
	if (write(fd, trouble ? trouble : "", size) < 0)
		log_warn("nobody waits for the start to end");
	close(fd);
}

/* ---- the daemon ---- */

static void request_came(void *ctx, const char *line, size_t size, struct reply *reply)
{
	daemon_request(ctx, line, size, reply);
}

static void stop_came(void *arg)
{
	struct daemon *d = arg;

	log_info("stopping: signal; forwarding goes on");
	d->stopping = true;
}

static void reload_came(void *arg)
{
	daemon_reload(arg);
}

static void turn_ended(void *arg)
{
	daemon_turn_ended(arg);
}

static int create_switch(struct daemon *d, const struct options *options, struct complaint *c)
{
	const struct vswitch_options wishes = {.datapath = {.bpffs_dir = d->paths.bpffs,
						       .n_flows = options->n_flows,
						       .n_frames = N_FRAMES,
						       .memory_limit = options->memory}};
	int err = vswitch_create(&wishes, loop_reactor(d->loop), &d->vs, c);

	if ((err == -EPERM || err == -EACCES) && geteuid())
		return complain(c, err, "switchd must be started by root");
	return err;
}

static int create_control(struct daemon *d, struct complaint *c)
{
	const struct control_events events = {.ctx = d, .request = request_came};

	d->control = control_create(d->loop, &events);
	d->of = openflow_create(loop_reactor(d->loop), d->vs, d->paths.run_dir);
	d->metrics = metrics_create(loop_reactor(d->loop), daemon_metrics, d);
	if (d->control && d->of && d->metrics)
		d->rec = reconcile_create(d->vs, d->control, d->of, d->metrics);
	return d->rec ? 0 : complain(c, -ENOMEM, "out of memory");
}

static int heed_signals(struct daemon *d, struct complaint *c)
{
	if (loop_on_signal(d->loop, SIGTERM, stop_came, d) || loop_on_signal(d->loop, SIGINT, stop_came, d) ||
		loop_on_signal(d->loop, SIGHUP, reload_came, d))
		return complain(c, -ENOMEM, "out of memory");
	return 0;
}

/* The switch is up: from here on only the log hears of what goes wrong. */
static void run(struct daemon *d, const struct options *options, int parent)
{
	loop_before_sleep(d->loop, turn_ended, d);
	log_info("switchd %s is up, pid %d", SWITCHD_VERSION, (int)getpid());
	/* The running configuration is on disk before anybody hears that the switch is up. */
	daemon_turn_ended(d);
	tell_parent(parent, NULL);
	supervisor_tell(SUPERVISOR_READY);
	if (options->detach)
		let_go_of_terminal();
	loop_run(d->loop);
	supervisor_tell(SUPERVISOR_STOPPING);
	if (d->flush)
		unlink(d->paths.running);
}

/* Each thing made here is undone in the opposite order. */
static int live(struct daemon *d, const struct options *options, int parent, struct complaint *c)
{
	int err = logbook_create(d->paths.log, &d->logbook, c);

	if (err)
		return err;
	logbook_echo(d->logbook, !options->detach);
	d->loop = loop_create();
	if (!d->loop) {
		err = complain(c, -ENOMEM, "cannot make an event loop");
		goto no_loop;
	}
	if (daemon_init(d)) {
		err = complain(c, -ENOMEM, "out of memory");
		goto no_switch;
	}
	err = heed_signals(d, c);
	if (!err)
		err = create_switch(d, options, c);
	if (err)
		goto no_switch;
	err = create_control(d, c);
	if (!err)
		err = daemon_restore(d, c);
	if (!err)
		err = control_listen_unix(d->control, d->paths.socket, c);
	if (!err)
		run(d, options, parent);
	reconcile_destroy(d->rec);
	metrics_destroy(d->metrics);
	control_destroy(d->control);
	openflow_destroy(d->of);
	/* A start that failed leaves nothing but what it found. */
	vswitch_destroy(d->vs, d->flush || (err && !vswitch_adopted(d->vs)));
no_switch:
	if (err)
		log_error("%s", c->text);
	daemon_fini(d);
	loop_destroy(d->loop);
no_loop:
	logbook_destroy(d->logbook);
	return err;
}

static void prepare_process(void)
{
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	umask(022);
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

int main(int argc, char **argv)
{
	static struct daemon d;
	struct options options;
	struct complaint c = {0};
	int lock = -1, parent = -1, err = read_options(argc, argv, &options);

	if (err)
		return err < 0 ? 2 : EXIT_SUCCESS;
	prepare_process();
	d.conf_given = options.conf_given;
	err = prepare_paths(&options, &d.paths, &c);
	if (!err && options.detach)
		err = go_to_background(&parent, &c);
	if (!err)
		err = lock_run_dir(&d.paths, &lock, &c);
	if (!err) {
		err = live(&d, &options, parent, &c);
		unlink(d.paths.pid);
		close(lock);
	}
	if (!err)
		return EXIT_SUCCESS;
	if (parent >= 0)
		tell_parent(parent, c.text);
	else if (options.detach || !d.logbook)
		fprintf(stderr, "switchd: %s\n", c.text);
	return EXIT_FAILURE;
}
