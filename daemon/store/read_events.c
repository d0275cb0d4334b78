#include "daemon/store/inside.h"

#include <string.h>

#define FIRST_ROOM 32
#define SEEN_COUNT 64 /* jobs whose filter result is remembered within a page; a power of two */

/* Work for one page: every chunk costs its bytes and the way to it. */
#define PAGE_COST_MAX (4u << 20)
#define CHUNK_COST 1024u

struct page {
	struct store      *s;
	struct store_read *r;
	uint32_t           room;
	size_t             bytes; /* of bodies */
	size_t             cost;
	bool               is_full; /* r->next_after is set */
	bool               is_filtered;
	struct {
		uint64_t job;
		bool     is_wanted;
	} seen[SEEN_COUNT];
};

/* Does the job belong to the asked principal, has it the asked label? *has_row: it is there. */
static enum gd_err ask(struct page *p, enum sql which, uint64_t job, bool *has_row, bool *is_wanted,
                       struct gd_error *why)
{
	struct bind b = db_bind(&p->s->db, which);
	enum gd_err rc;

	bind_u64(&b, job);
	bind_text(&b, p->r->owner_filter);
	bind_text(&b, p->r->label_filter);
	rc = db_step(&p->s->db, &b, has_row, why);
	*is_wanted = rc == GD_OK && *has_row && row_i64(&b, 0) != 0;
	db_done(&b);
	return rc;
}

/* Of one that has expired, the events may still be there. */
static enum gd_err ask_job(struct page *p, uint64_t job, bool *is_wanted, struct gd_error *why)
{
	bool        has_row;
	enum gd_err rc = ask(p, SQL_JOB_MATCHES, job, &has_row, is_wanted, why);

	if (rc == GD_OK && !has_row)
		rc = ask(p, SQL_GHOST_MATCHES, job, &has_row, is_wanted, why);
	return rc;
}

static enum gd_err is_job_wanted(struct page *p, uint64_t job, bool *is_wanted,
                                 struct gd_error *why)
{
	uint32_t    at = (uint32_t)job & (SEEN_COUNT - 1);
	enum gd_err rc = GD_OK;

	if (p->seen[at].job != job) {
		rc = ask_job(p, job, is_wanted, why);
		p->seen[at].job = job;
		p->seen[at].is_wanted = *is_wanted;
	}
	*is_wanted = p->seen[at].is_wanted;
	return rc;
}

static enum gd_err add_event(struct page *p, const struct event *e, struct gd_error *why)
{
	struct store_read *r = p->r;
	struct event      *to;

	if (r->event_count == p->room) {
		p->room = p->room == 0 ? FIRST_ROOM : p->room * 2;
		to = arena_alloc(&r->arena, p->room * sizeof *to);
		if (to == NULL)
			return gd_fail(why, GD_NOMEM, "events: out of memory");
		if (r->event_count != 0)
			memcpy(to, r->events, r->event_count * sizeof *to);
		r->events = to;
	}
	to = &r->events[r->event_count];
	*to = *e;
	to->body.at = arena_copy(&r->arena, e->body.at, e->body.bytes);
	if (to->body.at == NULL)
		return gd_fail(why, GD_NOMEM, "events: out of memory");
	r->event_count++;
	r->next_after = e->seq;
	p->bytes += e->body.bytes;
	p->is_full = r->event_count >= r->limit || p->bytes >= r->bytes_max;
	return GD_OK;
}

static enum gd_err visit_event(struct page *p, const struct event *e, struct gd_error *why)
{
	const struct store_read *r = p->r;
	bool                     is_wanted = true;
	enum gd_err              rc = GD_OK;

	if (e->seq <= r->after || (r->job != 0 && e->job != r->job))
		return GD_OK;
	if (r->kinds_mask != 0 && (r->kinds_mask >> e->kind & 1) == 0)
		return GD_OK;
	if (p->is_filtered)
		rc = is_job_wanted(p, e->job, &is_wanted, why);
	return rc == GD_OK && is_wanted ? add_event(p, e, why) : rc;
}

/* The chunk of the present row (first_seq, last_seq, body). */
static enum gd_err visit_chunk(struct page *p, const struct bind *b, struct gd_error *why)
{
	uint64_t            last_seq = row_u64(b, 1);
	struct text         bytes;
	struct chunk_reader chunk;
	struct event        e;
	enum gd_err         rc = GD_OK;

	if (last_seq <= p->r->after)
		return GD_OK;
	bytes = row_blob(b, 2);
	chunk_open(&chunk, row_u64(b, 0), bytes);
	while (rc == GD_OK && !p->is_full && chunk_next(&chunk, &e))
		rc = visit_event(p, &e, why);
	if (rc != GD_OK || p->is_full)
		return rc;
	if (chunk.is_damaged)
		return gd_fail(why, GD_STORE, "events %llu to %llu are damaged",
		               (unsigned long long)row_u64(b, 0), (unsigned long long)last_seq);
	p->cost += bytes.bytes + CHUNK_COST;
	if (p->cost >= PAGE_COST_MAX) {
		p->is_full = true;
		p->r->next_after = last_seq;
	}
	return GD_OK;
}

