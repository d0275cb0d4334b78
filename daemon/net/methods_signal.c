/*
 * job.signal: a look that does something, told like every look when it is durable. A job that has
 * ended takes no signal; but who repeats one that it took, under its key, is told so.
 */
#include "daemon/net/look.h"
#include "daemon/net/methods.h"
#include "daemon/run/inputs.h"
#include "daemon/run/submit.h"
#include "daemon/value/limits.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct signal_look {
	struct look                look; /* first */
	struct engine_signal_check check;
	json_t                    *value; /* owned; a copy of its own: another loop reads it */
	bool                       has_key;
	char                       event[EVENT_NAME_BYTES_MAX + 1];
	char                       key[NET_KEY_BYTES_MAX + 1];
};

static struct signal_look *signal_look_of(struct look *k)
{
	_Static_assert(offsetof(struct signal_look, look) == 0, "it begins with its look");
	return (struct signal_look *)(void *)k;
}

static void drop_signal(struct look *k)
{
	look_close(k);
	json_decref(signal_look_of(k)->value);
	free(k);
}

static struct signal signal_of(const struct signal_look *e)
{
	return (struct signal){ .event = e->event,
		                .value = e->value,
		                .key = e->has_key ? e->key : NULL };
}

/* On the job's loop. */
static void send_signal(struct look *k, struct loop *l)
{
	struct signal_look *e = signal_look_of(k);
	const struct signal s = signal_of(e);

	e->check = inputs_signal(l, k->read->read.job, &s);
	k->is_live = true;
}

/* --- answers --- */

static void answer_accepted(struct signal_look *e, bool is_known)
{
	struct request *r = e->look.request;

	buf_addf(reply_begin(r), "{\"accepted\":true,\"already\":%s}", is_known ? "true" : "false");
	reply_end(r);
}

static void answer_conflict(struct signal_look *e)
{
	reply_error(e->look.request, GD_CONFLICT,
	            "the job got another event or value under this key", "\"why\":\"key\"");
}

static void answer_unavailable(struct signal_look *e, const char *words)
{
	struct gd_error why;

	(void)gd_fail(&why, GD_UNAVAILABLE, "%s", words);
	reply_why(e->look.request, &why);
}

static void answer_limit(struct signal_look *e)
{
	char data[120], words[80];

	(void)snprintf(words, sizeof words, "the job takes no more: it is at its limit of %s",
	               e->check.limit);
	(void)snprintf(data, sizeof data, "\"limit\":\"%s\",\"value\":%llu,\"max\":%llu",
	               e->check.limit, (unsigned long long)e->check.value,
	               (unsigned long long)e->check.max);
	reply_error(e->look.request, GD_LIMIT, words, data);
}

/* --- a job that has ended --- */

static void answer_ended(struct loop *l, struct signal_look *e, const struct store_read *read)
{
	const struct store_job *job = read->jobs;
	const struct signal     s = signal_of(e);
	char                    words[80];

	if (!job_status_is_final(job->status)) {
		answer_unavailable(e, "the daemon is stopping");
	} else if (read->signal.bytes.at == NULL || read->signal.time > job->ended) {
		(void)snprintf(words, sizeof words, "the job has ended: %s",
		               job_status_name(job->status));
		reply_error(e->look.request, GD_CONFLICT, words, "\"why\":\"ended\"");
	} else if (inputs_is_signal(l, &read->signal, &s)) {
		answer_accepted(e, true);
	} else {
		answer_conflict(e);
	}
}

static void take_stored(struct loop *l, struct loop_read *read, void *ctx)
{
	struct signal_look *e = ctx;

	if (read->read.outcome == GD_NOT_FOUND)
		reply_not_found(e->look.request, read->read.job);
	else if (read->read.outcome != GD_OK)
		reply_why(e->look.request, &read->read.why);
	else
		answer_ended(l, e, &read->read);
	store_read_free(&read->read);
	drop_signal(&e->look);
}

