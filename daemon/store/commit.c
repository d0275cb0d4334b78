#include "daemon/store/inside.h"

#include "proto/base/failpoint.h"

#include <string.h>

static enum gd_err run_plain(struct store *s, enum sql which, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, which);

	return db_run(&s->db, &b, why);
}

static enum gd_err write_groups(struct store *s, void *ctx, struct gd_error *why)
{
	gd_nsec     latest = 0;
	enum gd_err rc = GD_OK;

	s->row.commits++;
	for (struct store_group *g = ctx; rc == GD_OK && g != NULL; g = g->next) {
		latest = g->latest > latest ? g->latest : latest;
		rc = records_write(s, g, why);
	}
	if (rc == GD_OK)
		rc = clock_rows_reach(s, latest, why);
	if (rc == GD_OK)
		rc = event_rows_finish(s, why);
	if (rc == GD_OK)
		rc = event_rows_scrub(s, why);
	s->tx.is_done = rc == GD_OK && state_may_wait(s);
	if (s->tx.is_done)
		s->row.unlisted++;
	return rc == GD_OK ? event_log_mark(s, why) : rc;
}

static void transaction_reset(struct transaction *tx)
{
	job_map_clear(&tx->jobs);
	job_map_clear(&tx->gone);
	buf_clear(&tx->scrub);
	chunk_clear(&tx->chunk);
	tx->outputs.cap = OUTPUT_GONE_BYTES_MAX;
	buf_clear(&tx->outputs);
	tx->has_now = false;
	tx->is_done = false;
}

void transaction_close(struct transaction *tx)
{
	job_map_close(&tx->jobs);
	job_map_close(&tx->gone);
	buf_close(&tx->scrub);
	buf_close(&tx->again);
	buf_close(&tx->ended_before.ids);
	buf_close(&tx->outputs);
	buf_close(&tx->leaving);
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

/* Before anybody is told. */
static void note_last_commit(struct store *s)
{
	struct last_commit now = store_last_commit(s);

	last_commit_note(&s->last, &now);
}

/* One try. SQLite may have rolled back by itself. */
enum gd_err transaction_run(struct store *s, transaction_body *body, void *ctx,
                            struct gd_error *why)
{
	enum gd_err rc;

	transaction_reset(&s->tx);
	s->tx.before = s->row;
	s->tx.horizon_before = s->clock.horizon;
	if (expiry_copy(&s->tx.ended_before, &s->ended) != GD_OK)
		return gd_fail(why, GD_NOMEM, "jobs: out of memory");
	rc = run_plain(s, SQL_BEGIN, why);
	GD_FAILPOINT("store.begun");
	if (rc == GD_OK)
		rc = body(s, ctx, why);
	if (rc == GD_OK && !s->tx.is_done)
		rc = state_settle(s, why);
	GD_FAILPOINT("store.written");
	if (rc == GD_OK)
		rc = run_plain(s, SQL_COMMIT, why);
	GD_FAILPOINT("store.committed");
	if (rc != GD_OK && sqlite3_get_autocommit(s->db.link) == 0)
		(void)run_plain(s, SQL_ROLLBACK, NULL);
	if (rc != GD_OK)
		return rc;
	if (!s->tx.is_done)
		s->is_behind = false;
	note_last_commit(s);
	output_let_go(&s->output, s->tx.outputs.at, s->tx.outputs.bytes);
	return GD_OK;
}

/* As if the try had not been, so that the next one does all of it again and comes to the same
 * numbers. What it has put into s->voided stays: it will be put there again. */
void transaction_forget(struct store *s)
{
	s->row = s->tx.before;
	s->clock.horizon = s->tx.horizon_before;
	if (expiry_copy(&s->ended, &s->tx.ended_before) != GD_OK)
		(void)gd_fail(&s->failure, GD_NOMEM, "jobs: out of memory");
	else
		(void)!retention_load(s, &s->failure);
}

static void forget_try(struct store *s, struct store_group *groups)
{
	transaction_forget(s);
	for (struct store_group *g = groups; g != NULL; g = g->next) {
		for (struct record *r = g->first; r != NULL; r = r->next) {
			r->outcome = GD_OK;
			r->existing = 0;
			r->existing_seq = 0;
		}
	}
}

/* A COMMIT that failed may still be on the disk: whatever comes back now would be a guess, so the
 * sync is not tried again and nothing more is written. Only a full disk says what has happened:
 * nothing. Then the log starts over where it can, since overwriting it needs no room. */
static void try_commit(struct store *s, struct store_commit *c)
{
	bool is_whole = false;

	for (;;) {
		if (transaction_run(s, write_groups, c->groups, &c->why) == GD_OK) {
			c->why.code = GD_OK;
			return;
		}
		if (!db_is_without_room(&c->why) || sqlite3_get_autocommit(s->db.link) == 0) {
			s->failure = c->why;
			return;
		}
		forget_try(s, c->groups);
		if (s->failure.code != GD_OK || is_whole || s->db.wal_pages == 0 ||
		    db_checkpoint(&s->db, SQLITE_CHECKPOINT_PASSIVE, &is_whole, &s->failure) !=
		            GD_OK ||
		    !is_whole)
			return;
	}
}

void commit_groups(struct store *s, struct store_commit *c)
{
	uint64_t seq_before = s->row.seq;

	c->why.code = GD_OK;
	if (s->failure.code == GD_OK && has_records(c->groups))
		try_commit(s, c);
	c->first_seq = seq_before + 1;
	if (s->failure.code != GD_OK) {
		c->outcome = GD_DURABILITY_UNKNOWN;
		c->why = s->failure;
		c->last_seq = seq_before;
		return;
	}
	c->outcome = c->why.code == GD_OK ? GD_OK : GD_UNAVAILABLE;
	c->last_seq = s->row.seq;
	atomic_store(&s->seq, s->row.seq);
}
