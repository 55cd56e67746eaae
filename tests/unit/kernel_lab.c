/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel_lab.h"

#include "bpf/hash.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define PAYLOAD ETH_HLEN

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/* ---- the reactor ---- */

struct reactor_watch {
	int fd;
	void (*ready)(void *arg);
	void *arg;
	struct reactor_watch *next;
};

struct reactor_timer {
	void (*fire)(void *arg);
	void *arg;
	uint64_t due_ns; /* 0: not armed */
	struct reactor_timer *next;
};

static struct reactor_watch *watches;
static struct reactor_timer *timers;

static uint64_t now_ns(void *ctx)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static struct reactor_watch *watch(void *ctx, int fd, void (*ready)(void *arg), void *arg)
{
	struct reactor_watch *w = calloc(1, sizeof(*w));

	*w = (struct reactor_watch){.fd = fd, .ready = ready, .arg = arg, .next = watches};
	watches = w;
	return w;
}

static void unwatch(void *ctx, struct reactor_watch *w)
{
	struct reactor_watch **link = &watches;

	while (*link && *link != w)
		link = &(*link)->next;
	if (*link)
		*link = w->next;
	free(w);
}

static struct reactor_timer *timer(void *ctx, void (*fire)(void *arg), void *arg)
{
	struct reactor_timer *t = calloc(1, sizeof(*t));

	*t = (struct reactor_timer){.fire = fire, .arg = arg, .next = timers};
	timers = t;
	return t;
}

static void arm(void *ctx, struct reactor_timer *t, uint64_t after_ms)
{
	t->due_ns = now_ns(NULL) + after_ms * 1000000;
}

static void disarm(void *ctx, struct reactor_timer *t)
{
	t->due_ns = 0;
}

static void timer_free(void *ctx, struct reactor_timer *t)
{
	struct reactor_timer **link = &timers;

	while (*link && *link != t)
		link = &(*link)->next;
	if (*link)
		*link = t->next;
	free(t);
}

static void fire_due(void)
{
	for (struct reactor_timer *t = timers, *next; t; t = next) {
		next = t->next;
		if (!t->due_ns || t->due_ns > now_ns(NULL))
			continue;
		t->due_ns = 0;
		t->fire(t->arg);
	}
}

static void turn(int ms)
{
	struct pollfd fds[256];
	struct reactor_watch *who[256];
	int n = 0;

	for (struct reactor_watch *w = watches; w && n < 256; w = w->next) {
		fds[n] = (struct pollfd){.fd = w->fd, .events = POLLIN};
		who[n++] = w;
	}
	if (poll(fds, n, ms) > 0) {
		for (int i = 0; i < n; i++) {
			if (fds[i].revents)
				who[i]->ready(who[i]->arg);
		}
	}
	fire_due();
}

void lab_run(struct lab *lab, int ms)
{
	uint64_t end = now_ns(NULL) + (uint64_t)ms * 1000000;

	do
		turn(1);
	while (now_ns(NULL) < end);
}

/* ---- the place ---- */

void lab_need_privilege(void)
{
	if (geteuid() == 0)
		return;
	printf("SKIP: needs root, for network namespaces and BPF\n");
	exit(getenv("REQUIRE_BPF") ? 1 : 77);
}

bool lab_has_multi_buffer(void)
{
	struct utsname name;
	int major, minor;

	ck_assert_int_eq(uname(&name), 0);
	ck_assert_int_eq(sscanf(name.release, "%d.%d", &major, &minor), 2);
	return major > 6 || (major == 6 && minor >= 6);
}

static void waiting(void *ctx)
{
	((struct lab *)ctx)->n_waiting++;
}

static void grace_ended(void *ctx)
{
	((struct lab *)ctx)->n_graces++;
}

/* A guest's busybox has an `ip` of its own, which knows too little: LAB_IP is the path of the true one. */
void lab_sh(const char *format, ...)
{
	char command[512] = "[ -z \"$LAB_IP\" ] || ip() { \"$LAB_IP\" \"$@\"; }; ";
	size_t size = strlen(command);
	va_list args;

	va_start(args, format);
	vsnprintf(command + size, sizeof(command) - size, format, args);
	va_end(args);
	ck_assert_msg(system(command) == 0, "%s", command);
}

void lab_enter(struct lab *lab)
{
	memset(lab, 0, sizeof(*lab));
	lab->reactor = (struct reactor){
		.watch = watch,
		.unwatch = unwatch,
		.timer = timer,
		.arm = arm,
		.disarm = disarm,
		.timer_free = timer_free,
		.now_ns = now_ns,
	};
	lab->events = (struct dp_events){.ctx = lab, .frames_waiting = waiting, .grace_ended = grace_ended};
	for (int i = 0; i < LAB_PORTS; i++)
		lab->guests[i] = -1;
	ck_assert_int_eq(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL), 0);
	lab_sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1; ip link set lo up");
}

