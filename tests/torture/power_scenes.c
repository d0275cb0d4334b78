#include "tests/torture/power_scenes.h"

#include "proto/base/check.h"
#include "tests/torture/disk.h"
#include "tests/torture/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LARGE_BYTES (9u << 19) /* more than the log may hold at an idle moment */

/* --- words for the lives --- */

static struct kit *begin(const char *dir)
{
	struct kit *k = malloc(sizeof *k); /* a killed life leaves it, as it leaves everything */

	CHECK(k != NULL);
	kit_init(k);
	kit_open(k, dir);
	kit_start(k);
	return k;
}

static void commit(struct kit *k)
{
	disk_mark(DISK_HANDED_IN, 0);
	kit_commit(k);
	if (k->failed != GD_OK) {
		printf("# a disk without faults: %s\n", k->why.text);
		CHECK_NEVER("a commit failed");
	}
	disk_mark(DISK_ACKNOWLEDGED, k->seq);
}

static void end(struct kit *k)
{
	kit_close(k);
	free(k);
}

static void submit(struct kit *k, uint64_t id)
{
	kit_job(k, id, JOB_QUEUED, NULL, NULL, 20);
	commit(k);
}

/* --- lives --- */

static void only_open(const char *dir)
{
	end(begin(dir));
}

static void killed_at_once(const char *dir)
{
	(void)begin(dir);
}

static void one_job(const char *dir)
{
	struct kit *k = begin(dir);

	submit(k, 1);
	end(k);
}

static void ten_jobs(const char *dir)
{
	struct kit *k = begin(dir);

	for (uint64_t id = 1; id <= 10; id++)
		submit(k, id);
}

static void a_whole_life(const char *dir)
{
	struct kit *k = begin(dir);

	submit(k, 1);
	kit_started(k, 1);
	kit_event(k, 1, 1, 40);
	commit(k);
	for (uint32_t i = 1; i <= 3; i++) {
		kit_input(k, 1, i);
		kit_event(k, 1, 1 + i, 40);
		commit(k);
	}
	kit_ended(k, 1, 5, JOB_COMPLETED);
	commit(k);
}

static void one_large_group(const char *dir)
{
	struct kit *k = begin(dir);

	submit(k, 1);
	for (uint64_t id = 2; id <= 200; id++)
		kit_job(k, id, id % 2 == 0 ? JOB_COMPLETED : JOB_QUEUED, NULL, NULL, 100);
	commit(k);
	submit(k, 201);
}

static void overflow_pages(const char *dir)
{
	struct kit *k = begin(dir);

	for (uint64_t id = 1; id <= 3; id++) {
		kit_job(k, id, JOB_QUEUED, NULL, NULL, 50000);
		kit_event(k, id, 1, 30000);
		commit(k);
	}
}

static void keys_and_labels(const char *dir)
{
	struct kit *k = begin(dir);

	kit_job(k, 1, JOB_QUEUED, "a", "[\"x\",\"y\"]", 20);
	commit(k);
	kit_job(k, 2, JOB_COMPLETED, "b", "[\"x\"]", 20);
	commit(k);
	kit_job(k, 3, JOB_QUEUED, "a", NULL, 20); /* refused: the key stands for another spec */
	kit_job(k, 4, JOB_QUEUED, "c", NULL, 20);
	commit(k);
	kit_delete(k, 2);
	commit(k);
}

static void deletions(const char *dir)
{
	struct kit *k = begin(dir);

	for (uint64_t id = 1; id <= 8; id++)
		kit_job(k, id, JOB_COMPLETED, NULL, NULL, 200);
	commit(k);
	for (uint64_t id = 1; id <= 8; id += 2) {
		kit_delete(k, id);
		commit(k);
	}
	for (uint64_t id = 2; id <= 8; id += 2)
		kit_delete(k, id);
	commit(k);
}

static void semaphores(const char *dir)
{
	static const char *const names[] = { "printer", "scanner" };
	struct kit              *k = begin(dir);

	for (uint32_t i = 0; i < 6; i++) {
		kit_semaphore(k, names[i % 2], i % 4);
		commit(k);
	}
	kit_semaphore(k, "printer", 1); /* what every name has: the row goes */
	commit(k);
}

static void more_jobs(const char *dir)
{
	struct kit *k = begin(dir);

	for (uint64_t id = 101; id <= 104; id++)
		submit(k, id);
}

static void more_jobs_and_stop(const char *dir)
{
	struct kit *k = begin(dir);

	for (uint64_t id = 201; id <= 203; id++)
		submit(k, id);
	end(k);
}

/* Waits, without the clock's help, until the writer has had its idle moment: it beats. */
static void rest(struct kit *k)
{
	uint64_t beat = store_heartbeat(k->store);

	while (store_heartbeat(k->store) < beat + 2)
		(void)usleep(1000);
}

/* The log is moved into the database at an idle moment, and then written from its beginning. */
static void checkpoint(const char *dir)
{
	struct kit *k = begin(dir);

	submit(k, 1);
	kit_job(k, 2, JOB_COMPLETED, NULL, NULL, LARGE_BYTES);
	commit(k);
	rest(k);
	for (uint64_t id = 3; id <= 8; id++)
		submit(k, id);
}

/* Freed pages are given back. */
static void vacuum(const char *dir)
{
	struct kit *k = begin(dir);

	kit_job(k, 1, JOB_COMPLETED, NULL, NULL, LARGE_BYTES);
	commit(k);
	submit(k, 2);
	kit_delete(k, 1);
	commit(k);
	rest(k);
	rest(k);
	submit(k, 3);
}

const struct power_scene power_scenes[] = {
	{ "birth", { only_open }, true },
	{ "stillbirth", { killed_at_once, one_job }, true },
	{ "one-job", { one_job }, false },
	{ "ten-jobs", { ten_jobs }, false },
	{ "whole-life", { a_whole_life }, false },
	{ "large-group", { one_large_group }, false },
	{ "overflow", { overflow_pages }, false },
	{ "keys", { keys_and_labels }, false },
	{ "deletions", { deletions }, false },
	{ "semaphores", { semaphores }, false },
	{ "stop-and-start", { one_job, more_jobs_and_stop }, false },
	{ "crash-and-start", { ten_jobs, more_jobs }, false },
	{ "three-lives", { ten_jobs, more_jobs, more_jobs_and_stop }, false },
	{ "checkpoint", { checkpoint }, false },
	{ "checkpoint-and-start", { checkpoint, more_jobs_and_stop }, false },
	{ "vacuum", { vacuum }, false },
};
const uint32_t power_scene_count = sizeof power_scenes / sizeof power_scenes[0];
