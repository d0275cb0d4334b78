/* The signal that a job got under a key, for a job that its loop has forgotten. */
#include "daemon/store/inside.h"

#include "daemon/store/journal.h"

/* Of the latest inputs: who repeats a signal does so soon, and the next commit need not wait long. */
#define LOOKED_AT_ROWS_MAX 1000u
#define LOOKED_AT_BYTES_MAX (4u << 20)

static enum gd_err find_signal(struct store *s, struct store_read *r, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_INPUTS_LATEST);
	uint32_t    rows = 0;
	size_t      bytes = 0;
	bool        has_row;
	enum gd_err rc;

	bind_u64(&b, r->job);
	while ((rc = db_step(&s->db, &b, &has_row, why)) == GD_OK && has_row) {
		struct text row = row_blob(&b, 2);

		if (journal_is_signal(row.at, row.bytes, r->signal_key.at, r->signal_key.bytes)) {
			r->signal.number = (uint32_t)row_i64(&b, 0);
			r->signal.time = row_i64(&b, 1);
			r->signal.bytes.at = arena_copy(&r->arena, row.at, row.bytes);
			r->signal.bytes.bytes = row.bytes;
			break;
		}
		bytes += row.bytes;
		if (++rows >= LOOKED_AT_ROWS_MAX || bytes >= LOOKED_AT_BYTES_MAX)
			break;
	}
	db_done(&b);
	return r->arena.failed ? gd_fail(why, GD_NOMEM, "signals: out of memory") : rc;
}

enum gd_err read_signal(struct store *s, struct store_read *r, struct gd_error *why)
{
	enum gd_err rc = read_job(s, r, why);

	return rc == GD_OK ? find_signal(s, r, why) : rc;
}
