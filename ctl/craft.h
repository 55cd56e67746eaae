/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * craft.h - a frame that has a given key, so that `trace` can put a key to the kernel's program, which takes frames.
 *
 * The frame is checked by the parser itself: what comes out has exactly that key, or nothing comes out. Keys that no
 * frame has (ports without a protocol) and few that some have (extension headers) are of the second kind.
 */
#ifndef CTL_CRAFT_H
#define CTL_CRAFT_H

#include "bpf/abi.h"

#include <stdint.h>

#define CRAFT_SIZE 128 /* holds any crafted frame */

/* Returns the frame's size in bytes, or 0. */
uint32_t craft_frame(const struct sw_key *key, uint8_t frame[CRAFT_SIZE]);

#endif
