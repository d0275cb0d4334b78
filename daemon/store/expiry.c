/*
 * expiry.c - jobs that have ended, by when they leave.
 *
 * A row of table `expiry` lists jobs that ended within a second and asked for the same time. Its
 * `due` is that of the last of them, so that none leaves early. It is written when it is full, when
 * another list begins, and with state_settle(); until then a start finds its jobs by their last
 * events (state_row.c) and may list some of them twice. A job that was deleted meanwhile is
 * still in its list and passed over: an id is never given out twice.
 */
#include "daemon/store/inside.h"

#include <stdlib.h>
#include <string.h>

#define LISTS_MAX 256               /* in one slice */
#define LIST_SPAN GD_NSEC_PER_SEC   /* so much longer may a job stay than it asked for */
#define DUE_MAX (GD_NSEC_NEVER - 1) /* no age ends it; a number may */

/* --- lists --- */

static gd_nsec due_of(const struct store *s, const struct ended_list *l)
{
	gd_nsec age = l->retain != 0 ? l->retain : atomic_load(&s->retention.jobs_age);

	return age == 0 || l->ended > DUE_MAX - age ? DUE_MAX : l->ended + age;
}

/* Jobs that stand in no row yet are due as well. */
static void note_due(struct store *s)
{
	gd_nsec due = due_of(s, &s->ended);

	if (s->ended.count != 0 && due < s->retention.next_due)
		s->retention.next_due = due;
}

enum gd_err expiry_flush(struct store *s, struct gd_error *why)
{
	struct ended_list *l = &s->ended;
	gd_nsec            due = due_of(s, l);
	struct bind        b;
	enum gd_err        rc;

	if (l->count == 0)
		return GD_OK;
	if (l->ids.failed != GD_OK)
		return gd_fail(why, GD_NOMEM, "jobs: out of memory");
	b = db_bind(&s->db, SQL_EXPIRY_PUT);
	bind_i64(&b, due);
	bind_text(&b, (struct text){ l->ids.at, l->ids.bytes });
	rc = db_run(&s->db, &b, why);
	if (rc == GD_OK && due < s->retention.next_due)
		s->retention.next_due = due;
	buf_clear(&l->ids);
	l->count = 0;
	return rc;
}

enum gd_err expiry_add(struct store *s, uint64_t job, gd_nsec ended, gd_nsec retain,
                       struct gd_error *why)
{
	struct ended_list *l = &s->ended;
	gd_nsec            now = store_now(s);
	enum gd_err        rc = GD_OK;

	if (retain == STORE_RETAIN_WITH_PARENT)
		return GD_OK;
	if (l->count == EXPIRY_LIST_MAX || l->retain != retain || now < l->began ||
	    now - l->began > LIST_SPAN)
		rc = expiry_flush(s, why);
	if (l->count == 0)
		l->began = now;
	if (l->count == 0 || ended > l->ended)
		l->ended = ended;
	l->retain = retain;
	l->count++;
	buf_add_u64(&l->ids, job);
	buf_add_byte(&l->ids, ' ');
	note_due(s);
	return rc;
}

enum gd_err expiry_copy(struct ended_list *to, const struct ended_list *from)
{
	struct buf ids = to->ids;

	buf_clear(&ids);
	if (from->count != 0)
		buf_add(&ids, from->ids.at, from->ids.bytes);
	*to = *from;
	to->ids = ids;
	return ids.failed;
}

/* --- leaving --- */

static uint64_t count_ended(const struct store *s)
{
	uint64_t count = 0;

	for (int i = JOB_COMPLETED; i < STATUS_COUNT; i++)
		count += s->row.jobs[i];
	return count;
}

static bool are_too_many(const struct store *s)
{
	uint64_t max = atomic_load(&s->retention.jobs_max);

	return max != 0 && count_ended(s) > max;
}

bool expiry_is_due(const struct store *s, gd_nsec now)
{
	const struct retention *r = &s->retention;

	return r->next_due != GD_NSEC_NEVER &&
	       (r->next_due <= now || r->is_too_large || are_too_many(s));
}

