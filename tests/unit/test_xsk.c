/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who owns which frame (X1, X2 of dataplane/umem.h): the book against a stupid twin, on a stream of moves of which many
 * are wrong, and against rings that play the kernel's part. And the grace thread. No privilege needed.
 */
#include "dataplane/grace.h"
#include "dataplane/reactor.h"
#include "dataplane/umem.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define N_FRAMES 97
#define N_OWNERS 5
#define N_MOVES  400000

static uint64_t seed;

static uint32_t dice(uint32_t sides)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 20) % sides;
}

static void sow(void)
{
	const char *given = getenv("TEST_SEED");

	seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + getpid();
	fprintf(stderr, "TEST_SEED=%llu\n", (unsigned long long)seed);
}

/* ---- the twin: where every frame is, and whose it is, in two arrays ---- */

struct twin {
	enum umem_state where[N_FRAMES];
	int whose[N_FRAMES];
};

static bool twin_move(
	struct twin *t, uint32_t frame, enum umem_state from, int from_owner, enum umem_state to, int owner)
{
	if (frame >= N_FRAMES || t->where[frame] != from || t->whose[frame] != from_owner)
		return false;
	t->where[frame] = to;
	t->whose[frame] = owner;
	return true;
}

static void check_counts(const struct umem *umem, const struct twin *t)
{
	uint32_t counts[UMEM_N_STATES] = {0};

	for (int i = 0; i < N_FRAMES; i++)
		counts[t->where[i]]++;
	for (int state = 0; state < UMEM_N_STATES; state++)
		ck_assert_uint_eq(umem_count(umem, state), counts[state]);
}

static void one_take(struct umem *umem, struct twin *t)
{
	uint32_t frame = N_FRAMES;
	bool any = umem_count(umem, UMEM_FREE);

	ck_assert_int_eq(umem_take(umem, &frame), any);
	if (any)
		ck_assert(twin_move(t, frame, UMEM_FREE, -1, UMEM_LENT, -1));
}

static void one_reclaim(struct umem *umem, struct twin *t, int owner)
{
	uint32_t n = 0;

	for (int i = 0; i < N_FRAMES; i++) {
		if (t->whose[i] != owner)
			continue;
		t->where[i] = UMEM_FREE;
		t->whose[i] = -1;
		n++;
	}
	ck_assert_uint_eq(umem_reclaim(umem, owner), n);
}

static void one_move(struct umem *umem, struct twin *t)
{
	uint32_t frame = dice(N_FRAMES + 2);
	int owner = dice(N_OWNERS);

	switch (dice(48)) {
	case 0:
		one_reclaim(umem, t, owner);
		break;
	case 1 ... 7:
		ck_assert_int_eq(umem_give(umem, frame), twin_move(t, frame, UMEM_LENT, -1, UMEM_FREE, -1));
		break;
	case 8 ... 15:
		ck_assert_int_eq(umem_filled(umem, frame, owner), twin_move(t, frame, UMEM_LENT, -1, UMEM_FILL, owner));
		break;
	case 16 ... 23:
		ck_assert_int_eq(
			umem_arrived(umem, frame, owner), twin_move(t, frame, UMEM_FILL, owner, UMEM_LENT, -1));
		break;
	case 24 ... 31:
		ck_assert_int_eq(umem_sent(umem, frame, owner), twin_move(t, frame, UMEM_LENT, -1, UMEM_TX, owner));
		break;
	case 32 ... 39:
		ck_assert_int_eq(
			umem_completed(umem, frame, owner), twin_move(t, frame, UMEM_TX, owner, UMEM_FREE, -1));
		break;
	default:
		one_take(umem, t);
	}
}

