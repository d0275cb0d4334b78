#include "tests/lib/store_fixture.h"

#include "daemon/store/audit.h"

/* cmocka.h wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void on_commit(void *ctx, struct store_commit *c)
{
	struct fixture *f = ctx;

	atomic_init(&c->refs, 1);
	(void)pthread_mutex_lock(&f->lock);
	assert_true(f->reported_count < FIXTURE_COMMITS_MAX);
	f->reported[f->reported_count++] = c;
	(void)pthread_cond_signal(&f->changed);
	(void)pthread_mutex_unlock(&f->lock);
}

static void on_answer(struct store_read *r)
{
	struct fixture *f = r->owner;

	(void)pthread_mutex_lock(&f->lock);
	f->answered++;
	(void)pthread_cond_signal(&f->changed);
	(void)pthread_mutex_unlock(&f->lock);
}

int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	const char     *tmp = getenv("TMPDIR");

	if (f == NULL)
		return -1;
	(void)snprintf(f->root, sizeof f->root, "%.200s/gatherd-test.XXXXXX",
	               tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(f->root) == NULL)
		return -1;
	(void)snprintf(f->dir, sizeof f->dir, "%.240s/state", f->root);
	(void)pthread_mutex_init(&f->lock, NULL);
	(void)pthread_cond_init(&f->changed, NULL);
	*state = f;
	return 0;
}

static void empty_dir(const char *path)
{
	DIR           *dir = opendir(path);
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	(void)closedir(dir);
	(void)rmdir(path);
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	if (f->store != NULL)
		fixture_close(f);
	for (uint32_t i = 0; i < f->reported_count; i++)
		store_commit_release(f->reported[i]);
	empty_dir(f->dir);
	empty_dir(f->root);
	(void)pthread_mutex_destroy(&f->lock);
	(void)pthread_cond_destroy(&f->changed);
	free(f);
	return 0;
}

void fixture_path(const struct fixture *f, const char *name, char out[512])
{
	(void)snprintf(out, 512, "%s/%s", f->dir, name);
}

enum gd_err fixture_try_open(struct fixture *f, struct gd_error *why)
{
	const struct store_config cfg = { .dir = f->dir,
		                          .on_commit = on_commit,
		                          .ctx = f,
		                          .accepts_rollback = f->accepts_rollback };

	return store_open(&cfg, &f->store, why);
}

void fixture_open(struct fixture *f)
{
	struct gd_error why = { 0 };

	if (fixture_try_open(f, &why) != GD_OK || store_start(f->store, &why) != GD_OK)
		fail_msg("%s", why.text);
}

void fixture_close(struct fixture *f)
{
	store_stop(f->store);
	store_close(f->store);
	f->store = NULL;
}

void fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

struct text fixture_text(const char *text)
{
	return (struct text){ text, text == NULL ? 0 : strlen(text) };
}

void fixture_expect_text(struct text is, const char *wanted)
{
	if (wanted == NULL) {
		assert_null(is.at);
		return;
	}
	assert_non_null(is.at);
	assert_string_equal(is.at, wanted);
	assert_int_equal(is.bytes, strlen(wanted));
}

struct store_job *fixture_add_job(struct store_group *g, uint64_t id, enum job_status status)
{
	struct record    *r = store_group_add(g, RECORD_JOB, id);
	struct store_job *j = arena_alloc(&g->arena, sizeof *j);

	assert_non_null(r);
	assert_non_null(j);
	j->status = status;
	j->owner = fixture_text("uid:1");
	j->spec = fixture_text("{}");
	j->submitted = FIXTURE_T0;
	if (job_status_is_final(status))
		j->ended = FIXTURE_T0 + 1;
	r->u.submit = j;
	return j;
}

struct record *fixture_add_event(struct store_group *g, uint64_t job, uint32_t ordinal,
                                 enum event_kind kind, const char *body)
{
	struct record *r = store_group_add(g, RECORD_EVENT, job);

	assert_non_null(r);
	r->u.event.ordinal = ordinal;
	r->u.event.kind = kind;
	r->u.event.body = fixture_text(body);
	return r;
}

static enum event_kind final_event(enum job_status status)
{
	return status == JOB_COMPLETED ? EVENT_JOB_COMPLETED
	       : status == JOB_FAILED  ? EVENT_JOB_FAILED
	                               : EVENT_JOB_CANCELLED;
}

struct store_job *fixture_add_whole_job(struct store_group *g, uint64_t id, enum job_status status)
{
	struct store_job *j = fixture_add_job(g, id, status);

	(void)fixture_add_event(g, id, 0, EVENT_JOB_QUEUED, "queued");
	if (job_status_is_final(status))
		(void)fixture_add_event(g, id, 1, final_event(status), "ended");
	return j;
}

struct record *fixture_add_end(struct store_group *g, uint64_t job, enum job_status status)
{
	struct record *r = store_group_add(g, RECORD_ENDED, job);

	assert_non_null(r);
	r->u.change.status = status;
	r->u.change.time = FIXTURE_T0 + 2;
	return r;
}

struct record *fixture_add_input(struct store_group *g, uint64_t job, uint32_t number,
                                 const char *bytes)
{
	struct record *r = store_group_add(g, RECORD_INPUT, job);

	assert_non_null(r);
	r->u.input.number = number;
	r->u.input.time = FIXTURE_T0 + number;
	r->u.input.bytes = fixture_text(bytes);
	return r;
}

struct store_commit *fixture_take(struct fixture *f)
{
	struct store_commit *c;

	(void)pthread_mutex_lock(&f->lock);
	while (f->taken_count == f->reported_count)
		(void)pthread_cond_wait(&f->changed, &f->lock);
	c = f->reported[f->taken_count++];
	(void)pthread_mutex_unlock(&f->lock);
	return c;
}

struct store_commit *fixture_commit(struct fixture *f, struct store_group *g)
{
	struct store_commit *c;

	store_submit(f->store, g);
	c = fixture_take(f);
	if (c->outcome != GD_OK)
		fail_msg("%s", c->why.text);
	return c;
}

void fixture_commit_job(struct fixture *f, uint64_t id, enum job_status status)
{
	struct store_group *g = store_group_new(0);

	(void)fixture_add_whole_job(g, id, status);
	(void)fixture_commit(f, g);
}

struct store_read *fixture_new_read(enum read_kind kind)
{
	struct store_read *r = calloc(1, sizeof *r);

	assert_non_null(r);
	r->kind = kind;
	r->done = on_answer;
	r->limit = 1000;
	r->bytes_max = SIZE_MAX;
	r->flags = READ_WITH_SPEC | READ_WITH_RESULT;
	return r;
}

void fixture_read(struct fixture *f, struct store_read *r)
{
	uint32_t before = f->answered;

	r->owner = f;
	store_read(f->store, r);
	(void)pthread_mutex_lock(&f->lock);
	while (f->answered == before)
		(void)pthread_cond_wait(&f->changed, &f->lock);
	(void)pthread_mutex_unlock(&f->lock);
}

struct store_read *fixture_read_job(struct fixture *f, uint64_t id)
{
	struct store_read *r = fixture_new_read(READ_JOB);

	r->job = id;
	fixture_read(f, r);
	return r;
}

struct store_read *fixture_read_events(struct fixture *f, uint64_t after, uint32_t limit)
{
	struct store_read *r = fixture_new_read(READ_EVENTS);

	r->after = after;
	r->limit = limit;
	fixture_read(f, r);
	return r;
}

void fixture_fill_events(struct fixture *f, uint32_t count, uint32_t in_a_commit)
{
	struct store_group *g = store_group_new(0);

	(void)fixture_add_whole_job(g, 1, JOB_QUEUED);
	(void)fixture_add_whole_job(g, 2, JOB_QUEUED);
	for (uint32_t i = 2; i < count; i++) {
		if (i % in_a_commit == 0) {
			(void)fixture_commit(f, g);
			g = store_group_new(0);
		}
		(void)fixture_add_event(g, 1 + i % 2, i / 2, EVENT_YIELD, "y");
	}
	(void)fixture_commit(f, g);
}

void fixture_write_file(const struct fixture *f, const char *name, const void *bytes, size_t count)
{
	char path[512];
	int  fd;

	fixture_path(f, name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, count), (ssize_t)count);
	(void)close(fd);
}

char *fixture_read_file(const struct fixture *f, const char *name, size_t *count)
{
	char        path[512];
	struct stat st;
	char       *bytes;
	int         fd;

	fixture_path(f, name, path);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*count = (size_t)st.st_size;
	bytes = malloc(*count + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, *count), st.st_size);
	(void)close(fd);
	return bytes;
}

void fixture_cut_log(const struct fixture *f)
{
	struct audit_report report;
	char                path[512];

	fixture_path(f, "gatherd.db-wal", path);
	assert_int_equal(audit_read(path, &report, NULL), GD_OK);
	assert_int_equal(truncate(path, (off_t)report.good_bytes), 0);
}

bool fixture_is_file(const struct fixture *f, const char *name)
{
	char path[512];

	fixture_path(f, name, path);
	return access(path, F_OK) == 0;
}

void fixture_assert_refused(struct fixture *f, const char *words)
{
	struct gd_error why = { 0 };
	size_t          before_count;
	size_t          after_count;
	char           *before = fixture_read_file(f, "gatherd.db", &before_count);
	char           *after;

	assert_int_equal(fixture_try_open(f, &why), GD_STORE);
	assert_int_equal(why.code, GD_STORE);
	if (strstr(why.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, words);
	after = fixture_read_file(f, "gatherd.db", &after_count);
	assert_int_equal(after_count, before_count);
	assert_memory_equal(after, before, before_count);
	free(before);
	free(after);
}
