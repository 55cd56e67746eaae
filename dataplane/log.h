/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - one line for each decision, where it is made.
 *
 * Lines go to a sink that the daemon sets (its log file and the ring behind `switchctl log`); until then to stderr.
 * What a peer or a frame can trigger goes through log_limited(), which lets ten lines a minute pass at each place and
 * then says how many it held back.
 */
#ifndef DATAPLANE_LOG_H
#define DATAPLANE_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

typedef void log_sink(void *ctx, enum log_level level, const char *line);

void log_to(log_sink *sink, void *ctx);
void log_threshold(enum log_level least);
void log_at(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

struct log_limiter {
	uint64_t window_start_ns;
	uint32_t n_passed;
	uint32_t n_held;
};

void log_limited_at(struct log_limiter *limiter, enum log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_limited(level, ...)                                                                                        \
	do {                                                                                                           \
		static struct log_limiter log_limiter_here;                                                            \
		log_limited_at(&log_limiter_here, level, __VA_ARGS__);                                                 \
	} while (0)

#endif
