/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * statement.h - what a statement of the grammar means, as data, and the way back to text.
 *
 * Each reader takes a request of its own command, checks what the grammar's rows cannot (a peer needs `type veth`), and
 * fills the struct that the switch takes. Each writer prints the statement that reads back as the same.
 */
#ifndef CTL_STATEMENT_H
#define CTL_STATEMENT_H

#include "dataplane/vswitch.h"
#include "ofp/channel.h"

struct grammar_problem;
struct grammar_value;
struct request;

/* A static address. */
struct static_mac {
	char bridge[SW_NAME_SIZE];
	char port[SW_NAME_SIZE];
	uint16_t vid;
	uint8_t mac[6];
};

#define STATEMENT_SIZE 16384 /* holds any statement that a writer prints, of those whose writer says no other */

/* What a bridge does while it has controllers and none of them is connected; see ofp/agent.h. */
enum fail_wish { FAIL_WISH_NONE, FAIL_WISH_SECURE, FAIL_WISH_STANDALONE };

/* Listeners that are no bridge's. */
enum listener_kind { LISTENER_CONTROL, LISTENER_METRICS };

/* `port add`. */
int statement_port(const struct request *request, struct port_config *ret, struct grammar_problem *problem);
/* `port set`: changes `config` and says what of it in *ret_which. */
int statement_port_changes(const struct request *request, struct port_config *config, unsigned *ret_which,
	struct grammar_problem *problem);
/* `bridge set`: what the switch keeps of it, and what the OpenFlow agent does. */
void statement_bridge(const struct request *request, struct bridge_settings *ret, enum fail_wish *ret_fail);
/*
 * `controller add`, `openflow listen`: relative paths begin in `dir`, NULL: are refused. The caller frees *ret with
 * channel_config_free(). -EINVAL with the problem, -ENOMEM with one too.
 */
int statement_channel(
	const struct request *request, const char *dir, struct channel_config *ret, struct grammar_problem *problem);
/* TLS has a certificate, a key and a CA; bare TCP has none of them. -EINVAL with the problem. */
int statement_files(
	const struct request *request, const struct grammar_value *address, struct grammar_problem *problem);
/* `fdb add`. */
void statement_mac(const struct request *request, struct static_mac *ret);

/* `mirror add`. */
int statement_mirror(const struct request *request, struct mirror_config *ret, struct grammar_problem *problem);

/* As snprintf(). */
size_t statement_print_port(const struct port_config *config, char *text, size_t size);
/* What differs from a new bridge; 0 and an empty text when nothing does. */
size_t statement_print_bridge(
	const char *name, const struct bridge_settings *settings, enum fail_wish fail, char *text, size_t size);
/* Five quoted words of PATH_MAX may be in it. */
size_t statement_print_channel(const char *bridge, const struct channel_config *config, char *text, size_t size);
size_t statement_print_mirror(const struct mirror_config *config, char *text, size_t size);
/* "p1,p2" */
size_t statement_print_mirror_ports(const struct mirror_ports *ports, char *text, size_t size);
size_t statement_print_mac(const struct static_mac *mac, char *text, size_t size);

/* "native", as the grammar spells it. */
const char *statement_mode(enum port_mode_wish mode);
const char *statement_hook(enum port_hook_wish hook);
const char *statement_type(enum port_type type);

#endif
