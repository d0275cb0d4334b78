#include "daemon/store/inside.h"

#include <string.h>

static enum gd_err run_plain(struct store *s, enum sql which, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, which);

	return db_run(&s->db, &b, why);
}

static enum gd_err put_state(struct store *s, struct gd_error *why)
{
	const struct state_row *row = &s->row;
	struct bind             b;

	if (memcmp(row, &s->tx.before, sizeof *row) == 0)
		return GD_OK;
	b = db_bind(&s->db, SQL_STATE_PUT);
	bind_u64(&b, row->next_job);
	bind_u64(&b, row->seq);
	for (int i = 0; i < STATUS_COUNT; i++)
		bind_u64(&b, row->jobs[i]);
	return db_run(&s->db, &b, why);
}

static enum gd_err write_groups(struct store *s, struct store_group *groups, struct gd_error *why)
{
	enum gd_err rc = GD_OK;

	for (struct store_group *g = groups; rc == GD_OK && g != NULL; g = g->next)
		rc = records_write(s, g, why);
	if (rc == GD_OK)
		rc = event_rows_flush(s, why);
	if (rc == GD_OK)
		rc = event_rows_scrub(s, why);
	if (rc == GD_OK)
		rc = put_state(s, why);
	return rc;
}

static void transaction_reset(struct transaction *tx)
{
	job_map_clear(&tx->jobs);
	job_map_clear(&tx->gone);
	buf_clear(&tx->scrub);
	chunk_clear(&tx->chunk);
}

void transaction_close(struct transaction *tx)
{
	job_map_close(&tx->jobs);
	job_map_close(&tx->gone);
	buf_close(&tx->scrub);
	buf_close(&tx->again);
	chunk_close(&tx->chunk);
}

static bool has_records(const struct store_group *groups)
{
	for (const struct store_group *g = groups; g != NULL; g = g->next) {
		if (g->count != 0)
			return true;
	}
	return false;
}

/* A COMMIT that failed may still be on the disk: whatever comes back now would be a guess, so the
 * sync is not tried again and nothing more is written. SQLite may have rolled back by itself. */
static void commit_once(struct store *s, struct store_group *groups)
{
	enum gd_err rc;

	s->tx.before = s->row;
	transaction_reset(&s->tx);
	rc = run_plain(s, SQL_BEGIN, &s->failure);
	if (rc == GD_OK)
		rc = write_groups(s, groups, &s->failure);
	if (rc == GD_OK)
		rc = run_plain(s, SQL_COMMIT, &s->failure);
	if (rc != GD_OK && sqlite3_get_autocommit(s->db.link) == 0)
		(void)run_plain(s, SQL_ROLLBACK, NULL);
}

void commit_groups(struct store *s, struct store_commit *c)
{
	uint64_t seq_before = s->row.seq;

	if (s->failure.code == GD_OK && has_records(c->groups))
		commit_once(s, c->groups);
	c->first_seq = seq_before + 1;
	if (s->failure.code != GD_OK) {
		c->outcome = GD_DURABILITY_UNKNOWN;
		c->why = s->failure;
		c->last_seq = seq_before;
		return;
	}
	c->outcome = GD_OK;
	c->last_seq = s->row.seq;
	atomic_store(&s->seq, s->row.seq);
}
