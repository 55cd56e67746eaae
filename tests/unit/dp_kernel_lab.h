/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dp_kernel_lab.h - the kernel backend on veths in a namespace of its own, see kernel_lab.h: one lab a program, and its
 * usual ports.
 */
#ifndef TESTS_DP_KERNEL_LAB_H
#define TESTS_DP_KERNEL_LAB_H

#include "kernel_lab.h"
#include "suite.h"

#include "dataplane/facts.h"
#include "dataplane/log.h"

#include <bpf/bpf.h>
#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MTU       1500
#define FRAME_MAX (MTU + 18)

static struct lab lab;

static inline void ports(int n)
{
	lab_enter(&lab);
	for (int i = 0; i < n; i++)
		lab_wire(&lab, i, MTU, 1);
	lab_open(&lab);
	for (int i = 0; i < n; i++)
		lab_port(&lab, i, FRAME_MAX, 1);
}

static inline void two_ports(void)
{
	ports(2);
}

/* What main() does. LAB_DEBUG: with all that the backend has to say. */
static inline int lab_main(Suite *suite)
{
	lab_need_privilege();
	log_threshold(getenv("LAB_DEBUG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN);
	return run_suite(suite);
}

#endif
