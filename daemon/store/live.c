#include "daemon/store/inside.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- which job ends us --- */

#define SUSPECTS_FILE "replaying"
#define SUSPECTS_MAGIC UINT64_C(0x67646a6f6273f101)
#define SUSPECTS_MAX 16u

/* A mapped file: what is written to it outlives the process without a system call. It does not
 * outlive the host, and need not: then the counting begins again. */
struct suspects_page {
	uint64_t magic;
	uint64_t now; /* the job that is told of; 0: none */
	struct {
		uint64_t job; /* 0: a free place */
		uint64_t deaths;
	} at[SUSPECTS_MAX];
};

struct suspects {
	struct suspects_page *page; /* NULL: there is no room for it, and nobody is suspected */
};

/* Who stood there when the last start ended has ended it. The place of the one with the fewest
 * deaths is taken when there is none. */
static void accuse(struct suspects_page *page)
{
	uint32_t place = 0;

	for (uint32_t i = 0; i < SUSPECTS_MAX; i++) {
		if (page->at[i].job == page->now) {
			place = i;
			break;
		}
		if (page->at[i].deaths < page->at[place].deaths)
			place = i;
	}
	if (page->at[place].job != page->now)
		page->at[place].deaths = 0;
	page->at[place].job = page->now;
	page->at[place].deaths++;
	page->now = 0;
}

