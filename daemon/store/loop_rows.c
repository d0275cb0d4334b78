/* loop_rows.c - which loop a name means. */
#include "daemon/store/inside.h"

enum gd_err loop_rows_put(struct store *s, const struct record *r, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_LOOP_PUT);

	bind_text(&b, r->u.loop.name);
	bind_i64(&b, r->u.loop.index);
	return db_run(&s->db, &b, why);
}

enum gd_err store_each_loop(struct store *s, store_loop_fn *fn, void *ctx, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_LOOPS_GET);
	bool        has_row;
	enum gd_err rc;

	while ((rc = db_step(&s->db, &b, &has_row, why)) == GD_OK && has_row) {
		rc = fn(ctx, row_text(&b, 0), (uint32_t)row_i64(&b, 1), why);
		if (rc != GD_OK)
			break;
	}
	db_done(&b);
	return rc;
}
