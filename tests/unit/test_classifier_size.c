/* SPDX-License-Identifier: BSD-2-Clause */
/* The classifier at a hundred thousand rules and a million: time and memory. */
#include "dataplane/classifier.h"

#include "tests/unit/classifier_lab.h"
#include "tests/unit/suite.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <stdio.h>
#include <time.h>

#define N_MANY    100000
#define N_MEMORY  200000
#define N_MILLION 1000000

#define BYTES_A_RULE_MAX 200 /* of five fields, with all that stands around it */

/* ---- size and speed ---- */

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The worst orders for a structure that searches for its new maximum: highest first, and highest last. */
START_TEST(a_hundred_thousand_rules_come_and_go_fast)
{
	struct cls_rule **rules = calloc(N_MANY, sizeof(struct cls_rule *));
	struct classifier *cls = cls_create();
	double start = seconds();
	struct flow_match match;

	for (uint32_t i = 0; i < N_MANY; i++) {
		match = numbered_match(i);
		rules[i] = calloc(1, cls_rule_size(&match.mask));
		ck_assert_int_eq(cls_insert(cls, rules[i], &match, (uint16_t)(i % 65536)), 0);
	}
	ck_assert_uint_eq(cls_count(cls), N_MANY);
	for (uint32_t i = 0; i < N_MANY; i++) {
		match = numbered_match(i);
		ck_assert_ptr_eq(cls_find_exactly(cls, &match, rules[i]->priority), rules[i]);
	}
	for (uint32_t i = N_MANY / 2; i < N_MANY; i++)
		cls_remove(cls, rules[i]);
	for (uint32_t i = N_MANY / 2; i-- > 0;)
		cls_remove(cls, rules[i]);
	ck_assert_uint_eq(cls_count(cls), 0);
	/* Less than half a second; what is quadratic takes minutes. Room for valgrind and sanitizers. */
	ck_assert_msg(seconds() - start < 20, "took %.1f s", seconds() - start);
	cls_destroy(cls);
	for (uint32_t i = 0; i < N_MANY; i++)
		free(rules[i]);
	free(rules);
}
END_TEST

static struct flow_match five_tuple(uint32_t i)
{
	struct flow_match match = {.mask = mask_of(32, 16)};

	memset(match.mask.x.f.ip_src, 0xff, 4);
	match.mask.x.f.l4_src_be = 0xffff;
	match.key = tcp_flow(0x0a000000 + i, 0xc0a80000 + i * 7919 % 65536, (uint16_t)(1024 + i % 60000), 443);
	return match;
}

/* An assertion a rule would take longer than the rule. */
static struct cls_rule **fill(struct classifier *cls, uint32_t n)
{
	struct cls_rule **rules = calloc(n, sizeof(struct cls_rule *));
	uint32_t n_errors = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct flow_match match = five_tuple(i);

		rules[i] = malloc(cls_rule_size(&match.mask));
		n_errors += !!cls_insert(cls, rules[i], &match, (uint16_t)(i % 100));
	}
	ck_assert_uint_eq(n_errors, 0);
	return rules;
}

static void clear(struct classifier *cls, struct cls_rule **rules, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		cls_remove(cls, rules[i]);
		free(rules[i]);
	}
	free(rules);
}

static size_t bytes_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

START_TEST(a_rule_of_five_fields_takes_few_bytes)
{
	size_t before = bytes_in_use(), bytes;
	struct classifier *cls = cls_create();
	struct cls_rule **rules = fill(cls, N_MEMORY);

	bytes = bytes_in_use() - before;
	if (bytes)
		printf("%zu bytes a rule of five fields\n", bytes / N_MEMORY);
	else
		printf("memory not measured: this allocator does not tell\n");
	ck_assert_uint_le(bytes / N_MEMORY, BYTES_A_RULE_MAX);
	clear(cls, rules, N_MEMORY);
	/* Everything shrinks with its rules. What the allocator keeps for itself counts as in use. */
	ck_assert_uint_le(bytes_in_use() - before, N_MEMORY);
	cls_destroy(cls);
}
END_TEST

/* In ns a rule. */
static double lap(double *start, uint32_t n)
{
	double now = seconds(), taken = now - *start;

	*start = now;
	return taken / n * 1e9;
}

static void time_rules(uint32_t n)
{
	struct classifier *cls = cls_create();
	double start = seconds(), insert, find, hit, miss;
	struct cls_rule **rules = fill(cls, n);
	uint32_t n_wrong = 0;

	insert = lap(&start, n);
	for (uint32_t i = 0; i < n; i++) {
		struct flow_match match = five_tuple(i);

		n_wrong += cls_find_exactly(cls, &match, (uint16_t)(i % 100)) != rules[i];
	}
	find = lap(&start, n);
	for (uint32_t i = 0; i < n; i++) {
		struct flow_match match = five_tuple(i);
		struct flow wc = {0};

		n_wrong += cls_lookup(cls, &match.key, &wc) != rules[i];
	}
	hit = lap(&start, n);
	for (uint32_t i = 0; i < n; i++) {
		struct flow_match match = five_tuple(i);
		struct flow wc = {0};

		match.key.x.f.l4_dst_be = 0;
		n_wrong += cls_lookup(cls, &match.key, &wc) != NULL;
	}
	miss = lap(&start, n);
	clear(cls, rules, n);
	printf("%u rules, ns: insert %.0f, find %.0f, hit %.0f, miss %.0f, remove %.0f\n", n, insert, find, hit, miss,
		lap(&start, n));
	ck_assert_uint_eq(n_wrong, 0);
	cls_destroy(cls);
}

/* Prints how long it takes, and asserts nothing about it: whose machine is this? */
START_TEST(a_million_rules_go_in_and_are_found)
{
	time_rules(N_MANY);
	time_rules(N_MILLION);
}
END_TEST

int main(void)
{
	TCase *size = tcase_create("size");
	Suite *suite = suite_create("classifier_size");

	tcase_set_timeout(size, 250);
	tcase_add_test(size, a_hundred_thousand_rules_come_and_go_fast);
	tcase_add_test(size, a_rule_of_five_fields_takes_few_bytes);
	tcase_add_test(size, a_million_rules_go_in_and_are_found);
	suite_add_tcase(suite, size);
	return run_suite(suite);
}
