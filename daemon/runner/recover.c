/*
 * recover.c - what an earlier runner wrote: ends that nobody ACKed are told again; what was started
 * and has no end is killed, where anything of it still lives, and lost. Part of runner.h.
 *
 * Its main processes died with it (PR_SET_PDEATHSIG), unless they became another user; of the rest
 * every process has the key in its environment. With control groups all of it is dead already.
 */
#include "daemon/log.h"
#include "daemon/runner/runner.h"
#include "daemon/runner/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE (2 * GD_NSEC_PER_SEC) /* for a process that hangs in the kernel */
/* While others start programs all the time there is always one of which nobody can say whose it is. */
#define MOVING_PATIENCE (300 * GD_NSEC_PER_MSEC)
#define PAUSE_MSEC 10

struct reading {
	struct runner *r;
	bool           is_this_boot; /* of the records that follow */
	bool           no_memory;
};

/* --- records --- */

static void take(void *ctx, const struct spool_record *record)
{
	struct reading *in = ctx;
	struct command *c;

	if (record->kind == SPOOL_OPEN) {
		in->is_this_boot = strcmp(record->boot_id, in->r->boot_id) == 0;
		return;
	}
	c = table_by_ref(&in->r->table, &record->state.ref);
	switch (record->kind) {
	case SPOOL_STARTED:
		if (c == NULL && (c = command_restore(in->r, record)) == NULL)
			in->no_memory = true;
		else
			c->is_this_boot = in->is_this_boot;
		return;
	case SPOOL_ENDED:
		if (c != NULL)
			command_free(c);
		if ((c = command_restore(in->r, record)) == NULL)
			in->no_memory = true;
		else if (!in->is_this_boot)
			c->state.exit.ended_boot = 0; /* that clock began anew */
		return;
	case SPOOL_FORGOT:
		if (c != NULL)
			command_free(c);
		return;
	case SPOOL_OPEN:
		return;
	}
}

static int put_open(struct spool *s, const struct runner *r)
{
	return spool_put(s, &(struct spool_record){ .kind = SPOOL_OPEN, .boot_id = r->boot_id });
}

/* --- survivors --- */

static bool is_open(const struct command *c)
{
	return c != NULL && c->step != COMMAND_ENDED && c->is_this_boot;
}

struct survivors {
	struct runner *r;
	uint32_t       open;   /* commands that may have some */
	gd_nsec        oldest; /* when the first of those was started */
};

static enum tree_verdict judge(void *ctx, const struct tree_process *p)
{
	const struct survivors *in = ctx;
	struct runner          *r = in->r;
	char                    key[RUN_KEY_BYTES_MAX + 1];
	struct command         *c;

	if (p->pid == getpid())
		return TREE_LEAVE;
	c = table_by_session(&r->table, p->pid);
	if (is_open(c) && p->began <= c->born)
		return TREE_KILL;
	if (p->began < in->oldest / TREE_TICK * TREE_TICK)
		return TREE_AS_PARENT;
	switch (tree_read_key(p, key, sizeof key)) {
	case TREE_KEY_FOUND:
		return is_open(table_by_key(&r->table, key)) ? TREE_KILL : TREE_AS_PARENT;
	case TREE_KEY_UNSURE:
		return TREE_UNSURE;
	case TREE_KEY_NONE:
		break;
	}
	return TREE_AS_PARENT;
}

static void count_open(struct command *c, void *ctx)
{
	struct survivors *in = ctx;

	if (!is_open(c))
		return;
	in->open++;
	if (c->born < in->oldest)
		in->oldest = c->born;
}

static void end_survivors(struct runner *r)
{
	struct survivors in = { .r = r, .oldest = GD_NSEC_NEVER };
	gd_nsec          begin = clock_read(CLOCK_BOOTTIME), waited;
	enum tree_seen   seen;

	table_each(&r->table, count_open, &in);
	if (in.open == 0)
		return;
	for (;;) {
		seen = tree_sweep(judge, &in);
		waited = clock_read(CLOCK_BOOTTIME) - begin;
		if (seen == TREE_SEEN_CLEAN ||
		    waited > (seen == TREE_SEEN_MOVING ? MOVING_PATIENCE : PATIENCE))
			return;
		(void)poll(NULL, 0, PAUSE_MSEC);
	}
}

static void lose_open(struct command *c, void *ctx)
{
	struct runner *r = ctx;

	if (c->step == COMMAND_ENDED)
		return;
	r->lost++;
	command_lose(c);
}

/* --- files of nobody --- */

static void remove_unknown(struct runner *r)
{
	int            fd = openat(r->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR           *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct run_ref ref;
	const char    *end;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (run_ref_parse(e->d_name, &ref, &end) &&
		    (strcmp(end, ".out") == 0 || strcmp(end, ".err") == 0) &&
		    table_by_ref(&r->table, &ref) == NULL)
			(void)unlinkat(r->dir_fd, e->d_name, 0);
	}
	if (dir != NULL)
		(void)closedir(dir);
	else if (fd >= 0)
		(void)close(fd);
}

enum gd_err recover_commands(struct runner *r, struct gd_error *why)
{
	struct reading in = { .r = r };
	uint64_t       cut_bytes = 0;
	enum gd_err    rc = spool_open(&r->spool, r->dir_fd, take, &in, &cut_bytes, why);
	int            failed;

	if (rc != GD_OK)
		return rc;
	if (in.no_memory)
		return gd_fail(why, GD_NOMEM, "no memory for the commands in the spool");
	if (cut_bytes > 0)
		log_warn("runner.spool_cut", "bytes=%llu", (unsigned long long)cut_bytes);
	if ((failed = put_open(&r->spool, r)) != 0)
		return gd_fail_sys(why, failed, "cannot write the spool");
	end_survivors(r);
	table_each(&r->table, lose_open, r);
	remove_unknown(r);
	return GD_OK;
}
