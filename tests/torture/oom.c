/*
 * Rig (d), out of memory: every allocation of every scene fails once, alone and with all behind it. What
 * comes back is a typed error or the right answer, nothing is left behind, nothing crashes.
 *
 *     oom                              a short round, as TAP
 *     oom --seconds S --seed N         all allocations of all scenes, again and again
 *     oom --again SCENE N [sticky]     one of them
 */
#include "daemon/load/json_memory.h"
#include "proto/base/check.h"
#include "tests/torture/heap.h"
#include "tests/torture/oom_scenes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WARM_UPS 4     /* what libraries keep for themselves is there then */
#define SHORT_MAX 120u /* allocations of a slow scene in a short round, each way */

/* Shared with the child that may crash. */
struct progress {
	uint64_t n;         /* the allocation under way */
	bool     is_sticky; /* the same */
	uint64_t total;     /* allocations of the scene; 0: not known yet */
	uint64_t faults, violations;
};

#define STOPPED 42 /* exit status: memory ended where only stopping is honest, with words */

static struct progress *progress;
static struct timespec  deadline; /* zero: none */

static bool is_time_over(void)
{
	struct timespec now;

	if (deadline.tv_sec == 0)
		return false;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec >= deadline.tv_sec;
}

/* --- one run --- */

static enum gd_err run_once(const struct oom_scene *s, uint64_t n, bool is_sticky, struct buf *said,
                            uint64_t *asked)
{
	enum gd_err rc;

	if (s->before != NULL)
		s->before();
	heap_arm(n, is_sticky);
	rc = s->run(s, said);
	*asked = heap_disarm();
	return rc;
}

static void complain(const struct oom_scene *s, const char *words)
{
	progress->violations++;
	printf("# VIOLATION: %s, allocation %" PRIu64 "%s: %s\n# repeat: oom --again %s %" PRIu64
	       "%s\n",
	       s->name, progress->n, progress->is_sticky ? " and all behind it" : "", words,
	       s->name, progress->n, progress->is_sticky ? " sticky" : "");
	(void)fflush(stdout);
}

static bool is_typed(enum gd_err rc)
{
	return rc == GD_NOMEM || rc == GD_STORE || rc == GD_SYS || rc == GD_DURABILITY_UNKNOWN;
}

struct reference {
	enum gd_err rc;
	struct buf  said;
};

static void judge(const struct oom_scene *s, const struct reference *right, enum gd_err rc,
                  const struct buf *said, bool has_failed)
{
	const char *words;
	bool        is_right = rc == right->rc && said->bytes == right->said.bytes &&
	                (said->bytes == 0 || memcmp(said->at, right->said.at, said->bytes) == 0);

	if (!is_right && !(has_failed && is_typed(rc))) {
		printf("# it gave %s and said: %.*s\n", gd_err_name(rc),
		       (int)(said->bytes < 300 ? said->bytes : 300),
		       said->at == NULL ? "" : said->at);
		complain(s, "neither the right answer nor a typed error");
	}
	if (s->after != NULL && !s->after(&words))
		complain(s, words);
}

/* Memory that is gone once may be a cache; gone again each time it is a leak. */
static bool does_leak(const struct oom_scene *s)
{
	uint64_t asked;
	int64_t  before;

	for (int i = 0; i < 3; i++) {
		struct buf said = { 0 };

		before = heap_blocks();
		(void)run_once(s, progress->n, progress->is_sticky, &said, &asked);
		buf_close(&said);
		if (heap_blocks() <= before)
			return false;
	}
	return true;
}

static void fail_one(const struct oom_scene *s, const struct reference *right)
{
	struct buf  said = { 0 };
	uint64_t    asked;
	int64_t     before = heap_blocks();
	enum gd_err rc = run_once(s, progress->n, progress->is_sticky, &said, &asked);
	int64_t     left;

	progress->faults += asked >= progress->n;
	left = heap_blocks() - before - (said.at != NULL);
	judge(s, right, rc, &said, asked >= progress->n);
	buf_close(&said);
	if (left > 0 && does_leak(s))
		complain(s, "memory is not given back");
}

static void find_right(const struct oom_scene *s, struct reference *right)
{
	uint64_t asked;

	for (int i = 0; i < WARM_UPS; i++) {
		buf_close(&right->said);
		right->said = (struct buf){ 0 };
		right->rc = run_once(s, 0, false, &right->said, &asked);
		if (s->after != NULL) {
			const char *words = "";

			CHECK(s->after(&words));
		}
	}
	progress->total = asked;
	CHECK(!is_typed(right->rc));
}

