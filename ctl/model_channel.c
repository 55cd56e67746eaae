/* SPDX-License-Identifier: BSD-2-Clause */
/* The model's OpenFlow channels, and the arrays that all its elements stand in. */
#include "ctl/model_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void *model_grow(void **array, unsigned *n, size_t size)
{
	unsigned room = *n ? *n : 8;
	void *grown;
	char *element;

	if (!*n || !(*n & (*n - 1))) {
		room = *n < 8 ? 8 : *n * 2;
		grown = realloc(*array, room * size);
		if (!grown)
			return NULL;
		*array = grown;
	}
	element = (char *)*array + *n * size;
	memset(element, 0, size);
	*n += 1;
	return element;
}

void model_shrink(void *array, unsigned *n, size_t size, unsigned index)
{
	char *element = (char *)array + index * size;

	*n -= 1;
	memmove(element, element + size, (*n - index) * size);
}

void model_free_channel(struct model_channel *channel)
{
	channel_config_free(&channel->config);
	free(channel->trouble);
}

struct model_channel *model_channel(
	const struct model *model, const char *bridge, enum channel_kind kind, const char *address)
{
	for (unsigned i = 0; i < model->n_channels; i++) {
		struct model_channel *channel = &model->channels[i];

		if (channel->config.kind == kind && !strcmp(channel->config.address, address) &&
			!strcmp(channel->bridge, bridge))
			return channel;
	}
	return NULL;
}

struct model_channel *model_put_channel(struct model *model, const char *bridge, const struct channel_config *config)
{
	struct model_channel *channel = model_channel(model, bridge, config->kind, config->address);
	struct channel_config copy;

	if (channel_config_copy(config, &copy))
		return NULL;
	if (channel)
		model_free_channel(channel);
	else
		channel = model_grow((void **)&model->channels, &model->n_channels, sizeof(*channel));
	if (!channel) {
		channel_config_free(&copy);
		return NULL;
	}
	*channel = (struct model_channel){.config = copy};
	strncpy(channel->bridge, bridge, sizeof(channel->bridge) - 1);
	return channel;
}

bool model_drop_channel(struct model *model, const char *bridge, enum channel_kind kind, const char *address)
{
	struct model_channel *channel = model_channel(model, bridge, kind, address);

	if (!channel)
		return false;
	model_free_channel(channel);
	model_shrink(model->channels, &model->n_channels, sizeof(*channel), (unsigned)(channel - model->channels));
	return true;
}

void model_drop_channels_of(struct model *model, const char *bridge)
{
	for (unsigned i = model->n_channels; i-- > 0;) {
		if (strcmp(model->channels[i].bridge, bridge) != 0)
			continue;
		model_free_channel(&model->channels[i]);
		model_shrink(model->channels, &model->n_channels, sizeof(model->channels[i]), i);
	}
}

int model_merge_channels(struct model *model, const struct model *from)
{
	for (unsigned i = 0; i < from->n_channels; i++) {
		const struct model_channel *channel = &from->channels[i];
		struct model_channel *to = model_put_channel(model, channel->bridge, &channel->config);

		if (!to || model_copy_trouble(&to->trouble, channel->trouble))
			return -ENOMEM;
	}
	return 0;
}