/* On the first list; *id 0: there is none. Its jobs are in tx.leaving, NUL-terminated. */
static enum gd_err read_first(struct store *s, int64_t *id, struct gd_error *why)
{
	struct buf *leaving = &s->tx.leaving;
	struct bind b = db_bind(&s->db, SQL_EXPIRY_FIRST);
	struct text jobs;
	bool        has_row;
	enum gd_err rc = db_step(&s->db, &b, &has_row, why);

	*id = 0;
	s->retention.next_due = GD_NSEC_NEVER;
	if (rc != GD_OK || !has_row)
		return rc;
	*id = row_i64(&b, 0);
	s->retention.next_due = row_i64(&b, 1);
	jobs = row_text(&b, 2);
	buf_clear(leaving);
	buf_add(leaving, jobs.at, jobs.bytes);
	buf_add_byte(leaving, '\0');
	db_done(&b);
	return leaving->failed == GD_OK ? GD_OK : gd_fail(why, GD_NOMEM, "jobs: out of memory");
}

/* *rest: the ids that stay in the list. *is_done false: the first of them has more rows than one
 * slice takes, or they have taken many others with them. */
static enum gd_err drop_listed(struct store *s, bool is_whole, const char **rest, bool *is_done,
                               struct gd_error *why)
{
	const char    *at = s->tx.leaving.at;
	const uint64_t before = count_ended(s);
	char          *end;
	enum gd_err    rc = GD_OK;

	*is_done = true;
	while (*is_done && (is_whole || s->retention.is_too_large || are_too_many(s))) {
		uint64_t job = strtoull(at, &end, 10);

		if (end == at) {
			at += strlen(at); /* blanks, or nothing that an id could be */
			break;
		}
		rc = drop_expired(s, job, is_done, why);
		if (rc == GD_OK && s->retention.is_too_large)
			rc = retention_measure(s, why); /* until it fits, and no further */
		if (rc != GD_OK || !*is_done)
			break;
		at = end;
		*is_done = before - count_ended(s) < 2 * EXPIRY_LIST_MAX; /* with their children */
	}
	*rest = at + strspn(at, " ");
	return rc;
}

static enum gd_err write_rest(struct store *s, int64_t id, const char *rest, struct gd_error *why)
{
	bool        is_empty = *rest == '\0';
	struct bind b = db_bind(&s->db, is_empty ? SQL_EXPIRY_DROP : SQL_EXPIRY_SET);

	bind_i64(&b, id);
	if (!is_empty)
		bind_text(&b, (struct text){ rest, strlen(rest) });
	return db_run(&s->db, &b, why);
}

/* The first list, or what of it has to leave. *goes_on: another one may follow in this slice. */
static enum gd_err drop_list(struct store *s, gd_nsec now, bool *goes_on, struct gd_error *why)
{
	const char *rest;
	int64_t     id;
	bool        is_whole;
	enum gd_err rc = read_first(s, &id, why);

	*goes_on = rc == GD_OK && expiry_is_due(s, now);
	if (!*goes_on)
		return rc;
	is_whole = s->retention.next_due <= now;
	rc = drop_listed(s, is_whole, &rest, goes_on, why);
	return rc == GD_OK ? write_rest(s, id, rest, why) : rc;
}

/* A commit of one job makes a list of one: many of them are a slice too. */
enum gd_err expiry_slice(struct store *s, gd_nsec now, struct gd_error *why)
{
	uint64_t    before = count_ended(s);
	bool        goes_on = true;
	enum gd_err rc = expiry_flush(s, why);

	for (uint32_t i = 0; rc == GD_OK && goes_on && i < LISTS_MAX; i++) {
		rc = drop_list(s, now, &goes_on, why);
		if (before - count_ended(s) >= EXPIRY_LIST_MAX / 2)
			break;
	}
	return rc == GD_OK ? expiry_load(s, why) : rc;
}

enum gd_err expiry_load(struct store *s, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_EXPIRY_FIRST);
	bool        has_row;
	enum gd_err rc = db_step(&s->db, &b, &has_row, why);

	if (rc != GD_OK)
		return rc;
	s->retention.next_due = has_row ? row_i64(&b, 1) : GD_NSEC_NEVER;
	note_due(s);
	db_done(&b);
	return GD_OK;
}
