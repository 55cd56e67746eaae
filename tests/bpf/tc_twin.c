/* SPDX-License-Identifier: BSD-2-Clause */
#include "tc_twin.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "trial.h"

/* As dataplane/dp_kernel_tc.c does. */
static int share_maps(struct switch_tc_bpf *skel, const struct fixture *f)
{
	uint32_t zero = 0, devices = bpf_map__fd(f->skel->maps.tx_ports);
	struct bpf_map *map;
	int error;

	skel->rodata->sieve_mask = f->skel->rodata->sieve_mask;
	skel->rodata->flow_stats_mask = f->skel->rodata->flow_stats_mask;
	error = bpf_map__reuse_fd(skel->maps.bss, bpf_map__fd(f->skel->maps.bss));
	bpf_object__for_each_map(map, skel->obj)
	{
		const struct bpf_map *live = bpf_object__find_map_by_name(f->skel->obj, bpf_map__name(map));

		if (!error && !bpf_map__is_internal(map))
			error = bpf_map__reuse_fd(map, bpf_map__fd(live));
	}
	if (!error && bpf_map_update_elem(bpf_map__fd(f->skel->maps.outs), &zero, &devices, BPF_ANY))
		error = -errno;
	return error;
}

static int take(void *ctx, void *record, size_t size)
{
	const struct sw_up *up = record;
	struct tc_twin *twin = ctx;

	ck_assert_uint_le(sizeof(*up) + up->size, size);
	ck_assert_uint_le(up->size, PACKET_MAX);
	twin->up = *up;
	twin->raised.size = up->size;
	memcpy(twin->raised.bytes, up->bytes, up->size);
	twin->n_up++;
	return 0;
}

int tc_twin_open(struct tc_twin *twin, const struct fixture *f)
{
	int error;

	memset(twin, 0, sizeof(*twin));
	twin->skel = switch_tc_bpf__open();
	if (!twin->skel)
		return -errno;
	error = share_maps(twin->skel, f);
	if (!error)
		error = switch_tc_bpf__load(twin->skel);
	if (!error) {
		twin->ring = ring_buffer__new(bpf_map__fd(f->skel->maps.ups), take, twin, NULL);
		error = twin->ring ? 0 : -errno;
	}
	if (error)
		tc_twin_close(twin);
	return error;
}

void tc_twin_close(struct tc_twin *twin)
{
	ring_buffer__free(twin->ring);
	switch_tc_bpf__destroy(twin->skel);
	memset(twin, 0, sizeof(*twin));
}

int tc_twin_run(struct tc_twin *twin, const struct packet *in, uint32_t gso_size, struct packet *ret_out)
{
	struct __sk_buff ctx = {.ingress_ifindex = TRIAL_LO, .ifindex = TRIAL_LO, .gso_size = gso_size};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes, .data_size_in = in->size, .data_out = ret_out->bytes,
		.data_size_out = sizeof(ret_out->bytes), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1);
	int error;

	twin->n_up = 0;
	error = bpf_prog_test_run_opts(bpf_program__fd(twin->skel->progs.sw_ingress_tc), &opts);
	ck_assert_msg(!error, "BPF_PROG_TEST_RUN of %zu bytes at tc: %s", in->size, strerror(-error));
	ret_out->size = opts.data_size_out;
	ring_buffer__consume(twin->ring);
	return (int)opts.retval;
}
