/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peer.c - joins two veth ports by a program that looks at nothing (peer.bpf.c), until stdin ends.
 *
 *     peer DEVICE DEVICE
 *
 * It says a line on stdout when frames pass.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "peer.skel.h"

#define TCX_INGRESS 46 /* enum bpf_attach_type: Debian 12's headers are older than it (Linux 6.6) */

/* It goes with the process where tcx is, for its link does; otherwise with the device, which the bench takes away. */
static int attach(int prog_fd, int ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = prog_fd);
	int err;

	if (bpf_link_create(prog_fd, ifindex, TCX_INGRESS, NULL) >= 0)
		return 0;
	err = bpf_tc_hook_create(&hook);
	return err && err != -EEXIST ? err : bpf_tc_attach(&hook, &options);
}

static int join(const char *from, const char *to)
{
	struct peer_bpf *peer = peer_bpf__open();
	int err;

	if (!peer)
		return -errno;
	peer->rodata->to = if_nametoindex(to);
	err = peer_bpf__load(peer);
	return err ? err : attach(bpf_program__fd(peer->progs.peer), if_nametoindex(from));
}

int main(int argc, char **argv)
{
	char end;
	int err;

	if (argc != 3) {
		fputs("usage: peer DEVICE DEVICE\n", stderr);
		return 2;
	}
	err = join(argv[1], argv[2]);
	if (!err)
		err = join(argv[2], argv[1]);
	if (err) {
		fprintf(stderr, "peer: %s\n", strerror(-err));
		return 1;
	}
	puts("{}");
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0)
		;
	return 0;
}
