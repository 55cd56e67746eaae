/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/counters.h"

#include "dataplane/datapath.h"

#include <string.h>

static struct sw_port_stats *port_row(const struct dp_memory *memory, uint32_t row, uint16_t port)
{
	return dp_port_stats(memory, row, port);
}

static __u64 *drop_row(const struct dp_memory *memory, uint32_t row, uint16_t port)
{
	return &memory->drops[((size_t)row * SW_MAX_PORTS + port) * SW_DROP_SLOTS];
}

static uint32_t daemon_row(const struct dp_memory *memory)
{
	return memory->config->n_rows - 1;
}

static uint64_t read_once(const __u64 *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void counters_drop(const struct dp_memory *memory, uint16_t port, enum sw_drop reason)
{
	drop_row(memory, daemon_row(memory), port)[reason]++;
}

void counters_upcall(const struct dp_memory *memory, uint16_t port)
{
	port_row(memory, daemon_row(memory), port)->upcalls++;
}

void counters_received(const struct dp_memory *memory, uint16_t port, uint32_t size)
{
	struct sw_port_stats *stats = port_row(memory, daemon_row(memory), port);

	stats->rx_frames++;
	stats->rx_bytes += size;
}

static struct sw_tell_stats *tell_row(const struct dp_memory *memory, uint32_t row, uint16_t port)
{
	return &memory->tell_stats[(size_t)row * SW_MAX_PORTS + port];
}

void counters_stale(const struct dp_memory *memory, uint16_t port)
{
	tell_row(memory, daemon_row(memory), port)->stale++;
}

static void read_told(const struct dp_memory *memory, uint16_t port, struct port_counters *ret)
{
	for (uint32_t row = 0; row <= daemon_row(memory); row++) {
		const struct sw_tell_stats *stats = tell_row(memory, row, port);

		ret->told += read_once(&stats->told);
		ret->untold_limit += read_once(&stats->limited);
		ret->untold_full += read_once(&stats->full);
		ret->untold_stale += read_once(&stats->stale);
	}
}

void counters_sent(const struct dp_memory *memory, uint16_t port, uint32_t size)
{
	struct sw_port_stats *stats = port_row(memory, daemon_row(memory), port);

	stats->tx_frames++;
	stats->tx_bytes += size;
}

void counters_unsent(const struct dp_memory *memory, uint16_t port, enum sw_drop reason, uint32_t n)
{
	uint32_t row = daemon_row(memory);

	drop_row(memory, row, port)[reason] += n;
	port_row(memory, row, port)->tx_frames -= n;
}

void counters_read_port(const struct dp_memory *memory, uint16_t port, struct port_counters *ret)
{
	uint32_t daemon = daemon_row(memory);
	uint64_t misses = 0, found;

	memset(ret, 0, sizeof(*ret));
	for (uint32_t row = 0; row <= daemon; row++) {
		const struct sw_port_stats *stats = port_row(memory, row, port);

		ret->rx_frames += read_once(&stats->rx_frames);
		ret->rx_bytes += read_once(&stats->rx_bytes);
		ret->tx_frames += read_once(&stats->tx_frames);
		ret->tx_bytes += read_once(&stats->tx_bytes);
		ret->mega_hits += read_once(&stats->mega_hits);
		misses += read_once(&stats->misses);
		ret->csum_done += read_once(&stats->csum_done);
		if (row != daemon)
			ret->upcalls += read_once(&stats->upcalls);
	}
	found = ret->rx_frames > misses ? ret->rx_frames - misses : 0; /* rows are read one after the other */
	ret->emc_hits = found > ret->mega_hits ? found - ret->mega_hits : 0;
	read_told(memory, port, ret);
	for (unsigned reason = 0; reason < SW_N_DROPS; reason++)
		ret->drops[reason] = counters_read_drop(memory, port, reason);
}

/*
 * Frames that came to no cached verdict: everything else that came in was the fast path's doing. What the daemon
 * counted as no_daemon had gone up and died there.
 */
static uint64_t missed(const struct dp_memory *memory, uint16_t id, const struct port_counters *port)
{
	uint64_t died = read_once(&drop_row(memory, daemon_row(memory), id)[SW_DROP_NO_DAEMON]);

	return port->upcalls + port->drops[SW_DROP_MISS_LIMIT] + port->drops[SW_DROP_NO_DAEMON] - died +
	       port->drops[SW_DROP_UPCALL_FULL] + port->drops[SW_DROP_RUNT];
}

static uint64_t fast_frames(const struct dp_memory *memory, uint16_t id, const struct port_counters *port)
{
	uint64_t others = missed(memory, id, port);

	return port->rx_frames > others ? port->rx_frames - others : 0;
}

void counters_read_switch(const struct dp_memory *memory, struct switch_counters *ret)
{
	uint32_t daemon = daemon_row(memory);

	ret->fast_path_frames = port_row(memory, daemon, 0)->rx_frames; /* of retired ports */
	ret->slow_path_frames = 0;
	memset(ret->drops, 0, sizeof(ret->drops));
	for (uint16_t id = 0; id < SW_MAX_PORTS; id++) {
		struct port_counters port;

		counters_read_port(memory, id, &port);
		if (id)
			ret->fast_path_frames += fast_frames(memory, id, &port);
		ret->slow_path_frames += read_once(&port_row(memory, daemon, id)->upcalls);
		for (unsigned reason = 0; reason < SW_N_DROPS; reason++)
			ret->drops[reason] += port.drops[reason];
	}
}

uint64_t counters_read_drop(const struct dp_memory *memory, uint16_t port, enum sw_drop reason)
{
	uint64_t sum = 0;

	for (uint32_t row = 0; row < memory->config->n_rows; row++)
		sum += read_once(&drop_row(memory, row, port)[reason]);
	return sum;
}

static void add_lookups(const struct dp_memory *memory, uint32_t row, struct lookup_counters *sum, uint64_t *megas)
{
	const struct sw_lookup_stats *stats = &memory->lookup_stats[row];

	sum->searches += read_once(&stats->walks);
	sum->walks += read_once(&stats->found);
	sum->probes += read_once(&stats->probes);
	sum->looks += read_once(&stats->looks);
	for (uint16_t id = 1; id < SW_MAX_PORTS; id++) {
		const struct sw_port_stats *port = port_row(memory, row, id);

		sum->frames += read_once(&port->rx_frames);
		sum->misses += read_once(&port->misses);
		*megas += read_once(&port->mega_hits);
	}
}

void counters_read_lookups(const struct dp_memory *memory, struct lookup_counters *ret)
{
	uint32_t daemon = daemon_row(memory);
	const struct sw_lookup_stats *gone = &memory->lookup_stats[daemon];
	uint64_t megas = gone->gone_megas;

	*ret = (struct lookup_counters){.frames = gone->gone_frames, .misses = gone->gone_misses};
	for (uint32_t row = 0; row < daemon; row++)
		add_lookups(memory, row, ret, &megas);
	if (megas < ret->walks) /* rows are read one after the other */
		megas = ret->walks;
	if (ret->frames < megas + ret->misses)
		ret->frames = megas + ret->misses;
	ret->home = megas - ret->walks;
	ret->hints = ret->frames - megas - ret->misses;
}

void counters_retire_port(const struct dp_memory *memory, uint16_t port)
{
	uint32_t daemon = daemon_row(memory);
	struct sw_port_stats *retired = port_row(memory, daemon, 0);
	struct sw_lookup_stats *gone = &memory->lookup_stats[daemon];
	struct port_counters sums;

	counters_read_port(memory, port, &sums);
	retired->rx_frames += fast_frames(memory, port, &sums);
	retired->upcalls += read_once(&port_row(memory, daemon, port)->upcalls);
	for (uint32_t row = 0; row < daemon; row++) {
		gone->gone_frames += port_row(memory, row, port)->rx_frames;
		gone->gone_megas += port_row(memory, row, port)->mega_hits;
		gone->gone_misses += port_row(memory, row, port)->misses;
	}
	for (unsigned reason = 0; reason < SW_N_DROPS; reason++)
		drop_row(memory, daemon, 0)[reason] += sums.drops[reason];
	for (uint32_t row = 0; row <= daemon; row++) {
		memset(port_row(memory, row, port), 0, sizeof(struct sw_port_stats));
		memset(drop_row(memory, row, port), 0, SW_DROP_SLOTS * sizeof(__u64));
		memset(tell_row(memory, row, port), 0, sizeof(struct sw_tell_stats));
	}
}

void counters_bury(const struct dp_memory *memory)
{
	uint32_t daemon = daemon_row(memory);

	for (uint16_t id = 1; id < SW_MAX_PORTS; id++) {
		struct sw_port_stats *own = port_row(memory, daemon, id);
		int64_t unread = -(int64_t)own->upcalls;

		for (uint32_t row = 0; row < daemon; row++)
			unread += (int64_t)read_once(&port_row(memory, row, id)->upcalls);
		if (unread <= 0)
			continue;
		drop_row(memory, daemon, id)[SW_DROP_NO_DAEMON] += (uint64_t)unread;
		own->upcalls += (uint64_t)unread;
	}
}
