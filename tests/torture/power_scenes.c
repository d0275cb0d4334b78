#include "tests/torture/power_scenes.h"

#include "daemon/store/schema.h"
#include "daemon/store/state_dir.h"
#include "proto/base/check.h"
#include "tests/torture/disk.h"
#include "tests/torture/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define JOBS_KEPT 4
#define EVENTS_KEPT 8
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
		kit_semaphore(k, i % 3 == 0 ? SEMAPHORE_POOL : SEMAPHORE_PLAIN, names[i % 2],
		              i % 4);
		commit(k);
	}
	kit_semaphore(k, SEMAPHORE_PLAIN, "printer", 1); /* what every name has: the row goes */
	commit(k);
}

/* They are there from their commit to the end of their job. */
static void commands(const char *dir)
{
	struct kit *k = begin(dir);

	for (uint64_t id = 1; id <= 2; id++) {
		submit(k, id);
		kit_started(k, id);
		kit_command(k, id, 1);
		commit(k);
		kit_command(k, id, 2);
		kit_input(k, id, 1);
		commit(k);
	}
	kit_ended(k, 1, 2, JOB_COMPLETED);
	kit_command(k, 2, 3);
	commit(k);
	kit_delete(k, 1);
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

/* Jobs that are over and events leave, in quiet moments and with the commits. */
static void keeps_few(const char *dir)
{
	const struct store_retention few = { .jobs_max = JOBS_KEPT, .events_max = EVENTS_KEPT };
	struct kit                  *k = begin(dir);

	store_retain(k->store, &few);
	for (uint64_t id = 1; id <= 24; id += 4) {
		for (uint64_t i = id; i < id + 4; i++) {
			kit_job(k, i, i % 6 == 0 ? JOB_QUEUED : JOB_COMPLETED, NULL, NULL, 3000);
			kit_event(k, i, 2, 20000);
		}
		commit(k);
		if (id % 8 == 5)
			rest(k);
	}
	rest(k);
	submit(k, 101);
}

/* The log cannot grow for a while: what was handed in waits, and is there in the end. */
static void full_disk(const char *dir)
{
	struct kit *k = begin(dir);

	submit(k, 1);
	for (uint64_t id = 2; id <= 5; id++) {
		disk_no_room(3);
		kit_job(k, id, JOB_QUEUED, NULL, NULL, 9000);
		commit(k);
	}
	end(k);
}

/* --- databases of older versions, as those left them: two jobs, and a log that nobody has moved --- */

static const char old_rows[] =
	"BEGIN;"
	"INSERT INTO jobs (id, status, loop, submitted, started, ended, seq, end_seq, owner,"
	" spec, result) VALUES (1, 0, 0, 0, 0, 0, 0, 0, 'uid:1', '{}', NULL),"
	" (2, 2, 0, 5, 5, 6, 0, 0, 'uid:1', '{}', '7');"
	"INSERT INTO inputs VALUES (1, 1, 5, x'00');"
	"UPDATE state SET next_job = 3, queued = 1, completed = 1;"
	"COMMIT";

static void make_old(const char *dir, int version)
{
	struct state_dir d;
	struct db        db;
	struct gd_error  why;
	bool             has_database;

	CHECK(state_dir_open(&d, dir, &why) == GD_OK);
	CHECK(state_dir_look(&d, &has_database, &why) == GD_OK && !has_database);
	CHECK(state_dir_conceive(&d, &why) == GD_OK && db_open(&db, d.unborn, &why) == GD_OK);
	CHECK(schema_create_old(&db, version, &why) == GD_OK);
	db_close(&db);
	CHECK(state_dir_bear(&d, &why) == GD_OK && db_open(&db, d.database, &why) == GD_OK);
	CHECK(db_lock(&db, &why) == GD_OK && db_use_wal(&db, &why) == GD_OK);
	disk_mark(DISK_HANDED_IN, 0);
	if (db_exec(&db, old_rows, &why) != GD_OK) {
		printf("# version %d: %s\n", version, why.text);
		CHECK_NEVER("an old database cannot be made");
	}
	disk_mark(DISK_ACKNOWLEDGED, 0);
}

static void version_1(const char *dir)
{
	make_old(dir, 1);
}

static void version_2(const char *dir)
{
	make_old(dir, 2);
}

static void version_3(const char *dir)
{
	make_old(dir, 3);
}

static void version_6(const char *dir)
{
	make_old(dir, 6);
}

const struct power_scene power_scenes[] = {
	{ .name = "birth", .lives = { only_open }, .is_of_birth = true },
	{ .name = "stillbirth", .lives = { killed_at_once, one_job }, .is_of_birth = true },
	{ .name = "one-job", .lives = { one_job } },
	{ .name = "ten-jobs", .lives = { ten_jobs } },
	{ .name = "whole-life", .lives = { a_whole_life } },
	{ .name = "large-group", .lives = { one_large_group } },
	{ .name = "overflow", .lives = { overflow_pages } },
	{ .name = "keys", .lives = { keys_and_labels } },
	{ .name = "deletions", .lives = { deletions } },
	{ .name = "semaphores", .lives = { semaphores } },
	{ .name = "commands", .lives = { commands } },
	{ .name = "stop-and-start", .lives = { one_job, more_jobs_and_stop } },
	{ .name = "crash-and-start", .lives = { ten_jobs, more_jobs } },
	{ .name = "crash-and-stop", .lives = { ten_jobs, only_open, only_open } },
	{ .name = "three-lives", .lives = { ten_jobs, more_jobs, more_jobs_and_stop } },
	{ .name = "checkpoint", .lives = { checkpoint } },
	{ .name = "checkpoint-and-start", .lives = { checkpoint, more_jobs_and_stop } },
	{ .name = "vacuum", .lives = { vacuum } },
	{ .name = "retention",
	  .lives = { keeps_few, more_jobs_and_stop },
	  .is_expiring = true,
	  .jobs_kept = JOBS_KEPT,
	  .events_kept = EVENTS_KEPT },
	{ .name = "full-disk", .lives = { full_disk, more_jobs } },
	{ .name = "from-version-1", .lives = { version_1, more_jobs_and_stop } },
	{ .name = "from-version-2", .lives = { version_2, more_jobs } },
	{ .name = "from-version-3", .lives = { version_3, more_jobs_and_stop } },
	{ .name = "from-version-6", .lives = { version_6, more_jobs } },
};
const uint32_t power_scene_count = sizeof power_scenes / sizeof power_scenes[0];
