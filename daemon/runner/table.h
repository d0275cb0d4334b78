/*
 * table.h - the commands of a runner, found by ref, by process and by key.
 *
 * Bound: RUN_COMMANDS_MAX. Cost: O(1 + count / TABLE_BUCKETS). Threads: one.
 */
#ifndef GATHERD_RUNNER_TABLE_H
#define GATHERD_RUNNER_TABLE_H

#include "daemon/runner/run.h"

#include <sys/types.h>

#define TABLE_BUCKETS 8192u

struct command;

struct table {
	struct command *by_ref[TABLE_BUCKETS];
	struct command *by_pid[TABLE_BUCKETS];
	struct command *by_key[TABLE_BUCKETS];
	uint32_t        count;
};

/* Ref, pid and key are set, and do not change while it is in. */
void            table_add(struct table *t, struct command *c);
void            table_remove(struct table *t, struct command *c);
struct command *table_by_ref(const struct table *t, const struct run_ref *ref);
/* Whose main process this is; not reaped yet. */
struct command *table_by_pid(const struct table *t, pid_t pid);
/* Whose session this is: its main process was, or is, the leader. */
struct command *table_by_session(const struct table *t, pid_t session);
struct command *table_by_key(const struct table *t, const char *key);
/* Calls `visit` for each; it may remove the one it is given. */
void            table_each(struct table *t, void (*visit)(struct command *c, void *ctx), void *ctx);

#endif
