/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.h - words into a bounded buffer, counting also what did not fit.
 *
 * Every *_format() call of this room returns the length that its text would have had, as snprintf() does; this is the
 * buffer behind them. A buffer of size 0 is never written, else the text in it always ends with a NUL.
 */
#ifndef DATAPLANE_TEXT_H
#define DATAPLANE_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

struct text {
	char *buffer;
	size_t size;   /* of the buffer */
	size_t length; /* of the text, whether it fitted or not; without the NUL */
};

static inline struct text text_begin(char *buffer, size_t size)
{
	if (size)
		buffer[0] = '\0';
	return (struct text){.buffer = buffer, .size = size};
}

static inline void __attribute__((format(printf, 2, 3))) text_put(struct text *text, const char *format, ...)
{
	size_t room = text->length < text->size ? text->size - text->length : 0;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(room ? text->buffer + text->length : NULL, room, format, args);
	va_end(args);
	if (n > 0)
		text->length += (size_t)n;
}

#endif
