/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fixture.h - the shipped program loaded for a test, and its maps filled by hand.
 *
 * Nothing of the daemon is used: what a test says of the program does not depend on who fills the maps.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <stdbool.h>
#include <stdint.h>
#include "bpf/abi.h"
#include "switch.skel.h"

#define FIXTURE_FLOWS   262144
#define FIXTURE_BUCKETS 65536

struct fixture {
	struct switch_bpf *skel;
	uint32_t n_rows;
	uint32_t n_flows, n_buckets;
	struct sw_config *config;
	struct sw_flow *flows;
	struct sw_bucket *buckets;
	uint64_t *sieves;
	uint8_t *rows;   /* struct sw_row each, and the flows' counters behind it */
	size_t row_size; /* bytes */
	struct sw_miss_bucket *miss_buckets;
	struct sw_set_info *set_info;
	uint64_t *drops;
	uint64_t *emc;
	struct sw_fdb_bucket *fdb;
	struct sw_rewrite *rewrites;
	struct sw_meter *meters;
	struct sw_flow_stats *band_stats, *stopped;
	struct sw_fork *forks;
	struct sw_fork_slots *fork_slots;
	struct sw_flow_stats *fork_stats;
	struct sw_copies *copies;
	struct sw_tell_stats *tell_stats;
	struct sw_mirror *mirrors;
	struct sw_mirror_stats *mirror_stats;
	uint32_t next_slot;
	uint32_t n_epochs;
};

struct fixture_address {
	uint64_t mac; /* as it is written: 0x02000000000a */
	uint16_t vid;
	uint8_t bridge;
	uint16_t port;
	uint8_t flags; /* SW_FDB_* */
	uint8_t out;   /* enum sw_fdb_out */
	uint8_t drop;  /* enum sw_drop; of SW_FDB_OUT_MIRRORED enum sw_fdb_out */
	uint8_t mirror;
};

/* 0, or -errno: without privilege -EPERM. Sizes are powers of two. */
int fixture_open(struct fixture *f, uint32_t n_flows, uint32_t n_buckets);
void fixture_close(struct fixture *f);

/* No flows, no hints, no counters, no masks, no ports, no addresses; depth 3, no limit for upcalls but 4,096 bytes. */
void fixture_reset(struct fixture *f);
void fixture_forget_counters(struct fixture *f);

void fixture_set_mask(struct fixture *f, unsigned int id, const struct sw_key *bits);
void fixture_set_port(struct fixture *f, uint32_t ifindex, const struct sw_port *port);
/* A device behind a port id of tx_ports. */
void fixture_set_output(struct fixture *f, uint32_t port_id, uint32_t ifindex);
/* A set of devices; the caller gives ids and ifindexes. */
void fixture_set_members(struct fixture *f, uint32_t set_id, const uint32_t *ids, const uint32_t *ifindexes,
	unsigned int n, uint32_t min_frame);

/* Makes a flow that begins with NORMAL, perhaps behind METER and TELL, one of this bridge. */
void fixture_set_bridge(struct fixture *f, uint32_t slot, uint16_t bridge);

/* One of the two buckets of such a flow has a free cell. Else publishing it is a fault of the test. */
bool fixture_has_room(const struct fixture *f, const struct sw_key *key, unsigned int mask_id);
/* Publishes a flow whose key is masked here; its slot. Where 0: as the table does, 1: into the alternate bucket. */
uint32_t fixture_put(struct fixture *f, const struct sw_key *key, unsigned int mask_id, uint32_t in_port, uint8_t flags,
	const struct sw_step *steps, unsigned int n_steps);
uint32_t fixture_put_alternate(struct fixture *f, const struct sw_key *key, unsigned int mask_id, uint32_t in_port,
	uint8_t flags, const struct sw_step *steps, unsigned int n_steps);
/* Moves a flow to its home, or to the slot beside it; the slot that it has now. */
uint32_t fixture_send_home(struct fixture *f, uint32_t slot, bool neighbour);
void fixture_kill(struct fixture *f, uint32_t slot);
/* What was noted is void. After a reset and before the first epoch nothing is noted. */
void fixture_begin_epoch(struct fixture *f);
/* Frames that were recalled since counters were forgotten. */
uint32_t fixture_recalled(const struct fixture *f);
struct sw_row *fixture_row(const struct fixture *f, uint32_t row);
void fixture_forget_hints(struct fixture *f);
void fixture_forget_buckets(struct fixture *f);

/* Writes an address into its primary bucket or, where that is full, into its alternate one; its cell. */
struct sw_fdb_cell *fixture_put_address(struct fixture *f, const struct fixture_address *address);
void fixture_write_address(struct sw_fdb_cell *cell, const struct fixture_address *address);
struct sw_fdb_bucket *fixture_fdb_bucket(
	const struct fixture *f, const struct fixture_address *address, bool alternate);

uint64_t fixture_drops(const struct fixture *f, uint32_t port_id, enum sw_drop reason);
uint64_t fixture_all_drops(const struct fixture *f);
/* What the other counters leave: frames taken in that neither missed nor were found by a megaflow lookup. */
uint64_t fixture_exact_hits(const struct fixture *f, uint32_t port_id);
struct sw_port_stats fixture_port_stats(const struct fixture *f, uint32_t port_id);
struct sw_flow_stats fixture_flow_stats(const struct fixture *f, uint32_t slot);
struct sw_flow_stats fixture_branch_stats(const struct fixture *f, uint32_t fork, uint32_t branch);

#endif
