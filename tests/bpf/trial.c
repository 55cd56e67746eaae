/* SPDX-License-Identifier: BSD-2-Clause */
#include "trial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "bpf/extract.h"

struct sw_port trial_port(void)
{
	return (struct sw_port){.id = TRIAL_IN, .max_rx_frame = 9018};
}

struct sw_key trial_mask(void)
{
	struct sw_key bits = {0};

	bits.f.in_ifindex = UINT32_MAX;
	bits.f.vlan_tci_be = htons(SW_VLAN_PRESENT | SW_VLAN_VID);
	memset(bits.f.eth_dst, 0xff, 6);
	memset(bits.f.eth_src, 0xff, 6);
	return bits;
}

void trial_setup(struct fixture *f)
{
	struct sw_key bits = trial_mask();
	struct sw_port port = trial_port();
	uint32_t slot = 0;

	fixture_reset(f);
	bpf_map_delete_elem(bpf_map__fd(f->skel->maps.xsks), &slot); /* a daemon of a test that failed */
	fixture_set_mask(f, 0, &bits);
	fixture_set_port(f, TRIAL_LO, &port);
	fixture_set_output(f, TRIAL_OUT, TRIAL_LO);
	f->config->upcall_max = 16384;
	f->config->upcall_max_frags = 16384;
}

struct sw_key trial_key(const struct packet *p)
{
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(p->bytes, p->bytes + p->size, TRIAL_LO, SW_KEY_WORDS, &key, &headers);
	return key;
}

uint32_t trial_put(
	struct fixture *f, const struct packet *p, uint8_t flags, const struct sw_step *steps, unsigned int n)
{
	struct sw_key key = trial_key(p);

	return fixture_put(f, &key, 0, TRIAL_IN, flags, steps, n);
}

uint32_t trial_put_output(struct fixture *f, const struct packet *p, uint8_t flags)
{
	const struct sw_step step = STEP(OUTPUT, TRIAL_OUT);

	return trial_put(f, p, flags, &step, 1);
}

uint32_t trial_lead(struct fixture *f, enum trial_way way, const struct packet *p, uint32_t slot)
{
	struct sw_key bits = trial_mask();

	switch (way) {
	case TRIAL_HOME:
		return fixture_send_home(f, slot, false);
	case TRIAL_HINT:
		trial_run(f, p);
		fixture_forget_counters(f);
		return slot;
	case TRIAL_DEEP:
		bits.f.ip_proto = 0xff;
		fixture_set_mask(f, 1, &bits);
		return slot;
	default:
		return slot;
	}
}

/* An XSKMAP slot is "there is a daemon" as soon as it holds a socket. */
int trial_daemon_arrives(struct fixture *f)
{
	int fd = socket(AF_XDP, SOCK_RAW, 0);
	struct sw_port port = trial_port();
	uint32_t slot = 0;

	ck_assert_msg(fd >= 0, "AF_XDP: %s", strerror(errno));
	ck_assert_int_eq(bpf_map_lookup_elem(bpf_map__fd(f->skel->maps.ports), &(uint32_t){TRIAL_LO}, &port), 0);
	port.n_queues = 1;
	fixture_set_port(f, TRIAL_LO, &port);
	ck_assert_int_eq(bpf_map_update_elem(bpf_map__fd(f->skel->maps.xsks), &slot, &fd, BPF_ANY), 0);
	return fd;
}

/* As the egress program does. */
static void take_mark(const struct fixture *f, struct outcome *o)
{
	struct sw_mark mark;

	o->marked = false;
	if (o->meta_size != sizeof(mark))
		return;
	memcpy(&mark, o->out.bytes, sizeof(mark));
	ck_assert_uint_eq(mark.magic, SW_MARK_MAGIC(f->config->seed));
	o->marked = true;
	o->told = mark.copies;
	o->meta_size = 0;
	o->out.size -= sizeof(mark);
	memmove(o->out.bytes, o->out.bytes + sizeof(mark), o->out.size);
}

int trial_run_split(struct fixture *f, const struct packet *in, size_t first_size, uint32_t repeat, struct outcome *ret)
{
	struct xdp_md ctx = {.ingress_ifindex = TRIAL_LO, .data_end = first_size ? first_size : in->size};
	struct xdp_md ctx_out = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes, .data_size_in = in->size, .data_out = ret->out.bytes,
		.data_size_out = sizeof(ret->out.bytes), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		.ctx_out = &ctx_out, .ctx_size_out = sizeof(ctx_out), .repeat = repeat);
	int err = bpf_prog_test_run_opts(bpf_program__fd(f->skel->progs.sw_ingress), &opts);

	if (err)
		return err;
	ret->verdict = opts.retval;
	ret->out.size = opts.data_size_out;
	ret->meta_size = ctx_out.data;
	take_mark(f, ret);
	return 0;
}