START_TEST(every_frame_is_where_a_stupid_twin_says_it_is)
{
	struct umem *umem = umem_create(N_FRAMES);
	struct twin twin;

	sow();
	ck_assert_ptr_nonnull(umem);
	for (int i = 0; i < N_FRAMES; i++) {
		twin.where[i] = UMEM_FREE;
		twin.whose[i] = -1;
	}
	for (int i = 0; i < N_MOVES; i++) {
		one_move(umem, &twin);
		if (i % 64 == 0)
			check_counts(umem, &twin);
	}
	umem_destroy(umem);
}
END_TEST

/* ---- a kernel of two rings a socket that writes into what it was lent, and reads what it was given ---- */

struct ring {
	uint32_t frames[N_FRAMES];
	uint32_t n;
};

static void ring_put(struct ring *ring, uint32_t frame)
{
	ck_assert_uint_lt(ring->n, N_FRAMES);
	ring->frames[ring->n++] = frame;
}

/* Any of them: a kernel need not keep the order, and a completion does not. */
static uint32_t ring_take(struct ring *ring)
{
	uint32_t i = dice(ring->n), frame = ring->frames[i];

	ring->frames[i] = ring->frames[--ring->n];
	return frame;
}

struct kernel {
	struct umem *umem;
	struct ring fill[N_OWNERS], tx[N_OWNERS];
	uint32_t stamp, stamps[N_FRAMES];
};

static uint32_t *words(struct kernel *k, uint32_t frame)
{
	return (uint32_t *)umem_frame(k->umem, frame);
}

/* What the daemon does with a frame that came up: gives it back, or sends it, with the bytes it has. */
static void arrived(struct kernel *k, uint32_t frame)
{
	int out = dice(N_OWNERS);

	ck_assert_uint_eq(*words(k, frame), k->stamps[frame]);
	if (dice(2)) {
		ck_assert(umem_give(k->umem, frame));
		return;
	}
	ck_assert(umem_sent(k->umem, frame, out));
	ring_put(&k->tx[out], frame);
}

static void turn(struct kernel *k)
{
	int owner = dice(N_OWNERS);
	uint32_t frame;

	switch (dice(4)) {
	case 0:
	case 1:
		if (!umem_take(k->umem, &frame))
			break;
		ck_assert(umem_filled(k->umem, frame, owner));
		ring_put(&k->fill[owner], frame);
		break;
	case 2:
		if (!k->fill[owner].n)
			break;
		frame = ring_take(&k->fill[owner]);
		*words(k, frame) = k->stamps[frame] = ++k->stamp;
		ck_assert(umem_arrived(k->umem, frame, owner));
		arrived(k, frame);
		break;
	default:
		if (!k->tx[owner].n)
			break;
		frame = ring_take(&k->tx[owner]);
		ck_assert_uint_eq(*words(k, frame), k->stamps[frame]); /* nobody wrote into it meanwhile */
		ck_assert(umem_completed(k->umem, frame, owner));
	}
}

static void close_socket(struct kernel *k, int owner)
{
	ck_assert_uint_eq(umem_reclaim(k->umem, owner), k->fill[owner].n + k->tx[owner].n);
	k->fill[owner].n = k->tx[owner].n = 0;
}

START_TEST(no_frame_is_lost_or_in_two_places_whatever_the_kernel_does)
{
	struct kernel k = {.umem = umem_create(N_FRAMES)};

	sow();
	for (int i = 0; i < N_MOVES; i++) {
		turn(&k);
		if (dice(5000) == 0)
			close_socket(&k, dice(N_OWNERS));
	}
	for (int owner = 0; owner < N_OWNERS; owner++)
		close_socket(&k, owner);
	ck_assert_uint_eq(umem_count(k.umem, UMEM_FREE), N_FRAMES);
	umem_destroy(k.umem);
}
END_TEST

START_TEST(a_frame_beyond_the_end_is_nobodys)
{
	struct umem *umem = umem_create(4);
	uint32_t frame;

	for (int i = 0; i < 4; i++)
		ck_assert(umem_take(umem, &frame));
	ck_assert(!umem_take(umem, &frame));
	ck_assert(!umem_give(umem, 4));
	ck_assert(!umem_sent(umem, UINT32_MAX, 0));
	umem_destroy(umem);
}
END_TEST

