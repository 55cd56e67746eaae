/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/conf.h"

#include "ctl/grammar.h"
#include "ctl/model.h"
#include "ctl/words.h"
#include "dataplane/complaint.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading ---- */

struct parsing {
	const char *name, *dir;
	unsigned line;
	struct model *model;
	struct words *words;
	struct complaint *c;
};

static int refuse(const struct parsing *p, const struct grammar_problem *problem)
{
	if (problem->column)
		return complain(p->c, -EINVAL, "%s:%u:%u: %s; expected: %s", p->name, p->line, problem->column,
			problem->text, problem->expected);
	return complain(p->c, -EINVAL, "%s:%u: %s; expected: %s", p->name, p->line, problem->text, problem->expected);
}

static int statement(struct parsing *p, const char *line, size_t size)
{
	struct grammar_problem problem;
	struct request request;
	struct complaint why;
	unsigned column;
	int err;

	if (words_split(line, size, p->words, &column, &why))
		return complain(p->c, -EINVAL, "%s:%u:%u: %s", p->name, p->line, column, why.text);
	if (!p->words->n)
		return 0;
	err = grammar_parse(p->words, &request, &problem);
	if (!err)
		err = model_apply(p->model, &request, p->dir, &problem);
	return err ? refuse(p, &problem) : 0;
}

int conf_parse(
	const char *name, const char *dir, const char *text, size_t size, struct model *model, struct complaint *c)
{
	struct parsing p = {.name = name, .dir = dir, .model = model, .words = malloc(sizeof(struct words)), .c = c};
	const char *end;
	size_t n;
	int err = 0;

	if (!p.words)
		return complain(c, -ENOMEM, "out of memory");
	for (size_t at = 0; at < size && !err; at += n + 1) {
		end = memchr(text + at, '\n', size - at);
		n = end ? (size_t)(end - text) - at : size - at;
		p.line++;
		err = statement(&p, text + at, n && text[at + n - 1] == '\r' ? n - 1 : n);
	}
	free(p.words);
	return err;
}

static int slurp(const char *path, char **ret, size_t *ret_size, struct complaint *c)
{
	FILE *in = fopen(path, "re");
	char *text = NULL, *grown;
	size_t size = 0, room = 0, n;
	int err = 0;

	if (!in)
		return complain(c, -errno, "%s: %s", path, strerror(errno));
	do {
		if (size == room) {
			room = room ? room * 2 : 65536;
			grown = room > CONF_MAX_SIZE ? NULL : realloc(text, room);
			if (!grown) {
				err = complain(c, -EFBIG, "%s: over %d bytes", path, CONF_MAX_SIZE / 2);
				break;
			}
			text = grown;
		}
		n = fread(text + size, 1, room - size, in);
		size += n;
	} while (n);
	if (!err && ferror(in))
		err = complain(c, errno ? -errno : -EIO, "%s: %s", path, strerror(errno ? errno : EIO));
	fclose(in);
	if (err) {
		free(text);
		return err;
	}
	*ret = text;
	*ret_size = size;
	return 0;
}

/* FNV-1a: it tells an edited file from the same one, and guards against nothing else. */
static uint64_t digest(const char *text, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ULL;
	return hash;
}

int conf_read(const char *path, struct model *model, uint64_t *ret_digest, struct complaint *c)
{
	char real[PATH_MAX], *text = NULL;
	size_t size = 0;
	int err;

	err = slurp(path, &text, &size, c);
	if (err)
		return err;
	if (realpath(path, real))
		err = conf_parse(path, dirname(real), text, size, model, c);
	else
		err = complain(c, -errno, "%s: %s", path, strerror(errno));
	*ret_digest = digest(text, size);
	free(text);
	return err;
}

uint64_t conf_digest(const char *path)
{
	struct complaint c;
	uint64_t found;
	size_t size;
	char *text;

	if (slurp(path, &text, &size, &c))
		return 0;
	found = digest(text, size);
	free(text);
	return found;
}

bool conf_first_line(const char *path, char *text, size_t size)
{
	FILE *in = fopen(path, "re");
	bool done = in && fgets(text, (int)size, in);

	if (done)
		text[strcspn(text, "\n")] = '\0';
	if (in)
		fclose(in);
	return done;
}

/* ---- writing ---- */

/* Where the file really lies, or will lie. */
static int resolve(const char *path, char real[PATH_MAX], struct complaint *c)
{
	struct stat st;

	if (realpath(path, real)) {
		if (stat(real, &st) || !S_ISREG(st.st_mode))
			return complain(c, -EINVAL, "%s is not a regular file; name one: config save FILE", path);
		return 0;
	}
	if (errno != ENOENT)
		return complain(c, -errno, "%s: %s", path, strerror(errno));
	if (snprintf(real, PATH_MAX, "%s", path) >= PATH_MAX)
		return complain(c, -ENAMETOOLONG, "%s: the path is too long", path);
	return 0;
}

static int fill(int fd, const char *real, const struct model *model, const char *header, bool durable)
{
	struct stat st;
	FILE *out = fdopen(fd, "w");
	int err = 0;

	if (!out) {
		err = -errno;
		close(fd);
		return err;
	}
	/* mkostemp() made it 0600: what a new file is too. */
	if (!stat(real, &st) && (fchown(fd, st.st_uid, st.st_gid) || fchmod(fd, st.st_mode & 07777)))
		err = -errno;
	fprintf(out, "# %s\n", header);
	if (model_print(model, out) || fflush(out) || (durable && fsync(fd)))
		err = errno ? -errno : -EIO;
	if (fclose(out) && !err)
		err = -errno;
	return err;
}

static void sync_directory(const char *real)
{
	char copy[PATH_MAX];
	int fd;

	snprintf(copy, sizeof(copy), "%s", real);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

int conf_write(const char *path, const struct model *model, const char *header, bool durable, struct complaint *c)
{
	char real[PATH_MAX], temporary[PATH_MAX + 16];
	int fd, err = resolve(path, real, c);

	if (err)
		return err;
	snprintf(temporary, sizeof(temporary), "%s.XXXXXX", real);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return complain(c, -errno, "cannot write beside %s: %s", path, strerror(errno));
	err = fill(fd, real, model, header, durable);
	if (!err && rename(temporary, real))
		err = -errno;
	if (err) {
		unlink(temporary);
		return complain(c, err, "cannot write %s: %s", path, strerror(-err));
	}
	if (durable)
		sync_directory(real);
	return 0;
}
