/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/logbook.h"

#include "ctl/words.h"
#include "dataplane/complaint.h"
#include "dataplane/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct logbook {
	char path[PATH_MAX];
	int fd;
	bool echo;
	unsigned next; /* where the next line goes in the ring */
	unsigned n;
	char ring[LOGBOOK_LINES][LOGBOOK_LINE_SIZE];
};

static const char *const names[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn", [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug"};

static size_t stamp(char *text, size_t size)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm);
	return n + (size_t)snprintf(text + n, size - n, ".%03ldZ ", now.tv_nsec / 1000000);
}

static void write_whole(int fd, const char *text, size_t size)
{
	ssize_t n;

	/* A full disk must not stop the switch: what cannot be written is lost, and stays in the ring. */
	while (size && ((n = write(fd, text, size)) > 0 || (n < 0 && errno == EINTR))) {
		if (n < 0)
			continue;
		text += n;
		size -= (size_t)n;
	}
}

static void take(void *ctx, enum log_level level, const char *line)
{
	struct logbook *logbook = ctx;
	char *entry = logbook->ring[logbook->next];
	char text[LOGBOOK_LINE_SIZE + 1];
	size_t used = stamp(entry, LOGBOOK_LINE_SIZE);
	int n;

	used += (size_t)snprintf(entry + used, LOGBOOK_LINE_SIZE - used, "%s ", names[level]);
	words_printable(line, strlen(line), entry + used, LOGBOOK_LINE_SIZE - used);
	logbook->next = (logbook->next + 1) % LOGBOOK_LINES;
	if (logbook->n < LOGBOOK_LINES)
		logbook->n++;
	n = snprintf(text, sizeof(text), "%s\n", entry);
	write_whole(logbook->fd, text, (size_t)n);
	if (logbook->echo)
		fprintf(stderr, "switchd: %s\n", entry + used);
}

static int open_file(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
}

int logbook_create(const char *path, struct logbook **ret, struct complaint *c)
{
	struct logbook *logbook = calloc(1, sizeof(*logbook));
	int err;

	if (!logbook)
		return complain(c, -ENOMEM, "out of memory");
	snprintf(logbook->path, sizeof(logbook->path), "%s", path);
	logbook->fd = open_file(path);
	if (logbook->fd < 0) {
		err = -errno;
		free(logbook);
		return complain(c, err, "cannot open the log %s: %s", path, strerror(-err));
	}
	log_to(take, logbook);
	*ret = logbook;
	return 0;
}

void logbook_destroy(struct logbook *logbook)
{
	if (!logbook)
		return;
	log_to(NULL, NULL);
	close(logbook->fd);
	free(logbook);
}

void logbook_echo(struct logbook *logbook, bool on)
{
	logbook->echo = on;
}

void logbook_reopen(struct logbook *logbook)
{
	int fd = open_file(logbook->path);

	if (fd < 0) {
		log_error("cannot open the log %s again: %s", logbook->path, strerror(errno));
		return;
	}
	close(logbook->fd);
	logbook->fd = fd;
}

void logbook_last(const struct logbook *logbook, unsigned n, void (*each)(void *ctx, const char *line), void *ctx)
{
	unsigned first;

	if (n > logbook->n)
		n = logbook->n;
	first = (logbook->next + LOGBOOK_LINES - n) % LOGBOOK_LINES;
	for (unsigned i = 0; i < n; i++)
		each(ctx, logbook->ring[(first + i) % LOGBOOK_LINES]);
}