static void ask_what_it_got(struct signal_look *e)
{
	struct loop_read *read = loop_read_new(e->has_key ? READ_SIGNAL : READ_JOB);

	if (read != NULL) {
		read->read.job = e->look.read->read.job;
		read->read.signal_key =
			(struct text){ arena_copy(&read->read.arena, e->key, strlen(e->key)),
			               strlen(e->key) };
	}
	if (read == NULL || read->read.arena.failed) {
		if (read != NULL)
			store_read_free(&read->read);
		reply_error(e->look.request, GD_NOMEM, "no memory for a request", NULL);
		drop_signal(&e->look);
		return;
	}
	loop_read_start(e->look.desk->loop, read, take_stored, e);
}

static void answer_signal(struct look *k)
{
	struct signal_look *e = signal_look_of(k);

	if (job_status_is_final(look_job(k)->status) ||
	    (k->is_live && e->check.code == GD_NOT_FOUND)) {
		ask_what_it_got(e);
		return;
	}
	if (k->is_unseen)
		answer_unavailable(e, "the storage is full; try again");
	else if (!k->is_live)
		answer_unavailable(e, "the daemon is stopping");
	else if (e->check.code == GD_OK)
		answer_accepted(e, e->check.is_known);
	else if (e->check.code == GD_CONFLICT)
		answer_conflict(e);
	else if (e->check.code == GD_LIMIT)
		answer_limit(e);
	else
		reply_error(k->request, GD_NOMEM, "no memory for a signal", NULL);
	drop_signal(k);
}

/* --- the request --- */

/* False: it was refused, and answered. */
static bool admit(struct request *r, const json_t *value)
{
	const size_t    flags = JSON_COMPACT | JSON_ENCODE_ANY;
	size_t          bytes = value == NULL ? 0 : json_dumpb(value, NULL, 0, flags);
	char            data[120];
	struct gd_error why;

	if (bytes > SIGNAL_VALUE_BYTES_MAX) {
		(void)snprintf(data, sizeof data,
		               "\"limit\":\"signal_value_bytes\",\"value\":%zu,\"max\":%d", bytes,
		               SIGNAL_VALUE_BYTES_MAX);
		reply_error(r, GD_LIMIT, "the value is too long", data);
		return false;
	}
	if (submit_admit(r->desk->net->pool, &why) == GD_OK)
		return true;
	reply_why(r, &why);
	return false;
}

static struct signal_look *new_signal(const char *event, const json_t *value, const char *key)
{
	struct signal_look *e = calloc(1, sizeof *e);

	if (e == NULL || (value != NULL && (e->value = json_deep_copy(value)) == NULL)) {
		free(e);
		return NULL;
	}
	memcpy(e->event, event, strlen(event) + 1);
	e->has_key = key != NULL;
	if (key != NULL)
		memcpy(e->key, key, strlen(key) + 1);
	e->look.see = send_signal;
	e->look.answer = answer_signal;
	e->look.drop = drop_signal;
	e->look.own = AUTH_CANCEL_OWN;
	e->look.any = AUTH_CANCEL_ANY;
	e->look.waits_for_job = true;
	return e;
}

void method_job_signal(struct request *r, struct rpc_params *p)
{
	struct signal_look *e;
	const char         *event = NULL, *key = NULL;
	const json_t       *value = NULL;
	uint64_t            id = 0;
	struct gd_error     why;

	rpc_require(p, "id");
	rpc_require(p, "event");
	(void)rpc_u64(p, "id", 1, INT64_MAX, &id);
	(void)rpc_text(p, "event", EVENT_NAME_BYTES_MAX, &event);
	(void)rpc_any(p, "value", &value);
	(void)rpc_text(p, "key", NET_KEY_BYTES_MAX, &key);
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	if (!admit(r, value))
		return;
	e = new_signal(event, value, key);
	if (e != NULL && look_start(&e->look, r, id, 0))
		return;
	if (e != NULL)
		json_decref(e->value);
	free(e);
	reply_error(r, GD_NOMEM, "no memory for a request", NULL);
}
