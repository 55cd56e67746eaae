/* SPDX-License-Identifier: BSD-2-Clause */
/* Unfinished checksums, wherever the headers lie. */
#include "trial.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct fixture f;

/* ---- checksums ---- */

static const struct packet_spec csum_specs[] = {
	{.tci = UNTAGGED, .ip_version = 4, .ip_proto = 6},
	{.tci = UNTAGGED, .ip_version = 4, .ip_proto = 17},
	{.tci = UNTAGGED, .ip_version = 6, .ip_proto = 6},
	{.tci = UNTAGGED, .ip_version = 6, .ip_proto = 17},
	{.tci = 10, .ip_version = 4, .ip_proto = 6},
	{.tci = 10, .ip_version = 6, .ip_proto = 17},
	{.tci = 10, .ip_version = 4, .ip_proto = 6, .outer_tpid = 0x88a8},
	{.tci = 10, .ip_version = 6, .ip_proto = 6, .outer_tpid = 0x8100},
	{.tci = UNTAGGED, .ip_version = 4, .ip_proto = 17, .exts = 3},
	{.tci = UNTAGGED, .ip_version = 6, .ip_proto = 6, .exts = 2},
};

#define N_CSUM_SPECS (sizeof(csum_specs) / sizeof(*csum_specs))

static const size_t csum_sizes[] = {90, 91, 92, 93, 127, 128, 511, 512, 513, 565, 566, 567, 600, 601, 1078, 1079, 1500,
	1513, 1514, 3400, 3401, 3600, 4000, 4001, 5555, 8191, 8999, 9000};

#define N_CSUM_SIZES (sizeof(csum_sizes) / sizeof(*csum_sizes))

static void check_csum(const struct packet *in, enum packet_csum expected, size_t first_size)
{
	struct packet out = *in;
	struct outcome o;
	int err = trial_run_split(&f, in, first_size, 1, &o);

	ck_assert_int_eq(err, 0);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	if (in->bytes[packet_csum_offset(in)] || in->bytes[packet_csum_offset(in) + 1])
		packet_set_csum(&out, expected);
	trial_check_same(&o.out, &out);
}

static void setup_csum(const struct packet *in)
{
	trial_setup(&f);
	trial_put_output(&f, in, SW_FLOW_CSUM);
}

START_TEST(unfinished_checksums_are_finished)
{
	struct packet_spec spec = csum_specs[_i];
	uint64_t seed = 42, i;
	struct packet in;

	for (i = 0; i < N_CSUM_SIZES; i++) {
		spec.size = csum_sizes[i];
		spec.csum = CSUM_UNFINISHED;
		packet_make(&in, &spec, &seed);
		setup_csum(&in);
		check_csum(&in, CSUM_FINISHED, 0);
		ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).csum_done, 1);
	}
}
END_TEST

START_TEST(finished_checksums_stay)
{
	struct packet_spec spec = csum_specs[_i];
	uint64_t seed = 43, i;
	struct packet in, out;
	struct outcome o;

	for (i = 0; i < N_CSUM_SIZES; i++) {
		spec.size = csum_sizes[i];
		spec.csum = CSUM_FINISHED;
		packet_make(&in, &spec, &seed);
		setup_csum(&in);
		o = trial_run(&f, &in);
		trial_check_same(&o.out, &in);
		out = in;
		out.bytes[packet_csum_offset(&in)] ^= 0x55; /* a wrong one too: it is not ours to hide */
		o = trial_run(&f, &out);
		trial_check_same(&o.out, &out);
		ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).csum_done, 0);
	}
}
END_TEST

/* Two payload bytes make the right checksum what an unfinished one looks like: 1 in 65,536 frames is so. */
START_TEST(a_right_checksum_that_looks_unfinished_stays)
{
	struct packet_spec spec = csum_specs[_i];
	uint64_t seed = 44, i;
	struct packet in;
	uint16_t pseudo, word, field;
	struct outcome o;
	size_t at;

	for (i = 0; i < N_CSUM_SIZES; i++) {
		spec.size = csum_sizes[i];
		spec.csum = CSUM_UNFINISHED;
		packet_make(&in, &spec, &seed);
		pseudo = packet_pseudo_sum(&in);
		at = in.l4 + 20;
		if (at + 2 > in.size)
			continue;
		memset(in.bytes + at, 0, 2);
		word = ~packet_add(packet_add(pseudo, pseudo), packet_segment_sum(&in));
		in.bytes[at] = word >> 8;
		in.bytes[at + 1] = word;
		field = packet_add(pseudo, packet_add(pseudo, packet_segment_sum(&in)));
		ck_assert_uint_eq(field, 0xffff);
		setup_csum(&in);
		o = trial_run(&f, &in);
		trial_check_same(&o.out, &in);
		ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).csum_done, 0);
	}
}
END_TEST

