/* SPDX-License-Identifier: BSD-2-Clause */
/* value.h - whether a word of the grammar is a value of some kind, and which one. False: it is none, ret as it was. */
#ifndef CTL_VALUE_H
#define CTL_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* Of a bridge, port, device or mirror. */
bool value_is_name(const char *text);
bool value_is_netns(const char *text);
bool value_mac(const char *text, uint8_t mac[6]);
/* Decimal; UINT64_MAX for what is greater, too. */
bool value_number(const char *text, uint64_t *ret);
/* A datapath id. */
bool value_dpid(const char *text, uint64_t *ret);
/* One of "on|off"; *ret is its place. */
bool value_choice(const char *choices, const char *text, uint64_t *ret);

#endif
