#include "daemon/store/inside.h"

#include "proto/base/check.h"

#include <stdlib.h>

const char *job_status_name(enum job_status status)
{
	switch (status) {
	case JOB_QUEUED:
		return "queued";
	case JOB_RUNNING:
		return "running";
	case JOB_COMPLETED:
		return "completed";
	case JOB_FAILED:
		return "failed";
	case JOB_CANCELLED:
		return "cancelled";
	}
	CHECK_NEVER("job_status_name: unknown status");
}

const char *event_kind_name(enum event_kind kind)
{
	switch (kind) {
	case EVENT_JOB_QUEUED:
		return "job.queued";
	case EVENT_JOB_STARTED:
		return "job.started";
	case EVENT_JOB_COMPLETED:
		return "job.completed";
	case EVENT_JOB_FAILED:
		return "job.failed";
	case EVENT_JOB_CANCELLED:
		return "job.cancelled";
	case EVENT_TASK_STARTED:
		return "task.started";
	case EVENT_TASK_COMPLETED:
		return "task.completed";
	case EVENT_TASK_FAILED:
		return "task.failed";
	case EVENT_TASK_RETRYING:
		return "task.retrying";
	case EVENT_YIELD:
		return "yield";
	case EVENT_LOG:
		return "log";
	}
	CHECK_NEVER("event_kind_name: unknown kind");
}

/* FNV-1a. */
static uint32_t hash_on(uint32_t hash, const void *bytes, size_t count)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < count; i++)
		hash = (hash ^ at[i]) * UINT32_C(16777619);
	return hash;
}

uint32_t store_event_sum(uint32_t sum, enum event_kind kind, struct text path)
{
	const unsigned char number = (unsigned char)kind;

	sum = hash_on(sum == 0 ? UINT32_C(2166136261) : sum, &number, 1);
	return path.at == NULL ? sum : hash_on(sum, path.at, path.bytes);
}

/* Every group brings the commit that it may lead: nothing is allocated between COMMIT and its
 * report. */
struct group_box {
	struct store_group  group; /* first, so that one pointer frees both */
	struct store_commit commit;
};

struct store_group *store_group_new(uint32_t loop)
{
	struct group_box *box = calloc(1, sizeof *box);

	if (box == NULL)
		return NULL;
	box->group.loop = loop;
	return &box->group;
}

void store_group_free(struct store_group *g)
{
	if (g == NULL)
		return;
	arena_close(&g->arena);
	free(g);
}

struct record *store_group_add(struct store_group *g, enum record_kind kind, uint64_t job)
{
	struct record *r = arena_alloc(&g->arena, sizeof *r);

	if (r == NULL)
		return NULL;
	r->kind = kind;
	r->job = job;
	if (g->last == NULL)
		g->first = r;
	else
		g->last->next = r;
	g->last = r;
	g->count++;
	return r;
}

struct store_commit *group_commit(struct store_group *groups)
{
	struct store_commit *c = &((struct group_box *)(void *)groups)->commit;

	c->groups = groups;
	return c;
}

void store_commit_release(struct store_commit *c)
{
	struct store_group *next;

	CHECK(atomic_load(&c->refs) > 0);
	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	for (struct store_group *g = c->groups; g != NULL; g = next) {
		next = g->next;
		store_group_free(g);
	}
}

void store_read_free(struct store_read *r)
{
	if (r == NULL)
		return;
	arena_close(&r->arena);
	free(r);
}
