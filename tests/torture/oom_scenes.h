/*
 * oom_scenes.h - what the oom rig does again and again with memory that ends.
 *
 * A scene says what came of it in `said`, so that two runs can be compared, and frees all that it
 * has made. `before` and `after` have all the memory they want: they make what the scene needs, and
 * look whether what it had acknowledged is there.
 */
#ifndef GATHERD_TESTS_OOM_SCENES_H
#define GATHERD_TESTS_OOM_SCENES_H

#include "proto/base/buf.h"

struct oom_scene {
	const char *name;
	enum gd_err (*run)(const struct oom_scene *scene, struct buf *said);
	const char *text;                  /* for it: a job, a message */
	const char *script;                /* of a job: 'c' cancels it when it first waits */
	void (*before)(void);              /* NULL: nothing */
	bool (*after)(const char **words); /* NULL: nothing. False: `words` is what is wrong */
	bool is_slow;                      /* a short round takes only some of its allocations */
};

extern const struct oom_scene oom_job_scenes[];
extern const uint32_t         oom_job_scene_count;
extern const struct oom_scene oom_store_scenes[];
extern const uint32_t         oom_store_scene_count;

/* The directory that store scenes work in; it is emptied by them. */
void oom_store_use(const char *dir);
void oom_store_clear(void);

#endif
