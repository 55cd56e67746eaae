/* SPDX-License-Identifier: BSD-2-Clause */
/* cache_ports_lab.h - the lab of the cache with four ports, one a program: see cache_lab.h. */
#ifndef TESTS_CACHE_PORTS_LAB_H
#define TESTS_CACHE_PORTS_LAB_H

#include "tests/unit/cache_lab.h"

#include "bpf/hash.h"
#include "dataplane/cache_parts.h"

#include <errno.h>

static struct lab lab;

static inline void open_lab(void)
{
	lab_open(&lab, 1024, 4);
}

static inline void close_lab(void)
{
	lab_check_maps(&lab);
	lab_close(&lab);
}

/* What is for address 2 goes to this port, past the FDB. Each time it is another rule's answer. */
static inline void send_two_to(uint16_t port)
{
	const struct action output = {.type = ACTION_OUTPUT, .arg = port};
	const struct actions actions = {.n = 1, .list = &output};
	struct flow_match match = {.key = {.x.f = {.eth_dst = {2, 0, 0, 0, 0, 2}}}, .mask = flow_of_key(&lab_l2_mask)};

	ck_assert_int_eq(pipeline_rule_put(lab.pl, 1, &match, 1, &actions, NULL), 0);
}

#endif
