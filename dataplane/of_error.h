/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * of_error.h - what a controller must hear when its message is refused (OF 1.3.5 §7.5.4).
 *
 * A vocabulary of its own beside 0 and -errno, never mixed with that in one return type. Wire type, wire code and text
 * are in of_error.def's rows.
 */
#ifndef DATAPLANE_OF_ERROR_H
#define DATAPLANE_OF_ERROR_H

#include <stdint.h>

enum of_err {
	OF_OK,
#define ERROR(id, type, code, text) OF_ERR_##id,
#include "dataplane/of_error.def"
#undef ERROR
	N_OF_ERRS
};

struct of_error_row {
	const char *text;
	uint16_t type, code;
};
const struct of_error_row *of_error_row(enum of_err error);

#endif
