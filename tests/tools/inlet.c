/* SPDX-License-Identifier: BSD-2-Clause */
#include "inlet.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define ROOM            (64 << 20)
#define CARRIER_TRIES   150
#define CARRIER_STEP_US 10000

/*
 * Until the kernel's link watch has seen the carrier, up to a second late, a device drops what it is to send and says
 * nothing. Waits for that; who sends over a device that stays down is to learn it from the count of lost frames.
 */
static void wait_for_carrier(int fd, const char *device)
{
	struct ifreq request = {0};

	strncpy(request.ifr_name, device, IFNAMSIZ - 1);
	for (int tries = 0; tries < CARRIER_TRIES; tries++) {
		if (!ioctl(fd, SIOCGIFFLAGS, &request) && request.ifr_flags & IFF_RUNNING)
			break;
		usleep(CARRIER_STEP_US);
	}
	usleep(CARRIER_STEP_US);
}

static int open_here(const char *device)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = if_nametoindex(device)};
	int one = 1, room = ROOM, fd;

	if (!address.sll_ifindex)
		return -errno;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); /* hears nothing until it is bound */
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) ||
		setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) ||
		bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		int err = -errno;

		close(fd);
		return err;
	}
	/* Frames for other hosts too, as long as the socket lives. */
	struct packet_mreq all = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};

	setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all));
	wait_for_carrier(fd, device);
	return fd;
}

static int enter(const char *netns, size_t size)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%.*s", (int)size, netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		return -errno;
	close(fd);
	return 0;
}

int inlet_open(const char *place)
{
	const char *colon = strchr(place, ':'), *device = colon ? colon + 1 : place;
	int home, fd;

	if (!colon || colon == place || !strncmp(place, "-:", 2))
		return open_here(device);
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0)
		return -errno;
	fd = enter(place, colon - place);
	if (!fd)
		fd = open_here(device);
	if (setns(home, CLONE_NEWNET))
		abort();
	close(home);
	return fd;
}

int inlet_send(int fd, const void *frame, size_t size)
{
	while (send(fd, frame, size, 0) < 0)
		if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			return -errno;
	return 0;
}

/* Where the tag was: behind the addresses. */
static size_t put_tag_back(uint8_t *frame, size_t size, size_t room, const struct tpacket_auxdata *aux)
{
	uint16_t tpid = aux->tp_status & TP_STATUS_VLAN_TPID_VALID ? aux->tp_vlan_tpid : ETH_P_8021Q;

	if (!(aux->tp_status & TP_STATUS_VLAN_VALID) || size < 12 || size + 4 > room)
		return size;
	memmove(frame + 16, frame + 12, size - 12);
	frame[12] = tpid >> 8;
	frame[13] = tpid;
	frame[14] = aux->tp_vlan_tci >> 8;
	frame[15] = aux->tp_vlan_tci;
	return size + 4;
}

ssize_t inlet_receive(int fd, uint8_t *frame, size_t room)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct sockaddr_ll from;
	struct iovec body = {.iov_base = frame, .iov_len = room - 4};
	struct msghdr message;
	struct tpacket_auxdata aux = {0};
	ssize_t size;

	do {
		message = (struct msghdr){.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &body,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control)};
		size = recvmsg(fd, &message, MSG_TRUNC);
		if (size < 0)
			return errno == EAGAIN || errno == EINTR || errno == ENETDOWN ? 0 : -errno;
	} while (from.sll_pkttype == PACKET_OUTGOING);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
		if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA)
			memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	if ((size_t)size > room - 4)
		size = room - 4;
	return put_tag_back(frame, size, room, &aux);
}

unsigned inlet_overruns(int fd)
{
	struct tpacket_stats stats = {0};
	socklen_t size = sizeof(stats);

	return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) ? 0 : stats.tp_drops;
}