START_TEST(udp_zero_is_sent_as_all_ones_and_none_stays_none)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 4 + 2 * _i, .ip_proto = 17, .size = 200};
	uint64_t seed = 45;
	struct packet in;
	struct outcome o;
	uint16_t word;

	spec.csum = CSUM_UNFINISHED;
	packet_make(&in, &spec, &seed);
	memset(in.bytes + in.l4 + 8, 0, 2);
	word = ~packet_add(packet_pseudo_sum(&in), packet_segment_sum(&in));
	in.bytes[in.l4 + 8] = word >> 8;
	in.bytes[in.l4 + 9] = word;
	setup_csum(&in);
	o = trial_run(&f, &in);
	ck_assert_mem_eq(o.out.bytes + in.l4 + 6, "\xff\xff", 2);
	packet_set_csum(&in, CSUM_NONE);
	o = trial_run(&f, &in);
	trial_check_same(&o.out, &in);
}
END_TEST

START_TEST(fragments_other_protocols_and_unflagged_ports_are_left_alone)
{
	static const int protos[] = {1, 33, 58, 132, 136, 47};
	uint64_t seed = 46;
	struct packet in;
	struct outcome o;
	size_t i;

	for (i = 0; i < sizeof(protos) / sizeof(*protos); i++) {
		struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 4, .ip_proto = 17, .size = 200};

		spec.csum = CSUM_UNFINISHED;
		packet_make(&in, &spec, &seed);
		in.bytes[in.l3 + 9] = protos[i];
		setup_csum(&in);
		o = trial_run(&f, &in);
		trial_check_same(&o.out, &in);
		in.bytes[in.l3 + 9] = 17;
		in.bytes[in.l3 + 6] = 0x20;
		o = trial_run(&f, &in);
		trial_check_same(&o.out, &in);
		in.bytes[in.l3 + 6] = 0;
		f.flows[0].flags = 0;
		o = trial_run(&f, &in);
		trial_check_same(&o.out, &in);
	}
}
END_TEST

START_TEST(an_upcall_is_finished_by_its_ports_flag)
{
	struct packet_spec spec = {.tci = UNTAGGED, .ip_version = 6, .ip_proto = 6, .size = 301};
	struct sw_port port = trial_port();
	struct packet in, out;
	uint64_t seed = 47;
	struct outcome o;
	int fd;

	spec.csum = CSUM_UNFINISHED;
	trial_setup(&f);
	port.flags = SW_PORT_CSUM;
	fixture_set_port(&f, TRIAL_LO, &port);
	fd = trial_daemon_arrives(&f);
	packet_make(&in, &spec, &seed);
	o = trial_run(&f, &in);
	close(fd);
	out = in;
	packet_set_csum(&out, CSUM_FINISHED);
	ck_assert_int_eq(o.verdict, XDP_REDIRECT);
	ck_assert_uint_eq(o.out.size - o.meta_size, out.size);
	ck_assert_mem_eq(o.out.bytes + o.meta_size, out.bytes, out.size);
	ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).csum_done, 1);
}
END_TEST

/* ---- headers out of reach: from Linux 6.18 TEST_RUN can make the first buffer as short as a driver may ---- */

START_TEST(headers_beyond_the_first_buffer_are_found)
{
	struct packet_spec spec = csum_specs[_i];
	uint64_t seed = 48;
	struct packet in;
	struct outcome o;
	size_t first;

	spec.size = 5000;
	spec.csum = CSUM_UNFINISHED;
	packet_make(&in, &spec, &seed);
	setup_csum(&in);
	if (trial_run_split(&f, &in, 64, 1, &o)) {
		printf("SKIP: BPF_PROG_TEST_RUN of this kernel does not split frames\n");
		return;
	}
	for (first = 14; first < 300; first += 13) {
		setup_csum(&in);
		check_csum(&in, CSUM_FINISHED, first);
		ck_assert_uint_eq(fixture_port_stats(&f, TRIAL_IN).csum_done, 1);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("csum");
	TCase *tcase = tcase_create("csum");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, unfinished_checksums_are_finished, 0, N_CSUM_SPECS);
	tcase_add_loop_test(tcase, finished_checksums_stay, 0, N_CSUM_SPECS);
	tcase_add_loop_test(tcase, a_right_checksum_that_looks_unfinished_stays, 0, N_CSUM_SPECS);
	tcase_add_loop_test(tcase, udp_zero_is_sent_as_all_ones_and_none_stays_none, 0, 2);
	tcase_add_test(tcase, fragments_other_protocols_and_unflagged_ports_are_left_alone);
	tcase_add_test(tcase, an_upcall_is_finished_by_its_ports_flag);
	tcase_add_loop_test(tcase, headers_beyond_the_first_buffer_are_found, 0, N_CSUM_SPECS);
	suite_add_tcase(s, tcase);
	return s;
}

int main(void)
{
	return trial_main(&f, suite());
}
