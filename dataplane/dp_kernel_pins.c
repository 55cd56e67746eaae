/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dp_kernel.h"

#include "bpf/sieve.h"
#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "switch.skel.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define BPFFS_HOME  "/sys/fs/bpf"
#define FRESH_PIN   "fresh"
#define MIN_BUCKETS 1024

/* ---- the directory ---- */

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

static int make_dirs(const char *dir)
{
	char path[DPK_PATH_SIZE];

	snprintf(path, sizeof(path), "%s", dir);
	for (char *p = path + 1;; p++) {
		char was = *p;

		if (was && was != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			return -errno;
		if (!was)
			return 0;
		*p = was;
	}
}

static bool is_below_home(const char *dir)
{
	return strncmp(dir, BPFFS_HOME "/", sizeof(BPFFS_HOME)) == 0;
}

/* A mount namespace of its own, as `ip netns exec` makes one, ends with its last process, and what is pinned with it.
 */
static void tell_mounted(void)
{
	struct stat own, first;

	if (!stat("/proc/self/ns/mnt", &own) && !stat("/proc/1/ns/mnt", &first) && own.st_ino != first.st_ino)
		log_warn("mounted a bpffs at " BPFFS_HOME " in a mount namespace of our own: forwarding ends with this "
			 "process. To start in a network namespace use nsenter --net=/run/netns/NAME");
	else
		log_info("mounted a bpffs at %s: there was none", BPFFS_HOME);
}

int dpk_pins_prepare(const char *dir, struct complaint *c)
{
	int error;

	if (strlen(dir) >= DPK_DIR_SIZE)
		return complain(c, -ENAMETOOLONG, "the bpffs directory's name %s is too long", dir);
	if (is_below_home(dir) && !is_bpffs(BPFFS_HOME)) {
		if (mount("bpf", BPFFS_HOME, "bpf", 0, "mode=0700"))
			return complain(c, -errno, "cannot mount a bpffs at %s: %s", BPFFS_HOME, strerror(errno));
		tell_mounted();
	}
	error = make_dirs(dir);
	if (error)
		return complain(c, error, "cannot make the bpffs directory %s: %s", dir, strerror(-error));
	if (!is_bpffs(dir))
		return complain(c, -EINVAL,
			"%s is not on a bpffs: use a directory below %s, or mount one with `mount -t bpf bpf %s`", dir,
			BPFFS_HOME, dir);
	return 0;
}

int dpk_pins_path(const struct dpk *k, const char *name, char path[DPK_PATH_SIZE])
{
	return snprintf(path, DPK_PATH_SIZE, "%s/%s", k->dir, name);
}

static int open_pin(const struct dpk *k, const char *name)
{
	char path[DPK_PATH_SIZE];

	dpk_pins_path(k, name, path);
	return bpf_obj_get(path);
}

static void unpin(const struct dpk *k, const char *name)
{
	char path[DPK_PATH_SIZE];

	dpk_pins_path(k, name, path);
	unlink(path);
}

int dpk_pins_put(const struct dpk *k, int fd, const char *path)
{
	char fresh[DPK_PATH_SIZE];
	int error;

	unpin(k, FRESH_PIN); /* of a daemon that was killed here */
	dpk_pins_path(k, FRESH_PIN, fresh);
	if (bpf_obj_pin(fd, fresh))
		return -errno;
	if (rename(fresh, path) == 0)
		return 0;
	error = -errno;
	unlink(fresh);
	return error;
}

void dpk_pins_each(struct dpk *k, const char *prefix, void (*each)(struct dpk *k, uint32_t number))
{
	DIR *dir = opendir(k->dir);
	size_t length = strlen(prefix);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, prefix, length) == 0)
			each(k, strtoul(entry->d_name + length, NULL, 10));
	}
	closedir(dir);
}

void dpk_pins_forget(struct dpk *k)
{
	DIR *dir = opendir(k->dir);
	struct dirent *entry;
	char parent[DPK_PATH_SIZE];

	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
	rmdir(k->dir);
	snprintf(parent, sizeof(parent), "%s", k->dir);
	*strrchr(parent, '/') = '\0';
	if (is_below_home(parent))
		rmdir(parent); /* unless somebody else is in it */
}

/* ---- maps ---- */

size_t dpk_map_bytes(const struct bpf_map *map)
{
	return (size_t)((bpf_map__value_size(map) + 7) & ~7U) * bpf_map__max_entries(map);
}

