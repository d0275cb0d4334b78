#include "daemon/store/inside.h"

/* What the walk keeps from one job to the next. Jobs that were submitted together have their
 * events in the same chunk, so it is read once for all of them. */
struct walk {
	struct store  *s;
	struct job_map in_chunk;  /* the jobs of the chunk read last */
	uint64_t       first_seq; /* of that chunk */
	uint64_t       last_seq;  /* 0: none read yet */
	struct arena   inputs;    /* of the present job */
};

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
		if (e.ordinal > note->ordinal)
			note->ordinal = e.ordinal;
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

/* The highest ordinal of the job within the chunk that holds `seq`. */
static enum gd_err find_last_ordinal(struct walk *w, uint64_t job, uint64_t seq, uint32_t *ordinal,
                                     struct gd_error *why)
{
	const struct job_note *note;
	enum gd_err            rc = GD_OK;

	*ordinal = 0;
	if (seq == 0)
		return GD_OK;
	if (seq < w->first_seq || seq > w->last_seq)
		rc = load_chunk(w, seq, why);
	if (rc != GD_OK)
		return rc;
	note = job_map_get(&w->in_chunk, job);
	*ordinal = note == NULL ? 0 : note->ordinal;
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

		if (link == NULL)
			break;
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
	uint32_t            ordinal;
	enum gd_err         rc;

	rc = find_last_ordinal(w, job.id, chunk != 0 ? chunk : job.seq, &ordinal, why);
	if (rc == GD_OK)
		rc = load_inputs(w, job.id, &inputs, &count, why);
	if (rc == GD_OK)
		rc = fn(ctx, &job, ordinal, inputs, count, why);
	arena_close(&w->inputs);
	return rc;
}

enum gd_err store_each_live(struct store *s, store_live_fn *fn, void *ctx, struct gd_error *why)
{
	struct walk w = { .s = s };
	struct bind b = db_bind(&s->db, SQL_LIVE);
	bool        has_row;
	enum gd_err rc;

	while ((rc = db_step(&s->db, &b, &has_row, why)) == GD_OK && has_row) {
		rc = visit(&w, &b, fn, ctx, why);
		if (rc != GD_OK)
			break;
	}
	db_done(&b);
	job_map_close(&w.in_chunk);
	return rc;
}
