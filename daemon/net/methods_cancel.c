#include "daemon/net/methods.h"
#include "daemon/net/render.h"
#include "daemon/run/busy.h"
#include "daemon/run/inputs.h"
#include "daemon/run/recover.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_BYTES_MAX 500u

/*
 * job.cancel: for each job, read whether it may be touched and still lives, then ask its loop, then
 * wait until the cancel is durable. One row for each job in the answer.
 */
struct cancel_row {
	struct cancel_set *set;
	uint64_t           id;
	enum job_status    status;
	enum gd_err error; /* GD_NOT_FOUND; GD_UNAVAILABLE: the daemon stops, nothing was stored */
	bool        is_accepted;
	/* On its way to the job's loop, to the disk, and back: */
	struct inbox_msg   msg;
	struct outbox_item item;
};

struct cancel_set {
	struct request   *request;
	struct desk      *desk;
	uint32_t          count;
	uint32_t          waiting;
	bool              is_single; /* asked by `id` */
	uint64_t          next;      /* by label: more jobs after this one; 0: no */
	char              reason[REASON_BYTES_MAX + 1];
	bool              has_reason;
	struct cancel_row at[];
};

static void write_row(struct buf *b, const struct cancel_row *row)
{
	buf_addf(b, "{\"id\":%llu,", (unsigned long long)row->id);
	if (row->error != GD_OK)
		buf_addf(b, "\"error\":{\"type\":\"%s\"}}", gd_err_name(row->error));
	else
		buf_addf(b, "\"status\":\"%s\",\"accepted\":%s}", job_status_name(row->status),
		         row->is_accepted ? "true" : "false");
}

/* A job that cannot be touched, by the only one who asked for it. */
static void refuse(struct request *r, uint64_t id, enum gd_err error)
{
	struct gd_error why;

	if (error == GD_NOT_FOUND) {
		reply_not_found(r, id);
		return;
	}
	(void)gd_fail(&why, error,
	              error == GD_UNAVAILABLE ? "the daemon is stopping"
	                                      : "the job cannot be read");
	reply_why(r, &why);
}

static void answer_set(struct cancel_set *set)
{
	struct request *r = set->request;
	struct buf     *b;

	if (set->waiting != 0)
		return;
	if (set->is_single && set->at[0].error != GD_OK) {
		refuse(r, set->at[0].id, set->at[0].error);
		free(set);
		return;
	}
	b = reply_begin(r);
	if (set->is_single) {
		write_row(b, &set->at[0]);
	} else {
		buf_add_text(b, "{\"jobs\":[");
		for (uint32_t i = 0; i < set->count; i++) {
			if (i != 0)
				buf_add_byte(b, ',');
			write_row(b, &set->at[i]);
		}
		buf_add_byte(b, ']');
		if (set->next != 0)
			buf_addf(b, ",\"next\":%llu", (unsigned long long)set->next);
		buf_add_byte(b, '}');
	}
	reply_end(r);
	free(set);
}

static void row_done(struct cancel_row *row)
{
	row->set->waiting--;
	answer_set(row->set);
}

/* --- to the job's loop and back --- */

static struct cancel_row *row_of_msg(struct inbox_msg *m)
{
	return (struct cancel_row *)(void *)((char *)m - offsetof(struct cancel_row, msg));
}

static void take_end(struct loop *l, struct loop_read *read, void *ctx)
{
	struct cancel_row *row = ctx;

	(void)l;
	row->error = read->read.outcome;
	if (row->error == GD_OK)
		row->status = read->read.jobs[0].status;
	store_read_free(&read->read);
	row_done(row);
}

/* A job that ended while the cancel was on its way: its end, durable by now, is what is told. */
static void tell_row(struct cancel_row *row)
{
	struct loop_read *read;

	if (row->error != GD_OK || row->is_accepted) {
		row_done(row);
	} else if ((read = loop_read_new(READ_JOB)) == NULL) {
		row->error = GD_NOMEM;
		row_done(row);
	} else {
		read->read.job = row->id;
		loop_read_start(row->set->desk->loop, read, take_end, row);
	}
}

static void take_row_back(struct loop *l, struct inbox_msg *m)
{
	(void)l;
	tell_row(row_of_msg(m));
}

static void send_row_back(struct loop *l, struct cancel_row *row)
{
	if (l == row->set->desk->loop) {
		tell_row(row);
		return;
	}
	row->msg.run = take_row_back;
	loop_post_answer(row->set->desk->loop, &row->msg);
}

static void release_row(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	struct cancel_row *row =
		(struct cancel_row *)(void *)((char *)item - offsetof(struct cancel_row, item));

	if (outcome == GD_DURABILITY_UNKNOWN)
		return; /* the desk answers everybody, and the process ends */
	if (outcome != GD_OK)
		row->error = outcome;
	send_row_back(l, row);
}

