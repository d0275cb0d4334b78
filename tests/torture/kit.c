#include "tests/torture/kit.h"
#include "tests/lib/live_walk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 100
#define TEXT_SHOWN 40

static void fail(struct kit *k, enum gd_err code)
{
	if (k->failed == GD_OK && code != GD_OK)
		k->failed = code;
}

/* --- life --- */

void kit_init(struct kit *k)
{
	*k = (struct kit){ 0 };
	(void)pthread_mutex_init(&k->lock, NULL);
	(void)pthread_cond_init(&k->changed, NULL);
}

static void on_commit(void *ctx, struct store_commit *c)
{
	struct kit *k = ctx;

	atomic_init(&c->refs, 1);
	(void)pthread_mutex_lock(&k->lock);
	k->commit = c;
	(void)pthread_cond_signal(&k->changed);
	(void)pthread_mutex_unlock(&k->lock);
}

static void on_answer(struct store_read *r)
{
	struct kit *k = r->owner;

	(void)pthread_mutex_lock(&k->lock);
	k->is_answered = true;
	(void)pthread_cond_signal(&k->changed);
	(void)pthread_mutex_unlock(&k->lock);
}

void kit_open(struct kit *k, const char *dir)
{
	struct store_config cfg = { .dir = dir, .on_commit = on_commit, .ctx = k };

	if (k->failed == GD_OK)
		fail(k, store_open(&cfg, &k->store, &k->why));
}

void kit_start(struct kit *k)
{
	if (k->failed == GD_OK)
		fail(k, store_start(k->store, &k->why));
}

void kit_close(struct kit *k)
{
	store_group_free(k->group);
	if (k->store != NULL) {
		store_stop(k->store);
		store_close(k->store);
	}
	(void)pthread_mutex_destroy(&k->lock);
	(void)pthread_cond_destroy(&k->changed);
}

/* --- records --- */

static struct record *add(struct kit *k, enum record_kind kind, uint64_t job)
{
	struct record *r;

	if (k->failed != GD_OK)
		return NULL;
	if (k->group == NULL && (k->group = store_group_new(0)) == NULL) {
		fail(k, GD_NOMEM);
		return NULL;
	}
	if ((r = store_group_add(k->group, kind, job)) == NULL)
		fail(k, GD_NOMEM);
	return r;
}

/* A text of letters that differ from place to place, with `salt` in it. */
static struct text letters(struct kit *k, size_t bytes, uint64_t salt)
{
	char *at = arena_alloc(&k->group->arena, bytes + 1);

	if (at == NULL) {
		fail(k, GD_NOMEM);
		return (struct text){ NULL, 0 };
	}
	for (size_t i = 0; i < bytes; i++)
		at[i] = (char)('a' + (i * 7 + salt * 13 + i / 512) % 26);
	return (struct text){ at, bytes };
}

static struct text text_of(const char *text)
{
	return (struct text){ text, text == NULL ? 0 : strlen(text) };
}

static enum event_kind final_event(enum job_status status)
{
	if (status == JOB_COMPLETED)
		return EVENT_JOB_COMPLETED;
	return status == JOB_FAILED ? EVENT_JOB_FAILED : EVENT_JOB_CANCELLED;
}

static void add_event(struct kit *k, uint64_t id, uint32_t ordinal, enum event_kind kind,
                      size_t bytes)
{
	struct record *r = add(k, RECORD_EVENT, id);

	if (r == NULL)
		return;
	r->u.event.ordinal = ordinal;
	r->u.event.kind = kind;
	r->u.event.body = letters(k, bytes, id * 100 + ordinal);
}

void kit_job(struct kit *k, uint64_t id, enum job_status status, const char *key,
             const char *labels, size_t spec_bytes)
{
	struct record    *r = add(k, RECORD_JOB, id);
	struct store_job *j = r == NULL ? NULL : arena_alloc(&k->group->arena, sizeof *j);

	if (j == NULL) {
		fail(k, GD_NOMEM);
		return;
	}
	j->status = status;
	j->owner = text_of("uid:1");
	j->key = text_of(key);
	j->labels = text_of(labels);
	j->spec = letters(k, spec_bytes, id);
	j->submitted = KIT_T0 + (gd_nsec)id;
	if (job_status_is_final(status)) {
		j->ended = KIT_T0 + (gd_nsec)id + 1;
		j->result = letters(k, 20, id);
	}
	r->u.submit = j;
	add_event(k, id, 0, EVENT_JOB_QUEUED, 30);
	if (job_status_is_final(status))
		add_event(k, id, 1, final_event(status), 30);
}

