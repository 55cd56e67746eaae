/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trial.h - one frame through the shipped program by BPF_PROG_TEST_RUN.
 *
 *	TRIAL_LO, which is port TRIAL_IN [ the program ] port TRIAL_OUT
 *
 * A redirect is asked for and not carried out; what becomes of it is test_live.c's. What fails here fails the test.
 */
#ifndef TRIAL_H
#define TRIAL_H

#include <check.h>
#include "fixture.h"
#include "packet.h"

#define TRIAL_LO  1 /* frames must come in by a device that exists */
#define TRIAL_IN  1
#define TRIAL_OUT 2

#define STEP(what, value)                                                                                              \
	{                                                                                                              \
		.op = SW_OP_##what, .arg = (value)                                                                     \
	}

struct outcome {
	int verdict;
	struct packet out; /* metadata that goes up, if there is any, first */
	uint32_t meta_size;
	bool marked; /* for a broadcast; the mark is taken off */
	uint16_t told;
};

/* A device that takes redirected frames, for members of sets: what they could not take would count as lost. */
extern uint32_t trial_taker;

/* Both ports, a mask of both MAC addresses and the VLAN, upcalls of any size, no daemon. */
void trial_setup(struct fixture *f);
struct sw_port trial_port(void);
struct sw_key trial_mask(void);
struct sw_key trial_key(const struct packet *p);

/* A flow for frames like this one; its slot. */
uint32_t trial_put(
	struct fixture *f, const struct packet *p, uint8_t flags, const struct sw_step *steps, unsigned int n);
uint32_t trial_put_output(struct fixture *f, const struct packet *p, uint8_t flags);

/* How the only flow of a test is found; the program has a short way for what is at home or hinted at. */
enum trial_way { TRIAL_BUCKET, TRIAL_HOME, TRIAL_HINT, TRIAL_DEEP, TRIAL_N_WAYS };
/* Has frames like this one, which may pass once for that, find their flow in this way; the slot that it has then. */
uint32_t trial_lead(struct fixture *f, enum trial_way way, const struct packet *p, uint32_t slot);

/* A daemon listens at the port from now on, until the descriptor is closed. It never reads. */
int trial_daemon_arrives(struct fixture *f);

struct outcome trial_run(struct fixture *f, const struct packet *in);
/* The same with a first buffer of first_size bytes, 0: as many as the kernel likes. -errno: not on this kernel. */
int trial_run_split(
	struct fixture *f, const struct packet *in, size_t first_size, uint32_t repeat, struct outcome *ret);

/* What becomes of a frame, but for copies of it. */
enum trial_fate { GOES, ENDS, GOES_UP };
/* ENDS and GOES_UP: `why` is the reason. `name` says which trial of which test it is. */
void trial_check_fate(struct fixture *f, const struct outcome *o, enum trial_fate fate, int why, const char *name);

/* All that there is to be seen of one frame's way. */
struct trial_sight {
	struct outcome o;
	struct sw_port_stats in, out;
	struct sw_flow_stats flow;
	uint64_t drops;
};

/* Forgets what was counted, and runs the frame; `slot` is its flow's. */
void trial_see(struct fixture *f, const struct packet *p, uint32_t slot, struct trial_sight *ret);
void trial_check_alike(const struct trial_sight *a, const struct trial_sight *b, uint64_t seed);

struct sw_meta trial_meta(const struct outcome *o);
void trial_check_meta(const struct outcome *o, enum sw_upcall reason, uint32_t slot);
void trial_check_same(const struct packet *a, const struct packet *b);

/* On this CPU, from here on: notes and hints are of one. */
void trial_stay_here(void);
/* Loads the program, runs the suite in a network namespace of its own; the exit status. */
int trial_main(struct fixture *f, Suite *suite);

#endif
