/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/of_error.h"

static const struct of_error_row rows[N_OF_ERRS] = {
	[OF_OK] = {"no error", 0, 0},
#define ERROR(id, type, code, text) [OF_ERR_##id] = {text, type, code},
#include "dataplane/of_error.def"
#undef ERROR
};

const struct of_error_row *of_error_row(enum of_err error)
{
	return &rows[error < N_OF_ERRS ? error : OF_OK];
}