static enum gd_err page_of_all(struct page *p, struct gd_error *why)
{
	struct bind b = db_bind(&p->s->db, SQL_CHUNKS_FROM);
	bool        has_row;
	enum gd_err rc;

	bind_u64(&b, p->r->after + 1);
	while (!p->is_full && (rc = db_step(&p->s->db, &b, &has_row, why)) == GD_OK && has_row) {
		rc = visit_chunk(p, &b, why);
		if (rc != GD_OK)
			break;
	}
	db_done(&b);
	return rc;
}

/* The chunk that holds `seq`. */
static enum gd_err visit_chunk_at(struct page *p, uint64_t seq, struct gd_error *why)
{
	struct bind b = db_bind(&p->s->db, SQL_CHUNK_AT);
	bool        has_row;
	enum gd_err rc;

	bind_u64(&b, seq);
	rc = db_step(&p->s->db, &b, &has_row, why);
	if (rc == GD_OK && has_row && row_u64(&b, 1) >= seq)
		rc = visit_chunk(p, &b, why);
	db_done(&b);
	return rc;
}

/* GD_NOT_FOUND, unless the job has expired and events of it are left. */
static enum gd_err look_for_ghost(struct page *p, struct gd_error *why)
{
	bool        has_row;
	bool        is_wanted;
	enum gd_err rc = ask(p, SQL_GHOST_MATCHES, p->r->job, &has_row, &is_wanted, why);

	if (rc == GD_OK && !has_row)
		rc = gd_fail(why, GD_NOT_FOUND, "no job %llu", (unsigned long long)p->r->job);
	return rc;
}

/* The seq of a job's first event; *is_gone: the job has expired, and nothing leads to its events
 * but the log itself. GD_NOT_FOUND. */
static enum gd_err find_first(struct page *p, uint64_t *seq, bool *is_gone, struct gd_error *why)
{
	struct bind b = db_bind(&p->s->db, SQL_JOB_SEQ);
	bool        has_row;
	enum gd_err rc;

	bind_u64(&b, p->r->job);
	rc = db_step(&p->s->db, &b, &has_row, why);
	if (rc != GD_OK)
		return rc;
	*is_gone = !has_row;
	if (!has_row)
		return look_for_ghost(p, why);
	*seq = row_u64(&b, 0);
	db_done(&b);
	return GD_OK;
}

/* Where the chunk begins that holds the first event to read. */
static enum gd_err find_start(struct page *p, uint64_t *first_seq, struct gd_error *why)
{
	struct bind b = db_bind(&p->s->db, SQL_CHUNK_AT);
	bool        has_row;
	enum gd_err rc;

	bind_u64(&b, p->r->after + 1);
	rc = db_step(&p->s->db, &b, &has_row, why);
	*first_seq = rc == GD_OK && has_row ? row_u64(&b, 0) : 0;
	db_done(&b);
	return rc;
}

/* `first` is the seq of its first event. */
static enum gd_err page_of_job(struct page *p, uint64_t first, struct gd_error *why)
{
	struct bind b;
	uint64_t    start;
	bool        has_row;
	enum gd_err rc = first == 0 ? GD_OK : visit_chunk_at(p, first, why);

	if (rc == GD_OK)
		rc = find_start(p, &start, why);
	if (rc != GD_OK)
		return rc;
	b = db_bind(&p->s->db, SQL_JOB_CHUNKS_GET);
	bind_u64(&b, p->r->job);
	bind_u64(&b, start);
	while (!p->is_full && (rc = db_step(&p->s->db, &b, &has_row, why)) == GD_OK && has_row) {
		rc = visit_chunk_at(p, row_u64(&b, 0), why);
		if (rc != GD_OK)
			break;
	}
	db_done(&b);
	return rc;
}

static enum gd_err find_oldest(struct store *s, struct store_read *r, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_CHUNK_OLDEST);
	bool        has_row;
	enum gd_err rc = db_step(&s->db, &b, &has_row, why);

	if (rc != GD_OK)
		return rc;
	r->oldest = has_row ? chunk_first_kept(row_u64(&b, 0), row_blob(&b, 1)) : r->seq + 1;
	db_done(&b);
	return GD_OK;
}

enum gd_err read_events(struct store *s, struct store_read *r, struct gd_error *why)
{
	struct page page = { .s = s, .r = r };
	uint64_t    first = 0;
	bool        is_gone = false;
	enum gd_err rc = find_oldest(s, r, why);

	page.is_filtered = r->owner_filter.at != NULL || r->label_filter.at != NULL;
	r->next_after = r->after;
	if (rc == GD_OK && r->job != 0)
		rc = find_first(&page, &first, &is_gone, why);
	if (rc != GD_OK)
		return rc;
	r->is_expired = (r->after + 1 > first ? r->after + 1 : first) <= s->retention.trimmed;
	if (r->limit == 0 || r->after >= r->seq)
		return GD_OK;
	rc = r->job != 0 && !is_gone ? page_of_job(&page, first, why) : page_of_all(&page, why);
	if (rc == GD_OK && !page.is_full)
		r->next_after = r->seq;
	return rc;
}
