/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rewrite_parts.h - what the files rewrite*.c share: the bytes of one header changed, and the sums over them with it.
 *
 * Each function takes layers that were found in this very frame and are still true of it.
 */
#ifndef DATAPLANE_REWRITE_PARTS_H
#define DATAPLANE_REWRITE_PARTS_H

#include "dataplane/layers.h"
#include "dataplane/rewrite.h"

/* rewrite_ip.c: of an IP header that is there. */
uint8_t ip_ttl(const struct frame *frame, const struct ip_layer *ip);
uint8_t ip_tos(const struct frame *frame, const struct ip_layer *ip);
void ip_set_ttl(struct frame *frame, const struct ip_layer *ip, uint8_t ttl);
void ip_set_tos(struct frame *frame, const struct ip_layer *ip, uint8_t tos);
void ip_set_proto(struct frame *frame, const struct ip_layer *ip, uint8_t ip_proto);
/* Of the header's version: 4 or 16 bytes. */
void ip_set_src(struct frame *frame, const struct ip_layer *ip, const uint8_t *address);
void ip_set_dst(struct frame *frame, const struct ip_layer *ip, const uint8_t *address);
void ip_set_label(struct frame *frame, const struct ip_layer *ip, const uint8_t *label_be);
/* Bytes of the layer-4 header, `offset` from its start; they lie within the datagram. */
void ip_set_l4(struct frame *frame, const struct ip_layer *ip, uint32_t offset, const uint8_t *value, uint32_t size);

/* rewrite_set.c: a value as action.h has it. */
void rewrite_set_field(struct frame *frame, const struct layers *layers, uint8_t field, const uint8_t *value);

/* rewrite_tags.c: afterwards the layers lie elsewhere. */
enum rewrite rewrite_push_vlan(struct frame *frame, const struct layers *layers, uint16_t tpid);
enum rewrite rewrite_push_mpls(struct frame *frame, const struct layers *layers, uint16_t eth_type);
enum rewrite rewrite_push_pbb(struct frame *frame, const struct layers *layers, uint16_t eth_type);
void rewrite_pop_vlan(struct frame *frame, const struct layers *layers);
void rewrite_pop_mpls(struct frame *frame, const struct layers *layers, uint16_t eth_type);
void rewrite_pop_pbb(struct frame *frame, const struct layers *layers);

#endif
