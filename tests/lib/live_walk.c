#include "tests/lib/live_walk.h"

#include "daemon/store/inside.h"

#define PAGE_ROWS 3 /* so that small stores have several pages */

static void take_nothing(struct store_read *r)
{
	(void)r;
}

static enum gd_err walk_page(struct store *s, struct store_read *r, live_walk_fn *fn, void *ctx,
                             struct gd_error *why)
{
	enum gd_err rc;

	read_answer(s, r);
	rc = r->outcome;
	if (rc != GD_OK && why != NULL)
		*why = r->why;
	for (uint32_t i = 0; i < r->live_count && rc == GD_OK; i++) {
		const struct store_live *live = &r->live[i];

		rc = fn(ctx, &live->job, live->last_ordinal, live->inputs, live->input_count, why);
	}
	arena_close(&r->arena);
	return rc;
}

enum gd_err live_walk(struct store *s, live_walk_fn *fn, void *ctx, struct gd_error *why)
{
	uint64_t    after = 0;
	enum gd_err rc;

	do {
		struct store_read r = { .kind = READ_LIVE,
			                .done = take_nothing,
			                .after = after,
			                .job = INT64_MAX,
			                .parts = 1,
			                .limit = PAGE_ROWS,
			                .bytes_max = SIZE_MAX };

		rc = walk_page(s, &r, fn, ctx, why);
		after = r.next_after;
	} while (rc == GD_OK && after != 0);
	return rc;
}
