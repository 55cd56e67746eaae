/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shipped programs leave the verifier room: a kernel that counts more than those they were tested on must take
 * them, too (docs/decisions/0022). What it processed the kernel tells; what a chain of calls needs of the stack is
 * found in the instructions, for the kernel at hand may count less than Linux 6.1, which rounds each function's to 32
 * bytes.
 */
#include "trial.h"

#include "tc_twin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/bpf.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define MOST_PROCESSED 400000 /* of 1,000,000 (BPF_COMPLEXITY_LIMIT_INSNS) */
#define MOST_STACK     448    /* of 512 (MAX_BPF_STACK) */
#define STACK_ROUNDED  32
#define FRAME_POINTER  10
#define N_REGISTERS    11
#define UNKNOWN        UINT32_MAX

static struct fixture f;
static struct tc_twin twin;

/* A program's instructions, its functions behind each other. */
struct code {
	const struct bpf_insn *insns;
	size_t n;
	uint32_t *deepest; /* by a function's first instruction: bytes of it and its deepest callee; 0: no function */
};

/* The function that this instruction calls or hands to a helper, by its first instruction; 0: it does not. */
static size_t callee_at(const struct code *code, size_t at)
{
	const struct bpf_insn *insn = &code->insns[at];

	if ((insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) ||
		(insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_FUNC))
		return (size_t)((int64_t)at + 1 + insn->imm);
	return 0;
}

static void find_functions(struct code *code)
{
	size_t at, callee;

	code->deepest[0] = UNKNOWN;
	for (at = 0; at < code->n; at++) {
		callee = callee_at(code, at);
		ck_assert_uint_lt(callee, code->n);
		if (callee)
			code->deepest[callee] = UNKNOWN;
	}
}

/* How far below the frame pointer this instruction reaches. `is_frame` are the registers that are a copy of it. */
static uint32_t reach_of(const struct bpf_insn *insn, bool is_frame[N_REGISTERS])
{
	uint8_t class = BPF_CLASS(insn->code), base = class == BPF_LDX ? insn->src_reg : insn->dst_reg;

	if (class == BPF_LDX || class == BPF_ST || class == BPF_STX) {
		is_frame[insn->dst_reg] &= class != BPF_LDX;
		return base == FRAME_POINTER && insn->off < 0 ? (uint32_t)-insn->off : 0;
	}
	if (insn->code == (BPF_ALU64 | BPF_MOV | BPF_X)) {
		is_frame[insn->dst_reg] = insn->src_reg == FRAME_POINTER;
	} else if (class == BPF_ALU64 || class == BPF_ALU || class == BPF_LD) {
		bool was_frame = is_frame[insn->dst_reg];

		is_frame[insn->dst_reg] = false;
		if (was_frame && insn->code == (BPF_ALU64 | BPF_ADD | BPF_K) && insn->imm < 0)
			return (uint32_t)-insn->imm;
	}
	return 0;
}

static uint32_t deepest(struct code *code, size_t start)
{
	uint32_t own = 1, below = 0, reach;
	bool is_frame[N_REGISTERS] = {false};
	size_t at, callee;

	if (code->deepest[start] != UNKNOWN)
		return code->deepest[start];
	for (at = start; at < code->n && (at == start || !code->deepest[at]); at++) {
		reach = reach_of(&code->insns[at], is_frame);
		own = reach > own ? reach : own;
		callee = callee_at(code, at);
		reach = callee ? deepest(code, callee) : 0;
		below = reach > below ? reach : below;
	}
	code->deepest[start] = (own + STACK_ROUNDED - 1) / STACK_ROUNDED * STACK_ROUNDED + below;
	return code->deepest[start];
}

static void check_stack(struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
	{
		struct code code = {.insns = bpf_program__insns(program), .n = bpf_program__insn_cnt(program)};
		uint32_t most;

		if (bpf_program__fd(program) < 0)
			continue;
		ck_assert(code.insns && code.n);
		code.deepest = calloc(code.n, sizeof(*code.deepest));
		ck_assert_ptr_nonnull(code.deepest);
		find_functions(&code);
		most = deepest(&code, 0);
		free(code.deepest);
		printf("%s: %u bytes of stack\n", bpf_program__name(program), most);
		ck_assert_msg(most <= MOST_STACK, "%s: %u bytes of stack", bpf_program__name(program), most);
	}
}

START_TEST(no_chain_of_calls_comes_near_the_end_of_the_stack)
{
	check_stack(f.skel->obj);
	check_stack(twin.skel->obj);
}
END_TEST

static void check_processed(struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
	{
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (bpf_program__fd(program) < 0)
			continue;
		ck_assert_int_eq(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size), 0);
		printf("%s: %u instructions processed\n", info.name, info.verified_insns);
		ck_assert_msg(info.verified_insns && info.verified_insns <= MOST_PROCESSED,
			"%s: %u instructions processed", info.name, info.verified_insns);
	}
}

START_TEST(the_verifier_has_room_left)
{
	check_processed(f.skel->obj);
	check_processed(twin.skel->obj);
}
END_TEST

static void open_twin(void)
{
	int error = tc_twin_open(&twin, &f);

	ck_assert_msg(!error, "the program for tc does not load: %s", strerror(-error));
}

static void close_twin(void)
{
	tc_twin_close(&twin);
}

int main(void)
{
	Suite *s = suite_create("verifier");
	TCase *tcase = tcase_create("verifier");

	tcase_set_timeout(tcase, 100);
	tcase_add_unchecked_fixture(tcase, open_twin, close_twin);
	tcase_add_test(tcase, the_verifier_has_room_left);
	tcase_add_test(tcase, no_chain_of_calls_comes_near_the_end_of_the_stack);
	suite_add_tcase(s, tcase);
	return trial_main(&f, s);
}