/* On the job's loop. */
static void take_row(struct loop *l, struct inbox_msg *m)
{
	struct cancel_row *row = row_of_msg(m);
	const char        *reason = row->set->has_reason ? row->set->reason : NULL;
	enum job_status    status = row->status;
	bool               is_ended;
	struct gd_error    why;

	if (recover_defers(l, row->id, m) || busy_defers(l, row->id, m))
		return;
	if (recover_was_cut(l, row->id)) {
		row->error = GD_UNAVAILABLE;
		send_row_back(l, row);
		return;
	}
	row->is_accepted = inputs_cancel(l, row->id, reason, &is_ended, &status);
	if (row->is_accepted && is_ended)
		row->status = status;
	row->item.release = release_row;
	/* Also when it had ended by itself: that may not be durable yet. */
	if (loop_when_durable(l, &row->item) != GD_OK) {
		(void)gd_fail(&why, GD_NOMEM, "no memory to answer a cancel");
		pool_die("loop.no_memory", &why);
	}
}

static void ask_loop(struct cancel_row *row)
{
	struct loop *owner = pool_loop_of(row->set->desk->net->pool, row->id);

	row->msg.run = take_row;
	if (owner == row->set->desk->loop)
		take_row(owner, &row->msg);
	else
		loop_post_answer(owner, &row->msg); /* bounded by the requests in flight */
}

/* --- who may --- */

static void take_job(struct loop *l, struct loop_read *read, void *ctx)
{
	struct cancel_row      *row = ctx;
	const struct store_job *job = read->read.jobs;

	(void)l;
	row->error = read->read.outcome;
	if (row->error == GD_OK &&
	    !request_may(row->set->request, job->owner, AUTH_CANCEL_OWN, AUTH_CANCEL_ANY))
		row->error = GD_NOT_FOUND;
	if (row->error == GD_OK)
		row->status = job->status;
	store_read_free(&read->read);
	if (row->error == GD_OK && !job_status_is_final(row->status))
		ask_loop(row);
	else
		row_done(row);
}

static bool read_rows(struct cancel_set *set)
{
	struct loop_read *all = NULL;

	/* All of the memory first: half a cancel would need an answer of its own. */
	for (uint32_t i = 0; i < set->count; i++) {
		struct loop_read *read = loop_read_new(READ_JOB);

		if (read == NULL) {
			while (all != NULL) {
				read = (struct loop_read *)(void *)all->read.next;
				store_read_free(&all->read);
				all = read;
			}
			return false;
		}
		read->read.next = all == NULL ? NULL : &all->read;
		all = read;
	}
	set->waiting = set->count;
	for (uint32_t i = 0; i < set->count; i++) {
		struct loop_read *read = all;

		all = (struct loop_read *)(void *)read->read.next;
		read->read.next = NULL;
		read->read.job = set->at[i].id;
		loop_read_start(set->desk->loop, read, take_job, &set->at[i]);
	}
	return true;
}

static struct cancel_set *new_set(struct request *r, uint32_t count, const char *reason)
{
	struct cancel_set *set = calloc(1, sizeof *set + count * sizeof set->at[0]);

	if (set == NULL)
		return NULL;
	set->request = r;
	set->desk = r->desk;
	set->count = count;
	if (reason != NULL)
		memcpy(set->reason, reason, strlen(reason) + 1);
	set->has_reason = reason != NULL;
	for (uint32_t i = 0; i < count; i++)
		set->at[i].set = set;
	return set;
}

static void cancel_ids(struct request *r, const uint64_t *ids, uint32_t count, bool is_single,
                       const char *reason)
{
	struct cancel_set *set = new_set(r, count, reason);

	if (set == NULL) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		return;
	}
	set->is_single = is_single;
	for (uint32_t i = 0; i < count; i++)
		set->at[i].id = ids[i];
	if (!read_rows(set)) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		free(set);
	}
}

/* --- by label: the live jobs that have it --- */

struct label_cancel {
	struct request *request;
	char           *reason; /* owned; NULL: none */
};

static void take_labelled(struct loop *l, struct loop_read *read, void *ctx)
{
	struct label_cancel *ask = ctx;
	struct cancel_set   *set;

	(void)l;
	set = new_set(ask->request, read->read.job_count, ask->reason);
	if (read->read.outcome != GD_OK) {
		reply_why(ask->request, &read->read.why);
		free(set);
	} else if (set == NULL) {
		reply_error(ask->request, GD_NOMEM, "no memory for a request", NULL);
	} else {
		set->next = read->read.next_after;
		set->waiting =
			set->count + 1; /* one for us: the first row may be answered at once */
		for (uint32_t i = 0; i < set->count; i++) {
			set->at[i].id = read->read.jobs[i].id;
			set->at[i].status = read->read.jobs[i].status;
			ask_loop(&set->at[i]);
		}
		set->waiting--;
		answer_set(set);
	}
	free(ask->reason);
	free(ask);
	store_read_free(&read->read);
}

