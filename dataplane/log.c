/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define LINE_SIZE      512
#define WINDOW_NS      60000000000ULL
#define LINES_A_WINDOW 10

static void to_stderr(void *ctx, enum log_level level, const char *line)
{
	fprintf(stderr, "switchd: %s\n", line);
}

static log_sink *sink_now = to_stderr;
static void *sink_ctx;
static enum log_level least_level = LOG_LEVEL_INFO;

static void emit(enum log_level level, const char *format, va_list args)
{
	char line[LINE_SIZE];

	if (level > least_level)
		return;
	vsnprintf(line, sizeof(line), format, args);
	sink_now(sink_ctx, level, line);
}

void log_to(log_sink *sink, void *ctx)
{
	sink_now = sink ? sink : to_stderr;
	sink_ctx = ctx;
}

void log_threshold(enum log_level least)
{
	least_level = least;
}

void log_at(enum log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(level, format, args);
	va_end(args);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static void window_opened(struct log_limiter *limiter, uint64_t now)
{
	if (limiter->n_held)
		log_at(LOG_LEVEL_WARN, "the next line stands for %u more that were held back", limiter->n_held);
	limiter->window_start_ns = now;
	limiter->n_passed = 0;
	limiter->n_held = 0;
}

void log_limited_at(struct log_limiter *limiter, enum log_level level, const char *format, ...)
{
	uint64_t now = now_ns();
	va_list args;

	if (!limiter->window_start_ns || now - limiter->window_start_ns > WINDOW_NS)
		window_opened(limiter, now);
	if (limiter->n_passed >= LINES_A_WINDOW) {
		limiter->n_held++;
		return;
	}
	limiter->n_passed++;
	va_start(args, format);
	emit(level, format, args);
	va_end(args);
}
