/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CPUs that ports are spread over: bpf/spread.h says what becomes of their frames.
 *
 * In which order a port is turned, while frames come in by it: (1) the queues are there, and the list of its CPUs; (2)
 * if it has no collector yet, what is to go up is dropped (no_daemon) until a grace period has ended, after which
 * nobody writes into its sockets directly any more (M2); (3) its record names the collector, and its program is
 * replaced. Back: the program first. Queues and lists that nobody needs any more are taken away a grace period later,
 * when no program runs that has still read the old list.
 *
 * sw_worker, which is as large as sw_ingress, is verified when the first port is spread, in an instance of the object
 * that shares every map.
 */
#include "dataplane/dp_kernel.h"

#include "dataplane/complaint.h"
#include "dataplane/grace.h"
#include "dataplane/log.h"
#include "switch.skel.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#define QUEUE_FRAMES  2048 /* of a CPU; 16384 at most */
#define WORKER_NAME   "prog-worker"
#define SKBS_FIXED_BY "gro" /* the member of struct bpf_cpu_map_entry that Linux 6.15 brought */

/* ---- programs ---- */

static int program_id(int fd, uint32_t *ret)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	*ret = info.id;
	return 0;
}

static int share_maps(const struct dpk *k, struct switch_bpf *herd)
{
	*herd->rodata = *k->skel->rodata;
	return dpk_pins_share(k, herd->obj);
}

static int load_worker(struct dpk *k, struct complaint *c)
{
	struct switch_bpf *herd = switch_bpf__open();
	struct bpf_program *program;
	int error;

	if (!herd)
		return complain(c, -errno, "the BPF object cannot be opened: %s", strerror(errno));
	bpf_object__for_each_program(program, herd->obj)
		bpf_program__set_autoload(program, program == herd->progs.sw_worker);
	dpk_hush();
	error = share_maps(k, herd);
	if (!error)
		error = switch_bpf__load(herd);
	if (error)
		complain(c, error, "the kernel does not accept the program for CPUs: %s (%s)", strerror(-error),
			dpk_heard());
	else
		error = dpk_pins_program(k, herd->progs.sw_worker, WORKER_NAME, c);
	switch_bpf__destroy(herd);
	return error;
}

/* sw_worker has sw_ingress' instructions: one that is pinned is the current one if it has its tag. */
static int pinned_worker(struct dpk *k)
{
	struct bpf_prog_info ingress = {0}, worker = {0};
	uint32_t size = sizeof(ingress);
	char path[DPK_PATH_SIZE];
	int fd;

	dpk_pins_path(k, WORKER_NAME, path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -1;
	if (!bpf_obj_get_info_by_fd(bpf_program__fd(k->skel->progs.sw_ingress), &ingress, &size)) {
		size = sizeof(worker);
		if (!bpf_obj_get_info_by_fd(fd, &worker, &size) &&
			memcmp(ingress.tag, worker.tag, sizeof(ingress.tag)) == 0)
			return fd;
	}
	close(fd);
	return -1;
}

static int want_worker(struct dpk *k, struct complaint *c)
{
	int fd = k->worker_fd;

	if (fd < 0)
		fd = pinned_worker(k);
	if (fd < 0)
		fd = load_worker(k, c);
	if (fd < 0)
		return fd;
	k->worker_fd = fd;
	return program_id(fd, &k->worker_id) ? complain(c, -errno, "the program cannot be read back") : 0;
}

int dpk_cpus_program(const struct dpk *k, const struct dpk_port *p, uint32_t *ret_id)
{
	bool spread = !cpu_list_is_empty(&p->port.cpus) && k->collecting[p->port.id] == DPK_COLLECTED;

	if (p->link_fd >= 0 && p->link_hook == DP_HOOK_TC) {
		*ret_id = k->tc_id;
		return k->tc_fd;
	}
	*ret_id = spread ? k->spread_id : k->ingress_id;
	return spread ? k->spread_fd : k->ingress_fd;
}

int dpk_cpus_switch(struct dpk *k, struct dpk_port *p, struct complaint *c)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info), id;
	int fd = dpk_cpus_program(k, p, &id);
	char name[IF_NAMESIZE] = "?";

	if (p->link_fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(p->link_fd, &info, &size) == 0 && info.prog_id == id)
		return 0;
	if (bpf_link_update(p->link_fd, fd, NULL) == 0)
		return 0;
	size = errno;
	if_indextoname(p->port.ifindex, name);
	return complain(c, -(int)size, "the program on %s could not be replaced: %s", name, strerror((int)size));
}

/* ---- queues ---- */