static int guest_socket(const char *name)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(LAB_TYPE)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(LAB_TYPE)), one = 1, room = 8 << 20;

	ck_assert_int_ge(fd, 0);
	address.sll_ifindex = if_nametoindex(name);
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void lab_wire(struct lab *lab, int i, int mtu, int queues)
{
	char name[IF_NAMESIZE], c = 'a' + i;

	lab_sh("ip link add hk%c0 numrxqueues %d numtxqueues %d type veth peer name hk%c1 numrxqueues %d numtxqueues "
	       "%d",
		c, queues, queues, c, queues, queues);
	lab_sh("ip link set hk%c0 up mtu %d; ip link set hk%c1 up mtu %d", c, mtu, c, mtu);
	lab_sh("ethtool -K hk%c1 gro on 2>/dev/null", c);
	snprintf(name, sizeof(name), "hk%c0", c);
	lab->ifindex[i] = if_nametoindex(name);
	snprintf(name, sizeof(name), "hk%c1", c);
	lab->guests[i] = guest_socket(name);
}

int lab_try_open(struct lab *lab, struct complaint *c)
{
	const struct dp_kernel_options options = {.bpffs_dir = LAB_BPFFS, .n_flows = LAB_N_FLOWS, .n_frames = 4096};

	return dp_kernel_create(&options, &lab->reactor, &lab->events, &lab->dp, c);
}

void lab_open(struct lab *lab)
{
	struct complaint c = {""};
	int error = lab_try_open(lab, &c);

	ck_assert_msg(error == 0, "%s (%d)", c.text, error);
}

void lab_close(struct lab *lab, bool forget)
{
	lab->dp->ops->destroy(lab->dp, forget);
	lab->dp = NULL;
}

struct dp_port lab_port_record(const struct lab *lab, int i, uint32_t max_frame, uint32_t n_queues)
{
	return (struct dp_port){
		.id = i + 1,
		.ifindex = lab->ifindex[i],
		.n_queues = n_queues,
		.max_frame = max_frame,
		.max_rx_frame = max_frame,
	};
}

void lab_port(struct lab *lab, int i, uint32_t max_frame, uint32_t n_queues)
{
	struct dp_port port = lab_port_record(lab, i, max_frame, n_queues);
	struct complaint c = {""};
	enum dp_mode mode;
	char why[200];

	ck_assert_msg(lab->dp->ops->port_put(lab->dp, &port, &c) == 0, "%s", c.text);
	ck_assert_msg(lab->dp->ops->attach(lab->dp, i + 1, NULL, &mode, why, sizeof(why), &c) == 0, "%s", c.text);
	ck_assert_msg(mode == DP_MODE_NATIVE, "%s", why);
	lab_run(lab, 1);
}

unsigned lab_link_id(struct lab *lab, int i)
{
	char command[200];
	unsigned id = 0;
	FILE *f;

	snprintf(command, sizeof(command), "bpftool link show pinned " LAB_BPFFS "/link-%u 2>/dev/null",
		lab->ifindex[i]);
	f = popen(command, "r");
	if (fscanf(f, "%u", &id) != 1)
		id = 0;
	pclose(f);
	return id;
}

/* ---- frames ---- */

static void mac(uint8_t *to, int i)
{
	memset(to, 0, ETH_ALEN);
	to[0] = 2;
	to[5] = i + 1;
	if (i < 0)
		memset(to, 0xff, ETH_ALEN);
}

uint32_t lab_frame(uint8_t *frame, int from, int to, uint32_t number, uint32_t size)
{
	uint32_t number_be = htonl(number);

	mac(frame, to);
	mac(frame + ETH_ALEN, from);
	frame[12] = LAB_TYPE >> 8;
	frame[13] = LAB_TYPE & 0xff;
	memcpy(frame + PAYLOAD, &number_be, sizeof(number_be));
	for (uint32_t i = PAYLOAD + sizeof(number_be); i < size; i++)
		frame[i] = (uint8_t)(i * 7 + number);
	return size;
}

uint32_t lab_number(const void *frame)
{
	uint32_t number_be;

	memcpy(&number_be, (const uint8_t *)frame + PAYLOAD, sizeof(number_be));
	return ntohl(number_be);
}

void lab_send(struct lab *lab, int i, const void *frame, uint32_t size)
{
	ssize_t sent;

	do
		sent = send(lab->guests[i], frame, size, 0);
	while (sent < 0 && errno == ENOBUFS);
	ck_assert_msg(sent == (ssize_t)size, "guest %d, %u bytes: %s", i, size, strerror(errno));
}

