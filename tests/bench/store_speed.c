/*
 * store_speed.c - how many jobs a second the store makes durable.
 *
 *	store_speed [JOBS [JOBS_IN_A_GROUP [GROUPS_IN_FLIGHT]]]
 *
 * Every job has already ended and brings three events; nothing else runs. The database is made in
 * the current directory, with a sync for each commit, and removed afterwards. The last line is the
 * walk over as many sleeping jobs, as a start does it.
 */
#include "daemon/store/store.h"
#include "tests/lib/live_walk.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define T0 (INT64_C(1700000000) * GD_NSEC_PER_SEC)
#define SPEC                                                                     \
	"{\"do\":[{\"sleep\":0},{\"value\":\"${args.n * 2}\",\"as\":\"twice\"}," \
	"{\"return\":\"${twice}\"}]}"

struct bench {
	pthread_mutex_t lock;
	pthread_cond_t  changed;
	uint32_t        in_flight;
	uint64_t        commits;
	double          writer_cpu;
};

static double now(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_commit(void *ctx, struct store_commit *c)
{
	struct bench *b = ctx;
	uint32_t      groups = 0;

	if (c->outcome != GD_OK) {
		(void)fprintf(stderr, "store_speed: %s\n", c->why.text);
		exit(1);
	}
	for (const struct store_group *g = c->groups; g != NULL; g = g->next)
		groups++;
	atomic_init(&c->refs, 1);
	store_commit_release(c);
	(void)pthread_mutex_lock(&b->lock);
	b->in_flight -= groups;
	b->commits++;
	b->writer_cpu = now(CLOCK_THREAD_CPUTIME_ID);
	(void)pthread_cond_signal(&b->changed);
	(void)pthread_mutex_unlock(&b->lock);
}

static void *must(void *at)
{
	if (at == NULL) {
		(void)fprintf(stderr, "store_speed: out of memory\n");
		exit(1);
	}
	return at;
}

static void check(enum gd_err rc, const struct gd_error *why)
{
	if (rc != GD_OK) {
		(void)fprintf(stderr, "store_speed: %s\n", why->text);
		exit(1);
	}
}

static struct text GD_PRINTF(2, 3) say(struct arena *a, const char *fmt, ...)
{
	char    line[256];
	va_list args;
	int     count;

	va_start(args, fmt);
	count = vsnprintf(line, sizeof line, fmt, args);
	va_end(args);
	return (struct text){ must(arena_copy(a, line, (size_t)count)), (size_t)count };
}

static void add_event(struct store_group *g, uint64_t job, uint32_t ordinal, enum event_kind kind)
{
	struct record *r = must(store_group_add(g, RECORD_EVENT, job));

	r->u.event.ordinal = ordinal;
	r->u.event.kind = kind;
	r->u.event.body = say(&g->arena,
	                      "\"time\":1700000000.123456,\"job\":%llu,"
	                      "\"kind\":\"job.something\"",
	                      (unsigned long long)job);
}

static void add_job(struct store_group *g, uint64_t id, enum job_status status)
{
	struct record    *r = must(store_group_add(g, RECORD_JOB, id));
	struct store_job *j = must(arena_alloc(&g->arena, sizeof *j));

	j->status = status;
	j->owner = (struct text){ "uid:1000", 8 };
	j->spec = (struct text){ SPEC, sizeof SPEC - 1 };
	j->args = say(&g->arena, "{\"n\":%llu}", (unsigned long long)id);
	j->submitted = j->started = T0;
	r->u.submit = j;
	add_event(g, id, 0, EVENT_JOB_QUEUED);
	add_event(g, id, 1, EVENT_JOB_STARTED);
	if (!job_status_is_final(status))
		return;
	j->ended = T0;
	j->result = say(&g->arena, "%llu", (unsigned long long)id * 2);
	add_event(g, id, 2, EVENT_JOB_COMPLETED);
}

static void send(struct bench *b, struct store *s, struct store_group *g, uint32_t room)
{
	(void)pthread_mutex_lock(&b->lock);
	while (b->in_flight >= room)
		(void)pthread_cond_wait(&b->changed, &b->lock);
	b->in_flight++;
	(void)pthread_mutex_unlock(&b->lock);
	store_submit(s, g);
}

static void fill(struct bench *b, const struct store_config *cfg, enum job_status status,
                 uint32_t jobs, uint32_t in_group, uint32_t room)
{
	struct store   *s;
	struct gd_error why;
	double          begin;
	double          wall;
	uint64_t        id;

	*b = (struct bench){ .lock = b->lock, .changed = b->changed };
	check(store_open(cfg, &s, &why), &why);
	id = store_next_job_id(s);
	check(store_start(s, &why), &why);
	begin = now(CLOCK_MONOTONIC);
	for (uint32_t done = 0; done < jobs; done += in_group) {
		struct store_group *g = must(store_group_new(0));

		for (uint32_t i = 0; i < in_group; i++)
			add_job(g, id++, status);
		send(b, s, g, room);
	}
	store_stop(s);
	wall = now(CLOCK_MONOTONIC) - begin;
	(void)printf(
		"%s: %u jobs in %.2f s: %.0f jobs/s, %.2f us of writer CPU each, %llu commits\n",
		job_status_name(status), jobs, wall, jobs / wall, b->writer_cpu / jobs * 1e6,
		(unsigned long long)b->commits);
	store_close(s);
}

static enum gd_err count_live(void *ctx, const struct store_job *job, uint32_t last_ordinal,
                              const struct store_input *inputs, uint32_t input_count,
                              struct gd_error *why)
{
	uint32_t *count = ctx;

	(void)job;
	(void)inputs;
	if (last_ordinal != 1 || input_count != 0)
		return gd_fail(why, GD_STORE, "job %llu came back changed",
		               (unsigned long long)job->id);
	(*count)++;
	return GD_OK;
}

static void walk(const struct store_config *cfg)
{
	struct store   *s;
	struct gd_error why;
	uint32_t        count = 0;
	double          begin = now(CLOCK_MONOTONIC);
	double          opened;

	check(store_open(cfg, &s, &why), &why);
	opened = now(CLOCK_MONOTONIC);
	check(live_walk(s, count_live, &count, &why), &why);
	(void)printf("open %.2f s, walk of %u live jobs %.2f s\n", opened - begin, count,
	             now(CLOCK_MONOTONIC) - opened);
	store_close(s);
}

static void remove_dir(const char *dir)
{
	static const char *const names[] = { "gatherd.db", "gatherd.db-wal", "gatherd.db.new",
		                             "lock" };
	char                     path[256];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}

int main(int argc, char **argv)
{
	char         dir[] = "store_speed.XXXXXX";
	struct bench b = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0, 0 };
	const struct store_config cfg = { .dir = dir, .on_commit = on_commit, .ctx = &b };
	uint32_t                  jobs = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 500000;
	uint32_t                  in_group = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 256;
	uint32_t                  room = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 4;

	if (jobs == 0 || in_group == 0 || room == 0 || mkdtemp(dir) == NULL) {
		(void)fprintf(stderr, "store_speed: bad numbers, or %s\n", strerror(errno));
		return 1;
	}
	fill(&b, &cfg, JOB_COMPLETED, jobs, in_group, room);
	fill(&b, &cfg, JOB_RUNNING, jobs, in_group, room);
	walk(&cfg);
	remove_dir(dir);
	return 0;
}