/* There is a queue for the CPU, and its thread runs this program. */
static int put_queue(const struct bpf_map *map, uint32_t cpu, int program_fd, uint32_t id)
{
	struct bpf_cpumap_val value = {.qsize = QUEUE_FRAMES, .bpf_prog.fd = program_fd}, now;

	if (bpf_map_lookup_elem(bpf_map__fd(map), &cpu, &now) == 0 && now.bpf_prog.id == id)
		return 0;
	return bpf_map_update_elem(bpf_map__fd(map), &cpu, &value, BPF_ANY) ? -errno : 0;
}

static int put_queues(struct dpk *k, const struct dpk_port *p, struct complaint *c)
{
	int error = want_worker(k, c);

	for (int cpu = -1; !error && (cpu = cpu_list_next(&p->port.cpus, (unsigned)cpu + 1)) >= 0;) {
		error = put_queue(k->skel->maps.workers, (uint32_t)cpu, k->worker_fd, k->worker_id);
		if (error)
			complain(c, error, "there can be no queue for CPU %d: %s", cpu, strerror(-error));
	}
	return error;
}

static int put_list(struct dpk *k, const struct dpk_port *p)
{
	struct sw_spread spread = {.port = p->port.id};

	for (int cpu = -1;
		spread.n_cpus < SW_MAX_SPREAD && (cpu = cpu_list_next(&p->port.cpus, (unsigned)cpu + 1)) >= 0;)
		spread.cpu[spread.n_cpus++] = (uint16_t)cpu;
	return bpf_map_update_elem(bpf_map__fd(k->skel->maps.spreads), &p->port.ifindex, &spread, BPF_ANY) ? -errno : 0;
}

/* Something is to be done when every program that runs now has ended. */
static void wait_to_settle(struct dpk *k)
{
	k->cpus_stale = true;
	grace_begin(k->grace);
}

static int give_collector(struct dpk *k, const struct dpk_port *p, bool was_here, struct complaint *c)
{
	uint32_t cpu = (uint32_t)cpu_list_next(&p->port.cpus, 0);
	int error;

	if (k->collecting[p->port.id] != DPK_DIRECT)
		return 0;
	error = put_queue(k->skel->maps.collectors, cpu, k->collector_fd, k->collector_id);
	if (error)
		return complain(c, error, "there can be no queue for CPU %u: %s", cpu, strerror(-error));
	k->collector[p->port.id] = cpu;
	k->collecting[p->port.id] = was_here ? DPK_TURNING : DPK_COLLECTED;
	return 0;
}

int dpk_cpus_put(struct dpk *k, struct dpk_port *p, bool was_here, struct complaint *c)
{
	int error;

	if (cpu_list_is_empty(&p->port.cpus)) {
		if (was_here)
			wait_to_settle(k);
		return 0;
	}
	error = put_queues(k, p, c);
	if (error)
		return error;
	error = put_list(k, p);
	if (error)
		return complain(c, error, "the list of CPUs could not be written: %s", strerror(-error));
	error = give_collector(k, p, was_here, c);
	wait_to_settle(k);
	return error;
}

/* ---- settling ---- */

static bool is_spread(const struct dpk *k, uint32_t ifindex)
{
	for (int id = 1; id < SW_MAX_PORTS; id++) {
		if (k->ports[id].port.ifindex == ifindex && !cpu_list_is_empty(&k->ports[id].port.cpus))
			return true;
	}
	return false;
}

static void take_lists_away(struct dpk *k)
{
	int fd = bpf_map__fd(k->skel->maps.spreads);
	uint32_t ifindex, *last = NULL, kept;

	while (!bpf_map_get_next_key(fd, last, &ifindex)) {
		if (is_spread(k, ifindex)) {
			kept = ifindex;
			last = &kept;
		} else if (bpf_map_delete_elem(fd, &ifindex)) {
			return;
		}
	}
}

/* The kernel works off what is still in a queue before it ends the thread. */
static void take_queues_away(struct dpk *k)
{
	int fd = bpf_map__fd(k->skel->maps.workers);
	struct cpu_list used = {{0}};
	struct bpf_cpumap_val now;

	for (int id = 1; id < SW_MAX_PORTS; id++) {
		for (unsigned word = 0; k->ports[id].port.ifindex && word < CPU_LIST_MAX / 64; word++)
			used.bits[word] |= k->ports[id].port.cpus.bits[word];
	}
	for (uint32_t cpu = 0; cpu < bpf_map__max_entries(k->skel->maps.workers); cpu++) {
		if ((int)cpu != cpu_list_next(&used, cpu) && bpf_map_lookup_elem(fd, &cpu, &now) == 0)
			bpf_map_delete_elem(fd, &cpu);
	}
}

