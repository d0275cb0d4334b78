#include "daemon/store/inside.h"

#define PAGE_BYTES 4096u

/* --- bounds --- */

void store_retain(struct store *s, const struct store_retention *bounds)
{
	struct retention *r = &s->retention;

	atomic_store(&r->jobs_age, bounds->jobs_age);
	atomic_store(&r->events_age, bounds->events_age);
	atomic_store(&r->jobs_max, bounds->jobs_max);
	atomic_store(&r->events_max, bounds->events_max);
	atomic_store(&r->bytes_max, bounds->bytes_max);
	output_set_max(&s->output, bounds->output_max);
}

enum gd_err retention_load(struct store *s, struct gd_error *why)
{
	enum gd_err rc = expiry_load(s, why);

	return rc == GD_OK ? event_log_load(s, why) : rc;
}

/* --- what is due --- */

bool retention_is_due(const struct store *s)
{
	gd_nsec now = store_now(s);

	return expiry_is_due(s, now) || event_log_is_due(s, now) || event_log_needs_mark(s, now);
}

/* Something that comes with a commit or a new bound is found at the next look anyway. */
gd_nsec retention_wait(const struct store *s)
{
	const struct retention *r = &s->retention;
	gd_nsec                 next = r->next_due;
	gd_nsec                 age = atomic_load(&r->events_age);
	gd_nsec                 now = store_now(s);

	if (age != 0 && r->first_mark != GD_NSEC_NEVER && r->first_mark < next - age)
		next = r->first_mark + age;
	return next <= now ? 0 : next - now;
}

enum gd_err retention_measure(struct store *s, struct gd_error *why)
{
	struct retention *r = &s->retention;
	uint64_t          max = atomic_load(&r->bytes_max);
	struct bind       b;
	bool              has_row;
	enum gd_err       rc;

	r->is_too_large = false;
	if (max == 0 || (r->next_due == GD_NSEC_NEVER && r->first_end == 0))
		return GD_OK;
	b = db_bind(&s->db, SQL_SPACE_USED);
	rc = db_step(&s->db, &b, &has_row, why);
	if (rc != GD_OK)
		return rc;
	r->is_too_large = has_row && row_u64(&b, 0) > max / PAGE_BYTES;
	db_done(&b);
	return GD_OK;
}

/* --- slices --- */

static enum gd_err run_slices(struct store *s, void *ctx, struct gd_error *why)
{
	const uint32_t *slices = ctx;
	gd_nsec         now = store_now(s);
	enum gd_err     rc = GD_OK;

	s->row.commits++;
	for (uint32_t i = 0; rc == GD_OK && i < *slices && retention_is_due(s); i++) {
		rc = event_log_mark(s, why);
		if (rc == GD_OK && event_log_is_due(s, now))
			rc = event_log_slice(s, now, why);
		if (rc == GD_OK)
			rc = retention_measure(s, why);
		if (rc == GD_OK && expiry_is_due(s, now))
			rc = expiry_slice(s, now, why);
	}
	return rc;
}

/* Without room on the disk it all stays due, and is tried again. */
void retention_run(struct store *s, uint32_t slices)
{
	struct gd_error why;

	if (transaction_run(s, run_slices, &slices, &why) == GD_OK)
		return;
	if (db_is_without_room(&why) && sqlite3_get_autocommit(s->db.link) != 0)
		transaction_forget(s);
	else
		s->failure = why;
}
