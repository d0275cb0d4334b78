#include "daemon/net/intake.h"
#include "daemon/net/methods.h"
#include "daemon/net/render.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- job.validate --- */

void method_job_validate(struct request *r, struct rpc_params *p)
{
	struct intake_faults faults = { 0 };
	const json_t        *spec = NULL;
	const json_t        *args = NULL;
	struct program      *program;
	struct gd_error      why;
	struct buf          *b;
	enum gd_err          rc;

	rpc_require(p, "spec");
	(void)rpc_any(p, "spec", &spec);
	(void)rpc_object(p, "args", &args);
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	rc = intake_compile(r, spec, args, &program, &faults, &why);
	if (rc == GD_OK)
		program_release(program);
	if (rc != GD_OK && rc != GD_INVALID_SPEC && rc != GD_FORBIDDEN) {
		reply_why(r, &why);
	} else {
		b = reply_begin(r);
		buf_addf(b, "{\"ok\":%s,\"errors\":", rc == GD_OK ? "true" : "false");
		load_problems_write_json(b, &faults.problems);
		buf_add_byte(b, '}');
		reply_end(r);
	}
	intake_faults_close(&faults);
}

/* --- job.submit: waits until every job of the request is durable, or was refused --- */

struct entry {
	struct watch       watch;
	struct submit_set *set;
	uint64_t           id;
	uint64_t           seq;
	bool               is_existing;
	enum gd_err        error; /* of this one */
	char              *data;  /* owned; members of error.data, or NULL */
	char               message[240];
};

struct submit_set {
	struct request *request;
	struct desk    *desk; /* outlives the request */
	uint32_t        count;
	uint32_t        waiting;
	bool            is_list; /* specs, not spec */
	struct entry    at[];
};

static void free_set(struct submit_set *set)
{
	for (uint32_t i = 0; i < set->count; i++) {
		desk_unwatch(set->desk, &set->at[i].watch);
		free(set->at[i].data);
	}
	free(set);
}

static void let_submit_go(struct request *r, bool is_cancelled)
{
	(void)is_cancelled; /* the jobs are on their way to the disk and stay */
	free_set(r->work);
}

static void write_entry(struct buf *b, const struct entry *e)
{
	if (e->error == GD_OK) {
		buf_addf(b, "{\"id\":%llu,\"seq\":%llu%s}", (unsigned long long)e->id,
		         (unsigned long long)e->seq, e->is_existing ? ",\"existing\":true" : "");
		return;
	}
	buf_addf(b, "{\"error\":{\"code\":%d,\"message\":", gd_err_rpc_code(e->error));
	buf_add_json_string(b, e->message, strlen(e->message));
	buf_addf(b, ",\"data\":{\"type\":\"%s\"%s%s}}}", gd_err_name(e->error),
	         e->data != NULL ? "," : "", e->data != NULL ? e->data : "");
}

static void answer_set(struct submit_set *set)
{
	struct request *r = set->request;
	struct entry   *only = &set->at[0];
	struct buf     *b;

	if (set->waiting != 0)
		return;
	r->let_go = NULL;
	if (!set->is_list && only->error != GD_OK) {
		reply_error(r, only->error, only->message, only->data);
		free_set(set);
		return;
	}
	b = reply_begin(r);
	if (set->is_list)
		buf_add_text(b, "{\"jobs\":[");
	for (uint32_t i = 0; i < set->count; i++) {
		if (i != 0)
			buf_add_byte(b, ',');
		write_entry(b, &set->at[i]);
	}
	if (set->is_list)
		buf_add_text(b, "]}");
	reply_end(r);
	free_set(set);
}

/* Takes `data`, which is from malloc(), or NULL. */
static void fail_entry(struct entry *e, enum gd_err code, const char *message, char *data)
{
	e->error = code;
	(void)snprintf(e->message, sizeof e->message, "%s", message);
	e->data = data;
}

static void conflict_data(char *out, size_t room, uint64_t existing)
{
	(void)snprintf(out, room, "\"id\":%llu,\"why\":\"the same key with another spec\"",
	               (unsigned long long)existing);
}

static void on_submitted(struct watch *w, const struct record *r)
{
	struct entry *e = (struct entry *)(void *)((char *)w - offsetof(struct entry, watch));
	char          data[96];

	if (r->kind != RECORD_JOB)
		return;
	desk_unwatch(e->set->desk, w);
	e->is_existing = r->existing != 0;
	e->id = e->is_existing ? r->existing : r->job;
	e->seq = e->is_existing ? r->existing_seq : r->u.submit->seq;
	if (r->outcome != GD_OK) {
		conflict_data(data, sizeof data, r->existing);
		fail_entry(e, r->outcome, "this key belongs to a job with another spec",
		           strdup(data));
	}
	e->set->waiting--;
	answer_set(e->set);
}

static enum gd_err start_job(const struct intake *in, struct request *r, struct program *program,
                             struct watch *watch, uint64_t *id, struct gd_error *why)
{
	struct desk *d = r->desk;
	uint32_t     loop = 0;
	enum gd_err  rc = intake_place(in, r, program, &loop, why);

	if (rc != GD_OK)
		return rc;
	*id = pool_take_id(d->net->pool, loop);
	if (desk_watch(d, watch, *id) != GD_OK)
		return gd_fail(why, GD_NOMEM, "no memory for a job");
	if ((rc = intake_submit(in, r, program, *id, why)) != GD_OK)
		desk_unwatch(d, watch);
	return rc;
}

static void submit_entry(struct submit_set *set, struct entry *e, const struct intake *in,
                         const json_t *spec)
{
	struct intake_faults faults = { 0 };
	struct program      *program = NULL;
	struct gd_error      why;
	enum gd_err          rc;

	e->set = set;
	e->watch.on_record = on_submitted;
	rc = intake_compile(set->request, spec, in->args, &program, &faults, &why);
	if (rc == GD_OK) {
		rc = start_job(in, set->request, program, &e->watch, &e->id, &why);
		program_release(program);
	}
	if (rc == GD_OK)
		set->waiting++;
	else
		fail_entry(e, rc, why.text, intake_faults_data(&faults, rc));
	intake_faults_close(&faults);
}

void method_job_submit(struct request *r, struct rpc_params *p)
{
	struct intake      in;
	struct submit_set *set;
	struct gd_error    why;
	uint32_t           count;

	intake_read(&in, r, p, true);
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	count = in.specs == NULL ? 1 : (uint32_t)json_array_size(in.specs);
	if (intake_admit(r, count, &why) != GD_OK) {
		reply_why(r, &why);
		return;
	}
	if ((set = calloc(1, sizeof *set + count * sizeof set->at[0])) == NULL) {
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
		return;
	}
	set->request = r;
	set->desk = r->desk;
	set->count = count;
	set->is_list = in.specs != NULL;
	r->work = set;
	r->let_go = let_submit_go;
	for (uint32_t i = 0; i < count; i++)
		submit_entry(set, &set->at[i], &in,
		             in.specs == NULL ? in.spec : json_array_get(in.specs, i));
	answer_set(set);
}
