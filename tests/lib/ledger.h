/*
 * ledger.h - a store that is written by rule, so that anyone can tell what must be in it.
 *
 * Commit n brings job n with its first event and one journaled input, and ends job n - 3. Whoever
 * opens a ledger later checks that it is exactly what some number of whole commits make: every live
 * job, every input, every event, every count.
 *
 * Ownership: the caller's. Threads: one.
 */
#ifndef GATHERD_TESTS_LEDGER_H
#define GATHERD_TESTS_LEDGER_H

#include "daemon/store/store.h"

#include <pthread.h>

struct ledger {
	char                 root[256]; /* removed at the end */
	char                 dir[280];  /* the state directory, inside it */
	struct store        *store;     /* NULL: not open */
	pthread_mutex_t      lock;
	pthread_cond_t       changed;
	struct store_commit *reported; /* not taken yet */
	uint32_t             fulls;    /* how often the store said that the disk is full */
	bool                 is_answered;
	uint64_t             acknowledged; /* commits */
	bool                 is_in_doubt;  /* one more may be there */
};

void        ledger_init(struct ledger *l);
void        ledger_clear(struct ledger *l); /* closes, and empties the directory */
void        ledger_end(struct ledger *l);   /* and removes it */
/* Opens and starts. */
enum gd_err ledger_open(struct ledger *l, struct gd_error *why);
void        ledger_close(struct ledger *l); /* stops and closes; nothing when it is not open */
/* The next commit. GD_OK, GD_DURABILITY_UNKNOWN, or, unless `is_patient`, GD_UNAVAILABLE: the disk
 * is full and the commit waits for room, which its end in ledger_close() may still find. */
enum gd_err ledger_commit(struct ledger *l, bool is_patient);
/* How many whole commits the open store holds; fails the test when it holds anything else. */
uint64_t    ledger_count(struct ledger *l);
/* Opens, fails the test unless everything acknowledged is there (and at most the commit in doubt
 * besides), closes. What is there counts as acknowledged from then on. */
void        ledger_check(struct ledger *l, const char *what);
/* A child process makes `count` commits and is gone without closing. */
void        ledger_crash_after(struct ledger *l, uint64_t count);

#endif
