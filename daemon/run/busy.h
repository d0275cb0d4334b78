/*
 * busy.h - messages for a job that is in the middle of its work.
 *
 * An input applies to a job that has come to rest, in a replay as well as now. For one that has not,
 * the engine would take it there first, whole, however long that is; the loop's other jobs and its
 * sockets would wait for it. So such a message waits here, while the engine goes on by its budget.
 *
 * Order: what waits for one job stays in its order, and nothing that comes later passes it.
 * Cost: O(1) to wait; all that wait are asked again in each turn. Threads: the loop's own.
 */
#ifndef GATHERD_RUN_BUSY_H
#define GATHERD_RUN_BUSY_H

#include "daemon/run/loop.h"

/* True: `m` waits, and runs again when `job` rests or is gone. False: it may go on. While the loop
 * ends or the disk is full nothing waits: the job would not come to rest. */
bool busy_defers(struct loop *l, uint64_t job, struct inbox_msg *m);
/* Runs what waited; what still has to waits again. */
void busy_serve(struct loop *l);

#endif
