#include "tests/lib/ledger.h"
#include "tests/lib/live_walk.h"

/* cmocka.h wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define T0 (INT64_C(1700000000) * GD_NSEC_PER_SEC)
#define LIVE 3u /* a job is ended by the third commit after its own */
#define TEXT_BYTES 64

static void on_commit(void *ctx, struct store_commit *c)
{
	struct ledger *l = ctx;

	atomic_init(&c->refs, 1);
	(void)pthread_mutex_lock(&l->lock);
	l->reported = c;
	(void)pthread_cond_signal(&l->changed);
	(void)pthread_mutex_unlock(&l->lock);
}

static void on_full(void *ctx, const struct gd_error *why)
{
	struct ledger *l = ctx;

	if (why == NULL)
		return;
	(void)pthread_mutex_lock(&l->lock);
	l->fulls++;
	(void)pthread_cond_signal(&l->changed);
	(void)pthread_mutex_unlock(&l->lock);
}

static void on_answer(struct store_read *r)
{
	struct ledger *l = r->owner;

	(void)pthread_mutex_lock(&l->lock);
	l->is_answered = true;
	(void)pthread_cond_signal(&l->changed);
	(void)pthread_mutex_unlock(&l->lock);
}

void ledger_init(struct ledger *l)
{
	const char *tmp = getenv("TMPDIR");

	*l = (struct ledger){ 0 };
	(void)snprintf(l->root, sizeof l->root, "%.200s/gatherd-ledger.XXXXXX",
	               tmp == NULL ? "/tmp" : tmp);
	assert_non_null(mkdtemp(l->root));
	(void)snprintf(l->dir, sizeof l->dir, "%s/state", l->root);
	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_cond_init(&l->changed, NULL);
}

void ledger_clear(struct ledger *l)
{
	DIR           *dir;
	struct dirent *entry;

	ledger_close(l);
	l->acknowledged = 0;
	l->is_in_doubt = false;
	l->fulls = 0;
	dir = opendir(l->dir);
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	(void)closedir(dir);
}

void ledger_end(struct ledger *l)
{
	ledger_clear(l);
	(void)rmdir(l->dir);
	(void)rmdir(l->root);
	(void)pthread_mutex_destroy(&l->lock);
	(void)pthread_cond_destroy(&l->changed);
}

enum gd_err ledger_open(struct ledger *l, struct gd_error *why)
{
	const struct store_config cfg = {
		.dir = l->dir, .on_commit = on_commit, .ctx = l, .on_full = on_full
	};
	enum gd_err rc = store_open(&cfg, &l->store, why);

	if (rc == GD_OK && (rc = store_start(l->store, why)) != GD_OK)
		ledger_close(l);
	if (rc != GD_OK)
		l->store = NULL;
	return rc;
}

static enum gd_err settle(struct ledger *l)
{
	enum gd_err outcome = l->reported->outcome;

	if (outcome == GD_OK)
		l->acknowledged++;
	else
		l->is_in_doubt = true;
	store_commit_release(l->reported);
	l->reported = NULL;
	return outcome;
}

void ledger_close(struct ledger *l)
{
	if (l->store == NULL)
		return;
	store_stop(l->store);
	store_close(l->store);
	l->store = NULL;
	if (l->reported != NULL)
		(void)settle(l);
}

/* --- the rule --- */

static void spec_of(uint64_t n, char out[TEXT_BYTES])
{
	(void)snprintf(out, TEXT_BYTES, "{\"sleep\":%llu}", (unsigned long long)n);
}

static void input_of(uint64_t n, char out[TEXT_BYTES])
{
	(void)snprintf(out, TEXT_BYTES, "input of %llu", (unsigned long long)n);
}

/* The event with this seq: of job n the first one, or the last one. */
static void event_of(uint64_t seq, uint64_t *job, bool *is_last)
{
	uint64_t behind = seq <= LIVE ? 0 : seq - LIVE;

	/* From commit LIVE + 1 on: a first event, then the last one of an older job. */
	*is_last = behind != 0 && behind % 2 == 0;
	*job = behind == 0 ? seq : *is_last ? behind / 2 : LIVE + (behind + 1) / 2;
}

static uint64_t events_of(uint64_t count)
{
	return count <= LIVE ? count : 2 * count - LIVE;
}

static struct text kept(struct store_group *g, const char *text)
{
	size_t bytes = strlen(text);

	return (struct text){ arena_copy(&g->arena, text, bytes), bytes };
}

static void add_event(struct store_group *g, uint64_t job, uint32_t ordinal, enum event_kind kind)
{
	struct record *r = store_group_add(g, RECORD_EVENT, job);
	char           body[TEXT_BYTES];

	assert_non_null(r);
	(void)snprintf(body, sizeof body, "\"job\":%llu,\"n\":%u", (unsigned long long)job,
	               (unsigned)ordinal);
	r->u.event = (struct event){
		.job = job, .ordinal = ordinal, .kind = kind, .body = kept(g, body)
	};
}

static struct store_group *group_of(uint64_t n)
{
	struct store_group *g = store_group_new(0);
	struct record      *r = store_group_add(g, RECORD_JOB, n);
	struct store_job   *j = arena_alloc(&g->arena, sizeof *j);
	char                text[TEXT_BYTES];

