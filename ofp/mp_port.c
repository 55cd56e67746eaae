/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/mp_parts.h"

#include "ofp/codec.h"

#define PORT_COST 32 /* of asking for a port, in the measure of looking at a rule */

/* ---- port-stats (OF 1.3.5 §7.3.5.6) ---- */

enum of_err mp_port_stats_begin(struct dump *dump, struct wire_in *body)
{
	uint32_t number = wire_get_u32(body);

	if (number == OF_PORT_ANY)
		return OF_OK;
	dump->one = true;
	dump->at = number;
	return ofbridge_port(dump_bridge(dump), number, NULL, NULL) ? OF_OK : OF_ERR_BAD_REQUEST_BAD_PORT;
}

/* What the kernel does not tell of each kind of device: receive errors and their kinds, transmit errors, collisions. */
#define N_UNKNOWN_COUNTERS 6

static void put_stats(struct wire_out *out, uint32_t number, const struct of_port_stats *stats)
{
	wire_put_u32(out, number);
	wire_put_zeros(out, 4);
	wire_put_u64(out, stats->rx_packets);
	wire_put_u64(out, stats->tx_packets);
	wire_put_u64(out, stats->rx_bytes);
	wire_put_u64(out, stats->tx_bytes);
	wire_put_u64(out, stats->rx_dropped);
	wire_put_u64(out, stats->tx_dropped);
	for (int i = 0; i < N_UNKNOWN_COUNTERS; i++)
		wire_put_u64(out, UNKNOWN);
	put_duration(out, stats->duration_ns, 0);
}

enum dump_step mp_port_stats_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	struct of_port_desc desc;
	struct of_port_stats stats;
	bool found = dump->one ? ofbridge_port(dump_bridge(dump), dump->at, &desc, &stats)
			       : ofbridge_next_port(dump_bridge(dump), dump->at, &desc, &stats);

	spend(budget, PORT_COST);
	if (!found)
		return DUMP_DONE;
	dump->at = desc.number;
	put_stats(out, desc.number, &stats);
	return dump->one ? DUMP_LAST : DUMP_PUT;
}

/* ---- port-desc (§7.3.5.7) ---- */

enum of_err mp_port_desc_begin(struct dump *dump, struct wire_in *body)
{
	return OF_OK;
}

enum dump_step mp_port_desc_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	struct of_port_desc desc;

	spend(budget, PORT_COST);
	if (!ofbridge_next_port(dump_bridge(dump), dump->at, &desc, NULL))
		return DUMP_DONE;
	dump->at = desc.number;
	codec_put_port(out, &desc);
	return DUMP_PUT;
}

/* ---- queue (§7.3.5.8): no port has any ---- */

enum of_err mp_queue_begin(struct dump *dump, struct wire_in *body)
{
	uint32_t number = wire_get_u32(body);
	uint32_t queue = wire_get_u32(body);

	if (number != OF_PORT_ANY && !ofbridge_port(dump_bridge(dump), number, NULL, NULL))
		return OF_ERR_QUEUE_OP_BAD_PORT;
	return queue == OFPQ_ALL ? OF_OK : OF_ERR_QUEUE_OP_BAD_QUEUE;
}

enum dump_step mp_queue_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	return DUMP_DONE;
}
