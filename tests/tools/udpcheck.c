/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * udpcheck.c - datagrams there and back, of every size from 8 bytes on.
 *
 *     udpcheck serve PORT                     sends each datagram back, until a signal ends it
 *     udpcheck ask ADDRESS PORT COUNT [MAX]   sends COUNT of up to MAX bytes (1452), one after the other
 *
 * `ask` prints what came of it, and exits 0 when each came back as it was within two seconds. A datagram whose checksum
 * is wrong is dropped by the kernel of who receives it, so an unfinished one shows as lost.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <netinet/in.h>

#define MAX_SIZE 65000

static char sent[MAX_SIZE], back[MAX_SIZE];

static int serve(int port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), zero = 0;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		perror("udpcheck");
		return 1;
	}
	for (;;) {
		struct sockaddr_storage from;
		socklen_t length = sizeof(from);
		ssize_t size = recvfrom(fd, back, sizeof(back), 0, (struct sockaddr *)&from, &length);

		if (size >= 0)
			sendto(fd, back, size, 0, (struct sockaddr *)&from, length);
	}
}

static int connect_to(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found;
	struct timeval patience = {.tv_sec = 2};
	int fd;

	if (getaddrinfo(host, port, &hints, &found))
		return -EINVAL;
	fd = socket(found->ai_family, SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) ||
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		fd = -errno;
	freeaddrinfo(found);
	return fd;
}

/* An answer to an earlier datagram, come too late, is passed over. 0: it came back; 1: lost; 2: changed. */
static int ask_once(int fd, unsigned number, size_t size)
{
	ssize_t got;
	unsigned which;

	memcpy(sent, &number, sizeof(number));
	for (size_t i = sizeof(number); i < size; i++)
		sent[i] = number * 31 + i * 7;
	if (send(fd, sent, size, 0) < 0)
		return 1;
	do {
		got = recv(fd, back, sizeof(back), 0);
		if (got < 0)
			return 1;
		memcpy(&which, back, sizeof(which));
	} while (which != number && got >= (ssize_t)sizeof(which));
	return (size_t)got == size && !memcmp(sent, back, size) ? 0 : 2;
}

static int ask(int fd, unsigned count, size_t max_size)
{
	unsigned came[3] = {0};

	for (unsigned number = 0; number < count && came[1] < 20; number++)
		came[ask_once(fd, number, 8 + number * 61 % (max_size - 7))]++;
	printf("%u datagrams came back as they were, %u lost, %u changed\n", came[0], came[1], came[2]);
	return came[0] != count;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(atoi(argv[2]));
	if ((argc == 5 || argc == 6) && !strcmp(argv[1], "ask")) {
		int fd = connect_to(argv[2], argv[3]), max_size = argc == 6 ? atoi(argv[5]) : 1452;

		if (fd >= 0 && max_size >= 8 && max_size <= MAX_SIZE)
			return ask(fd, atoi(argv[4]), max_size);
		fprintf(stderr, "udpcheck: %s: %s\n", argv[2], fd < 0 ? strerror(-fd) : "sizes are 8 to 65000");
		return 1;
	}
	fputs("usage: udpcheck serve PORT | udpcheck ask ADDRESS PORT COUNT [MAX]\n", stderr);
	return 2;
}
