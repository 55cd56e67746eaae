/* SPDX-License-Identifier: BSD-2-Clause */
#include "yardstick.h"

#include <errno.h>
#include <string.h>
#include <bpf/libbpf.h>
#include "bare.skel.h"

static int fill(const struct bpf_map *map, const uint32_t *ifindexes, uint32_t n)
{
	int err = 0;

	for (uint32_t i = 0; i < n && !err; i++)
		err = bpf_map__update_elem(map, &i, sizeof(i), &ifindexes[i], sizeof(*ifindexes), BPF_ANY);
	return err;
}

static int load(const uint32_t *ifindexes, uint32_t n, struct bare_bpf **ret_bare)
{
	struct bare_bpf *bare = bare_bpf__open_and_load();
	int err;

	if (!bare)
		return -errno;
	err = fill(bare->maps.out, ifindexes, n);
	if (!err)
		err = fill(bare->maps.everybody, ifindexes, n);
	if (err) {
		bare_bpf__destroy(bare);
		return err;
	}
	*ret_bare = bare;
	return 0;
}

int yardstick_open(const uint32_t *ifindexes, uint32_t n, struct yardstick *ret_yardstick)
{
	struct yardstick yardstick = {0};
	int err = load(ifindexes, n, &yardstick.bare);

	if (err)
		return err;
	err = load(ifindexes, n, &yardstick.twin);
	if (err) {
		yardstick_close(&yardstick);
		return err;
	}
	*ret_yardstick = yardstick;
	return 0;
}

void yardstick_close(struct yardstick *yardstick)
{
	bare_bpf__destroy(yardstick->bare);
	bare_bpf__destroy(yardstick->twin);
}

int yardstick_fd(const struct yardstick *yardstick, const char *name)
{
	const struct bare_bpf *chosen = !strcmp(name, "bare") ? yardstick->bare : yardstick->twin;

	if (strcmp(name, "bare") && strcmp(name, "twin"))
		return -EINVAL;
	switch (yardstick->kind) {
	case YARDSTICK_SOME:
		return bpf_program__fd(chosen->progs.bare_spread);
	case YARDSTICK_ALL:
		return bpf_program__fd(chosen->progs.bare_all);
	default:
		return bpf_program__fd(chosen->progs.bare);
	}
}