static void cancel_labelled(struct request *r, const char *label, const char *reason)
{
	const struct principal *who = request_who(r);
	struct loop_read       *read = loop_read_new(READ_JOBS);
	struct label_cancel    *ask = calloc(1, sizeof *ask);
	struct arena           *arena = read == NULL ? NULL : &read->read.arena;

	if (read == NULL || ask == NULL ||
	    (reason != NULL && (ask->reason = strdup(reason)) == NULL))
		goto no_memory;
	read->read.label_filter =
		(struct text){ arena_copy(arena, label, strlen(label)), strlen(label) };
	if (!principal_may(who, AUTH_CANCEL_ANY))
		read->read.owner_filter =
			(struct text){ arena_copy(arena, who->name, strlen(who->name)),
			               strlen(who->name) };
	if (arena->failed)
		goto no_memory;
	read->read.status_mask = 1u << JOB_QUEUED | 1u << JOB_RUNNING;
	read->read.limit = NET_IDS_MAX;
	ask->request = r;
	loop_read_start(r->desk->loop, read, take_labelled, ask);
	return;
no_memory:
	if (read != NULL)
		store_read_free(&read->read);
	if (ask != NULL)
		free(ask->reason);
	free(ask);
	reply_error(r, GD_NOMEM, "no memory for a request", NULL);
}

void method_job_cancel(struct request *r, struct rpc_params *p)
{
	uint64_t        ids[NET_IDS_MAX];
	uint64_t        id = 0;
	uint32_t        count = 0;
	const char     *label = NULL;
	const char     *reason = NULL;
	const json_t   *force;
	struct gd_error why;

	(void)rpc_u64(p, "id", 1, INT64_MAX, &id);
	(void)rpc_u64_list(p, "ids", 1, INT64_MAX, NET_IDS_MAX, ids, &count);
	(void)rpc_text(p, "label", NET_LABEL_BYTES_MAX, &label);
	(void)rpc_text(p, "reason", REASON_BYTES_MAX, &reason);
	if (rpc_any(p, "force", &force))
		rpc_fault(p, "/force", "\"force\" is not in this version");
	if ((id != 0) + (count != 0) + (label != NULL) != 1)
		rpc_fault(p, "", "give one of id, ids, label");
	if (rpc_params_end(p, &why) != GD_OK)
		reply_bad_params(r, p);
	else if (label != NULL)
		cancel_labelled(r, label, reason);
	else
		cancel_ids(r, id != 0 ? &id : ids, id != 0 ? 1 : count, id != 0, reason);
}

/* --- job.delete --- */

struct deletion {
	struct request      *request;
	uint64_t             job;
	struct outbox_item   item;
	const struct record *record;
};

static void refuse_delete(const struct deletion *del)
{
	const uint64_t needs_it = del->record->existing;
	const char    *words = "the job has not ended; cancel it first";
	char           data[64];

	if (needs_it == del->job)
		words = "a child of this job has not ended";
	else if (needs_it != 0)
		words = "the job is a child of one that has not ended, and leaves with that";
	(void)snprintf(data, sizeof data, "\"id\":%llu,\"why\":\"not ended\"",
	               (unsigned long long)(needs_it != 0 ? needs_it : del->job));
	reply_error(del->request, GD_CONFLICT, words, data);
}

static void release_delete(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	struct deletion *del =
		(struct deletion *)(void *)((char *)item - offsetof(struct deletion, item));

	(void)l;
	if (outcome == GD_DURABILITY_UNKNOWN)
		return; /* the desk answers everybody, and the process ends */
	if (outcome != GD_OK || del->record->outcome == GD_NOT_FOUND) {
		refuse(del->request, del->job, outcome != GD_OK ? outcome : GD_NOT_FOUND);
	} else if (del->record->outcome != GD_OK) {
		refuse_delete(del);
	} else {
		buf_add_text(reply_begin(del->request), "{\"deleted\":true}");
		reply_end(del->request);
	}
	free(del);
}

static void take_doomed(struct loop *l, struct loop_read *read, void *ctx)
{
	struct deletion    *del = ctx;
	enum gd_err         error = read->read.outcome;
	struct store_group *g;
	struct record      *record;

	if (error == GD_OK &&
	    !request_may(del->request, read->read.jobs[0].owner, AUTH_CANCEL_OWN, AUTH_CANCEL_ANY))
		error = GD_NOT_FOUND;
	store_read_free(&read->read);
	if (error != GD_OK) {
		refuse(del->request, del->job, error);
		free(del);
		return;
	}
	g = loop_group(l);
	record = g == NULL ? NULL : store_group_add(g, RECORD_DELETE, del->job);
	if (record == NULL) {
		reply_error(del->request, GD_NOMEM, "no memory for a request", NULL);
		free(del);
		return;
	}
	del->record = record;
	del->item.release = release_delete;
	outbox_add(g->outbox, &del->item);
}

void method_job_delete(struct request *r, struct rpc_params *p)
{
	uint64_t          id = 0;
	struct gd_error   why;
	struct loop_read *read;
	struct deletion  *del;

	rpc_require(p, "id");
	(void)rpc_u64(p, "id", 1, INT64_MAX, &id);
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	read = loop_read_new(READ_JOB);
	del = calloc(1, sizeof *del);
	if (read == NULL || del == NULL) {
		if (read != NULL)
			store_read_free(&read->read);
		free(del);
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		return;
	}
	del->request = r;
	del->job = id;
	read->read.job = id;
	loop_read_start(r->desk->loop, read, take_doomed, del);
}
