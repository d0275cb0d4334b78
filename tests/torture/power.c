/*
 * Rig (b), power: every sync of some short lives of a store is where the power goes, in several ways
 * (disk.h). What is left must open, and be exactly what one of the commits made, not an earlier one
 * than the last that was acknowledged.
 *
 *     power                                   a short round, as TAP
 *     power --seconds S --seed N              every entry of the tapes too, and other random cuts
 *     power --again SCENE COUNT CUT SEED DIR  one cut, whose disk stays in DIR
 */
#include "proto/base/check.h"
#include "tests/torture/disk.h"
#include "tests/torture/kit.h"
#include "tests/torture/power_scenes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RANDOM_CUTS 2 /* at each place */
#define STATES_MAX 64
#define SEEN_MAX (1u << 16)

static struct {
	char                      root[256]; /* removed at the end */
	char                      state[300];
	char                      image[300];
	char                      tape[300];
	uint64_t                  seed;
	/* of the present scene */
	const struct power_scene *scene;
	struct tape              *recorded;
	char    *states[STATES_MAX]; /* dumps: [0] of an empty store, [k] after commit k */
	uint32_t state_count;
	uint64_t seen[SEEN_MAX]; /* disks that were good, by hash and what they had to have */
	/* all in all */
	uint64_t cuts, opened, acknowledged, violations;
} rig;

/* --- directories --- */

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

static void make_root(void)
{
	const char *tmp = getenv("TMPDIR");

	/* Nothing here has to be on a disk. */
	if (tmp == NULL)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(rig.root, sizeof rig.root, "%.200s/gd-power.XXXXXX", tmp);
	CHECK(mkdtemp(rig.root) != NULL);
	(void)snprintf(rig.state, sizeof rig.state, "%s/state", rig.root);
	(void)snprintf(rig.image, sizeof rig.image, "%s/image", rig.root);
	(void)snprintf(rig.tape, sizeof rig.tape, "%s/tape", rig.root);
}