/* In the child: from where the parent says to the end. */
static int run_rest(const struct oom_scene *s, uint64_t stride)
{
	struct reference right = { 0 };

	find_right(s, &right);
	while (progress->n <= progress->total && !is_time_over()) {
		fail_one(s, &right);
		if (progress->is_sticky)
			progress->n += stride;
		progress->is_sticky = !progress->is_sticky;
	}
	buf_close(&right.said);
	return 0;
}

/* --- scenes --- */

static uint64_t stride_of(const struct oom_scene *s, bool is_short)
{
	if (!is_short || !s->is_slow || progress->total <= SHORT_MAX)
		return 1;
	return progress->total / SHORT_MAX + 1;
}

static int in_child(const struct oom_scene *s, uint64_t stride, bool is_only_counting)
{
	struct reference right = { 0 };
	pid_t            pid;
	int              status;

	(void)fflush(NULL);
	pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		if (is_only_counting)
			find_right(s, &right);
		else
			(void)run_rest(s, stride);
		(void)fflush(stdout);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		CHECK(errno == EINTR);
	return status;
}

static void run_scene(const struct oom_scene *s, bool is_short, uint64_t first)
{
	uint64_t stride;

	progress->total = 0;
	CHECK(in_child(s, 1, true) == 0);
	stride = stride_of(s, is_short);
	progress->n = 1 + first % stride;
	progress->is_sticky = false;
	while (progress->n <= progress->total && !is_time_over()) {
		int status = in_child(s, stride, false);

		if (status == 0)
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == STOPPED)
			progress->faults++;
		else
			complain(s, "it crashed");
		if (progress->is_sticky)
			progress->n += stride;
		progress->is_sticky = !progress->is_sticky;
	}
}

static void stop(void)
{
	_exit(STOPPED);
}

static const struct oom_scene *scene_at(uint32_t i)
{
	return i < oom_job_scene_count ? &oom_job_scenes[i]
	                               : &oom_store_scenes[i - oom_job_scene_count];
}

static uint32_t scene_count(void)
{
	return oom_job_scene_count + oom_store_scene_count;
}

static void short_round(void)
{
	printf("1..%u\n", (unsigned)scene_count());
	for (uint32_t i = 0; i < scene_count(); i++) {
		const struct oom_scene *s = scene_at(i);
		uint64_t                violations = progress->violations;
		uint64_t                faults = progress->faults;

		if (!heap_is_possible()) {
			printf("ok %u - oom: %s # SKIP the sanitizer has its own malloc\n",
			       (unsigned)i + 1, s->name);
			continue;
		}
		run_scene(s, true, 0);
		printf("%s %u - oom: %s, %" PRIu64 " failures at %" PRIu64 " allocations\n",
		       progress->violations == violations ? "ok" : "not ok", (unsigned)i + 1,
		       s->name, progress->faults - faults, progress->total);
	}
}

static void long_round(double seconds, uint64_t seed)
{
	uint64_t cycles = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += (time_t)seconds + 1;
	while (heap_is_possible() && !is_time_over()) {
		run_scene(scene_at((uint32_t)((seed + cycles) % scene_count())), false, 0);
		cycles++;
	}
	printf("torture: rig=oom cycles=%" PRIu64 " faults=%" PRIu64 " violations=%" PRIu64 "\n",
	       cycles, progress->faults, progress->violations);
}

static void again(int argc, char **argv)
{
	struct reference right = { 0 };

	for (uint32_t i = 0; i < scene_count(); i++) {
		const struct oom_scene *s = scene_at(i);

		if (strcmp(s->name, argv[2]) != 0)
			continue;
		find_right(s, &right);
		progress->n = strtoull(argv[3], NULL, 10);
		progress->is_sticky = argc > 4;
		fail_one(s, &right);
	}
	buf_close(&right.said);
}

int main(int argc, char **argv)
{
	const char *tmp = getenv("TMPDIR"); /* nothing here has to be on a disk */
	char        dir[256];
	double      seconds = 0;
	uint64_t    seed = 0;

	if (tmp == NULL)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(dir, sizeof dir, "%.200s/gd-oom.XXXXXX", tmp);
	CHECK(mkdtemp(dir) != NULL);
	oom_store_use(dir);
	json_memory_guard(stop); /* as the daemon does */
	progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                -1, 0);
	CHECK(progress != MAP_FAILED);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			seconds = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
	}
	if (argc >= 4 && strcmp(argv[1], "--again") == 0)
		again(argc, argv);
	else if (seconds > 0)
		long_round(seconds, seed);
	else
		short_round();
	oom_store_clear();
	(void)rmdir(dir);
	return progress->violations == 0 ? 0 : 1;
}
