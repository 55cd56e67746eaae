/* SPDX-License-Identifier: BSD-2-Clause */
#include "ofp/mp_parts.h"

/* ---- desc (OF 1.3.5 §7.3.5.1) ---- */

enum of_err mp_desc_begin(struct dump *dump, struct wire_in *body)
{
	return OF_OK;
}

enum dump_step mp_desc_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	const struct agent *agent = dump->session->agent;

	spend(budget, 1);
	wire_put_text(out, agent->manufacturer, OFP_DESC_STR_SIZE);
	wire_put_text(out, agent->hardware, OFP_DESC_STR_SIZE);
	wire_put_text(out, agent->software, OFP_DESC_STR_SIZE);
	wire_put_text(out, agent->serial, OFP_SERIAL_NUM_SIZE);
	wire_put_text(out, agent->datapath, OFP_DESC_STR_SIZE);
	return DUMP_LAST;
}

/* ---- experimenter (§7.3.5.14): there is none ---- */

enum of_err mp_experimenter_begin(struct dump *dump, struct wire_in *body)
{
	return OF_ERR_BAD_REQUEST_BAD_EXPERIMENTER;
}

enum dump_step mp_experimenter_next(struct dump *dump, struct wire_out *out, uint32_t *budget)
{
	return DUMP_DONE;
}