void *dpk_map_memory(const struct bpf_map *map)
{
	void *memory = mmap(NULL, dpk_map_bytes(map), PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void dpk_unmap(const struct bpf_map *map, void *memory)
{
	if (memory)
		munmap(memory, dpk_map_bytes(map));
}

uint32_t dpk_netns_inum(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) == 0 ? st.st_ino : 0;
}

static uint32_t power_of_two(uint32_t n)
{
	uint32_t power = 1;

	while (power < n)
		power *= 2;
	return power;
}

void dpk_pins_size(struct dpk *k, uint32_t n_flows)
{
	uint32_t n_cpus = libbpf_num_possible_cpus(), n_rows = n_cpus + 1;
	uint32_t n_buckets = power_of_two(n_flows / 4);

	bpf_map__set_max_entries(k->skel->maps.flows, n_flows);
	bpf_map__set_max_entries(k->skel->maps.buckets, n_buckets < MIN_BUCKETS ? MIN_BUCKETS : n_buckets);
	bpf_map__set_value_size(k->skel->maps.sieves, sw_sieve_bytes(n_flows));
	k->skel->rodata->sieve_mask = sw_sieve_bytes(n_flows) - sizeof(uint64_t);
	bpf_map__set_max_entries(k->skel->maps.stopped, n_flows);
	bpf_map__set_max_entries(k->skel->maps.band_stats, n_rows * SW_MAX_METERS * SW_METER_BANDS);
	bpf_map__set_max_entries(k->skel->maps.rows, n_rows);
	bpf_map__set_value_size(k->skel->maps.rows, dp_row_size(n_flows));
	k->skel->rodata->flow_stats_mask = (n_flows - 1) * sizeof(struct sw_flow_stats);
	bpf_map__set_max_entries(k->skel->maps.emc, n_cpus * SW_EMC_SIZE);
	bpf_map__set_max_entries(k->skel->maps.fork_stats, n_rows * SW_MAX_FORKS * SW_MAX_BRANCHES);
	bpf_map__set_max_entries(k->skel->maps.drops, n_rows * SW_MAX_PORTS * SW_DROP_SLOTS);
	bpf_map__set_max_entries(k->skel->maps.lookup_stats, n_rows);
	bpf_map__set_max_entries(k->skel->maps.tell_stats, n_rows * SW_MAX_PORTS);
	bpf_map__set_max_entries(k->skel->maps.mirror_stats, n_rows * SW_MAX_MIRRORS);
	bpf_map__set_max_entries(k->skel->maps.workers, n_cpus);
	bpf_map__set_max_entries(k->skel->maps.collectors, n_cpus);
}

const char *dpk_map_name(const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);

	if (!bpf_map__is_internal(map))
		return name;
	return strstr(name, ".bss") ? "core" : NULL; /* libbpf names it after the object, and bpffs takes no dots */
}

/*
 * scratch too, of which nothing is worth keeping: the tracepoints' programs read what the others leave there, and of
 * these some may be pinned ones and some new.
 */
static bool is_pinned(const struct bpf_map *map)
{
	return dpk_map_name(map);
}

static int map_info(int fd, struct bpf_map_info *ret)
{
	uint32_t size = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(fd, ret, &size) ? -errno : 0;
}

/* The kernel sets BPF_F_RDONLY_PROG on device maps by itself. */
static bool fits(const struct bpf_map *map, const struct bpf_map_info *info)
{
	return info->type == bpf_map__type(map) && info->key_size == bpf_map__key_size(map) &&
	       info->value_size == bpf_map__value_size(map) && info->max_entries == bpf_map__max_entries(map) &&
	       (info->map_flags & ~BPF_F_RDONLY_PROG) == (bpf_map__map_flags(map) & ~BPF_F_RDONLY_PROG);
}

/* Reads one u32 at `offset` of the only element of a pinned array. */
static int read_word(int fd, size_t offset, uint32_t *ret)
{
	struct bpf_map_info info;
	uint32_t zero = 0;
	uint8_t *value;
	int error = map_info(fd, &info);

	if (error || info.max_entries != 1 || offset + sizeof(*ret) > info.value_size)
		return -EINVAL;
	value = malloc(info.value_size);
	if (!value)
		return -ENOMEM;
	error = bpf_map_lookup_elem(fd, &zero, value) ? -errno : 0;
	if (!error)
		memcpy(ret, value + offset, sizeof(*ret));
	free(value);
	return error;
}

static int read_pinned_word(const struct dpk *k, const char *name, size_t offset, uint32_t *ret)
{
	int fd = open_pin(k, name), error;

	if (fd < 0)
		return -errno;
	error = read_word(fd, offset, ret);
	close(fd);
	return error;
}

/* Where another ABI version has the number elsewhere, what is pinned is nobody's. */
static bool pinned_here(const struct dpk *k)
{
	uint32_t inum = 0;

	return !read_pinned_word(k, "core", offsetof(struct sw_core, config.netns_inum), &inum) &&
	       inum == dpk_netns_inum();
}

/* NULL: what is pinned can be read. Else why not; "" where there is nothing. */
static const char *unreadable(const struct dpk *k)
{
	uint32_t registry_abi, config_abi;

	if (read_pinned_word(k, "registry", offsetof(struct sw_registry, abi_version), &registry_abi) ||
		read_pinned_word(k, "core", offsetof(struct sw_core, config.abi_version), &config_abi))
		return "";
	if (registry_abi != SW_ABI_VERSION || config_abi != SW_ABI_VERSION)
		return "they are of another ABI version";
	if (!pinned_here(k))
		return "their devices are those of another network namespace";
	return NULL;
}

