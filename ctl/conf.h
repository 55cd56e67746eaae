/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf.h - configuration files: a statement of the grammar a line, read whole or not at all, written whole or not at
 * all.
 */
#ifndef CTL_CONF_H
#define CTL_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct complaint;
struct model;

#define CONF_MAX_SIZE (64 << 20) /* bytes of a file */

/*
 * Reads a file into `model`, which is empty. -EINVAL: the complaint says "FILE:LINE: …", the word at fault and what was
 * expected; -ENOENT, -EACCES …: the file cannot be read. `model` is then to be freed all the same.
 * *ret_digest names the file's content.
 */
int conf_read(const char *path, struct model *model, uint64_t *ret_digest, struct complaint *c);

/* The same from memory; `name` stands in complaints, `dir` is where relative paths begin. */
int conf_parse(
	const char *name, const char *dir, const char *text, size_t size, struct model *model, struct complaint *c);

/*
 * Writes beside the file and renames over it, so that a crash leaves the old or the new one; `durable` waits for the
 * disk. A symbolic link is followed; owner and mode of a file that is there are kept. `header` is a comment's text.
 */
int conf_write(const char *path, const struct model *model, const char *header, bool durable, struct complaint *c);

/* The digest of a file that is not to be parsed. 0: it cannot be read. */
uint64_t conf_digest(const char *path);

/* The first line of a file, without its end; false: it cannot be read. */
bool conf_first_line(const char *path, char *text, size_t size);

#endif
