/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * words.h - a line of the grammar, split into words.
 *
 * Words are separated by blanks and tabs. Inside double quotes a blank is part of the word, and \" and \\ stand for
 * themselves; inside single quotes everything does. A '#' that begins a word makes the rest of the line a comment.
 * A line is text: valid UTF-8 without control characters, so that what is echoed in an error harms no terminal.
 */
#ifndef CTL_WORDS_H
#define CTL_WORDS_H

#include <stddef.h>

struct complaint;

#define WORDS_LINE_SIZE 65536 /* longest line, its end not counted */
#define WORDS_MAX       256   /* words of a line */

struct words {
	unsigned n;
	const char *word[WORDS_MAX]; /* in `text` */
	unsigned column[WORDS_MAX];  /* where it begins in the line, from 1, in bytes */
	char text[WORDS_LINE_SIZE + 1];
};

/*
 * Splits `size` bytes. -EINVAL, with the column in the complaint and in *ret_column: a control character, bytes that
 * are not UTF-8, a quote that does not end, too many words, or too long a line. Big: keep `ret` off the stack.
 */
int words_split(const char *line, size_t size, struct words *ret, unsigned *ret_column, struct complaint *c);

/*
 * Writes `word` as words_split() would read it back, quoted where it must be. As snprintf(): NUL-terminated, returns
 * the length it would have had.
 */
size_t words_quote(const char *word, char *text, size_t size);

/*
 * Copies `text`, bytes that are no printable text written as \xNN, for a terminal or a log. As snprintf().
 */
size_t words_printable(const char *text, size_t n, char *ret, size_t size);

#endif