/* ---- grace ---- */

static int watched = -1;
static void (*when_ready)(void *arg);
static void *ready_arg;

static struct reactor_watch *watch(void *ctx, int fd, void (*ready)(void *arg), void *arg)
{
	watched = fd;
	when_ready = ready;
	ready_arg = arg;
	return (struct reactor_watch *)&watched;
}

static void unwatch(void *ctx, struct reactor_watch *w)
{
	watched = -1;
}

static const struct reactor reactor = {.watch = watch, .unwatch = unwatch};

struct periods {
	int n_begun, n_ended; /* of the calls to wait, at their begin and end */
	int n_told;
};

static void wait_a_while(void *ctx)
{
	struct periods *p = ctx;

	__atomic_add_fetch(&p->n_begun, 1, __ATOMIC_SEQ_CST);
	usleep(30000);
	__atomic_add_fetch(&p->n_ended, 1, __ATOMIC_SEQ_CST);
}

static void told(void *ctx)
{
	((struct periods *)ctx)->n_told++;
}

static void run(int ms)
{
	struct pollfd fd = {.fd = watched, .events = POLLIN};

	if (poll(&fd, 1, ms) > 0)
		when_ready(ready_arg);
}

START_TEST(the_end_of_a_period_is_told_once)
{
	struct periods p = {0};
	const struct grace_calls calls = {.ctx = &p, .wait = wait_a_while, .ended = told};
	struct grace *grace;

	ck_assert_int_eq(grace_create(&reactor, &calls, &grace), 0);
	run(60);
	ck_assert_int_eq(p.n_begun, 0); /* nobody asked */
	grace_begin(grace);
	run(1000);
	ck_assert_int_eq(p.n_told, 1);
	ck_assert_int_eq(p.n_ended, 1);
	run(60);
	ck_assert_int_eq(p.n_told, 1);
	grace_destroy(grace);
}
END_TEST

START_TEST(what_is_asked_during_a_period_waits_for_a_whole_one_after_it)
{
	struct periods p = {0};
	const struct grace_calls calls = {.ctx = &p, .wait = wait_a_while, .ended = told};
	struct grace *grace;
	int begun;

	ck_assert_int_eq(grace_create(&reactor, &calls, &grace), 0);
	grace_begin(grace);
	while (__atomic_load_n(&p.n_begun, __ATOMIC_SEQ_CST) == 0)
		usleep(100);
	begun = __atomic_load_n(&p.n_begun, __ATOMIC_SEQ_CST);
	grace_begin(grace);
	while (!p.n_told)
		run(1000);
	ck_assert_int_gt(__atomic_load_n(&p.n_ended, __ATOMIC_SEQ_CST), begun); /* one that began after the asking */
	ck_assert_int_eq(p.n_told, 1);
	grace_destroy(grace);
}
END_TEST

START_TEST(destroying_does_not_wait_for_ever)
{
	struct periods p = {0};
	const struct grace_calls calls = {.ctx = &p, .wait = wait_a_while, .ended = told};
	struct grace *grace;

	ck_assert_int_eq(grace_create(&reactor, &calls, &grace), 0);
	grace_begin(grace);
	grace_destroy(grace);
	ck_assert_int_eq(watched, -1);
	ck_assert_int_eq(p.n_told, 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("xsk");
	TCase *t = tcase_create("frames");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, every_frame_is_where_a_stupid_twin_says_it_is);
	tcase_add_test(t, no_frame_is_lost_or_in_two_places_whatever_the_kernel_does);
	tcase_add_test(t, a_frame_beyond_the_end_is_nobodys);
	tcase_add_test(t, the_end_of_a_period_is_told_once);
	tcase_add_test(t, what_is_asked_during_a_period_waits_for_a_whole_one_after_it);
	tcase_add_test(t, destroying_does_not_wait_for_ever);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return run_suite(suite());
}