static void suspects_open(struct suspects *s, int dir_fd)
{
	const size_t bytes = sizeof *s->page;
	int   fd = openat(dir_fd, SUSPECTS_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	void *page = MAP_FAILED;

	s->page = NULL;
	if (fd < 0)
		return;
	if (posix_fallocate(fd, 0, (off_t)bytes) == 0)
		page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (page == MAP_FAILED)
		return;
	s->page = page;
	if (s->page->magic != SUSPECTS_MAGIC)
		*s->page = (struct suspects_page){ .magic = SUSPECTS_MAGIC };
	if (s->page->now != 0)
		accuse(s->page);
}

/* Gives its deaths. */
static uint32_t suspect_begin(struct suspects *s, uint64_t job)
{
	if (s->page == NULL)
		return 0;
	*(volatile uint64_t *)&s->page->now = job;
	for (uint32_t i = 0; i < SUSPECTS_MAX; i++)
		if (s->page->at[i].job == job)
			return (uint32_t)s->page->at[i].deaths;
	return 0;
}

static void suspect_end(struct suspects *s)
{
	if (s->page != NULL)
		*(volatile uint64_t *)&s->page->now = 0;
}

static void suspects_close(struct suspects *s, int dir_fd, bool is_over)
{
	if (s->page != NULL)
		(void)munmap(s->page, sizeof *s->page);
	if (is_over)
		(void)unlinkat(dir_fd, SUSPECTS_FILE, 0);
}

/* --- the walk --- */

/* What the walk keeps from one job to the next. Jobs that were submitted together have their
 * events in the same chunk, so it is read once for all of them. */
struct walk {
	struct store   *s;
	struct job_map  in_chunk;  /* the jobs of the chunk read last */
	uint64_t        first_seq; /* of that chunk */
	uint64_t        last_seq;  /* 0: none read yet */
	struct arena    inputs;    /* of the present job */
	struct suspects suspects;
};

/* The path among an event's members, as it stands there: "...","kind":"yield","path":"main.x". */
static struct text path_in(struct text body)
{
	static const char sign[] = ",\"path\":";
	const char       *end = body.at + body.bytes;
	const char       *at = memmem(body.at, body.bytes, "\"kind\":\"", 8);
	const char       *to;

	at = at == NULL ? NULL : memchr(at + 8, '"', (size_t)(end - at) - 8);
	if (at == NULL || (size_t)(end - ++at) < sizeof sign ||
	    memcmp(at, sign, sizeof sign - 1) != 0)
		return (struct text){ 0 };
	at += sizeof sign - 1;
	for (to = at + 1; to < end && *to != '"'; to++)
		to += *to == '\\';
	return (struct text){ at, to < end ? (size_t)(to - at) + 1 : 0 };
}

static void note_event(struct job_note *note, const struct event *e)
{
	if (e->ordinal <= note->ordinal) /* job.queued, which every job has */
		return;
	if (note->ordinal == 0)
		note->from = e->ordinal;
	note->ordinal = e->ordinal;
	note->sum = store_event_sum(note->sum, e->kind, path_in(e->body));
}

static enum gd_err index_chunk(struct walk *w, struct text bytes, struct gd_error *why)
{
	struct chunk_reader chunk;
	struct event        e;
	struct job_note    *note;

	job_map_clear(&w->in_chunk);
	chunk_open(&chunk, w->first_seq, bytes);
	while (chunk_next(&chunk, &e)) {
		note = job_map_put(&w->in_chunk, e.job);
		if (note == NULL)
			return gd_fail(why, GD_NOMEM, "events: out of memory");
		note_event(note, &e);
	}
	return chunk.is_damaged
	               ? gd_fail(why, GD_STORE,
	                         "events %llu to %llu are damaged; restore the "
	                         "database from a backup",
	                         (unsigned long long)w->first_seq, (unsigned long long)w->last_seq)
	               : GD_OK;
}

static enum gd_err load_chunk(struct walk *w, uint64_t seq, struct gd_error *why)
{
	struct bind b = db_bind(&w->s->db, SQL_CHUNK_AT);
	bool        has_row;
	enum gd_err rc;

	bind_u64(&b, seq);
	rc = db_step(&w->s->db, &b, &has_row, why);
	if (rc != GD_OK)
		return rc;
	if (has_row && row_u64(&b, 1) >= seq) {
		w->first_seq = row_u64(&b, 0);
		w->last_seq = row_u64(&b, 1);
		rc = index_chunk(w, row_blob(&b, 2), why);
	} else {
		rc = gd_fail(why, GD_STORE,
		             "event %llu is missing; restore the database from a backup",
		             (unsigned long long)seq);
	}
	db_done(&b);
	return rc;
}

/* The highest ordinal of the job within the chunk that holds `seq`, and the way to there. */
static enum gd_err find_last_ordinal(struct walk *w, struct store_job *job, uint64_t seq,
                                     uint32_t *ordinal, struct gd_error *why)
{
	const struct job_note *note;
	enum gd_err            rc = GD_OK;

	*ordinal = 0;
	if (seq <= w->s->retention.trimmed)
		return GD_OK; /* it has expired; the row knows */
	if (seq < w->first_seq || seq > w->last_seq)
		rc = load_chunk(w, seq, why);
	if (rc != GD_OK)
		return rc;
	note = job_map_get(&w->in_chunk, job->id);
	if (note == NULL)
		return GD_OK;
	*ordinal = note->ordinal;
	job->past.from = note->from;
	job->past.sum = note->sum;
	return GD_OK;
}

struct input_link {
	struct store_input input;
	struct input_link *next;
};

static enum gd_err read_inputs(struct walk *w, uint64_t job, struct input_link **first,
                               uint32_t *count, struct gd_error *why)
{
	struct bind         b = db_bind(&w->s->db, SQL_INPUTS_GET);
	struct input_link **end = first;
	struct text         bytes;
	bool                has_row;
	enum gd_err         rc;

	bind_u64(&b, job);
	while ((rc = db_step(&w->s->db, &b, &has_row, why)) == GD_OK && has_row) {
		struct input_link *link = arena_alloc(&w->inputs, sizeof *link);

		if (link == NULL) {
			/* Fewer inputs than there are would be another life of the job. */
			rc = gd_fail(why, GD_NOMEM, "inputs: out of memory");
			break;
		}
		bytes = row_blob(&b, 2);
		link->input.number = (uint32_t)row_i64(&b, 0);
		link->input.time = row_i64(&b, 1);
		link->input.bytes.at =
			arena_copy(&w->inputs, bytes.at == NULL ? "" : bytes.at, bytes.bytes);
		link->input.bytes.bytes = bytes.bytes;
		*end = link;
		end = &link->next;
		(*count)++;
	}
	db_done(&b);
	return rc;
}

/* As an array, on the walk's arena; NULL for none. */
static enum gd_err load_inputs(struct walk *w, uint64_t job, struct store_input **out,
                               uint32_t *count, struct gd_error *why)
{
	struct input_link *first = NULL;
	enum gd_err        rc;

	*out = NULL;
	*count = 0;
	rc = read_inputs(w, job, &first, count, why);
	if (rc != GD_OK || *count == 0)
		return rc;
	*out = arena_alloc(&w->inputs, *count * sizeof **out);
	if (w->inputs.failed)
		return gd_fail(why, GD_NOMEM, "inputs: out of memory");
	for (uint32_t i = 0; i < *count; i++, first = first->next)
		(*out)[i] = first->input;
	return GD_OK;
}

static enum gd_err visit(struct walk *w, const struct bind *b, store_live_fn *fn, void *ctx,
                         struct gd_error *why)
{
	struct store_job    job = rows_job(b);
	uint64_t            chunk = row_u64(b, 16);
	struct store_input *inputs;
	uint32_t            count;
	uint32_t            expired = (uint32_t)row_i64(b, 17); /* the last ordinal that has */
	uint32_t            ordinal;
	enum gd_err         rc;

	rc = find_last_ordinal(w, &job, chunk != 0 ? chunk : job.seq, &ordinal, why);
	if (rc == GD_OK)
		rc = load_inputs(w, job.id, &inputs, &count, why);
	if (rc == GD_OK) {
		job.past.deaths = suspect_begin(&w->suspects, job.id);
		rc = fn(ctx, &job, ordinal > expired ? ordinal : expired, inputs, count, why);
		suspect_end(&w->suspects);
	}
	arena_close(&w->inputs);
	return rc;
}

enum gd_err store_each_live(struct store *s, store_live_fn *fn, void *ctx, struct gd_error *why)
{
	struct walk w = { .s = s };
	struct bind b = db_bind(&s->db, SQL_LIVE);
	bool        has_row;
	enum gd_err rc;

	suspects_open(&w.suspects, s->dir.dir_fd);
	while ((rc = db_step(&s->db, &b, &has_row, why)) == GD_OK && has_row) {
		rc = visit(&w, &b, fn, ctx, why);
		if (rc != GD_OK)
			break;
	}
	db_done(&b);
	suspects_close(&w.suspects, s->dir.dir_fd, rc == GD_OK);
	job_map_close(&w.in_chunk);
	return rc;
}
