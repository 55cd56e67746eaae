/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* bare.h - numbers that the bare programs share with those who load them. */
#ifndef BENCH_BARE_H
#define BENCH_BARE_H

#define BARE_MAX_DEVICES 16
#define BARE_SPREAD      4 /* devices that bare_spread sends to in turn */

#endif
