/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/netns.h"

#include "dataplane/complaint.h"
#include "dataplane/log.h"
#include "dataplane/netlink.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define NAMES_DIR    "/run/netns"
#define OWN          "/proc/thread-self/ns/net"
#define VALID_NS     1000000000ULL
#define COST_SHARE   20           /* of the time, one in so many may go into scans */
#define CREDIT_NS    200000000ULL /* and so much at once */
#define PATH_SIZE    280
#define NSID_UNKNOWN (-1) /* NETNSA_NSID_NOT_ASSIGNED */

/* What a scan found: where each namespace can be entered. */
struct place {
	uint64_t inode;
	int32_t nsid;
	char path[PATH_SIZE];
};

static struct {
	struct place *places;
	size_t n, room;
	uint64_t scanned_ns;
	uint64_t credit_ns, credited_ns; /* time that may go into scans, as of then */
	uint64_t own_inode;              /* of the namespace that the nsids are of: 0, no scan yet */
} table;

/* N1 */
static void come_back(int own_fd)
{
	if (setns(own_fd, CLONE_NEWNET) == 0)
		return;
	log_error("cannot return to the own network namespace (%s): ending, lest other devices be touched",
		strerror(errno));
	abort();
}

int netns_socket(int netns_fd, int domain, int type, int protocol, int *ret_fd)
{
	int own_fd = -1, fd, error = 0;

	if (netns_fd >= 0) {
		own_fd = open(OWN, O_RDONLY | O_CLOEXEC);
		if (own_fd < 0)
			return -errno;
		if (setns(netns_fd, CLONE_NEWNET)) {
			error = -errno;
			goto close_own;
		}
	}
	fd = socket(domain, type | SOCK_CLOEXEC, protocol);
	if (fd < 0)
		error = -errno;
	else
		*ret_fd = fd;
	if (netns_fd >= 0)
		come_back(own_fd);
close_own:
	if (own_fd >= 0)
		close(own_fd);
	return error;
}

/* Opens what is a network namespace, and nothing else that may lie at such a path. */
int netns_open_path(const char *path, int *ret_fd)
{
	struct statfs fs;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &fs) || (uint64_t)fs.f_type != NSFS_MAGIC) {
		close(fd);
		return -EINVAL;
	}
	*ret_fd = fd;
	return 0;
}

/* ---- the table of places ---- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static int nsid_came(void *ctx, const struct nl_message *message)
{
	struct nl_attrs attrs;

	nl_attrs(message, &attrs);
	*(int32_t *)ctx = (int32_t)nl_u32(&attrs, NETNSA_NSID, NSID_UNKNOWN);
	return 0;
}

static int32_t nsid_of(struct netlink *nl, int netns_fd)
{
	struct rtgenmsg header = {.rtgen_family = AF_UNSPEC};
	int32_t nsid = NSID_UNKNOWN;
	struct nl_request request;

	nl_begin(&request, RTM_GETNSID, 0, &header, sizeof(header));
	nl_put_u32(&request, NETNSA_FD, (uint32_t)netns_fd);
	if (netlink_call(nl, &request, sizeof(header), nsid_came, &nsid))
		return NSID_UNKNOWN;
	return nsid;
}

static uint64_t inode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

static const struct place *find_inode(uint64_t inode)
{
	for (size_t i = 0; i < table.n; i++) {
		if (table.places[i].inode == inode)
			return &table.places[i];
	}
	return NULL;
}

static const struct place *find_nsid(int32_t nsid)
{
	for (size_t i = 0; i < table.n; i++) {
		if (table.places[i].nsid == nsid)
			return &table.places[i];
	}
	return NULL;
}

static void remember(struct netlink *nl, const char *path)
{
	uint64_t inode = inode_of(path);
	struct place *place;
	int fd = -1;

	if (!inode || find_inode(inode))
		return;
	if (table.n == table.room) {
		size_t room = table.room ? 2 * table.room : 64;
		struct place *places = realloc(table.places, room * sizeof(*places));

		if (!places)
			return;
		table.places = places;
		table.room = room;
	}
	if (netns_open_path(path, &fd))
		return;
	place = &table.places[table.n++];
	place->inode = inode;
	place->nsid = nsid_of(nl, fd);
	snprintf(place->path, sizeof(place->path), "%s", path);
	close(fd);
}

static void scan_names(struct netlink *nl)
{
	char path[PATH_SIZE];
	struct dirent *entry;
	DIR *dir = opendir(NAMES_DIR);

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), NAMES_DIR "/%s", entry->d_name);
		remember(nl, path);
	}
	closedir(dir);
}

static void scan_processes(struct netlink *nl)
{
	char path[PATH_SIZE];
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/ns/net", entry->d_name);
		remember(nl, path);
	}
	closedir(dir);
}

/* Names first: they last longer than processes. */
static void scan(struct netlink *nl)
{
	uint64_t began = now_ns(), took;

	table.n = 0;
	table.own_inode = inode_of(OWN);
	scan_names(nl);
	scan_processes(nl);
	table.scanned_ns = now_ns();
	took = table.scanned_ns - began;
	table.credit_ns -= took < table.credit_ns ? took : table.credit_ns;
}

/* Whether what was not found is worth a new scan: always, but for a storm of namespaces that cannot be found. */
static bool may_scan(void)
{
	uint64_t now = now_ns();

	table.credit_ns += (now - table.credited_ns) / COST_SHARE;
	if (table.credit_ns > CREDIT_NS)
		table.credit_ns = CREDIT_NS;
	table.credited_ns = now;
	return table.credit_ns > CREDIT_NS / COST_SHARE;
}

/* ---- finding ---- */

static int open_checked(struct netlink *nl, int32_t nsid, int *ret_fd)
{
	const struct place *place = find_nsid(nsid);
	int fd = -1;

	if (!place || netns_open_path(place->path, &fd))
		return -ENOENT;
	if (nsid_of(nl, fd) != nsid) {
		close(fd);
		return -ENOENT;
	}
	*ret_fd = fd;
	return 0;
}

int netns_find(int32_t nsid, int *ret_fd)
{
	struct netlink *nl;
	bool fresh = false;
	int error;

	if (nsid < 0)
		return -ENOENT;
	error = netlink_open(NETLINK_ROUTE, -1, &nl);
	if (error)
		return error;
	if (!table.own_inode || now_ns() - table.scanned_ns > VALID_NS || table.own_inode != inode_of(OWN)) {
		scan(nl);
		fresh = true;
	}
	error = open_checked(nl, nsid, ret_fd);
	if (error && !fresh && may_scan()) {
		scan(nl);
		error = open_checked(nl, nsid, ret_fd);
	}
	netlink_close(nl);
	return error;
}

int netns_open(const char *name, int *ret_fd, struct complaint *c)
{
	char path[PATH_SIZE];
	int error;

	if (!name[0] || strchr(name, '/') || name[0] == '.')
		return complain(
			c, -EINVAL, "%s is no name of a network namespace: give its name below " NAMES_DIR, name);
	if (snprintf(path, sizeof(path), NAMES_DIR "/%s", name) >= (int)sizeof(path))
		return complain(c, -ENAMETOOLONG, "the name of the network namespace is too long");
	error = netns_open_path(path, ret_fd);
	if (error == -ENOENT)
		return complain(
			c, error, "there is no network namespace %s: make it with `ip netns add %s`", name, name);
	if (error == -EINVAL)
		return complain(
			c, error, "%s is no network namespace: the process that made it did not mount it", path);
	if (error)
		return complain(c, error, "%s: %s", path, strerror(-error));
	return 0;
}
