/*
 * look.h - a request looks at one job: what is stored of it, and what has become of it on its loop.
 *
 *	desk's loop                       job's loop
 *	read the row --it is not over--> see() --what it saw is durable--.
 *	     `--it is over----------------------------------------> answer() on the desk's loop
 *
 * Who may not see the job is told that there is none. Embed a look in what the request needs.
 *
 * Ownership: the request's method allocates; answer() or, when the look answered by itself, drop()
 * frees, each after look_close(). Threads: as drawn; one at a time.
 */
#ifndef GATHERD_NET_LOOK_H
#define GATHERD_NET_LOOK_H

#include "daemon/net/request.h"
#include "daemon/run/loop.h"

struct look {
	struct inbox_msg   msg; /* first */
	struct outbox_item item;
	struct desk       *desk;
	struct request    *request;
	struct loop_read  *read; /* owned; its jobs[0] is the job */
	/* Set by the method: */
	void (*see)(struct look *k, struct loop *l); /* sets is_live */
	void (*answer)(struct look *k);
	void (*drop)(struct look *k);
	enum auth_scope own, any;      /* that the request needs for the job */
	bool            waits_for_job; /* see() comes when the job was replayed, or has begun */
	/* For answer(): */
	bool            is_live; /* see() saw it, and what it saw is durable */
	bool is_unseen; /* the disk is full: see() was not called, or would tell what is not durable */
};

/* `flags` are those of a READ_JOB. False: no memory, and nothing has begun. */
bool look_start(struct look *k, struct request *r, uint64_t job, unsigned flags);
void look_close(struct look *k);

/* The times of a stored job, as people see them. */
struct store_job look_by_the_wall(struct loop *l, struct store_job job);

static inline const struct store_job *look_job(const struct look *k)
{
	return &k->read->read.jobs[0];
}

#endif