void kit_started(struct kit *k, uint64_t id)
{
	struct record *r = add(k, RECORD_STARTED, id);

	if (r == NULL)
		return;
	r->u.change.status = JOB_RUNNING;
	r->u.change.time = KIT_T0 + 5;
}

void kit_input(struct kit *k, uint64_t id, uint32_t number)
{
	struct record *r = add(k, RECORD_INPUT, id);

	if (r == NULL)
		return;
	r->u.input.number = number;
	r->u.input.time = KIT_T0 + number;
	r->u.input.bytes = letters(k, 12, id + number);
}

void kit_event(struct kit *k, uint64_t id, uint32_t ordinal, size_t bytes)
{
	add_event(k, id, ordinal, EVENT_YIELD, bytes);
}

void kit_ended(struct kit *k, uint64_t id, uint32_t ordinal, enum job_status status)
{
	struct record *r = add(k, RECORD_ENDED, id);

	if (r == NULL)
		return;
	r->u.change.status = status;
	r->u.change.time = KIT_T0 + 9;
	r->u.change.result = letters(k, 20, id);
	add_event(k, id, ordinal, final_event(status), 30);
}

void kit_delete(struct kit *k, uint64_t id)
{
	(void)add(k, RECORD_DELETE, id);
}

void kit_semaphore(struct kit *k, enum semaphore_kind kind, const char *name, uint32_t permits)
{
	struct record *r = add(k, RECORD_SEMAPHORE, 0);

	if (r == NULL)
		return;
	r->u.semaphore.kind = kind;
	r->u.semaphore.name = text_of(name);
	r->u.semaphore.permits = permits;
}

void kit_command(struct kit *k, uint64_t id, uint32_t ticket)
{
	struct record *r = add(k, RECORD_COMMAND, id);

	if (r == NULL)
		return;
	r->u.command = (struct store_command){
		.begun = KIT_T0 + ticket, .ticket = ticket, .attempt = 1, .path = text_of("/do/0")
	};
}

void kit_commit(struct kit *k)
{
	struct store_group  *g = k->group;
	struct store_commit *c;

	if (k->failed != GD_OK || g == NULL)
		return;
	k->group = NULL;
	store_submit(k->store, g);
	(void)pthread_mutex_lock(&k->lock);
	while (k->commit == NULL)
		(void)pthread_cond_wait(&k->changed, &k->lock);
	c = k->commit;
	k->commit = NULL;
	(void)pthread_mutex_unlock(&k->lock);
	k->seq = c->last_seq;
	if (c->outcome != GD_OK)
		k->why = c->why;
	fail(k, c->outcome);
	store_commit_release(c);
}

/* --- what is in it --- */

/* Short texts as they are, long ones by length and FNV-1a. */
static void say_text(struct buf *b, const char *name, struct text text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (text.at == NULL)
		return;
	for (size_t i = 0; i < text.bytes; i++)
		hash = (hash ^ (unsigned char)text.at[i]) * UINT64_C(0x100000001b3);
	buf_addf(b, " %s=", name);
	if (text.bytes <= TEXT_SHOWN)
		buf_add(b, text.at, text.bytes);
	else
		buf_addf(b, "%zu:%016" PRIx64, text.bytes, hash);
}

static enum gd_err say_live(void *ctx, const struct store_job *job, uint32_t last_ordinal,
                            const struct store_input *inputs, uint32_t input_count,
                            struct gd_error *why)
{
	struct buf *b = ctx;

	(void)why;
	buf_addf(b, "live %" PRIu64 " ordinal %u", job->id, (unsigned)last_ordinal);
	for (uint32_t i = 0; i < input_count; i++) {
		buf_addf(b, " input %u at %" PRId64, (unsigned)inputs[i].number,
		         (int64_t)(inputs[i].time - KIT_T0));
		say_text(b, "bytes", inputs[i].bytes);
	}
	buf_add_byte(b, '\n');
	return b->failed;
}

static enum gd_err say_semaphore(void *ctx, struct text name, uint32_t permits,
                                 struct gd_error *why)
{
	struct buf *b = ctx;

	(void)why;
	say_text(b, "semaphore", name);
	buf_addf(b, " %u\n", (unsigned)permits);
	return b->failed;
}

