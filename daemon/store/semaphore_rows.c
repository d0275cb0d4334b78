/* semaphore_rows.c - the permits that were put. One permit is what a plain name has without a row;
 * a pool has as many as there are cores, which may be more tomorrow: that is a number of its own
 * only when somebody said it. */
#include "daemon/store/inside.h"

enum gd_err semaphore_rows_put(struct store *s, struct record *r, struct gd_error *why)
{
	bool is_usual = r->u.semaphore.permits == STORE_PERMITS_USUAL ||
	                (r->u.semaphore.kind == SEMAPHORE_PLAIN && r->u.semaphore.permits == 1);
	struct bind b = db_bind(&s->db, is_usual ? SQL_SEMAPHORE_DROP : SQL_SEMAPHORE_PUT);

	bind_i64(&b, r->u.semaphore.kind);
	bind_text(&b, r->u.semaphore.name);
	if (!is_usual)
		bind_i64(&b, r->u.semaphore.permits);
	r->u.semaphore.serial = ++s->semaphore_serial;
	return db_run(&s->db, &b, why);
}

enum gd_err store_each_semaphore(struct store *s, enum semaphore_kind kind, store_semaphore_fn *fn,
                                 void *ctx, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_SEMAPHORES_GET);
	bool        has_row;
	enum gd_err rc;

	bind_i64(&b, kind);
	while ((rc = db_step(&s->db, &b, &has_row, why)) == GD_OK && has_row) {
		rc = fn(ctx, row_text(&b, 0), (uint32_t)row_i64(&b, 1), why);
		if (rc != GD_OK)
			break;
	}
	db_done(&b);
	return rc;
}
