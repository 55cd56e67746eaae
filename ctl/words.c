/* SPDX-License-Identifier: BSD-2-Clause */
#include "ctl/words.h"

#include "dataplane/complaint.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct reader {
	const char *line;
	size_t size;
	size_t at;
	struct words *words;
	size_t used; /* of words->text */
	struct complaint *c;
};

/* Bytes of the printable character at `s`; 0: a control character, or not UTF-8 (RFC 3629). */
static size_t printable(const char *s, size_t n)
{
	const unsigned char *b = (const unsigned char *)s;
	size_t size = b[0] < 0x80 ? 1 : b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
	uint32_t point;

	if (size == 1)
		return b[0] >= 0x20 && b[0] != 0x7f;
	if (b[0] < 0xc2 || b[0] > 0xf4 || size > n)
		return 0;
	point = b[0] & (0xff >> (size + 1));
	for (size_t i = 1; i < size; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (b[i] & 0x3f);
	}
	if (point < 0xa0 || (size == 3 && point < 0x800) || (size == 4 && point < 0x10000) || point > 0x10ffff)
		return 0;
	if (point >= 0xd800 && point <= 0xdfff)
		return 0;
	/* Marks that turn the direction of what follows can make a line read as another. */
	if ((point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069))
		return 0;
	return size;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static int check_text(struct reader *r, unsigned *ret_column)
{
	size_t n;

	for (size_t i = 0; i < r->size; i += n) {
		n = r->line[i] == '\t' ? 1 : printable(r->line + i, r->size - i);
		if (n)
			continue;
		*ret_column = (unsigned)i + 1;
		return complain(
			r->c, -EINVAL, "byte 0x%02x at column %zu is not text", (unsigned char)r->line[i], i + 1);
	}
	return 0;
}

static void put(struct reader *r, char c)
{
	r->words->text[r->used++] = c;
}

/* Reads up to the closing quote. The word only ever shrinks: what is read is at least as long as what is put. */
static int quoted(struct reader *r, char quote, unsigned *ret_column)
{
	size_t opened = r->at++;

	while (r->at < r->size && r->line[r->at] != quote) {
		if (quote == '"' && r->line[r->at] == '\\' && r->at + 1 < r->size &&
			(r->line[r->at + 1] == '"' || r->line[r->at + 1] == '\\'))
			r->at++;
		put(r, r->line[r->at++]);
	}
	if (r->at == r->size) {
		*ret_column = (unsigned)opened + 1;
		return complain(r->c, -EINVAL, "the quote at column %zu does not end", opened + 1);
	}
	r->at++;
	return 0;
}

static int one_word(struct reader *r, unsigned *ret_column)
{
	struct words *words = r->words;
	int err;

	if (words->n == WORDS_MAX) {
		*ret_column = (unsigned)r->at + 1;
		return complain(r->c, -EINVAL, "more than %d words", WORDS_MAX);
	}
	words->word[words->n] = words->text + r->used;
	words->column[words->n] = (unsigned)r->at + 1;
	while (r->at < r->size && !blank(r->line[r->at])) {
		if (r->line[r->at] == '"' || r->line[r->at] == '\'') {
			err = quoted(r, r->line[r->at], ret_column);
			if (err)
				return err;
		} else {
			put(r, r->line[r->at++]);
		}
	}
	/* The blank behind it, or the line's own end, pays for the NUL. */
	put(r, '\0');
	words->n++;
	return 0;
}

int words_split(const char *line, size_t size, struct words *ret, unsigned *ret_column, struct complaint *c)
{
	struct reader r = {.line = line, .size = size, .words = ret, .c = c};
	int err;

	ret->n = 0;
	*ret_column = 0;
	if (size > WORDS_LINE_SIZE) {
		*ret_column = WORDS_LINE_SIZE + 1;
		return complain(c, -EINVAL, "the line is longer than %d bytes", WORDS_LINE_SIZE);
	}
	err = check_text(&r, ret_column);
	while (!err) {
		while (r.at < size && blank(line[r.at]))
			r.at++;
		if (r.at == size || line[r.at] == '#')
			break;
		err = one_word(&r, ret_column);
	}
	return err;
}

struct writer {
	char *text;
	size_t size, used;
};

static void write_char(struct writer *w, char c)
{
	if (w->used + 1 < w->size)
		w->text[w->used] = c;
	w->used++;
}

static size_t finish(struct writer *w)
{
	if (w->size)
		w->text[w->used < w->size ? w->used : w->size - 1] = '\0';
	return w->used;
}

size_t words_quote(const char *word, char *text, size_t size)
{
	struct writer w = {.text = text, .size = size};
	bool plain = *word && *word != '#' && !strpbrk(word, " \t\"'\\");

	if (!plain)
		write_char(&w, '"');
	for (const char *p = word; *p; p++) {
		if (*p == '"' || (!plain && *p == '\\'))
			write_char(&w, '\\');
		write_char(&w, *p);
	}
	if (!plain)
		write_char(&w, '"');
	return finish(&w);
}

size_t words_printable(const char *text, size_t n, char *ret, size_t size)
{
	struct writer w = {.text = ret, .size = size};
	char hex[8];
	size_t step;

	for (size_t i = 0; i < n; i += step) {
		step = printable(text + i, n - i);
		for (size_t k = 0; k < step; k++)
			write_char(&w, text[i + k]);
		if (step)
			continue;
		step = 1;
		snprintf(hex, sizeof(hex), "\\x%02x", (unsigned char)text[i]);
		for (const char *p = hex; *p; p++)
			write_char(&w, *p);
	}
	return finish(&w);
}