static uint32_t pinned_n_flows(const struct dpk *k)
{
	struct bpf_map_info info = {0};
	int fd = open_pin(k, "flows");

	if (fd < 0)
		return 0;
	if (map_info(fd, &info))
		info.max_entries = 0;
	close(fd);
	return info.max_entries;
}

/* Every map is there and fits, or which is not. */
static const char *check_all(const struct dpk *k)
{
	struct bpf_map_info info;
	struct bpf_map *map;

	bpf_object__for_each_map(map, k->skel->obj)
	{
		int fd = is_pinned(map) ? open_pin(k, dpk_map_name(map)) : -1;
		bool good = fd >= 0 && map_info(fd, &info) == 0 && fits(map, &info);

		if (fd >= 0)
			close(fd);
		if (is_pinned(map) && !good)
			return dpk_map_name(map);
	}
	return NULL;
}

static int reuse_all(struct dpk *k, struct complaint *c)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, k->skel->obj)
	{
		int fd, error;

		if (!is_pinned(map))
			continue;
		fd = open_pin(k, dpk_map_name(map));
		error = fd < 0 ? -errno : bpf_map__reuse_fd(map, fd);
		if (fd >= 0)
			close(fd);
		if (error)
			return complain(c, error, "cannot take over the pinned map %s: %s", dpk_map_name(map),
				strerror(-error));
	}
	return 1;
}

static bool starts_with(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* What sits on devices stays: it is to be updated to the new program in place (R1). */
static void throw_away(struct dpk *k)
{
	DIR *dir = opendir(k->dir);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' && !starts_with(entry->d_name, DPK_LINK_PREFIX) &&
			!starts_with(entry->d_name, DPK_FILTER_PREFIX))
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
}

int dpk_pins_adopt(struct dpk *k, uint32_t n_flows, struct complaint *c)
{
	const char *why = unreadable(k);
	uint32_t pinned = why ? 0 : pinned_n_flows(k);

	unpin(k, FRESH_PIN);
	if (!why) {
		dpk_pins_size(k, pinned ? pinned : n_flows);
		if (pinned && pinned != n_flows)
			log_warn("the flow cache keeps its %u slots, not %u, until everything is removed", pinned,
				n_flows);
		why = check_all(k);
	}
	k->dp.inherited = !why || (why[0] && pinned_here(k));
	if (!why)
		return reuse_all(k, c);
	if (why[0])
		log_warn("the maps pinned in %s cannot be used (%s): flows, counters and addresses start anew", k->dir,
			why);
	throw_away(k);
	dpk_pins_size(k, n_flows);
	return 0;
}

int dpk_pins_put_maps(struct dpk *k, struct complaint *c)
{
	char path[DPK_PATH_SIZE];
	struct bpf_map *map;
	int error;

	bpf_object__for_each_map(map, k->skel->obj)
	{
		if (!is_pinned(map))
			continue;
		dpk_pins_path(k, dpk_map_name(map), path);
		error = bpf_obj_pin(bpf_map__fd(map), path) ? -errno : 0;
		if (error)
			return complain(c, error, "cannot pin %s: %s", path, strerror(-error));
	}
	return 0;
}

int dpk_pins_share(const struct dpk *k, struct bpf_object *instance)
{
	struct bpf_map *map, *live;
	int error = 0;

	bpf_object__for_each_map(map, instance)
	{
		if (!dpk_map_name(map))
			continue;
		live = bpf_map__is_internal(map) ? k->skel->maps.bss
						 : bpf_object__find_map_by_name(k->skel->obj, bpf_map__name(map));
		if (!error)
			error = bpf_map__reuse_fd(map, bpf_map__fd(live));
	}
	return error;
}

/* ---- programs ---- */

static bool same_program(int a, int b)
{
	struct bpf_prog_info info_a = {0}, info_b = {0};
	uint32_t size = sizeof(info_a);

	if (bpf_obj_get_info_by_fd(a, &info_a, &size))
		return false;
	size = sizeof(info_b);
	if (bpf_obj_get_info_by_fd(b, &info_b, &size))
		return false;
	return memcmp(info_a.tag, info_b.tag, sizeof(info_a.tag)) == 0;
}

int dpk_pins_program(struct dpk *k, struct bpf_program *program, const char *name, struct complaint *c)
{
	int pinned = open_pin(k, name), fd = dup(bpf_program__fd(program));
	char path[DPK_PATH_SIZE];

	if (fd < 0)
		return complain(c, -errno, "out of descriptors");
	if (pinned >= 0 && same_program(pinned, fd)) {
		close(fd);
		return pinned;
	}
	if (pinned >= 0)
		close(pinned);
	unpin(k, name);
	dpk_pins_path(k, name, path);
	if (bpf_obj_pin(fd, path)) {
		close(fd);
		return complain(c, -errno, "cannot pin %s: %s", path, strerror(errno));
	}
	return fd;
}
