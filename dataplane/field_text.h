/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * field_text.h - the value of one field as text, without its name: what stands behind the '=' of a match, and before
 * the arrow of a set_field. flow.c has it, for itself and for action.c.
 */
#ifndef DATAPLANE_FIELD_TEXT_H
#define DATAPLANE_FIELD_TEXT_H

#include "dataplane/flow.h"
#include "dataplane/text.h"

/* VALUE, or VALUE/MASK where `look`, which holds bits of this field only, does not hold all of them. */
void field_put_value(struct text *text, enum field_id field, const struct flow *value, const struct flow *look,
	const struct flow_names *names);
/* A port by its name, or by its number, which is not spelt as any port's name. `names` may be NULL. */
void field_put_port(struct text *text, uint32_t number, const struct flow_names *names);

/*
 * Adds the value to the match, whose bits of the field are zero. `mask` is the text behind the slash, or NULL. -EINVAL:
 * the complaint names the word at fault.
 */
int field_read_value(enum field_id field, const char *word, const char *mask, const struct flow_names *names,
	struct flow_match *match, struct complaint *complaint);

/* N_FIELDS: none is named so. */
enum field_id field_of_name(const char *name);

/* A whole word of decimal or 0x digits, up to 64 bits. */
bool read_number(const char *word, uint64_t *ret);

#endif
