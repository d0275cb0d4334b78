#include "daemon/fsck/inside.h"

#include "daemon/store/chunk.h"

#include <inttypes.h>
#include <stdio.h>

struct walk {
	uint64_t chunks;
	uint64_t events;
	uint64_t last_seq; /* of the chunk before; 0: none */
	uint64_t gone;     /* seqs between chunks that nobody has */
};

static void look_at_chunk(struct fsck *f, struct walk *w, uint64_t first, uint64_t last,
                          struct text body)
{
	struct chunk_reader chunk;
	struct event        e;

	if (first <= w->last_seq && w->chunks != 0)
		fsck_problem(f, "events %" PRIu64 " to %" PRIu64 " are there twice", first,
		             w->last_seq < last ? w->last_seq : last);
	else if (w->chunks != 0)
		w->gone += first - w->last_seq - 1;
	chunk_open(&chunk, first, body);
	while (chunk_next(&chunk, &e))
		w->events++;
	if (chunk.is_damaged)
		fsck_problem(f, "events %" PRIu64 " to %" PRIu64 " are damaged", first, last);
	else if (chunk.next_seq != last + 1)
		fsck_problem(f, "events %" PRIu64 " to %" PRIu64 " are %s", first, last,
		             chunk.next_seq <= last ? "cut short" : "more than that");
	w->chunks++;
	w->last_seq = last;
}

static void walk_chunks(struct fsck *f, struct walk *w)
{
	sqlite3_stmt *ask;

	fsck_begin(f);
	if (!fsck_ask(f, "SELECT first_seq, last_seq, body FROM event_chunks ORDER BY first_seq",
	              &ask))
		return;
	while (fsck_row(f, ask))
		look_at_chunk(f, w, (uint64_t)sqlite3_column_int64(ask, 0),
		              (uint64_t)sqlite3_column_int64(ask, 1), fsck_text(ask, 2));
	(void)sqlite3_finalize(ask);
	fsck_end(f);
}

/* Events up to this seq have expired. An older schema has no such thing. */
static uint64_t trimmed_seq(struct fsck *f)
{
	if (!fsck_has_table(f, "event_log"))
		return 0;
	return (uint64_t)fsck_number(f, "SELECT trimmed FROM event_log");
}

/* A gap is no fault by itself: the events of deleted jobs leave one. That of a job which is not over
 * has to be there unless it has expired, since recovery goes on counting from it. */
static void look_for_first_events(struct fsck *f, uint64_t trimmed)
{
	sqlite3_stmt *ask;

	fsck_begin(f);
	if (!fsck_ask(f,
	              "SELECT id, seq FROM jobs j WHERE status < 2 AND seq > ?1 AND NOT EXISTS"
	              " (SELECT 1 FROM event_chunks WHERE last_seq >= j.seq AND first_seq ="
	              " (SELECT max(first_seq) FROM event_chunks WHERE first_seq <= j.seq))",
	              &ask))
		return;
	(void)sqlite3_bind_int64(ask, 1, (sqlite3_int64)trimmed);
	while (fsck_row(f, ask))
		fsck_problem(f, "job %" PRId64 ": its first event, %" PRId64 ", is missing",
		             (int64_t)sqlite3_column_int64(ask, 0),
		             (int64_t)sqlite3_column_int64(ask, 1));
	(void)sqlite3_finalize(ask);
	fsck_end(f);
}

void fsck_events(struct fsck *f)
{
	struct walk w = { 0 };
	uint64_t    trimmed = trimmed_seq(f);
	uint64_t    seq;
	char        sql[512];

	(void)snprintf(sql, sizeof sql, "SELECT seq FROM %s", f->state);
	seq = (uint64_t)fsck_number(f, sql);

	walk_chunks(f, &w);
	fsck_say(f, "events: %" PRIu64 " in %" PRIu64 " chunks, the newest seq is %" PRIu64,
	         w.events, w.chunks, seq);
	if (trimmed != 0)
		fsck_say(f, "events: those up to %" PRIu64 " have expired", trimmed);
	if (w.gone != 0)
		fsck_say(f,
		         "events: %" PRIu64 " between them are gone, with jobs that were deleted",
		         w.gone);
	fsck_begin(f);
	if (w.last_seq > seq)
		fsck_problem(f, "events go up to %" PRIu64 ", the state row only to %" PRIu64,
		             w.last_seq, seq);
	look_for_first_events(f, trimmed);
}
