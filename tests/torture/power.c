/*
 * Rig (b), power: every sync of some short lives of a store is where the power goes, in several ways
 * (disk.h). What is left must open, and be exactly what one of the commits made, not an earlier one
 * than the last that was acknowledged. On some of these disks the power goes once more while a start
 * finds out what is there.
 *
 *     power                                    a short round, as TAP
 *     power --seconds S --cuts N --seed N      on and on: every entry of the tapes, random cuts
 *     power --sabotage NAME                    the short round on a disk that lies (disk.h)
 *     power --again SCENE COUNT CUT SEED [COUNT CUT SEED] DIR
 *                                              one cut, or one in a start after it; kept in DIR
 */
#include "tests/torture/power_rig.h"

#include "proto/base/check.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RANDOM_CUTS 2            /* at each place */
#define RECOVERY_EVERY_SHORT 250 /* disks that were opened, for one whose start is cut */
#define RECOVERY_EVERY_LONG 40
#define RANDOM_PLACES 60 /* of a scene in a round beyond the first */
#define VIOLATIONS_SHOWN 20

struct power_rig rig;
static uint32_t  recovery_every = RECOVERY_EVERY_SHORT;
static bool      is_sabotaged;

/* --- directories, children --- */

void power_empty_dir(const char *path)
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
	(void)snprintf(rig.second_tape, sizeof rig.second_tape, "%s/tape2", rig.root);
}

static void remove_root(void)
{
	power_empty_dir(rig.image);
	power_empty_dir(rig.state);
	(void)unlink(rig.tape);
	(void)unlink(rig.second_tape);
	(void)rmdir(rig.root);
}

int power_in_child(int (*fn)(void *ctx), void *ctx)
{
	pid_t pid;
	int   status;

	(void)fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		int code = fn(ctx);

		(void)fflush(NULL);
		_exit(code);
	}
	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* --- scenes --- */

static int live(void *ctx)
{
	power_life *life = *(power_life **)ctx;

	disk_record(rig.state, rig.tape);
	life(rig.state);
	return 0;
}

static void begin_scene(const struct power_scene *scene)
{
	rig.scene = scene;
	power_empty_dir(rig.state);
	(void)unlink(rig.tape);
	for (uint32_t i = 0; i < POWER_LIVES_MAX && scene->lives[i] != NULL; i++) {
		power_life *one = scene->lives[i];

		CHECK(power_in_child(live, &one) == 0);
	}
	rig.recorded = tape_open(rig.tape);
	power_find_states();
	rig.acknowledged += rig.state_count - 1;
}

static void end_scene(void)
{
	power_forget_states();
	tape_close(rig.recorded);
	memset(rig.seen, 0, sizeof rig.seen);
}

/* --- one cut --- */

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

bool power_cut(const struct tape *t, const struct cut_at *at, const char *again)
{
	struct cut_at copy = *at;
	uint64_t      hash;

	power_empty_dir(rig.image);
	(void)tape_play(t, at->count, at->cut, at->seed, rig.image, &hash);
	rig.cuts++;
	if (!is_new(hash, at))
		return false;
	rig.opened++;
	if (power_in_child(power_look, &copy) == 0)
		return true;
	rig.violations++;
	if (rig.violations <= VIOLATIONS_SHOWN)
		printf("# VIOLATION: %s, %s\n# repeat: power --again %s DIR\n", rig.scene->name,
		       cut_names[at->cut], again);
	return false;
}

static void cut_first(const struct cut_at *at, bool is_every, uint32_t random_cuts)
{
	char again[120];

	(void)snprintf(again, sizeof again, "%s %u %d %" PRIu64, rig.scene->name,
	               (unsigned)at->count, (int)at->cut, at->seed);
	if (power_cut(rig.recorded, at, again) && (is_every || rig.opened % recovery_every == 0))
		power_cut_recovery(at, random_cuts);
}

static struct cut_at place(uint32_t count)
{
	return (struct cut_at){
		.count = count,
		.acknowledged = tape_marks(rig.recorded, count, DISK_ACKNOWLEDGED, NULL),
		.handed_in = tape_marks(rig.recorded, count, DISK_HANDED_IN, NULL),
	};
}

static void cut_at(uint32_t count, uint32_t random_cuts)
{
	struct cut_at at = place(count);

	for (int cut = 0; cut < CUT_RANDOM; cut++) {
		at.cut = (enum cut)cut;
		at.seed = rig.seed + count;
		cut_first(&at, false, 1);
	}
	at.cut = CUT_RANDOM;
	for (uint32_t i = 0; i < random_cuts; i++) {
		at.seed = rig.seed + count * UINT64_C(1000) + i;
		cut_first(&at, false, 1);
	}
}

/* Where the birth of the store is not what a scene is about, it begins behind that. */
static uint32_t first_place(void)
{
	return rig.scene->is_of_birth ? 0 : tape_behind(rig.recorded, DISK_HANDED_IN, 1);
}

