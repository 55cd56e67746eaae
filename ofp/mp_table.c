/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/mp_parts.h"

/* OF 1.3.5 §7.3.5.4 */
enum of_err mp_table_begin(struct dump *dump, struct wire_in *body)
{
	dump_refresh(dump);
	return OF_OK;
}

enum dump_step mp_table_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	const struct table *table;

	if (dump->at >= TABLES_MAX)
		return DUMP_DONE;
	spend(budget, 1);
	table = tables_table(ofbridge_tables(dump_bridge(dump)), (uint8_t)dump->at++);
	wire_put_u8(out, table->id);
	wire_put_zeros(out, 3);
	wire_put_u32(out, table->n_rules);
	wire_put_u64(out, table->matched.packets + table->missed.packets);
	wire_put_u64(out, table->matched.packets);
	return DUMP_PUT;
}
