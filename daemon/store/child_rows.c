/* child_rows.c - what makes a job a child of another one. */
#include "daemon/store/inside.h"

enum gd_err child_rows_put(struct store *s, const struct store_job *j, struct gd_error *why)
{
	const struct store_child *c = j->child;
	struct bind               b = db_bind(&s->db, SQL_CHILD_PUT);

	bind_u64(&b, j->id);
	bind_u64(&b, c->parent);
	bind_i64(&b, c->ticket);
	bind_text(&b, c->code);
	bind_text(&b, c->base);
	bind_blob(&b, c->captures.at, c->captures.bytes);
	return db_run(&s->db, &b, why);
}

enum gd_err child_rows_leaf(struct store *s, uint64_t job, uint64_t *leaf, struct gd_error *why)
{
	bool        has_row = true;
	enum gd_err rc = GD_OK;

	*leaf = job;
	while (rc == GD_OK && has_row) {
		struct bind b = db_bind(&s->db, SQL_CHILD_FIRST);

		bind_u64(&b, *leaf);
		rc = db_step(&s->db, &b, &has_row, why);
		if (rc != GD_OK || !has_row)
			break;
		*leaf = row_u64(&b, 0);
		db_done(&b);
	}
	return rc;
}

enum gd_err child_rows_is_live_below(struct store *s, uint64_t job, bool *is_live,
                                     struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_IS_LIVE_BELOW);
	bool        has_row;
	enum gd_err rc;

	*is_live = false;
	bind_u64(&b, job);
	rc = db_step(&s->db, &b, &has_row, why);
	if (rc != GD_OK || !has_row)
		return rc;
	*is_live = row_i64(&b, 0) != 0;
	db_done(&b);
	return GD_OK;
}

/* --- reading --- */

static struct text kept(struct arena *a, struct text text)
{
	return (struct text){ arena_copy(a, text.at, text.bytes), text.bytes };
}

static enum gd_err look_for(struct store *s, struct store_read *r, struct store_outcome *o,
                            struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_CHILD_OUTCOME);
	bool        has_row;
	enum gd_err rc;

	o->is_known = true;
	o->job = 0;
	bind_u64(&b, o->parent);
	bind_i64(&b, o->ticket);
	rc = db_step(&s->db, &b, &has_row, why);
	if (rc != GD_OK || !has_row)
		return rc;
	o->job = row_u64(&b, 0);
	o->status = (enum job_status)row_i64(&b, 1);
	o->ended = row_i64(&b, 2);
	o->result = kept(&r->arena, row_text(&b, 3));
	o->error = kept(&r->arena, row_text(&b, 4));
	db_done(&b);
	return r->arena.failed ? gd_fail(why, GD_NOMEM, "children: out of memory") : GD_OK;
}

enum gd_err child_rows_read_outcomes(struct store *s, struct store_read *r, struct gd_error *why)
{
	enum gd_err rc = GD_OK;

	for (uint32_t i = 0; rc == GD_OK && i < r->outcome_count; i++) {
		if (i != 0 && r->arena.bytes >= r->bytes_max)
			break;
		rc = look_for(s, r, &r->outcomes[i], why);
	}
	return rc;
}
