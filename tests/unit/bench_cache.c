/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the cache costs: `meson test --benchmark cache`. Figures are those of the last of a few rounds. A rule looks at
 * addresses, so that there are as many flows as pairs of them.
 */
#include "tests/unit/cache_lab.h"

#include <time.h>

#define N_SLOTS 262144
#define N_FLOWS 100000
#define N_SRC   1000
#define N_PORTS 32
#define ROUNDS  5

static struct lab lab;
static struct sw_key keys[N_FLOWS];

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * SECOND + t.tv_nsec;
}

static void make_keys(void)
{
	for (uint32_t i = 0; i < N_FLOWS; i++) {
		uint32_t src = i % N_SRC, dst = (src + 1 + i / N_SRC) % N_SRC;

		keys[i] = lab_key(1 + src % N_PORTS, 0, 0);
		memcpy(keys[i].f.eth_src + 2, &src, sizeof(src));
		memcpy(keys[i].f.eth_dst + 2, &dst, sizeof(dst));
	}
}

static void carry_out_all(void)
{
	for (uint32_t i = 0; i < N_FLOWS; i++) {
		lab.answer.normal = true;
		normal_carry_out(lab.pl, &keys[i], NULL, &lab.answer);
	}
}

static void learn_all(void)
{
	for (uint32_t i = 0; i < N_SRC; i++) {
		translate(lab.pl, &keys[i], NULL, &lab.answer);
		normal_carry_out(lab.pl, &keys[i], NULL, &lab.answer);
		fdb_learn(lab.fdb, &lab.answer.learn.key, lab.answer.learn.port, lab.now_ns);
	}
	lab_settle(&lab);
}

static void translate_all(void)
{
	for (uint32_t i = 0; i < N_FLOWS; i++)
		translate(lab.pl, &keys[i], NULL, &lab.answer);
}

static void compile_all(void)
{
	struct program program;

	for (uint32_t i = 0; i < N_FLOWS; i++) {
		program_compile(lab.sets, lab.pl, &keys[i], &lab.answer, &program);
		program_release(lab.sets, &program);
	}
}

static void put_all(void)
{
	for (uint32_t i = 0; i < N_FLOWS; i++) {
		translate(lab.pl, &keys[i], NULL, &lab.answer);
		cache_put(lab.cache, &keys[i], &lab.answer, lab.now_ns);
	}
}

static void flush_all(void)
{
	cache_flush(lab.cache);
	lab_let_grace_pass(&lab);
}

/* Nothing differs. */
static void bump_version(void)
{
	pipeline_bridge_set(lab.pl, 1, FDB_DEFAULT_AGEING_S, FDB_DEFAULT_LIMIT, false);
}

static void make_all_fast(bool fast)
{
	for (uint16_t id = 1; id <= N_PORTS; id++) {
		struct port_state state = lab.states[id];

		state.fast = fast;
		lab_port_is(&lab, id, &state);
	}
}

static void settle(void)
{
	cache_settle(lab.cache, lab.now_ns);
}

static void sweep(void)
{
	lab.now_ns += SECOND / 100;
	while (!cache_sweep(lab.cache, lab.now_ns))
		;
}

static void hit_all(void)
{
	for (uint32_t i = 0; i < N_SLOTS; i++)
		dp_flow_stats(&lab.dp->memory, 0, i)->packets++;
}

static void restart(void)
{
	lab_restart(&lab);
}

static double ms_of(void (*what)(void))
{
	uint64_t begin = clock_ns();

	what();
	return (clock_ns() - begin) / 1e6;
}

static void report(const char *name, double ms, uint32_t n)
{
	printf("%-46s %8.2f ms %7.0f ns each\n", name, ms, ms * 1e6 / n);
}

static void bench_round(bool say)
{
	double translating = ms_of(translate_all), compiling = ms_of(compile_all), carrying = ms_of(carry_out_all);
	double putting = ms_of(put_all), keeping, replacing, idle, busy, flushing;
	uint64_t replaced = cache_totals(lab.cache)->replaced;
	uint32_t n = cache_count(lab.cache);

	must(n > N_FLOWS * 0.999);
	bump_version();
	keeping = ms_of(settle);
	must(cache_count(lab.cache) == n && cache_totals(lab.cache)->replaced == replaced);
	make_all_fast(false);
	replacing = ms_of(settle);
	must(cache_count(lab.cache) == n && cache_totals(lab.cache)->replaced == replaced + n);
	lab_let_grace_pass(&lab);
	make_all_fast(true);
	settle();
	lab_let_grace_pass(&lab);
	idle = ms_of(sweep);
	hit_all();
	busy = ms_of(sweep);
	flushing = ms_of(flush_all);
	if (!say)
		return;
	report("translate", translating, N_FLOWS);
	report("program_compile", compiling, N_FLOWS);
	report("normal_carry_out", carrying, N_FLOWS);
	report("translate and cache_put", putting, N_FLOWS);
	report("settle, version moved, all kept", keeping, n);
	report("settle, version moved, all replaced", replacing, n);
	report("sweep, none used", idle, n);
	report("sweep, all used", busy, n);
	report("flush and end of grace period", flushing, n);
}

START_TEST(what_the_cache_costs)
{
	lab_open(&lab, N_SLOTS, N_PORTS);
	lab_look_at_addresses(&lab, true);
	make_keys();
	learn_all();
	for (int round = 1; round <= ROUNDS; round++)
		bench_round(round == ROUNDS);
	put_all();
	report("restart: daemon's state, adoption", ms_of(restart), N_FLOWS);
	report("restart: first settle", ms_of(settle), N_FLOWS);
	lab_close(&lab);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bench_cache");
	TCase *t = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_the_cache_costs);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