	assert_non_null(r);
	assert_non_null(j);
	spec_of(n, text);
	*j = (struct store_job){ .status = JOB_QUEUED,
		                 .owner = { "uid:1", 5 },
		                 .key = kept(g, text),
		                 .spec = kept(g, text),
		                 .submitted = T0 };
	r->u.submit = j;
	add_event(g, n, 0, EVENT_JOB_QUEUED);
	input_of(n, text);
	r = store_group_add(g, RECORD_INPUT, n);
	assert_non_null(r);
	r->u.input.number = 1;
	r->u.input.time = T0 + (gd_nsec)n;
	r->u.input.bytes = kept(g, text);
	if (n <= LIVE)
		return g;
	r = store_group_add(g, RECORD_ENDED, n - LIVE);
	assert_non_null(r);
	r->u.change.status = JOB_COMPLETED;
	r->u.change.time = T0 + (gd_nsec)n;
	r->u.change.result = kept(g, "null");
	add_event(g, n - LIVE, 1, EVENT_JOB_COMPLETED);
	return g;
}

enum gd_err ledger_commit(struct ledger *l, bool is_patient)
{
	enum gd_err outcome = GD_UNAVAILABLE;

	store_submit(l->store, group_of(l->acknowledged + 1));
	(void)pthread_mutex_lock(&l->lock);
	while (l->reported == NULL && (is_patient || l->fulls == 0))
		(void)pthread_cond_wait(&l->changed, &l->lock);
	if (l->reported != NULL)
		outcome = settle(l);
	(void)pthread_mutex_unlock(&l->lock);
	return outcome;
}

/* --- what is in it --- */

static struct store_read *ask(struct ledger *l, enum read_kind kind, uint64_t after)
{
	struct store_read *r = calloc(1, sizeof *r);

	assert_non_null(r);
	r->kind = kind;
	r->done = on_answer;
	r->owner = l;
	r->after = after;
	r->limit = 1000;
	r->bytes_max = SIZE_MAX;
	l->is_answered = false;
	store_read(l->store, r);
	(void)pthread_mutex_lock(&l->lock);
	while (!l->is_answered)
		(void)pthread_cond_wait(&l->changed, &l->lock);
	(void)pthread_mutex_unlock(&l->lock);
	if (r->outcome != GD_OK)
		fail_msg("a read fails: %s", r->why.text);
	return r;
}

static void check_events(struct ledger *l, uint64_t count)
{
	uint64_t seq = 0;

	while (seq < events_of(count)) {
		struct store_read *r = ask(l, READ_EVENTS, seq);

		assert_in_range(r->event_count, 1, events_of(count) - seq);
		for (uint32_t i = 0; i < r->event_count; i++) {
			uint64_t job;
			bool     is_last;

			event_of(++seq, &job, &is_last);
			assert_int_equal(r->events[i].seq, seq);
			assert_int_equal(r->events[i].job, job);
			assert_int_equal(r->events[i].kind,
			                 is_last ? EVENT_JOB_COMPLETED : EVENT_JOB_QUEUED);
		}
		store_read_free(r);
	}
}

uint64_t ledger_count(struct ledger *l)
{
	struct store_read *r = ask(l, READ_INFO, 0);
	uint64_t           done = r->jobs_by_status[JOB_COMPLETED];
	uint64_t           live = r->jobs_by_status[JOB_QUEUED];
	uint64_t           count = done + live;

	assert_int_equal(live, count < LIVE ? count : LIVE);
	assert_int_equal(r->jobs_by_status[JOB_RUNNING] + r->jobs_by_status[JOB_FAILED] +
	                         r->jobs_by_status[JOB_CANCELLED],
	                 0);
	assert_int_equal(r->seq, events_of(count));
	store_read_free(r);
	check_events(l, count);
	return count;
}

static enum gd_err check_live(void *ctx, const struct store_job *job, uint32_t last_ordinal,
                              const struct store_input *inputs, uint32_t input_count,
                              struct gd_error *why)
{
	uint64_t *last = ctx;
	char      text[TEXT_BYTES];

	(void)why;
	assert_true(*last == 0 || job->id == *last + 1);
	*last = job->id;
	assert_int_equal(last_ordinal, 0);
	spec_of(job->id, text);
	assert_string_equal(job->spec.at, text);
	assert_int_equal(input_count, 1);
	input_of(job->id, text);
	assert_int_equal(inputs[0].bytes.bytes, strlen(text));
	assert_memory_equal(inputs[0].bytes.at, text, strlen(text));
	return GD_OK;
}

void ledger_check(struct ledger *l, const char *what)
{
	const struct store_config cfg = { .dir = l->dir, .on_commit = on_commit, .ctx = l };
	struct gd_error           why = { 0 };
	uint64_t                  last = 0;
	uint64_t                  count;

	if (store_open(&cfg, &l->store, &why) != GD_OK ||
	    live_walk(l->store, check_live, &last, &why) != GD_OK ||
	    store_start(l->store, &why) != GD_OK)
		fail_msg("%s: %s", what, why.text);
	count = ledger_count(l);
	if (count < l->acknowledged || count > l->acknowledged + (l->is_in_doubt ? 1 : 0) ||
	    last != count)
		fail_msg("%s: %llu commits are there, %llu were acknowledged, %s in doubt", what,
		         (unsigned long long)count, (unsigned long long)l->acknowledged,
		         l->is_in_doubt ? "one is" : "none is");
	l->acknowledged = count;
	l->is_in_doubt = false;
	ledger_close(l);
}

void ledger_crash_after(struct ledger *l, uint64_t count)
{
	struct gd_error why = { 0 };
	int             status;
	pid_t           pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (ledger_open(l, &why) != GD_OK)
			_exit(1);
		for (uint64_t i = 0; i < count; i++)
			if (ledger_commit(l, true) != GD_OK)
				_exit(2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	l->acknowledged += count;
}
