#include "daemon/net/look.h"

#include "daemon/run/pool.h"
#include "daemon/run/recover.h"
#include "daemon/run/submit.h"

#include <stddef.h>

void look_close(struct look *k)
{
	store_read_free(&k->read->read);
}

struct store_job look_by_the_wall(struct loop *l, struct store_job job)
{
	job.submitted = loop_wall(l, job.submitted);
	/* Until it has started, that is the start_at that was asked for. */
	if (job.status != JOB_QUEUED && job.started != 0)
		job.started = loop_wall(l, job.started);
	if (job.ended != 0)
		job.ended = loop_wall(l, job.ended);
	return job;
}

static void take_back(struct loop *l, struct inbox_msg *m)
{
	struct look *k = (struct look *)(void *)m;

	(void)l;
	k->answer(k);
}

static void send_back(struct loop *l, struct look *k)
{
	if (l == k->desk->loop) {
		k->answer(k);
		return;
	}
	k->msg.run = take_back;
	loop_post_answer(k->desk->loop, &k->msg);
}

static void release(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	struct look *k = (struct look *)(void *)((char *)item - offsetof(struct look, item));

	if (outcome == GD_DURABILITY_UNKNOWN)
		return; /* the desk answers everybody, and the process ends */
	if (outcome != GD_OK)
		k->is_live =
			false; /* what it has come to will not be; its row is what is durable */
	send_back(l, k);
}

static void refuse_stopping(struct loop *l, struct inbox_msg *m)
{
	struct look    *k = (struct look *)(void *)m;
	struct gd_error why;

	(void)l;
	(void)gd_fail(&why, GD_UNAVAILABLE, "the daemon is stopping");
	reply_why(k->request, &why);
	k->drop(k);
}

static void send_refusal(struct loop *l, struct look *k)
{
	k->msg.run = refuse_stopping;
	if (l == k->desk->loop)
		refuse_stopping(l, &k->msg);
	else
		loop_post_answer(k->desk->loop, &k->msg);
}

/* On the job's loop. What a job has come to is told when that is durable, like everything else. */
static void take_look(struct loop *l, struct inbox_msg *m)
{
	struct look *k = (struct look *)(void *)m;
	uint64_t     job = k->read->read.job;

	_Static_assert(offsetof(struct look, msg) == 0, "a look begins with its message");
	if (k->waits_for_job && (recover_defers(l, job, m) || submit_defers(l, job, m)))
		return;
	/* On a full disk that may take long: then the row is all there is to tell. */
	if (!loop_is_settled(l) && store_is_full(l->pool->store)) {
		k->is_unseen = true;
		send_back(l, k);
		return;
	}
	if (k->waits_for_job && recover_was_cut(l, job)) {
		send_refusal(l, k);
		return;
	}
	k->see(k, l);
	k->item.release = release;
	if (loop_is_settled(l) || loop_when_durable(l, &k->item) != GD_OK)
		send_back(l, k);
}

static void take_job(struct loop *l, struct loop_read *read, void *ctx)
{
	struct look *k = ctx;
	struct loop *owner = pool_loop_of(k->desk->net->pool, read->read.job);
	enum gd_err  outcome = read->read.outcome;

	if (outcome != GD_OK && outcome != GD_NOT_FOUND) {
		reply_why(k->request, &read->read.why);
		k->drop(k);
	} else if (outcome == GD_NOT_FOUND ||
	           !request_may(k->request, look_job(k)->owner, k->own, k->any)) {
		reply_not_found(k->request, read->read.job);
		k->drop(k);
	} else if (job_status_is_final(look_job(k)->status)) {
		k->answer(k);
	} else {
		k->msg.run = take_look;
		if (owner == l)
			take_look(l, &k->msg);
		else
			loop_post_answer(owner, &k->msg); /* bounded by the requests in flight */
	}
}

bool look_start(struct look *k, struct request *r, uint64_t job, unsigned flags)
{
	if ((k->read = loop_read_new(READ_JOB)) == NULL)
		return false;
	k->desk = r->desk;
	k->request = r;
	k->read->read.job = job;
	k->read->read.flags = flags;
	loop_read_start(r->desk->loop, k->read, take_job, k);
	return true;
}
