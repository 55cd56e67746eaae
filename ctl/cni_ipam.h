/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cni_ipam.h - the IPAM plugin that a network names: found below CNI_PATH, given our own environment and configuration
 * as they came, and heard (CNI 1.0.0, section 4, "Plugin Delegation").
 */
#ifndef CTL_CNI_IPAM_H
#define CTL_CNI_IPAM_H

#include "ctl/cni.h"

/*
 * `command`: CNI_COMMAND for it. *ret (may be NULL) is what it printed, for the caller to put; of an ADD an object,
 * else NULL when it printed nothing. An error of its own is passed on with its code, and its name in front.
 */
enum cni_code cni_ipam_run(
	const struct cni_request *request, const char *command, struct json_object **ret, struct cni_error *error);

#endif
