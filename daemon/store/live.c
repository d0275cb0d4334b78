/*
 * live.c - the jobs that are not over, as the start needs them: a page at a time.
 *
 * Jobs that were submitted together have their events in the same chunk, so what a chunk says of
 * all its jobs is kept for the next ones. Loops read in turn, each its own jobs, and their ids may
 * be far apart: so some chunks are kept, not one.
 */
#include "daemon/store/inside.h"

#include "proto/base/check.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64u
#define CHUNKS_KEPT 16u

struct known_chunk {
	struct job_map jobs;
	uint64_t       first_seq;
	uint64_t       last_seq; /* 0: a free place */
	uint64_t       used;     /* higher is later */
};

struct live_chunks {
	struct known_chunk at[CHUNKS_KEPT];
	uint64_t           uses;
};

void live_chunks_free(struct store *s)
{
	if (s->live_chunks == NULL)
		return;
	for (uint32_t i = 0; i < CHUNKS_KEPT; i++)
		job_map_close(&s->live_chunks->at[i].jobs);
	free(s->live_chunks);
	s->live_chunks = NULL;
}

/* --- the way that a job has come --- */

/* The path among an event's members, as it stands there:
 * "time":1.5,"job":7,"kind":"yield","path":"main.x". Neither time nor job holds a comma. */
static struct text path_in(const struct event *e)
{
	static const char sign[] = ",\"path\":";
	const char       *end = e->body.at + e->body.bytes;
	const char       *kind = event_kind_name(e->kind);
	const char       *at = memchr(e->body.at, ',', e->body.bytes);
	const char       *to;

	at = at == NULL ? NULL : memchr(at + 1, ',', (size_t)(end - at) - 1);
	if (at == NULL)
		return (struct text){ 0 };
	at += strlen(",\"kind\":\"\"") + strlen(kind);
	if (at >= end || (size_t)(end - at) < sizeof sign || memcmp(at, sign, sizeof sign - 1) != 0)
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
	note->sum = store_event_sum(note->sum, e->kind, path_in(e));
}

static enum gd_err index_chunk(struct known_chunk *k, struct text bytes, struct gd_error *why)
{
	struct chunk_reader chunk;
	struct event        e;
	struct job_note    *note;

	job_map_clear(&k->jobs);
	chunk_open(&chunk, k->first_seq, bytes);
	while (chunk_next(&chunk, &e)) {
		note = job_map_put(&k->jobs, e.job);
		if (note == NULL)
			return gd_fail(why, GD_NOMEM, "events: out of memory");
		note_event(note, &e);
	}
	return chunk.is_damaged
	               ? gd_fail(why, GD_STORE,
	                         "events %llu to %llu are damaged; restore the "
	                         "database from a backup",
	                         (unsigned long long)k->first_seq, (unsigned long long)k->last_seq)
	               : GD_OK;
}

static enum gd_err load_chunk(struct store *s, struct known_chunk *k, uint64_t seq,
                              struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_CHUNK_AT);
	bool        has_row;
	enum gd_err rc;

	k->last_seq = 0;
	bind_u64(&b, seq);
	rc = db_step(&s->db, &b, &has_row, why);
	if (rc != GD_OK)
		return rc;
	if (has_row && row_u64(&b, 1) >= seq) {
		k->first_seq = row_u64(&b, 0);
		rc = index_chunk(k, row_blob(&b, 2), why);
		if (rc == GD_OK)
			k->last_seq = row_u64(&b, 1);
	} else {
		rc = gd_fail(why, GD_STORE,
		             "event %llu is missing; restore the database from a backup",
		             (unsigned long long)seq);
	}
	db_done(&b);
	return rc;
}

/* The chunk that holds `seq`, known already or in the place of the one not used for longest. */
static enum gd_err find_chunk(struct store *s, uint64_t seq, struct known_chunk **out,
                              struct gd_error *why)
{
	struct live_chunks *c = s->live_chunks;
	struct known_chunk *oldest = &c->at[0];

	for (uint32_t i = 0; i < CHUNKS_KEPT; i++) {
		struct known_chunk *k = &c->at[i];

		if (seq >= k->first_seq && seq <= k->last_seq) {
			k->used = ++c->uses;
			*out = k;
			return GD_OK;
		}
		if (k->used < oldest->used)
			oldest = k;
	}
	oldest->used = ++c->uses;
	*out = oldest;
	return load_chunk(s, oldest, seq, why);
}

/* The highest ordinal of the job within the chunk that holds `seq`, and the way to there. */
static enum gd_err find_last_ordinal(struct store *s, struct store_live *live, uint64_t seq,
                                     struct gd_error *why)
{
	const struct job_note *note;
	struct known_chunk    *chunk;
	enum gd_err            rc;

	if (seq <= s->retention.trimmed)
		return GD_OK; /* it has expired; the row knows */
	if ((rc = find_chunk(s, seq, &chunk, why)) != GD_OK)
		return rc;
	note = job_map_get(&chunk->jobs, live->job.id);
	if (note == NULL)
		return GD_OK;
	if (note->ordinal > live->last_ordinal)
		live->last_ordinal = note->ordinal;
	live->job.past.from = note->from;
	live->job.past.sum = note->sum;
	return GD_OK;
}

/* --- its inputs --- */

struct input_link {
	struct store_input input;
	struct input_link *next;
};

