/* SPDX-License-Identifier: BSD-2-Clause */
/* What was configured, copied and compared. */
#include "ofp/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct channel_config channel_config_default(enum channel_kind kind)
{
	return (struct channel_config){.kind = kind,
		.rate_limit = CHANNEL_DEFAULT_RATE_LIMIT,
		.burst = CHANNEL_DEFAULT_BURST,
		.max_backoff_s = CHANNEL_DEFAULT_MAX_BACKOFF,
		.probe_s = CHANNEL_DEFAULT_PROBE};
}

static bool copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

int channel_config_copy(const struct channel_config *from, struct channel_config *ret)
{
	struct channel_config fresh = *from;
	bool done = copy(&fresh.address, from->address);

	done = copy(&fresh.cert, from->cert) && done;
	done = copy(&fresh.key, from->key) && done;
	done = copy(&fresh.ca, from->ca) && done;
	done = copy(&fresh.crl, from->crl) && done;
	if (!done) {
		channel_config_free(&fresh);
		return -ENOMEM;
	}
	*ret = fresh;
	return 0;
}

void channel_config_free(struct channel_config *config)
{
	free(config->address);
	free(config->cert);
	free(config->key);
	free(config->ca);
	free(config->crl);
	config->address = config->cert = config->key = config->ca = config->crl = NULL;
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool channel_config_same(const struct channel_config *a, const struct channel_config *b)
{
	return a->kind == b->kind && same(a->address, b->address) && same(a->cert, b->cert) && same(a->key, b->key) &&
	       same(a->ca, b->ca) && same(a->crl, b->crl) && a->rate_limit == b->rate_limit && a->burst == b->burst &&
	       a->max_backoff_s == b->max_backoff_s && a->probe_s == b->probe_s && a->auxiliary == b->auxiliary;
}
