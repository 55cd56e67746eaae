/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/action.h"

#include "dataplane/complaint.h"
#include "dataplane/field_text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORD_SIZE 128 /* "set_field:", an IPv6 address in its longest form, "->" and a field's name fit */

/* How an action's argument is spelt, behind its word and a colon. */
enum form {
	FORM_NONE,
	FORM_PORT,   /* its name or number; a reserved port is a word of its own and no argument */
	FORM_NUMBER, /* decimal */
	FORM_HEX,    /* four digits: an EtherType */
	FORM_FIELD,  /* VALUE->FIELD */
};

static const struct action_row rows[N_ACTIONS] = {
#define ACTION(id, word, of_type, of_size, form, place) [ACTION_##id] = {word, of_type, of_size, FORM_##form, place},
#include "dataplane/action.def"
#undef ACTION
};

static const struct {
	const char *word;
	uint32_t of_port;
} reserved[] = {
	{"IN_PORT", OF_PORT_IN_PORT},
	{"TABLE", OF_PORT_TABLE},
	{"NORMAL", OF_PORT_NORMAL},
	{"FLOOD", OF_PORT_FLOOD},
	{"ALL", OF_PORT_ALL},
	{"CONTROLLER", OF_PORT_CONTROLLER},
	{"LOCAL", OF_PORT_LOCAL},
};

#define N_RESERVED (sizeof(reserved) / sizeof(reserved[0]))

/* What an action's number may be. An action that is not here takes any of 32 bits. */
static const struct {
	uint32_t most;
	uint16_t eth_type[2]; /* of these only; 0: any */
} limits[N_ACTIONS] = {
	[ACTION_SET_MPLS_TTL] = {0xff, {0}},
	[ACTION_SET_NW_TTL] = {0xff, {0}},
	[ACTION_GROUP] = {0xffffff00, {0}}, /* OFPG_MAX, OF 1.3.5 §7.3.4.3 */
	[ACTION_PUSH_VLAN] = {0xffff, {0x8100, 0x88a8}},
	[ACTION_PUSH_MPLS] = {0xffff, {0x8847, 0x8848}},
	[ACTION_POP_MPLS] = {0xffff, {0}},
	[ACTION_PUSH_PBB] = {0xffff, {0x88e7}},
};

const struct action_row *action_row(enum action_type type)
{
	return &rows[type];
}

/* ---- equality and copies ---- */

static bool action_equal(const struct action *a, const struct action *b)
{
	if (a->type != b->type)
		return false;
	switch (rows[a->type].form) {
	case FORM_NONE:
		return true;
	case FORM_FIELD:
		return a->field == b->field && !memcmp(a->value, b->value, field_row(a->field)->oxm_size);
	default:
		if (a->arg != b->arg)
			return false;
		/* Nobody but a controller is sent a piece of a frame. */
		return a->type != ACTION_OUTPUT || a->arg != OF_PORT_CONTROLLER || a->max_len == b->max_len;
	}
}

bool actions_equal(const struct actions *a, const struct actions *b)
{
	if (a->n != b->n)
		return false;
	for (uint32_t i = 0; i < a->n; i++) {
		if (!action_equal(&a->list[i], &b->list[i]))
			return false;
	}
	return true;
}

struct instructions *instructions_create(
	const struct instructions *rest, const struct actions *apply, const struct actions *write)
{
	size_t n = (size_t)apply->n + write->n;
	struct instructions *instructions;

	assert(apply->n <= UINT16_MAX && write->n <= UINT16_MAX);
	instructions = malloc(sizeof(*instructions) + n * sizeof(instructions->actions[0]));
	if (!instructions)
		return NULL;
	*instructions = *rest;
	instructions->metadata &= instructions->metadata_mask;
	instructions->n_apply = (uint16_t)apply->n;
	instructions->n_write = (uint16_t)write->n;
	if (apply->n)
		memcpy(instructions->actions, apply->list, apply->n * sizeof(*apply->list));
	if (write->n)
		memcpy(instructions->actions + apply->n, write->list, write->n * sizeof(*write->list));
	return instructions;
}

struct actions instructions_applied(const struct instructions *instructions)
{
	return (struct actions){instructions->n_apply, instructions->actions};
}

struct actions instructions_written(const struct instructions *instructions)
{
	return (struct actions){instructions->n_write, instructions->actions + instructions->n_apply};
}

bool instructions_equal(const struct instructions *a, const struct instructions *b)
{
	struct actions applied_a = instructions_applied(a), applied_b = instructions_applied(b);
	struct actions written_a = instructions_written(a), written_b = instructions_written(b);

	if (a->meter != b->meter || a->clear_actions != b->clear_actions)
		return false;
	if (a->goes_on != b->goes_on || (a->goes_on && a->goto_table != b->goto_table))
		return false;
	if (a->writes_metadata != b->writes_metadata)
		return false;
	if (a->writes_metadata && (a->metadata != b->metadata || a->metadata_mask != b->metadata_mask))
		return false;
	return actions_equal(&applied_a, &applied_b) && actions_equal(&written_a, &written_b);
}