uint32_t lab_receive(struct lab *lab, int i, void *frame, uint32_t room, int ms)
{
	struct pollfd fd = {.fd = lab->guests[i], .events = POLLIN};
	ssize_t size;

	if (poll(&fd, 1, ms) <= 0)
		return 0;
	size = recv(lab->guests[i], frame, room, MSG_DONTWAIT);
	return size > 0 ? size : 0;
}

unsigned lab_count(struct lab *lab, int i, int ms)
{
	uint8_t frame[2048];
	unsigned n = 0;

	while (lab_receive(lab, i, frame, sizeof(frame), ms))
		n++;
	return n;
}

bool lab_rx(struct lab *lab, struct dp_frame *ret)
{
	for (int i = 0; i < 1000; i++) {
		turn(1);
		while (lab->dp->ops->rx(lab->dp, ret, 1)) {
			if (ret->data[12] == LAB_TYPE >> 8 && ret->data[13] == (LAB_TYPE & 0xff))
				return true;
			lab->dp->ops->release(lab->dp, ret);
		}
	}
	return false;
}

/* ---- flows, by hand ---- */

static void put_cell(struct lab *lab, uint64_t hash, uint32_t slot)
{
	struct sw_bucket *bucket = &lab->dp->memory.buckets[sw_hash_primary(hash, lab->dp->memory.config->n_buckets)];
	int i = 0;

	while (bucket->cell[i])
		i++;
	ck_assert_int_lt(i, SW_BUCKET_CELLS);
	__atomic_store_n(&bucket->cell[i], (uint64_t)sw_hash_tag(hash) << 32 | (slot + 1), __ATOMIC_RELEASE);
}

static uint32_t publish(struct lab *lab, int i, uint8_t flags, const struct sw_step *steps, uint8_t n_steps)
{
	struct sw_config *config = lab->dp->memory.config;
	struct sw_key key = {.f.in_ifindex = lab->ifindex[i]};
	uint32_t slot = lab->next_slot++;
	struct sw_flow *flow = &lab->dp->memory.flows[slot];

	config->masks[0].bits = (struct sw_key){.f.in_ifindex = ~0u};
	config->masks[0].n_words = 1;
	config->order[0] = 0;
	*flow = (struct sw_flow){
		.gen = 2, .n_steps = n_steps, .flags = flags, .in_port = i + 1, .bridge = LAB_BRIDGE, .key = key};
	memcpy(flow->steps, steps, n_steps * sizeof(*steps));
	flow->domain = sw_fdb_hash_domain(config->seed, steps[0].arg, LAB_BRIDGE);
	put_cell(lab, sw_hash_masked(config, &key, 0), slot);
	__atomic_store_n(&config->n_order, 1, __ATOMIC_RELEASE);
	return slot;
}

uint32_t lab_flow(struct lab *lab, int i, enum sw_op op, uint32_t arg)
{
	const struct sw_step step = {.op = op, .arg = arg};

	return publish(lab, i, 0, &step, 1);
}

uint32_t lab_normal(struct lab *lab, int i)
{
	static const struct sw_step steps[] = {{.op = SW_OP_NORMAL}, {.op = SW_OP_DROP, .arg = SW_DROP_NO_OUTPUT}};

	return publish(lab, i, SW_FLOW_LEARN, steps, 2);
}

/* ---- addresses ---- */

static struct fdb_out as_it_came(void *ctx, const struct fdb_entry *entry)
{
	return (struct fdb_out){.out = SW_FDB_OUT_AS_IS};
}

struct fdb *lab_fdb(struct lab *lab)
{
	static const struct fdb_events events = {.out = as_it_came};
	const struct fdb_storage storage = {
		.buckets = lab->dp->memory.fdb,
		.times = lab->dp->memory.fdb_times,
		.seed = lab->dp->memory.config->seed,
		.epoch = &lab->dp->memory.config->epoch,
	};
	struct fdb *fdb = fdb_create(&storage, SW_MAX_FDB, &events);

	ck_assert_ptr_nonnull(fdb);
	return fdb;
}

struct fdb_key lab_address(int i)
{
	struct fdb_key key = {.bridge = LAB_BRIDGE};

	mac(key.mac, i);
	return key;
}

uint64_t lab_drops(struct lab *lab, uint16_t port, enum sw_drop reason)
{
	const struct dp_memory *m = &lab->dp->memory;
	uint64_t sum = 0;

	for (uint32_t row = 0; row < m->config->n_rows; row++)
		sum += m->drops[((size_t)row * SW_MAX_PORTS + port) * SW_DROP_SLOTS + reason];
	return sum;
}
