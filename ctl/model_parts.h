/* SPDX-License-Identifier: BSD-2-Clause */
/* model_parts.h - what the files of the model know of each other: arrays that grow, and the elements in
 * model_channel.c. */
#ifndef CTL_MODEL_PARTS_H
#define CTL_MODEL_PARTS_H

#include "ctl/model.h"

/* Makes room for one more in an array that doubles; zeroes it. NULL: out of memory. */
void *model_grow(void **array, unsigned *n, size_t size);
void model_shrink(void *array, unsigned *n, size_t size, unsigned index);

/* NULL: none. -ENOMEM. */
int model_copy_trouble(char **to, const char *from);

/* model_mirror.c */
void model_drop_mirrors_of(struct model *model, const char *bridge);
/* Those that name the port, but for those of bridge `but_of`. */
void model_drop_mirrors_with(struct model *model, const char *port, const char *but_of);
int model_merge_mirrors(struct model *model, const struct model *from);
bool model_same_mirror(const struct mirror_config *a, const struct mirror_config *b);
int model_add_mirror(struct model *model, const struct request *request, struct grammar_problem *problem);

/* model_channel.c */
void model_free_channel(struct model_channel *channel);
void model_drop_channels_of(struct model *model, const char *bridge);
int model_merge_channels(struct model *model, const struct model *from);

#endif
