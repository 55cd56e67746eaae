/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grammar.h - the one language of the control sockets, the configuration file and switchctl.
 *
 * What: a table with a row for each command (commands.c), and a parser that walks the rows. Help, completion, the
 * error texts and the check of the manual page read the same rows.
 *
 * Shape of a command: its words (`port add`), its arguments by place, then its options by name, in any order, each at
 * most once and each with at most one value. An option may be written with two dashes in front. Only the value of
 * `vlan` is several words.
 *
 * Invariants
 * G1 The parser changes nothing and asks nobody: whether a bridge exists is the handler's business.
 * G2 Wherever a line is refused, `expected` lists what could have stood there; a completion is that list.
 */
#ifndef CTL_GRAMMAR_H
#define CTL_GRAMMAR_H

#include "dataplane/cpu_list.h"
#include "dataplane/vlan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct words;

enum command_id {
	CMD_BRIDGE_ADD,
	CMD_BRIDGE_DEL,
	CMD_BRIDGE_SET,
	CMD_BRIDGE_SHOW,
	CMD_PORT_ADD,
	CMD_PORT_DEL,
	CMD_PORT_SET,
	CMD_PORT_SHOW,
	CMD_FDB_ADD,
	CMD_FDB_DEL,
	CMD_FDB_FLUSH,
	CMD_FDB_SHOW,
	CMD_MIRROR_ADD,
	CMD_MIRROR_DEL,
	CMD_MIRROR_SHOW,
	CMD_CACHE_SHOW,
	CMD_CACHE_FLUSH,
	CMD_STATS,
	CMD_DROPS,
	CMD_TRACE,
	CMD_WATCH,
	CMD_CONFIG_SHOW,
	CMD_CONFIG_SAVE,
	CMD_CONFIG_LOAD,
	CMD_CONTROL_LISTEN,
	CMD_CONTROL_CLOSE,
	CMD_CONTROL_SHOW,
	CMD_CONTROLLER_ADD,
	CMD_CONTROLLER_DEL,
	CMD_CONTROLLER_SHOW,
	CMD_OPENFLOW_LISTEN,
	CMD_OPENFLOW_CLOSE,
	CMD_OPENFLOW_SHOW,
	CMD_METRICS_LISTEN,
	CMD_METRICS_CLOSE,
	CMD_METRICS_SHOW,
	CMD_SHOW_XDP,
	CMD_LOG,
	CMD_VERSION,
	CMD_DAEMON_STOP,
	CMD_PKI_INIT,
	CMD_HELP,
	N_COMMANDS
};

enum arg_kind {
	ARG_NONE,
	ARG_BRIDGE,  /* a bridge's name: 1 to 15 of [A-Za-z0-9_.-] */
	ARG_PORT,    /* a port's, likewise */
	ARG_DEVICE,  /* a network device's, likewise */
	ARG_MIRROR,  /* a mirror's, likewise */
	ARG_NAME,    /* one that nothing has yet, likewise */
	ARG_NETNS,   /* a named network namespace */
	ARG_MAC,     /* a unicast or multicast address, aa:bb:cc:dd:ee:ff */
	ARG_NUMBER,  /* min .. max */
	ARG_CHOICE,  /* one of `choices` */
	ARG_VLAN,    /* several words, see vlan.h */
	ARG_FILE,    /* a path */
	ARG_ADDRESS, /* tls:HOST:PORT */
	ARG_TARGET,  /* tcp:HOST:PORT or tls:HOST:PORT */
	ARG_PORTS,   /* ports' names with commas between them; whether they can be that is the statement's to say */
	ARG_CPUS,    /* none, or a list of CPUs as 0,2-3, see cpu_list.h */
	ARG_DPID,    /* a datapath id, not 0: 16 hex digits, 0x and fewer, or eight pairs */
	ARG_TEXT,    /* a word of any kind */
	ARG_WORDS,   /* all the words that are left, at least one unless optional */
};

struct grammar_arg {
	enum arg_kind kind;
	const char *name;    /* as help spells it */
	const char *choices; /* ARG_CHOICE: "on|off"; the value's number is the index */
	uint64_t min, max;   /* ARG_NUMBER */
	bool optional;
};

struct grammar_option {
	const char *word;
	struct grammar_arg value; /* ARG_NONE: a flag */
	bool required;
};

#define GRAMMAR_MAX_ARGS    3
#define GRAMMAR_MAX_OPTIONS 12

/* Flags of a command. */
#define COMMAND_STATEMENT    1 /* may stand in a configuration file */
#define COMMAND_CONFIGURES   2 /* changes the configuration */
#define COMMAND_LOCAL        4 /* switchctl does it by itself or out of other commands */
#define COMMAND_NEEDS_OPTION 8

struct grammar_command {
	const char *words[2];
	struct grammar_arg args[GRAMMAR_MAX_ARGS];
	struct grammar_option options[GRAMMAR_MAX_OPTIONS];
	unsigned flags;
	const char *help;
};

/* By enum command_id. */
extern const struct grammar_command grammar_commands[N_COMMANDS];

struct grammar_value {
	bool given;
	unsigned index;   /* of its word */
	const char *text; /* borrowed from the words */
	uint64_t number;  /* ARG_NUMBER, ARG_CHOICE, ARG_DPID */
	uint8_t mac[6];   /* ARG_MAC */
};

struct request {
	enum command_id id;
	const struct words *words; /* borrowed; values point into it */
	struct grammar_value args[GRAMMAR_MAX_ARGS];
	struct grammar_value options[GRAMMAR_MAX_OPTIONS];
	struct vlan_config vlan; /* when an ARG_VLAN was given */
	struct cpu_list cpus;    /* when an ARG_CPUS was given */
	unsigned rest;           /* ARG_WORDS: index of the first */
};

/* Why a line was refused. All its texts are safe to print. */
struct grammar_problem {
	bool not_yet;       /* a word of a part that does not exist yet; refused rather than misspelt */
	unsigned column;    /* of the word, from 1; 0: the end of the line */
	char word[80];      /* at fault; "" at the end of the line */
	char expected[400]; /* "bridge, port, fdb …" or "NUMBER from 0 to 10" */
	char text[400];
};

/* -EINVAL with the problem; an empty line is one too. `ret` is then undefined. */
int grammar_parse(const struct words *words, struct request *ret, struct grammar_problem *problem);

/* The value of the option `word` of the request's command, or NULL when it was not given. */
const struct grammar_value *request_option(const struct request *request, const char *word);

/* Fills `problem` for a value that only a handler can judge. Returns -EINVAL. */
int grammar_fault(struct grammar_problem *problem, const struct request *request, const struct grammar_value *value,
	const char *expected, const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * Calls `each` for everything that could stand behind `words`: a word, or (word NULL) a value of some kind. Nothing
 * when the words themselves are wrong.
 */
void grammar_complete(const struct words *words,
	void (*each)(void *ctx, const char *word, size_t word_size, const struct grammar_arg *arg), void *ctx);

/* "port add BRIDGE PORT [type tap|veth|internal] …". As snprintf(). */
size_t grammar_syntax(enum command_id id, char *text, size_t size);

#endif