/* Runs it in a process of its own and gives its exit status; -1: it was killed. */
static int in_child(int (*fn)(void *ctx), void *ctx)
{
	pid_t pid;
	int   status;

	(void)fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(fn(ctx));
	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* --- recording --- */

static int live(void *ctx)
{
	power_life *life = *(power_life **)ctx;

	disk_record(rig.state, rig.tape);
	life(rig.state);
	return 0;
}

static void record(const struct power_scene *scene)
{
	empty_dir(rig.state);
	(void)unlink(rig.tape);
	for (uint32_t i = 0; i < POWER_LIVES_MAX && scene->lives[i] != NULL; i++) {
		power_life *life = scene->lives[i];

		CHECK(in_child(live, &life) == 0);
	}
	rig.recorded = tape_open(rig.tape);
}

/* --- what must be there --- */

/* A dump of the store in rig.image, NUL behind it; NULL with words in `why`. */
static char *dump_image(struct gd_error *why)
{
	struct kit k;
	struct buf b = { 0 };

	kit_init(&k);
	kit_open(&k, rig.image);
	kit_dump(&k, &b);
	buf_add_byte(&b, '\0');
	*why = k.why;
	if (k.failed != GD_OK) {
		buf_close(&b);
		b.at = NULL;
	}
	kit_close(&k);
	return b.at;
}

/* The store goes on: a commit more, an orderly stop, and it is there. */
static bool goes_on(struct gd_error *why)
{
	struct kit k;
	uint64_t   seq;
	uint64_t   id;

	kit_init(&k);
	kit_open(&k, rig.image);
	id = k.failed == GD_OK ? store_next_job_id(k.store) : 0;
	kit_start(&k);
	kit_job(&k, id, JOB_QUEUED, NULL, NULL, 10);
	kit_commit(&k);
	seq = k.seq;
	*why = k.why;
	if (k.failed != GD_OK) {
		kit_close(&k);
		return false;
	}
	kit_close(&k);
	kit_init(&k);
	kit_open(&k, rig.image);
	*why = k.why;
	if (k.failed == GD_OK && (store_seq(k.store) != seq || store_next_job_id(k.store) <= id))
		k.failed = gd_fail(why, GD_STORE, "a commit after the cut is not there");
	seq = k.failed;
	kit_close(&k);
	return seq == GD_OK;
}

/* The states that a kill would leave after each commit. Their numbers are those that were
 * acknowledged. */
static void find_states(void)
{
	struct gd_error why;
	uint64_t        hash;
	uint64_t        number = 0;
	char            start[64];
	uint32_t acks = tape_marks(rig.recorded, tape_count(rig.recorded), DISK_ACKNOWLEDGED, NULL);

	CHECK(acks < STATES_MAX);
	rig.state_count = acks + 1;
	for (uint32_t k = 0; k <= acks; k++) {
		uint32_t count = k == 0 ? 0 : tape_behind(rig.recorded, DISK_ACKNOWLEDGED, k);

		empty_dir(rig.image);
		(void)tape_play(rig.recorded, count, CUT_KEEPS_ALL, 0, rig.image, &hash);
		rig.states[k] = dump_image(&why);
		if (rig.states[k] == NULL) {
			printf("# %s: after commit %u: %s\n", rig.scene->name, (unsigned)k,
			       why.text);
			CHECK_NEVER("a store that was only killed does not open");
		}
		(void)tape_marks(rig.recorded, count, DISK_ACKNOWLEDGED, &number);
		(void)snprintf(start, sizeof start, "seq %" PRIu64 " ", number);
		CHECK(strncmp(rig.states[k], start, strlen(start)) == 0);
	}
}

static void forget_scene(void)
{
	for (uint32_t i = 0; i < rig.state_count; i++)
		free(rig.states[i]);
	rig.state_count = 0;
	tape_close(rig.recorded);
	memset(rig.seen, 0, sizeof rig.seen);
}

/* --- one cut --- */

struct cut_at {
	uint32_t count;
	enum cut cut;
	uint64_t seed;
	uint32_t acknowledged;
	uint32_t handed_in;
};

static int look(void *ctx)
{
	const struct cut_at *at = ctx;
	struct gd_error      why;
	char                *dump = dump_image(&why);
	uint32_t             k;

	if (dump == NULL) {
		printf("# it does not open: %s\n", why.text);
		return 1;
	}
	for (k = at->acknowledged; k <= at->handed_in && k < rig.state_count; k++)
		if (strcmp(dump, rig.states[k]) == 0)
			break;
	if (k > at->handed_in || k == rig.state_count) {
		printf("# %u acknowledged, %u handed in, and it holds none of these states: %.200s\n",
		       (unsigned)at->acknowledged, (unsigned)at->handed_in, dump);
		return 1;
	}
	if (at->seed % 4 == 0 && !goes_on(&why)) {
		printf("# it does not go on: %s\n", why.text);
		return 1;
	}
	return 0;
}

/* Disks are often equal; each is looked at once. */
static bool is_new(uint64_t hash, const struct cut_at *at)
{
	uint64_t  key = (hash ^ at->acknowledged) * UINT64_C(0x100000001b3) + at->handed_in + 1;
	uint64_t *slot = &rig.seen[key % SEEN_MAX];

	if (*slot == key)
		return false;
	*slot = key;
	return true;
}

static void cut_once(struct cut_at at)
{
	uint64_t hash;

	empty_dir(rig.image);
	(void)tape_play(rig.recorded, at.count, at.cut, at.seed, rig.image, &hash);
	rig.cuts++;
	if (!is_new(hash, &at))
		return;
	rig.opened++;
	if (in_child(look, &at) == 0)
		return;
	rig.violations++;
	printf("# VIOLATION: %s, entry %u of %u, %s\n# repeat: power --again %s %u %d %" PRIu64
	       " DIR\n",
	       rig.scene->name, (unsigned)at.count, (unsigned)tape_count(rig.recorded),
	       cut_names[at.cut], rig.scene->name, (unsigned)at.count, (int)at.cut, at.seed);
}

static void cut_at(uint32_t count, uint32_t random_cuts)
{
	struct cut_at at = {
		.count = count,
		.acknowledged = tape_marks(rig.recorded, count, DISK_ACKNOWLEDGED, NULL),
		.handed_in = tape_marks(rig.recorded, count, DISK_HANDED_IN, NULL),
	};

	for (int cut = 0; cut < CUT_RANDOM; cut++) {
		at.cut = (enum cut)cut;
		at.seed = rig.seed + count;
		cut_once(at);
	}
	at.cut = CUT_RANDOM;
	for (uint32_t i = 0; i < random_cuts; i++) {
		at.seed = rig.seed + count * UINT64_C(1000) + i;
		cut_once(at);
	}
}

/* Just before and just behind every sync; with `is_every` behind every entry. Where the
 * birth of the store is not what a scene is about, it begins behind that. */
static void cut_scene(bool is_every, uint32_t random_cuts, bool (*is_over)(void))
{
	uint32_t count = tape_count(rig.recorded);
	uint32_t first = rig.scene->is_of_birth ? 0 : tape_behind(rig.recorded, DISK_HANDED_IN, 1);

	for (uint32_t i = first; i < count && !is_over(); i++) {
		bool is_sync = tape_is_sync(rig.recorded, i);

		if (is_sync || is_every)
			cut_at(i, random_cuts);
		if (is_sync || i + 1 == count)
			cut_at(i + 1, is_every ? random_cuts : 1);
	}
}

static void begin_scene(const struct power_scene *scene)
{
	rig.scene = scene;
	record(scene);
	find_states();
	rig.acknowledged += rig.state_count - 1;
}

/* --- rounds --- */

static bool never(void)
{
	return false;
}

static void short_round(void)
{
	printf("1..%u\n", (unsigned)power_scene_count);
	for (uint32_t i = 0; i < power_scene_count; i++) {
		uint64_t before = rig.violations;
		uint64_t cuts = rig.cuts;

		begin_scene(&power_scenes[i]);
		cut_scene(false, RANDOM_CUTS, never);
		printf("%s %u - power: %s, %" PRIu64 " cuts\n",
		       rig.violations == before ? "ok" : "not ok", (unsigned)i + 1,
		       power_scenes[i].name, rig.cuts - cuts);
		forget_scene();
	}
}

static struct timespec deadline;

static bool is_time_over(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > deadline.tv_sec ||
	       (now.tv_sec == deadline.tv_sec && now.tv_nsec >= deadline.tv_nsec);
}

static void long_round(double seconds)
{
	(void)clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += (time_t)seconds;
	for (uint32_t i = 0; !is_time_over(); i++) {
		begin_scene(&power_scenes[i % power_scene_count]);
		cut_scene(i >= power_scene_count, RANDOM_CUTS, is_time_over);
		forget_scene();
		rig.seed += UINT64_C(1000003);
	}
	printf("torture: rig=power cycles=%" PRIu64 " acknowledgements=%" PRIu64 " faults=%" PRIu64
	       " violations=%" PRIu64 "\n",
	       rig.cuts, rig.acknowledged, rig.opened, rig.violations);
}

static int again(char **words)
{
	struct cut_at at = { .count = (uint32_t)strtoul(words[1], NULL, 10),
		             .cut = (enum cut)strtoul(words[2], NULL, 10),
		             .seed = strtoull(words[3], NULL, 10) };
	uint64_t      hash;

	for (uint32_t i = 0; i < power_scene_count; i++)
		if (strcmp(power_scenes[i].name, words[0]) == 0)
			begin_scene(&power_scenes[i]);
	CHECK(rig.recorded != NULL);
	at.acknowledged = tape_marks(rig.recorded, at.count, DISK_ACKNOWLEDGED, NULL);
	at.handed_in = tape_marks(rig.recorded, at.count, DISK_HANDED_IN, NULL);
	(void)tape_play(rig.recorded, at.count, at.cut, at.seed, words[4], &hash);
	empty_dir(rig.image);
	(void)tape_play(rig.recorded, at.count, at.cut, at.seed, rig.image, &hash);
	rig.violations += in_child(look, &at) != 0;
	forget_scene();
	return 0;
}

int main(int argc, char **argv)
{
	double seconds = 0;

	make_root();
	if (argc == 7 && strcmp(argv[1], "--again") == 0) {
		(void)again(argv + 2);
	} else {
		for (int i = 1; i + 1 < argc; i += 2) {
			if (strcmp(argv[i], "--seconds") == 0)
				seconds = strtod(argv[i + 1], NULL);
			else if (strcmp(argv[i], "--seed") == 0)
				rig.seed = strtoull(argv[i + 1], NULL, 10);
		}
		if (seconds > 0)
			long_round(seconds);
		else
			short_round();
	}
	empty_dir(rig.image);
	empty_dir(rig.state);
	(void)unlink(rig.tape);
	(void)rmdir(rig.root);
	return rig.violations == 0 ? 0 : 1;
}