static void end_turn(struct dpk *k, struct dpk_port *p)
{
	struct complaint c = {""};
	int error;

	k->collecting[p->port.id] = DPK_COLLECTED;
	error = dpk_port_write(k, p);
	if (error)
		complain(&c, error, "%s", strerror(-error));
	else
		error = dpk_cpus_switch(k, p, &c);
	if (error)
		log_error("port %u could not be spread over CPUs: %s", p->port.id, c.text);
}

void dpk_cpus_settle(struct dpk *k)
{
	for (int id = 1; id < SW_MAX_PORTS; id++) {
		if (k->collecting[id] == DPK_TURNING && k->ports[id].port.ifindex)
			end_turn(k, &k->ports[id]);
		else if (k->collecting[id] == DPK_TURNING)
			k->collecting[id] = DPK_COLLECTED; /* it went meanwhile, and its sockets with it */
	}
	if (!k->cpus_stale)
		return;
	k->cpus_stale = false;
	take_lists_away(k);
	take_queues_away(k);
}

/* No program runs there any more: it was detached. */
void dpk_cpus_remove(struct dpk *k, uint32_t ifindex)
{
	if (bpf_map_delete_elem(bpf_map__fd(k->skel->maps.spreads), &ifindex) == 0)
		wait_to_settle(k);
}

/* ---- life ---- */

static int map_id(const struct bpf_map *map, __u32 *ret)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &size))
		return -errno;
	*ret = info.id;
	return 0;
}

int dpk_cpus_init(struct dpk *k)
{
	struct sw_config *config = k->dp.memory.config;
	int error = map_id(k->skel->maps.workers, &config->workers_id);

	return error ? error : map_id(k->skel->maps.collectors, &config->collectors_id);
}

void dpk_cpus_adopt_port(struct dpk *k, struct dpk_port *p, const struct sw_port *record)
{
	struct sw_spread spread;

	if (record->flags & SW_PORT_COLLECT)
		k->collecting[p->port.id] = DPK_COLLECTED;
	k->collector[p->port.id] = record->collector;
	if (bpf_map_lookup_elem(bpf_map__fd(k->skel->maps.spreads), &p->port.ifindex, &spread))
		return;
	for (uint32_t i = 0; i < spread.n_cpus && i < SW_MAX_SPREAD; i++)
		cpu_list_add(&p->port.cpus, spread.cpu[i] % CPU_LIST_MAX);
}

/* Where this daemon's program differs from the one before it: the queue's frames are worked off by the old one. */
static int renew_queues(const struct bpf_map *map, int program_fd, uint32_t id)
{
	struct bpf_cpumap_val now;
	int error = 0;

	for (uint32_t cpu = 0; !error && cpu < bpf_map__max_entries(map); cpu++) {
		if (bpf_map_lookup_elem(bpf_map__fd(map), &cpu, &now) == 0)
			error = put_queue(map, cpu, program_fd, id);
	}
	return error;
}

static bool has_queues(const struct bpf_map *map)
{
	struct bpf_cpumap_val now;

	for (uint32_t cpu = 0; cpu < bpf_map__max_entries(map); cpu++) {
		if (bpf_map_lookup_elem(bpf_map__fd(map), &cpu, &now) == 0)
			return true;
	}
	return false;
}

void dpk_cpus_adopt(struct dpk *k)
{
	struct complaint c = {""};
	int error = 0;

	if (has_queues(k->skel->maps.workers)) {
		error = want_worker(k, &c);
		if (!error)
			error = renew_queues(k->skel->maps.workers, k->worker_fd, k->worker_id);
	}
	if (!error)
		error = renew_queues(k->skel->maps.collectors, k->collector_fd, k->collector_id);
	if (error)
		log_error("the programs of CPUs could not be replaced: %s", c.text[0] ? c.text : strerror(-error));
	k->cpus_stale = true; /* the grace period with which life begins will do */
}

/*
 * Before Linux 6.15 a CPUMAP's thread runs the program on the first skb of a batch only, and hands the others to the
 * host's own stack (cpu_map_bpf_prog_run_skb()).
 */
bool dpk_spreads_skbs(struct datapath *dp)
{
	static int known = -1;
	struct btf *btf = known < 0 ? btf__load_vmlinux_btf() : NULL;
	const struct btf_type *type;
	int id;

	if (!btf)
		return known > 0;
	id = btf__find_by_name_kind(btf, "bpf_cpu_map_entry", BTF_KIND_STRUCT);
	type = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
	known = 0;
	for (int i = 0; type && i < btf_vlen(type); i++)
		known |= strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), SKBS_FIXED_BY) == 0;
	btf__free(btf);
	return known > 0;
}
