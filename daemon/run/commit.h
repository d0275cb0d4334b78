/*
 * commit.h - what became durable, told to the loops in the order of the commits.
 *
 * A loop that has built one of its groups is told of a commit, and one where somebody listens to
 * more than its own jobs: to wake up another for nothing would cost more than the commit. It
 * releases the outboxes of its own groups, and its hooks feed the events to whoever listens there.
 * That a commit is unknown is told to all. Threads: commit_post() on the writer thread.
 */
#ifndef GATHERD_RUN_COMMIT_H
#define GATHERD_RUN_COMMIT_H

#include "daemon/run/loop.h"

/* Passes one of c's references on to `l`. Memory that ends here ends the process: a commit that a
 * loop never hears of would leave its clients waiting for ever. */
void commit_post(struct loop *l, struct store_commit *c);

#endif
