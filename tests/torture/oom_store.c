/* Scenes of the store. What it acknowledged before memory ended must be there afterwards. */
#include "proto/base/check.h"
#include "tests/torture/heap.h"
#include "tests/torture/kit.h"
#include "tests/torture/oom_scenes.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char     directory[256];
static uint64_t acknowledged; /* seq of the last commit that was reported as durable */

void oom_store_use(const char *dir)
{
	CHECK(strlen(dir) < sizeof directory);
	memcpy(directory, dir, strlen(dir) + 1);
}

void oom_store_clear(void)
{
	DIR           *dir = opendir(directory);
	struct dirent *entry;

	acknowledged = 0;
	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL)
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	(void)closedir(dir);
}

static void commit(struct kit *k)
{
	kit_commit(k);
	if (k->failed == GD_OK)
		acknowledged = k->seq;
}

static enum gd_err finish(struct kit *k, struct buf *said)
{
	enum gd_err rc = k->failed;

	if (rc == GD_OK && said->failed != GD_OK)
		rc = said->failed;
	kit_close(k);
	return rc;
}

static void begin_filled(void)
{
	struct kit k;

	oom_store_clear();
	kit_init(&k);
	kit_open(&k, directory);
	kit_start(&k);
	kit_semaphore(&k, SEMAPHORE_PLAIN, "gate", 3);
	kit_semaphore(&k, SEMAPHORE_POOL, "gate", 2);
	for (uint64_t id = 1; id <= 5; id++)
		kit_job(&k, id, id % 2 == 0 ? JOB_COMPLETED : JOB_QUEUED, id == 1 ? "key" : NULL,
		        "[\"x\"]", 60);
	kit_started(&k, 3);
	kit_command(&k, 2, 1);
	kit_command(&k, 3, 1);
	for (uint32_t i = 1; i <= 3; i++) {
		kit_input(&k, 3, i);
		kit_event(&k, 3, i, 40);
	}
	commit(&k);
	CHECK(k.failed == GD_OK);
	kit_close(&k);
}

static bool is_all_there(const char **words)
{
	struct kit k;
	bool       is_good;

	kit_init(&k);
	kit_open(&k, directory);
	is_good = k.failed == GD_OK && store_seq(k.store) >= acknowledged;
	*words = k.failed != GD_OK ? "the store does not open again"
	                           : "an acknowledged commit is not there";
	kit_close(&k);
	return is_good;
}

static enum gd_err run_open(const struct oom_scene *scene, struct buf *said)
{
	struct kit k;

	(void)scene;
	kit_init(&k);
	kit_open(&k, directory);
	if (k.failed == GD_OK)
		buf_addf(said, "seq %" PRIu64, store_seq(k.store));
	return finish(&k, said);
}

static enum gd_err run_dump(const struct oom_scene *scene, struct buf *said)
{
	struct kit k;

	(void)scene;
	kit_init(&k);
	kit_open(&k, directory);
	kit_dump(&k, said);
	return finish(&k, said);
}

static enum gd_err run_commits(const struct oom_scene *scene, struct buf *said)
{
	struct kit k;

	(void)scene;
	kit_init(&k);
	kit_open(&k, directory);
	kit_start(&k);
	kit_job(&k, 11, JOB_QUEUED, "new", "[\"x\",\"y\"]", 3000);
	kit_event(&k, 11, 1, 2000);
	commit(&k);
	kit_started(&k, 11);
	kit_input(&k, 11, 1);
	kit_command(&k, 11, 1);
	kit_ended(&k, 11, 2, JOB_FAILED);
	kit_job(&k, 12, JOB_QUEUED, "key", NULL, 60); /* refused */
	commit(&k);
	if (k.failed == GD_OK)
		buf_addf(said, "seq %" PRIu64, k.seq);
	return finish(&k, said);
}

static enum gd_err run_deletes(const struct oom_scene *scene, struct buf *said)
{
	struct kit k;

	(void)scene;
	kit_init(&k);
	kit_open(&k, directory);
	kit_start(&k);
	kit_delete(&k, 2);
	commit(&k);
	kit_delete(&k, 4);
	kit_semaphore(&k, SEMAPHORE_PLAIN, "gate", 1);
	commit(&k);
	if (k.failed == GD_OK)
		buf_addf(said, "seq %" PRIu64, k.seq);
	return finish(&k, said);
}

#define STORE_SCENE(name_, run_, before_)                                             \
	{                                                                             \
		.name = name_, .run = run_, .before = before_, .after = is_all_there, \
		.is_slow = true                                                       \
	}

const struct oom_scene oom_store_scenes[] = {
	STORE_SCENE("store-birth", run_open, oom_store_clear),
	STORE_SCENE("store-open", run_open, begin_filled),
	STORE_SCENE("store-read", run_dump, begin_filled),
	STORE_SCENE("store-commit", run_commits, begin_filled),
	STORE_SCENE("store-delete", run_deletes, begin_filled),
};
const uint32_t oom_store_scene_count = sizeof oom_store_scenes / sizeof oom_store_scenes[0];
