/*
 * live_walk.h - every job that is not over, by id, each with its journaled inputs in order.
 *
 * A store that is open and has no thread yet is read page by page, as recovery does. The callback's
 * arguments live until it returns; an error from it ends the walk.
 */
#ifndef GATHERD_TESTS_LIVE_WALK_H
#define GATHERD_TESTS_LIVE_WALK_H

#include "daemon/store/store.h"

typedef enum gd_err      live_walk_fn(void *ctx, const struct store_job *job, uint32_t last_ordinal,
                                      const struct store_input *inputs, uint32_t input_count,
                                      struct gd_error *why);
GD_NODISCARD enum gd_err live_walk(struct store *s, live_walk_fn *fn, void *ctx,
                                   struct gd_error *why);

#endif
