#include "daemon/run/jobs.h"

#include "proto/base/check.h"

#include <stdlib.h>

#define JOBS_ROOM_MIN 64u

void jobs_close(struct jobs *j)
{
	free(j->at);
	*j = (struct jobs){ 0 };
}

/* Ids of one loop are an arithmetic progression; the multiplication (Fibonacci hashing, Knuth
 * vol. 3, 6.4) spreads them over the high bits. */
static uint32_t slot_of(const struct jobs *j, uint64_t id)
{
	return (uint32_t)((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (j->room - 1);
}

static struct live_job *slot_for(const struct jobs *j, uint64_t id)
{
	uint32_t at = slot_of(j, id);

	while (j->at[at].id != 0 && j->at[at].id != id)
		at = (at + 1) & (j->room - 1);
	return &j->at[at];
}

enum gd_err jobs_reserve(struct jobs *j, struct gd_error *why)
{
	struct jobs wider;

	if (j->room != 0 && j->count + 1 <= j->room / 4 * 3)
		return GD_OK;
	wider.room = j->room == 0 ? JOBS_ROOM_MIN : j->room * 2;
	wider.count = j->count;
	wider.at = calloc(wider.room, sizeof *wider.at);
	if (wider.at == NULL)
		return gd_fail(why, GD_NOMEM, "table of %u jobs", (unsigned)wider.room);
	for (uint32_t i = 0; i < j->room; i++)
		if (j->at[i].id != 0)
			*slot_for(&wider, j->at[i].id) = j->at[i];
	free(j->at);
	*j = wider;
	return GD_OK;
}

struct live_job *jobs_add(struct jobs *j, uint64_t id)
{
	struct live_job *job;

	CHECK(id != 0);
	CHECK(j->room != 0 && j->count < j->room / 4 * 3); /* reserved */
	job = slot_for(j, id);
	CHECK(job->id == 0);
	*job = (struct live_job){ .id = id };
	j->count++;
	return job;
}

struct live_job *jobs_find(const struct jobs *j, uint64_t id)
{
	struct live_job *job;

	if (j->room == 0 || id == 0)
		return NULL;
	job = slot_for(j, id);
	return job->id == id ? job : NULL;
}

void jobs_remove(struct jobs *j, struct live_job *job)
{
	uint32_t hole = (uint32_t)(job - j->at);
	uint32_t at = hole;

	/* Rows behind the hole move up when their own chain passes over it (Knuth, algorithm R). */
	for (;;) {
		uint32_t home;

		at = (at + 1) & (j->room - 1);
		if (j->at[at].id == 0)
			break;
		home = slot_of(j, j->at[at].id);
		if (((at - home) & (j->room - 1)) < ((at - hole) & (j->room - 1)))
			continue;
		j->at[hole] = j->at[at];
		hole = at;
	}
	j->at[hole] = (struct live_job){ 0 };
	j->count--;
}