static enum gd_err read_inputs(struct store *s, struct arena *a, uint64_t job,
                               struct input_link **end, uint32_t *count, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_INPUTS_GET);
	struct text bytes;
	bool        has_row;
	enum gd_err rc;

	bind_u64(&b, job);
	while ((rc = db_step(&s->db, &b, &has_row, why)) == GD_OK && has_row) {
		struct input_link *link = arena_alloc(a, sizeof *link);

		if (link == NULL) {
			/* Fewer inputs than there are would be another life of the job. */
			rc = gd_fail(why, GD_NOMEM, "inputs: out of memory");
			break;
		}
		bytes = row_blob(&b, 2);
		link->input.number = (uint32_t)row_i64(&b, 0);
		link->input.time = row_i64(&b, 1);
		link->input.bytes.at = arena_copy(a, bytes.at == NULL ? "" : bytes.at, bytes.bytes);
		link->input.bytes.bytes = bytes.bytes;
		*end = link;
		end = &link->next;
		(*count)++;
	}
	db_done(&b);
	return rc;
}

/* As an array, on the answer's arena; NULL for none. */
static enum gd_err load_inputs(struct store *s, struct arena *a, struct store_live *live,
                               struct gd_error *why)
{
	struct input_link *first = NULL;
	enum gd_err        rc = read_inputs(s, a, live->job.id, &first, &live->input_count, why);

	if (rc != GD_OK || live->input_count == 0)
		return rc;
	live->inputs = arena_alloc(a, live->input_count * sizeof *live->inputs);
	if (a->failed)
		return gd_fail(why, GD_NOMEM, "inputs: out of memory");
	for (uint32_t i = 0; i < live->input_count; i++, first = first->next)
		live->inputs[i] = first->input;
	return GD_OK;
}

/* --- pages --- */

/* The answer's next row, zeroed; NULL when memory ends. What is outgrown stays in the arena. */
static struct store_live *next_live(struct store_read *r, uint32_t *room)
{
	struct store_live *wider;

	if (r->live_count == *room) {
		*room = *room == 0 ? FIRST_ROOM : *room * 2;
		wider = arena_alloc(&r->arena, *room * sizeof *wider);
		if (wider == NULL)
			return NULL;
		if (r->live_count != 0)
			memcpy(wider, r->live, r->live_count * sizeof *wider);
		r->live = wider;
	}
	return &r->live[r->live_count++];
}

/* NULL: it is none. Errors: arena.failed. */
static struct store_child *read_child(struct arena *a, const struct bind *b)
{
	struct store_child *c;
	struct text         captures = row_blob(b, 24);

	if (row_u64(b, 17) == 0 || (c = arena_alloc(a, sizeof *c)) == NULL)
		return NULL;
	*c = (struct store_child){ .parent = row_u64(b, 17),
		                   .ticket = (uint32_t)row_i64(b, 21),
		                   .code = row_text(b, 22),
		                   .base = row_text(b, 23),
		                   .captures.bytes = captures.bytes };
	c->code.at = arena_copy(a, c->code.at, c->code.bytes);
	c->base.at = arena_copy(a, c->base.at, c->base.bytes);
	c->captures.at = arena_copy(a, captures.at == NULL ? "" : captures.at, captures.bytes);
	return c;
}

static enum gd_err add_live(struct store *s, struct store_read *r, const struct bind *b,
                            uint32_t *room, struct gd_error *why)
{
	struct store_live *live = next_live(r, room);
	uint64_t           chunk = row_u64(b, 18);
	enum gd_err        rc;

	if (live == NULL)
		return gd_fail(why, GD_NOMEM, "jobs: out of memory");
	live->job = rows_job(b);
	live->last_ordinal = (uint32_t)row_i64(b, 19); /* the last that has expired */
	live->knows_no_children = row_i64(b, 20) != 0;
	live->last_ticket = (uint32_t)row_i64(b, 25);
	read_keep_job(&r->arena, &live->job);
	live->job.child = read_child(&r->arena, b);
	if (r->arena.failed)
		return gd_fail(why, GD_NOMEM, "jobs: out of memory");
	rc = find_last_ordinal(s, live, chunk != 0 ? chunk : live->job.seq, why);
	return rc == GD_OK ? load_inputs(s, &r->arena, live, why) : rc;
}

enum gd_err read_live(struct store *s, struct store_read *r, struct gd_error *why)
{
	struct bind b;
	uint32_t    room = 0;
	bool        has_row = true;
	enum gd_err rc;

	if (s->live_chunks == NULL && (s->live_chunks = calloc(1, sizeof *s->live_chunks)) == NULL)
		return gd_fail(why, GD_NOMEM, "jobs: out of memory");
	b = db_bind(&s->db, SQL_LIVE);
	bind_u64(&b, r->after);
	bind_u64(&b, r->job);
	bind_u64(&b, r->parts);
	bind_u64(&b, r->part);
	while ((rc = db_step(&s->db, &b, &has_row, why)) == GD_OK && has_row) {
		if (r->live_count >= r->limit || r->arena.bytes >= r->bytes_max)
			break;
		if ((rc = add_live(s, r, &b, &room, why)) != GD_OK)
			break;
	}
	db_done(&b);
	r->next_after = rc == GD_OK && has_row ? r->live[r->live_count - 1].job.id : 0;
	if (r->next_after == 0)
		live_chunks_free(s); /* whoever is not through yet makes them again */
	return rc;
}

uint32_t store_replay_begin(struct store *s, uint32_t loop, uint64_t job)
{
	return suspects_begin(&s->suspects, loop, job);
}

void store_replay_end(struct store *s, uint32_t loop)
{
	suspects_end(&s->suspects, loop);
}

bool store_replay_is_suspect(const struct store *s)
{
	return s->suspects.is_any_accused;
}

void store_replay_over(struct store *s)
{
	suspects_acquit(&s->suspects, s->dir.dir_fd);
}

uint64_t store_live_count(const struct store *s)
{
	return s->row.jobs[JOB_QUEUED] + s->row.jobs[JOB_RUNNING];
}
