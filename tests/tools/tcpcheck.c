/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcpcheck.c - bytes over TCP, each of which the receiver knows beforehand.
 *
 *     tcpcheck serve PORT                           takes connections, each in a process of its own, until a signal
 *     tcpcheck send ADDRESS PORT BYTES [SECONDS]    to the server, which looks at each and says how many were right
 *     tcpcheck fetch ADDRESS PORT BYTES [SECONDS]   from the server
 *
 * The client chooses a seed, and both sides know the stream that follows from it. `send` and `fetch` print what came of
 * it and how fast, and exit 0 when all bytes arrived as they were within SECONDS (60) of the start.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum direction { TO_SERVER, TO_CLIENT };

/* The first bytes of a connection. Both ends are of one byte order: the machine and its guests. */
struct request {
	uint64_t direction, seed, size;
};

static uint8_t expected[65536], got[65536];

/* xorshift64: the next bytes of the stream. */
static void generate(uint64_t *state, uint8_t *to, size_t size)
{
	for (size_t i = 0; i < size; i += sizeof(*state)) {
		*state ^= *state << 13;
		*state ^= *state >> 7;
		*state ^= *state << 17;
		memcpy(to + i, state, sizeof(*state));
	}
}

static bool read_all(int fd, void *to, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, (char *)to + done, size - done);

		if (n <= 0)
			return false;
		done += n;
	}
	return true;
}

static bool write_all(int fd, const void *from, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, (const char *)from + done, size - done);

		if (n <= 0)
			return false;
		done += n;
	}
	return true;
}

static size_t next_block(uint64_t left)
{
	return left < sizeof(expected) ? left : sizeof(expected);
}

static bool give(int fd, const struct request *request)
{
	uint64_t state = request->seed, left = request->size;

	for (; left; left -= next_block(left)) {
		generate(&state, expected, sizeof(expected));
		if (!write_all(fd, expected, next_block(left)))
			return false;
	}
	return true;
}

/* How many bytes came and were right, up to the block with the first that was not. */
static uint64_t take(int fd, const struct request *request)
{
	uint64_t state = request->seed, left = request->size;

	for (; left; left -= next_block(left)) {
		generate(&state, expected, sizeof(expected));
		if (!read_all(fd, got, next_block(left)) || memcmp(got, expected, next_block(left)) != 0)
			break;
	}
	return request->size - left;
}

static void answer(int fd)
{
	struct request request;
	uint64_t right;

	if (!read_all(fd, &request, sizeof(request)))
		return;
	if (request.direction == TO_CLIENT) {
		give(fd, &request);
		return;
	}
	right = take(fd, &request);
	write_all(fd, &right, sizeof(right));
}

static int serve(int port)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_any};
	int listener = socket(AF_INET6, SOCK_STREAM, 0), zero = 0, one = 1;

	setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 16)) {
		perror("tcpcheck");
		return 1;
	}
	signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0 && fork() == 0) {
			close(listener);
			answer(fd);
			_exit(0);
		}
		close(fd);
	}
}

static int connect_to(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV}, *found;
	int fd;

	if (getaddrinfo(host, port, &hints, &found))
		return -EINVAL;
	fd = socket(found->ai_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen))
		fd = -errno;
	freeaddrinfo(found);
	return fd;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void too_late(int signal)
{
	static const char text[] = "tcpcheck: not done in time\n";

	_exit(write(STDOUT_FILENO, text, sizeof(text) - 1) < 0 ? 2 : 1);
}

static int ask(int fd, enum direction direction, uint64_t size)
{
	struct request request = {.direction = direction, .seed = (uint64_t)getpid() << 32 | time(NULL), .size = size};
	double begin = now();
	uint64_t right = 0;

	if (!write_all(fd, &request, sizeof(request)))
		return 1;
	if (direction == TO_CLIENT)
		right = take(fd, &request);
	else if (!give(fd, &request) || !read_all(fd, &right, sizeof(right)))
		right = 0;
	printf("%llu of %llu bytes arrived as they were, %.1f Mbit/s\n", (unsigned long long)right,
		(unsigned long long)size, right * 8 / 1e6 / (now() - begin));
	return right != size;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(atoi(argv[2]));
	if ((argc == 5 || argc == 6) && (!strcmp(argv[1], "send") || !strcmp(argv[1], "fetch"))) {
		int fd;

		signal(SIGALRM, too_late);
		alarm(argc == 6 ? atoi(argv[5]) : 60);
		fd = connect_to(argv[2], argv[3]);
		if (fd >= 0)
			return ask(fd, argv[1][0] == 's' ? TO_SERVER : TO_CLIENT, strtoull(argv[4], NULL, 0));
		printf("tcpcheck: %s: %s\n", argv[2], strerror(-fd));
		return 1;
	}
	fputs("usage: tcpcheck serve PORT | tcpcheck send|fetch ADDRESS PORT BYTES [SECONDS]\n", stderr);
	return 2;
}