struct outcome trial_run(struct fixture *f, const struct packet *in)
{
	struct outcome outcome;
	int err = trial_run_split(f, in, 0, 1, &outcome);

	ck_assert_msg(!err, "BPF_PROG_TEST_RUN of %zu bytes: %s", in->size, strerror(-err));
	return outcome;
}

struct sw_meta trial_meta(const struct outcome *o)
{
	struct sw_meta meta;

	ck_assert_uint_eq(o->meta_size, sizeof(meta));
	memcpy(&meta, o->out.bytes, sizeof(meta));
	ck_assert_uint_eq(meta.magic, SW_META_MAGIC);
	return meta;
}

void trial_see(struct fixture *f, const struct packet *p, uint32_t slot, struct trial_sight *ret)
{
	fixture_forget_counters(f);
	ret->o = trial_run(f, p);
	ret->in = fixture_port_stats(f, TRIAL_IN);
	ret->in.mega_hits = 0; /* in which way it was found */
	ret->out = fixture_port_stats(f, TRIAL_OUT);
	ret->flow = fixture_flow_stats(f, slot);
	ret->drops = fixture_all_drops(f);
}

void trial_check_alike(const struct trial_sight *a, const struct trial_sight *b, uint64_t seed)
{
	ck_assert_msg(a->o.verdict == b->o.verdict && a->o.meta_size == b->o.meta_size &&
			      a->o.out.size == b->o.out.size && !memcmp(a->o.out.bytes, b->o.out.bytes, a->o.out.size),
		"TEST_SEED=%lu: another frame", seed);
	ck_assert_msg(!memcmp(&a->in, &b->in, sizeof(a->in)) && !memcmp(&a->out, &b->out, sizeof(a->out)) &&
			      !memcmp(&a->flow, &b->flow, sizeof(a->flow)) && a->drops == b->drops,
		"TEST_SEED=%lu: other counts", seed);
}

void trial_check_fate(struct fixture *f, const struct outcome *o, enum trial_fate fate, int why, const char *name)
{
	uint64_t n_drops = fixture_all_drops(f);

	ck_assert_msg((o->verdict == XDP_DROP) == (fate == ENDS), "%s: verdict %d", name, o->verdict);
	ck_assert_msg(n_drops == (fate == ENDS), "%s: %lu drops", name, n_drops);
	if (fate == ENDS)
		ck_assert_msg(fixture_drops(f, TRIAL_IN, why) == 1, "%s: another reason", name);
	else
		ck_assert_msg(!!o->meta_size == (fate == GOES_UP), "%s: up or not", name);
	if (fate == GOES_UP)
		trial_check_meta(o, why, 0);
}

void trial_check_meta(const struct outcome *o, enum sw_upcall reason, uint32_t slot)
{
	struct sw_meta meta = trial_meta(o);

	ck_assert_uint_eq(meta.reason, reason);
	ck_assert_uint_eq(meta.in_port, TRIAL_IN);
	ck_assert_uint_eq(meta.slot, reason == SW_UPCALL_ACTION ? slot : 0);
}

void trial_check_same(const struct packet *a, const struct packet *b)
{
	ck_assert_uint_eq(a->size, b->size);
	ck_assert_mem_eq(a->bytes, b->bytes, a->size);
}

uint32_t trial_taker;

static int make_taker(void)
{
	if (unshare(CLONE_NEWNET) || system("ip link add taker type veth peer name other && "
					    "ip link set taker up && ip link set other up && ethtool -K other gro on"))
		return -1;
	trial_taker = if_nametoindex("taker");
	return trial_taker ? 0 : -1;
}

void trial_stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

int trial_main(struct fixture *f, Suite *suite)
{
	int err = fixture_open(f, 1024, 256), n_failed;
	SRunner *runner;

	if (err && geteuid()) {
		printf("SKIP: loading BPF programs is not permitted here\n");
		return getenv("REQUIRE_BPF") ? EXIT_FAILURE : 77;
	}
	if (err) {
		fprintf(stderr, "the program does not load: %s\n", strerror(-err));
		return EXIT_FAILURE;
	}
	if (make_taker()) {
		fprintf(stderr, "no device that takes frames\n");
		return EXIT_FAILURE;
	}
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	fixture_close(f);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
