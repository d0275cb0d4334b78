/*
 * kit.h - a store for the rigs: opened, filled and read in plain calls that report every failure.
 *
 * Unlike the fixture of the unit tests it never ends the program: memory or a disk that fails is
 * what the rigs are about. A failure sticks in `failed`; calls behind it do nothing.
 *
 * Threads: one caller; the store's writer reports to it.
 */
#ifndef GATHERD_TESTS_KIT_H
#define GATHERD_TESTS_KIT_H

#include "daemon/store/store.h"
#include "proto/base/buf.h"

#include <pthread.h>

#define KIT_T0 (INT64_C(1700000000) * GD_NSEC_PER_SEC)

struct kit {
	struct store        *store; /* NULL: not open */
	pthread_mutex_t      lock;
	pthread_cond_t       changed;
	struct store_commit *commit; /* reported and not taken */
	bool                 is_answered;
	struct store_group  *group; /* being filled */
	uint64_t             seq;   /* of the last commit */
	enum gd_err          failed;
	struct gd_error      why;
};

void kit_init(struct kit *k);
void kit_close(struct kit *k); /* the store too, in an orderly way; failed or not */

void kit_open(struct kit *k, const char *dir);
void kit_start(struct kit *k);
/* Everything that a reader can see, as text: equal texts, equal stores. Starts the store. */
void kit_dump(struct kit *k, struct buf *out);

/* Records for the next commit. The job's first and last events come by themselves. */
void kit_job(struct kit *k, uint64_t id, enum job_status status, const char *key,
             const char *labels, size_t spec_bytes);
void kit_started(struct kit *k, uint64_t id);
void kit_input(struct kit *k, uint64_t id, uint32_t number);
void kit_event(struct kit *k, uint64_t id, uint32_t ordinal, size_t bytes);
void kit_ended(struct kit *k, uint64_t id, uint32_t ordinal, enum job_status status);
void kit_delete(struct kit *k, uint64_t id);
void kit_semaphore(struct kit *k, enum semaphore_kind kind, const char *name, uint32_t permits);
void kit_command(struct kit *k, uint64_t id, uint32_t ticket);
/* Hands them in and waits for the report. */
void kit_commit(struct kit *k);

#endif