static void say_job(struct buf *b, const struct store_job *j)
{
	buf_addf(b, "job %" PRIu64 " %s seq %" PRIu64 "..%" PRIu64 " times %" PRId64 " %" PRId64,
	         j->id, job_status_name(j->status), j->seq, j->end_seq,
	         (int64_t)(j->started == 0 ? 0 : j->started - KIT_T0),
	         (int64_t)(j->ended == 0 ? 0 : j->ended - KIT_T0));
	say_text(b, "key", j->key);
	say_text(b, "labels", j->labels);
	say_text(b, "spec", j->spec);
	say_text(b, "result", j->result);
	say_text(b, "error", j->error);
	buf_add_byte(b, '\n');
}

static void say_event(struct buf *b, const struct event *e)
{
	buf_addf(b, "event %" PRIu64 " of %" PRIu64 " ordinal %u %s", e->seq, e->job,
	         (unsigned)e->ordinal, event_kind_name(e->kind));
	say_text(b, "body", e->body);
	buf_add_byte(b, '\n');
}

/* Asks and waits. NULL: it failed. */
static struct store_read *ask(struct kit *k, enum read_kind kind, uint64_t job, uint64_t after)
{
	struct store_read *r = calloc(1, sizeof *r);
	enum gd_err        rc;

	if (r == NULL) {
		fail(k, GD_NOMEM);
		return NULL;
	}
	r->kind = kind;
	r->done = on_answer;
	r->owner = k;
	r->job = job;
	r->after = after;
	r->limit = PAGE;
	r->bytes_max = SIZE_MAX;
	r->flags = READ_WITH_SPEC | READ_WITH_RESULT;
	k->is_answered = false;
	store_read(k->store, r);
	(void)pthread_mutex_lock(&k->lock);
	while (!k->is_answered)
		(void)pthread_cond_wait(&k->changed, &k->lock);
	(void)pthread_mutex_unlock(&k->lock);
	rc = r->outcome;
	if (rc == GD_OK || (kind == READ_COMMANDS && rc == GD_NOT_FOUND)) /* expired meanwhile */
		return r;
	k->why = r->why;
	fail(k, rc);
	store_read_free(r);
	return NULL;
}

static void say_commands(struct kit *k, struct buf *b, uint64_t job)
{
	struct store_read *r = ask(k, READ_COMMANDS, job, 0);

	for (uint32_t i = 0; r != NULL && i < r->command_count; i++) {
		buf_addf(b, "command %u of %" PRIu64, (unsigned)r->commands[i].ticket, job);
		say_text(b, "path", r->commands[i].path);
		buf_add_byte(b, '\n');
	}
	store_read_free(r);
}

static void say_jobs(struct kit *k, struct buf *b)
{
	uint64_t           after = 0;
	struct store_read *r;

	do {
		if ((r = ask(k, READ_JOBS, 0, after)) == NULL)
			return;
		for (uint32_t i = 0; i < r->job_count; i++) {
			say_job(b, &r->jobs[i]);
			say_commands(k, b, r->jobs[i].id);
		}
		after = r->next_after;
		store_read_free(r);
	} while (after != 0);
}

static void say_events(struct kit *k, struct buf *b)
{
	uint64_t           after = 0;
	uint64_t           seq;
	struct store_read *r;

	do {
		if ((r = ask(k, READ_EVENTS, 0, after)) == NULL)
			return;
		for (uint32_t i = 0; i < r->event_count; i++)
			say_event(b, &r->events[i]);
		after = r->next_after;
		seq = r->seq;
		store_read_free(r);
	} while (after < seq);
}

void kit_dump(struct kit *k, struct buf *out)
{
	if (k->failed != GD_OK)
		return;
	buf_addf(out, "seq %" PRIu64 " next job %" PRIu64 "\n", store_seq(k->store),
	         store_next_job_id(k->store));
	fail(k, live_walk(k->store, say_live, out, &k->why));
	if (k->failed == GD_OK)
		fail(k,
		     store_each_semaphore(k->store, SEMAPHORE_PLAIN, say_semaphore, out, &k->why));
	if (k->failed == GD_OK)
		fail(k,
		     store_each_semaphore(k->store, SEMAPHORE_POOL, say_semaphore, out, &k->why));
	kit_start(k);
	if (k->failed == GD_OK)
		say_jobs(k, out);
	if (k->failed == GD_OK)
		say_events(k, out);
	fail(k, out->failed);
}