/* Just before and just behind every sync. */
static void cut_syncs(bool (*is_over)(void))
{
	uint32_t count = tape_count(rig.recorded);

	for (uint32_t i = first_place(); i < count && !is_over(); i++) {
		bool is_sync = tape_is_sync(rig.recorded, i);

		if (is_sync)
			cut_at(i, RANDOM_CUTS);
		if (is_sync || i + 1 == count)
			cut_at(i + 1, 1);
	}
}

/* Anywhere, in a random way; now and then the start after it as well. */
static void cut_anywhere(bool (*is_over)(void))
{
	uint32_t first = first_place();
	uint32_t room = tape_count(rig.recorded) + 1 - first;
	uint64_t x = rig.seed;

	for (uint32_t i = 0; i < RANDOM_PLACES && !is_over(); i++) {
		struct cut_at at;

		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		at = place(first + (uint32_t)((x >> 33) % room));
		at.cut = (enum cut)((x >> 20) % CUT_KINDS);
		at.cut = (x >> 16) % 4 == 0 ? at.cut : CUT_RANDOM;
		at.seed = x;
		cut_first(&at, i == 0, RANDOM_CUTS);
	}
}

/* --- rounds --- */

static bool is_enough(void)
{
	return is_sabotaged && rig.violations != 0;
}

static void short_round(void)
{
	printf("1..%u\n", (unsigned)power_scene_count);
	for (uint32_t i = 0; i < power_scene_count && !is_enough(); i++) {
		uint64_t before = rig.violations;
		uint64_t cuts = rig.cuts;

		begin_scene(&power_scenes[i]);
		cut_syncs(is_enough);
		printf("%s %u - power: %s, %" PRIu64 " cuts\n",
		       rig.violations == before ? "ok" : "not ok", (unsigned)i + 1,
		       power_scenes[i].name, rig.cuts - cuts);
		end_scene();
	}
	printf("# %" PRIu64 " cuts, %" PRIu64 " disks, %" PRIu64 " starts cut as well\n", rig.cuts,
	       rig.opened, rig.recoveries);
}

static struct timespec deadline;
static uint64_t        cuts_wanted = UINT64_MAX;

static bool is_over(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return rig.cuts >= cuts_wanted || now.tv_sec > deadline.tv_sec ||
	       (now.tv_sec == deadline.tv_sec && now.tv_nsec >= deadline.tv_nsec);
}

static void long_round(double seconds)
{
	(void)clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += (time_t)seconds;
	recovery_every = RECOVERY_EVERY_LONG;
	for (uint32_t i = 0; !is_over(); i++) {
		begin_scene(&power_scenes[i % power_scene_count]);
		if (i < power_scene_count)
			cut_syncs(is_over);
		else
			cut_anywhere(is_over);
		end_scene();
		rig.seed += UINT64_C(1000003);
	}
	printf("torture: rig=power cycles=%" PRIu64 " acknowledgements=%" PRIu64 " faults=%" PRIu64
	       " cuts=%" PRIu64 " starts_cut=%" PRIu64 " violations=%" PRIu64 "\n",
	       rig.opened, rig.acknowledged, rig.cuts, rig.cuts, rig.recoveries, rig.violations);
}

/* --- one again --- */

static void again(int count, char **words)
{
	struct cut_at at;
	uint64_t      hash;
	bool          is_recovery = count == 8;

	for (uint32_t i = 0; i < power_scene_count; i++)
		if (strcmp(power_scenes[i].name, words[0]) == 0)
			begin_scene(&power_scenes[i]);
	CHECK(rig.recorded != NULL);
	at = place((uint32_t)strtoul(words[1], NULL, 10));
	at.cut = (enum cut)strtoul(words[2], NULL, 10);
	at.seed = strtoull(words[3], NULL, 10);
	if (is_recovery) {
		power_again_recovery(&at, (uint32_t)strtoul(words[4], NULL, 10),
		                     (enum cut)strtoul(words[5], NULL, 10),
		                     strtoull(words[6], NULL, 10), words[7]);
	} else {
		(void)tape_play(rig.recorded, at.count, at.cut, at.seed, words[4], &hash);
		(void)power_cut(rig.recorded, &at, "this");
	}
	end_scene();
}

struct wishes {
	double      seconds;
	bool        is_long;
	const char *sabotage;
};

static void read_wishes(struct wishes *w, int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			w->seconds = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--cuts") == 0)
			cuts_wanted = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			rig.seed = strtoull(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--sabotage") == 0)
			w->sabotage = argv[i + 1];
	}
	w->is_long = w->seconds > 0 || cuts_wanted != UINT64_MAX;
	if (w->seconds <= 0)
		w->seconds = 1e9;
}

int main(int argc, char **argv)
{
	struct wishes w = { 0 };

	make_root();
	if ((argc == 7 || argc == 10) && strcmp(argv[1], "--again") == 0) {
		again(argc - 2, argv + 2);
	} else {
		read_wishes(&w, argc, argv);
		CHECK(disk_sabotage(w.sabotage));
		is_sabotaged = w.sabotage != NULL;
		if (w.is_long)
			long_round(w.seconds);
		else
			short_round();
	}
	remove_root();
	return rig.violations == 0 ? 0 : 1;
}
