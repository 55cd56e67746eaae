/* SPDX-License-Identifier: BSD-2-Clause */
#include "live_lab.h"

#include "bpf/extract.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>

struct fixture f;
uint32_t p_ifindex[N_PORTS + 1], q_ifindex[N_PORTS + 1];

static int q_socket[N_PORTS + 1];
static struct bpf_link *losses[3];

void sh(const char *format, ...)
{
	char command[256];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command)) {
		fprintf(stderr, "failed: %s\n", command);
		exit(EXIT_FAILURE);
	}
}

static int packet_socket(uint32_t ifindex)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = ifindex};
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), one = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
		setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one))) {
		perror("packet socket");
		exit(EXIT_FAILURE);
	}
	return fd;
}

static void make_devices(void)
{
	int i;

	sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
	for (i = 1; i <= N_PORTS; i++) {
		char name[8];

		sh("ip link add p%d type veth peer name q%d", i, i);
		sh("ip link set p%d up", i);
		sh("ip link set q%d up", i);
		sh("ethtool -K q%d gro on", i);
		snprintf(name, sizeof(name), "p%d", i);
		p_ifindex[i] = if_nametoindex(name);
		name[0] = 'q';
		q_ifindex[i] = if_nametoindex(name);
		q_socket[i] = packet_socket(q_ifindex[i]);
	}
}

/* ---- frames ---- */

void put_frame(const struct packet *p)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = q_ifindex[1], .sll_halen = 6};

	ck_assert_int_eq(sendto(q_socket[1], p->bytes, p->size, 0, (struct sockaddr *)&to, sizeof(to)), (int)p->size);
}

/* The kernel takes a tag off the frame and tells it beside; puts it back. */
static void restore_tag(struct packet *p, const struct msghdr *message)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR((struct msghdr *)message, c)) {
		struct tpacket_auxdata aux;
		uint16_t tpid;

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
			continue;
		memmove(p->bytes + 16, p->bytes + 12, p->size - 12);
		tpid = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETH_P_8021Q;
		p->bytes[12] = tpid >> 8;
		p->bytes[13] = tpid;
		p->bytes[14] = aux.tp_vlan_tci >> 8;
		p->bytes[15] = aux.tp_vlan_tci;
		p->size += 4;
	}
}

/* 1 if a frame came within timeout_ms. */
int take_frame(int port, struct packet *ret, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = q_socket[port], .events = POLLIN};
	char control[256];
	struct iovec iov = {.iov_base = ret->bytes, .iov_len = sizeof(ret->bytes)};
	struct msghdr message = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	ssize_t n;

	if (poll(&poll_fd, 1, timeout_ms) <= 0)
		return 0;
	n = recvmsg(q_socket[port], &message, MSG_DONTWAIT);
	if (n < 0)
		return 0;
	ret->size = n;
	restore_tag(ret, &message);
	return 1;
}

void check_arrives(int port, const struct packet *expected)
{
	struct packet p;

	ck_assert_msg(take_frame(port, &p, 2000), "nothing arrives at q%d", port);
	ck_assert_uint_eq(p.size, expected->size);
	ck_assert_mem_eq(p.bytes, expected->bytes, p.size);
}

void check_silence(int port)
{
	struct packet p;

	ck_assert_msg(!take_frame(port, &p, 100), "%zu bytes arrive at q%d", p.size, port);
}

/* ---- the switch ---- */

static void attach(int generic)
{
	uint32_t flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;

	ck_assert_int_eq(bpf_xdp_attach(p_ifindex[1], bpf_program__fd(f.skel->progs.sw_ingress), flags, NULL), 0);
}

static void detach(void)
{
	bpf_xdp_attach(p_ifindex[1], -1, XDP_FLAGS_SKB_MODE, NULL);
	bpf_xdp_attach(p_ifindex[1], -1, XDP_FLAGS_DRV_MODE, NULL);
}

static void set_ports(int generic)
{
	struct sw_port port = {.max_rx_frame = 1518, .flags = generic ? SW_PORT_GENERIC : 0};
	uint32_t i;

	for (i = 1; i <= N_PORTS; i++) {
		port.id = i;
		port.untagged_vid = i == 2 ? 10 : 0;
		port.n_queues = i == 1;
		fixture_set_port(&f, p_ifindex[i], &port);
		fixture_set_output(&f, i, p_ifindex[i]);
	}
	fixture_set_members(&f, SET, (const uint32_t[]){1, 2, 3}, &p_ifindex[1], 3, 1518);
	f.config->n_generic = generic;
}

void setup(int generic)
{
	struct sw_key bits = {0};
	struct packet p;
	struct stat st;
	int i;

	detach();
	fixture_reset(&f);
	bits.f.in_ifindex = UINT32_MAX;
	bits.f.vlan_tci_be = htons(SW_VLAN_PRESENT | SW_VLAN_VID);
	memset(bits.f.eth_dst, 0xff, 6);
	fixture_set_mask(&f, 0, &bits);
	ck_assert_int_eq(stat("/proc/self/ns/net", &st), 0);
	f.config->netns_inum = st.st_ino;
	set_ports(generic);
	attach(generic);
	for (i = 1; i <= N_PORTS; i++) {
		while (take_frame(i, &p, 0))
			;
	}
}

uint32_t put(const struct packet *p, uint8_t flags, const struct sw_step *steps, unsigned int n)
{
	struct sw_headers headers;
	struct sw_key key;

	sw_extract(p->bytes, p->bytes + p->size, p_ifindex[1], SW_KEY_WORDS, &key, &headers);
	return fixture_put(&f, &key, 0, 1, flags, steps, n);
}

/* ---- drops ---- */

static void await_drops(uint64_t n)
{
	for (int i = 0; i < 200 && fixture_all_drops(&f) < n; i++)
		usleep(10000);
}

void check_drop(uint32_t port_id, enum sw_drop reason, uint64_t n)
{
	await_drops(n);
	ck_assert_uint_eq(fixture_drops(&f, port_id, reason), n);
	ck_assert_uint_eq(fixture_all_drops(&f), n);
}

void put_five_while(const struct packet *p, const char *hindered, const char *mended, uint64_t n_drops)
{
	sh("%s", hindered);
	for (int i = 0; i < 5; i++)
		put_frame(p);
	await_drops(n_drops);
	sh("%s", mended);
	ck_assert_uint_eq(fixture_all_drops(&f), n_drops);
}

/* ---- running ---- */

static int skip(const char *why)
{
	printf("SKIP: %s\n", why);
	return getenv("REQUIRE_BPF") ? EXIT_FAILURE : 77;
}

int live_main(Suite *suite)
{
	SRunner *runner;
	int n_failed, err;

	if (unshare(CLONE_NEWNET))
		return skip("a network namespace of its own is not permitted here");
	err = fixture_open(&f, 1024, 256);
	if (err && geteuid())
		return skip("loading BPF programs is not permitted here");
	if (err) {
		fprintf(stderr, "the program does not load: %s\n", strerror(-err));
		return EXIT_FAILURE;
	}
	make_devices();
	losses[0] = bpf_program__attach(f.skel->progs.sw_lost_redirect);
	losses[1] = bpf_program__attach(f.skel->progs.sw_lost_xmit);
	losses[2] = bpf_program__attach(f.skel->progs.sw_lost_generic);
	runner = srunner_create(suite);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	for (err = 0; err < 3; err++)
		bpf_link__destroy(losses[err]);
	detach();
	fixture_close(&f);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