/* ---- printing ---- */

static const char *reserved_word(uint32_t of_port)
{
	for (size_t i = 0; i < N_RESERVED; i++) {
		if (reserved[i].of_port == of_port)
			return reserved[i].word;
	}
	return NULL;
}

static void put_output(struct text *text, const struct action *action, const struct flow_names *names)
{
	const char *word = reserved_word(action->arg);

	if (action->arg == OF_PORT_CONTROLLER) {
		text_put(text, "%s:%u", word, action->max_len);
	} else if (word) {
		text_put(text, "%s", word);
	} else {
		text_put(text, "output:");
		field_put_port(text, action->arg, names);
	}
}

static void put_set_field(struct text *text, const struct action *action)
{
	struct flow value = {0}, all = {0};

	field_write(action->field, &value, action->value);
	flow_look(&all, action->field);
	text_put(text, "set_field:");
	field_put_value(text, action->field, &value, &all, NULL);
	text_put(text, "->%s", field_name(action->field));
}

static void put_action(struct text *text, const struct action *action, const struct flow_names *names)
{
	const char *word = rows[action->type].word;

	switch (rows[action->type].form) {
	case FORM_PORT:
		put_output(text, action, names);
		break;
	case FORM_NUMBER:
		text_put(text, "%s:%u", word, action->arg);
		break;
	case FORM_HEX:
		text_put(text, "%s:0x%04x", word, action->arg);
		break;
	case FORM_FIELD:
		put_set_field(text, action);
		break;
	default:
		text_put(text, "%s", word);
	}
}

static void put_actions(struct text *text, const struct actions *actions, const struct flow_names *names)
{
	for (uint32_t i = 0; i < actions->n; i++) {
		text_put(text, "%s", i ? "," : "");
		put_action(text, &actions->list[i], names);
	}
}

size_t actions_format(const struct actions *actions, const struct flow_names *names, char *buffer, size_t size)
{
	struct text text = text_begin(buffer, size);

	put_actions(&text, actions, names);
	if (!text.length)
		text_put(&text, "drop");
	return text.length;
}

static const char *comma(const struct text *text)
{
	return text->length ? "," : "";
}

/* In the order in which they are carried out, those to be applied without a word around them: so does ovs-ofctl. */
size_t instructions_format(
	const struct instructions *instructions, const struct flow_names *names, char *buffer, size_t size)
{
	struct actions applied = instructions_applied(instructions), written = instructions_written(instructions);
	struct text text = text_begin(buffer, size);

	if (instructions->meter)
		text_put(&text, "meter:%u", instructions->meter);
	if (applied.n)
		text_put(&text, "%s", comma(&text));
	put_actions(&text, &applied, names);
	if (instructions->clear_actions)
		text_put(&text, "%sclear_actions", comma(&text));
	if (written.n) {
		text_put(&text, "%swrite_actions(", comma(&text));
		put_actions(&text, &written, names);
		text_put(&text, ")");
	}
	if (instructions->writes_metadata) {
		text_put(&text, "%swrite_metadata:0x%" PRIx64, comma(&text), instructions->metadata);
		if (instructions->metadata_mask != UINT64_MAX)
			text_put(&text, "/0x%" PRIx64, instructions->metadata_mask);
	}
	if (instructions->goes_on)
		text_put(&text, "%sgoto_table:%u", comma(&text), instructions->goto_table);
	if (!text.length)
		text_put(&text, "drop");
	return text.length;
}

/* ---- parsing ---- */

/* "NORMAL", "CONTROLLER", "CONTROLLER:128". false: it is no reserved port's word. */
static bool read_reserved(
	const char *word, const char *max_len, struct action *ret, struct complaint *complaint, int *ret_error)
{
	uint64_t number = ACTION_MAX_LEN_ALL;
	size_t i = 0;

	while (i < N_RESERVED && strcasecmp(word, reserved[i].word))
		i++;
	if (i == N_RESERVED)
		return false;
	*ret = (struct action){.type = ACTION_OUTPUT, .arg = reserved[i].of_port};
	*ret_error = 0;
	if (max_len && ret->arg != OF_PORT_CONTROLLER)
		*ret_error = complain(complaint, -EINVAL, "'%s:%s': expected %s alone", word, max_len, word);
	else if (max_len && (!read_number(max_len, &number) || number > ACTION_MAX_LEN_ALL))
		*ret_error = complain(
			complaint, -EINVAL, "%s: '%s': expected a number of bytes from 0 to 65535", word, max_len);
	else if (ret->arg == OF_PORT_CONTROLLER)
		ret->max_len = (uint16_t)number;
	return true;
}

/* A port by its name, or, where no port is named so, a reserved one or one by its number. */
static int read_port(
	const char *word, const struct flow_names *names, struct action *action, struct complaint *complaint)
{
	uint64_t number;
	int error;

	action->arg = names && names->number_of ? names->number_of(names->ctx, word) : 0;
	if (action->arg || read_reserved(word, NULL, action, complaint, &error))
		return 0;
	if (!read_number(word, &number) || !number || number > OF_PORT_MAX)
		return complain(complaint, -EINVAL, "output: there is no port '%s'", word);
	action->arg = (uint32_t)number;
	return 0;
}

static int read_argument_number(const char *word, struct action *action, struct complaint *complaint)
{
	uint32_t most = limits[action->type].most ? limits[action->type].most : UINT32_MAX;
	const uint16_t *eth_type = limits[action->type].eth_type;
	uint64_t number;

	if (!read_number(word, &number) || number > most)
		return complain(complaint, -EINVAL, "%s: '%s': expected a number from 0 to %u", rows[action->type].word,
			word, most);
	if (eth_type[0] && number != eth_type[0] && number != eth_type[1]) {
		if (eth_type[1])
			return complain(complaint, -EINVAL, "%s: '%s': expected 0x%04x or 0x%04x",
				rows[action->type].word, word, eth_type[0], eth_type[1]);
		return complain(
			complaint, -EINVAL, "%s: '%s': expected 0x%04x", rows[action->type].word, word, eth_type[0]);
	}
	action->arg = (uint32_t)number;
	return 0;
}

/* VALUE->FIELD. Cuts it up. */
static int read_set_field(char *word, struct action *action, struct complaint *complaint)
{
	struct flow_match match = {0};
	char *name = strstr(word, "->");
	enum field_id field;
	int error;

	if (!name)
		return complain(complaint, -EINVAL, "set_field: '%s': expected VALUE->FIELD", word);
	*name = '\0';
	name += 2;
	field = field_of_name(name);
	if (field == N_FIELDS)
		return complain(complaint, -EINVAL, "set_field: '%s': there is no such field", name);
	if (!field_row(field)->settable)
		return complain(complaint, -EINVAL, "set_field: '%s': this field cannot be set", name);
	if (strchr(word, '/'))
		return complain(complaint, -EINVAL, "set_field: '%s': a value without a mask is expected", word);
	error = field_read_value(field, word, NULL, NULL, &match, complaint);
	if (error)
		return error;
	if (field == FIELD_VLAN_VID && !match.key.x.f.vlan_tci_be)
		return complain(complaint, -EINVAL, "set_field: '%s': expected a VID; pop_vlan takes a tag off", word);
	action->field = (uint8_t)field;
	field_read(field, &match.key, action->value);
	return 0;
}

/* Cuts "word:argument" or "word(argument)" up. Returns the argument, or NULL if there is none. */
static char *cut_argument(char *word)
{
	char *at = word + strcspn(word, ":(");
	size_t n;

	if (!*at)
		return NULL;
	n = strlen(at);
	if (*at == '(' && at[n - 1] == ')')
		at[n - 1] = '\0';
	else if (*at == '(')
		return NULL;
	*at = '\0';
	return at + 1;
}

static enum action_type type_of_word(const char *word)
{
	int i = 0;

	while (i < N_ACTIONS && strcmp(word, rows[i].word))
		i++;
	return i;
}

/* One word of the list. Cuts it up. */
static int read_action(char *word, const struct flow_names *names, struct action *ret, struct complaint *complaint)
{
	static const char *const expected[] = {
		[FORM_NONE] = " alone",
		[FORM_PORT] = ":PORT",
		[FORM_NUMBER] = ":NUMBER",
		[FORM_HEX] = ":ETHERTYPE",
		[FORM_FIELD] = ":VALUE->FIELD",
	};
	char *argument = cut_argument(word);
	enum action_type type = type_of_word(word);
	int error;

	if (read_reserved(word, argument, ret, complaint, &error))
		return error;
	if (type == N_ACTIONS)
		return complain(complaint, -EINVAL,
			"'%s': there is no such action; NORMAL, output:PORT and drop are the usual ones", word);
	if ((rows[type].form != FORM_NONE) != !!argument)
		return complain(complaint, -EINVAL, "'%s': expected %s%s", word, word, expected[rows[type].form]);
	*ret = (struct action){.type = (uint8_t)type};
	switch (rows[type].form) {
	case FORM_PORT:
		return read_port(argument, names, ret, complaint);
	case FORM_NUMBER:
	case FORM_HEX:
		return read_argument_number(argument, ret, complaint);
	case FORM_FIELD:
		return read_set_field(argument, ret, complaint);
	}
	return 0;
}

int actions_parse(const char *text, const struct flow_names *names, struct action *list, size_t size,
	struct actions *ret, struct complaint *complaint)
{
	uint32_t n_read = 0;

	for (const char *at = text; strcmp(text, "drop"); at++) {
		size_t n = strcspn(at, ",");
		char word[WORD_SIZE];
		int error;

		if (n >= sizeof(word))
			return complain(complaint, -EINVAL, "'%.32s...': longer than any action", at);
		if (n_read == size)
			return complain(complaint, -EINVAL, "'%.*s': more than %zu actions", (int)n, at, size);
		memcpy(word, at, n);
		word[n] = '\0';
		error = read_action(word, names, &list[n_read], complaint);
		if (error)
			return error;
		n_read++;
		at += n;
		if (!*at)
			break;
	}
	*ret = (struct actions){n_read, list};
	return 0;
}
