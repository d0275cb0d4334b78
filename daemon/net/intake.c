#include "daemon/net/intake.h"

#include "daemon/net/may_call.h"
#include "daemon/run/loop_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPECS_MAX 1000u

/* --- parameters --- */

static void read_loop(struct intake *in, const struct request *r, struct rpc_params *p)
{
	const struct pool *pool = r->desk->net->pool;
	const json_t      *loop = NULL;

	if (!rpc_any(p, "loop", &loop))
		return;
	in->is_placed = true;
	if (json_is_string(loop) && json_string_length(loop) != 0 &&
	    json_string_length(loop) <= LOOP_NAME_BYTES_MAX)
		in->loop_name = json_string_value(loop);
	else if (json_is_integer(loop) && json_integer_value(loop) >= 0 &&
	         json_integer_value(loop) < (json_int_t)pool->count)
		in->loop = (uint32_t)json_integer_value(loop);
	else
		rpc_fault(p, "/loop", "a loop is a name of 1 to %d bytes or a number below %u",
		          LOOP_NAME_BYTES_MAX, (unsigned)pool->count);
}

/* 0 is the store's word for "as long as any other": whoever says 0 gets the least above it. */
static void read_retain(struct intake *in, const struct request *r, struct rpc_params *p)
{
	uint32_t        max = atomic_load(&r->desk->net->config->retain_max);
	const json_t   *retain = NULL;
	struct gd_error why;

	if (!rpc_any(p, "retain", &retain))
		return;
	if (load_duration(engine_heap(r->desk->loop->engine), retain, &in->retain, &why) != GD_OK)
		rpc_fault(p, "/retain", "%s", why.text);
	else if (in->retain < 0 || in->retain / GD_NSEC_PER_SEC > max)
		rpc_fault(p, "/retain", "from 0 to %u seconds", (unsigned)max);
	else if (in->retain == 0)
		in->retain = 1;
}

static void read_priority(struct intake *in, struct rpc_params *p)
{
	const json_t *priority = NULL;

	if (!rpc_any(p, "priority", &priority))
		return;
	if (json_is_integer(priority) && json_integer_value(priority) >= -JOB_PRIORITY_MAX &&
	    json_integer_value(priority) <= JOB_PRIORITY_MAX)
		in->priority = (int32_t)json_integer_value(priority);
	else
		rpc_fault(p, "/priority", "a whole number from %d to %d", -JOB_PRIORITY_MAX,
		          JOB_PRIORITY_MAX);
}

void intake_read(struct intake *in, struct request *r, struct rpc_params *p, bool takes_many)
{
	*in = (struct intake){ 0 };
	(void)rpc_any(p, "spec", &in->spec);
	if (takes_many)
		(void)rpc_list(p, "specs", SPECS_MAX, &in->specs);
	(void)rpc_object(p, "args", &in->args);
	(void)rpc_text(p, "key", NET_KEY_BYTES_MAX, &in->key);
	(void)rpc_text(p, "title", NET_TITLE_BYTES_MAX, &in->title);
	(void)rpc_text_list(p, "labels", NET_LABEL_BYTES_MAX, NET_LABELS_MAX, in->labels,
	                    &in->label_count);
	(void)rpc_moment(p, "start_at", &in->start_at);
	read_loop(in, r, p);
	read_priority(in, p);
	read_retain(in, r, p);
	if ((in->spec != NULL) == (in->specs != NULL))
		rpc_fault(p, "", takes_many ? "give either spec or specs" : "give a spec");
	if (in->specs != NULL && json_array_size(in->specs) == 0)
		rpc_fault(p, "/specs", "an empty list of specs");
	if (in->specs != NULL && in->key != NULL)
		rpc_fault(p, "/key", "a key is for one spec");
}

enum gd_err intake_admit(const struct request *r, uint32_t count, struct gd_error *why)
{
	const struct net *net = r->desk->net;
	uint64_t          jobs = pool_job_count(net->pool);
	uint32_t          max = atomic_load(&net->config->max_jobs);

	if (jobs + count > max)
		return gd_fail(why, GD_LIMIT, "%llu jobs live here, and at most %u may",
		               (unsigned long long)jobs, (unsigned)max);
	if (loop_is_choked(r->desk->loop))
		return gd_fail(why, GD_UNAVAILABLE, "the disk is behind; try again");
	return submit_admit(net->pool, why);
}

/* --- programs --- */

static bool write_spec(struct buf *b, const json_t *spec)
{
	const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
	size_t       bytes;

	buf_clear(b);
	if (buf_reserve(b, 1024) == NULL)
		return false;
	bytes = json_dumpb(spec, b->at, b->room, flags);
	if (bytes > b->room) {
		if (buf_reserve(b, bytes) == NULL)
			return false;
		bytes = json_dumpb(spec, b->at, b->room, flags);
	}
	b->bytes = bytes;
	return bytes != 0;
}

static enum gd_err check_args(struct loop *l, const struct program *p, const json_t *args,
                              struct load_problems *problems, struct gd_error *why)
{
	struct value_heap *heap = engine_heap(l->engine);
	struct value       few[8];
	struct value      *values = few;
	enum gd_err        rc;

	if (args == NULL || (json_object_size(args) == 0))
		return GD_OK; /* defaults are good */
	if (p->job_arg_count > 8 && (values = calloc(p->job_arg_count, sizeof *values)) == NULL)
		return gd_fail(why, GD_NOMEM, "%u arguments", (unsigned)p->job_arg_count);
	rc = load_args(heap, p, args, values, problems, why);
	if (rc == GD_OK)
		for (uint32_t i = 0; i < p->job_arg_count; i++)
			value_release(heap, values[i]);
	if (values != few)
		free(values);
	return rc;
}

void intake_faults_close(struct intake_faults *f)
{
	load_problems_close(&f->problems);
}

char *intake_faults_data(const struct intake_faults *f, enum gd_err code)
{
	struct buf b = { 0 };

	if (code == GD_INVALID_SPEC) {
		buf_add_text(&b, "\"errors\":");
		load_problems_write_json(&b, &f->problems);
	} else if (code == GD_FORBIDDEN) {
		buf_addf(&b, "\"scope\":[\"%s\"]", f->scope);
	} else {
		return NULL;
	}
	buf_add_byte(&b, '\0');
	if (b.failed != GD_OK)
		buf_close(&b);
	return b.at;
}

static enum gd_err compile(struct desk *d, const json_t *spec, struct program **program,
                           struct load_problems *problems, struct gd_error *why)
{
	struct program_cache *cache = &d->loop->programs;
	enum gd_err           rc;

	if (!write_spec(&d->spec_text, spec))
		return gd_fail(why, GD_NOMEM, "no memory for a spec");
	*program = program_cache_find(cache, d->spec_text.at, d->spec_text.bytes);
	if (*program != NULL)
		return GD_OK;
	if ((rc = load_program(spec, program, problems, why)) == GD_OK)
		program_cache_add(cache, d->spec_text.at, d->spec_text.bytes, *program);
	return rc;
}

/* A program may be cached by its text, so this is asked each time. */
static enum gd_err check_child(const struct program *p, const struct child *child, uint32_t loops,
                               struct load_problems *problems, struct gd_error *why)
{
	const struct expr *x = &p->exprs[child->loop];
	char               message[80];
	struct buf         pointer = { 0 };
	bool               is_kept;

	if (x->kind != EXPR_CONST || value_type(x->constant) != VALUE_T_INT ||
	    value_as_int(x->constant) < (int64_t)loops)
		return GD_OK;
	(void)snprintf(message, sizeof message, "there is no loop %lld: they are 0 to %u",
	               (long long)value_as_int(x->constant), (unsigned)loops - 1);
	program_write_pointer(&pointer, p, child->node);
	buf_add_text(&pointer, "/loop");
	buf_add_byte(&pointer, '\0');
	is_kept = pointer.failed == GD_OK && load_problems_add(problems, pointer.at, message, NULL);
	buf_close(&pointer);
	return is_kept ? GD_INVALID_SPEC : gd_fail(why, GD_NOMEM, "no memory for a problem");
}

static enum gd_err check_loops(const struct program *p, uint32_t loops,
                               struct load_problems *problems, struct gd_error *why)
{
	enum gd_err rc = GD_OK;

	for (uint32_t i = 0; i < p->child_count && rc != GD_NOMEM; i++) {
		enum gd_err found = check_child(p, &p->children[i], loops, problems, why);

		rc = found == GD_OK ? rc : found;
	}
	return rc;
}

enum gd_err intake_compile(const struct request *r, const json_t *spec, const json_t *args,
                           struct program **program, struct intake_faults *faults,
                           struct gd_error *why)
{
	struct desk *d = r->desk;
	enum gd_err  rc = compile(d, spec, program, &faults->problems, why);

	if (rc == GD_OK) {
		rc = may_exec(d->net->config->profiles, request_who(r), *program, &faults->problems,
		              faults->scope, why);
		if (rc == GD_OK)
			rc = may_call(d->net->blocking, d->net->http, *program, &faults->problems, why);
		if (rc == GD_OK)
			rc = check_loops(*program, d->net->pool->count, &faults->problems, why);
		if (rc == GD_OK)
			rc = check_args(d->loop, *program, args, &faults->problems, why);
		if (rc != GD_OK)
			program_release(*program);
	}
	return rc == GD_INVALID_SPEC ? gd_fail(why, rc, "the spec has problems") : rc;
}

static struct text text_of(const char *at)
{
	return (struct text){ at, at == NULL ? 0 : strlen(at) };
}

/* The name of the loop, where it is said by name. */
static struct text name_of_place(const struct intake *in, const struct program *program)
{
	struct text none = { 0 };

	if (in->is_placed)
		return text_of(in->loop_name);
	if (!value_is_type(program->loop, VALUE_T_TEXT))
		return none;
	return (struct text){ value_text(program->loop)->at, value_text(program->loop)->bytes };
}

enum gd_err intake_place(const struct intake *in, const struct request *r,
                         const struct program *program, uint32_t *loop, struct gd_error *why)
{
	const struct pool *pool = r->desk->net->pool;
	struct value       wish = program->loop;
	struct text        name = name_of_place(in, program);

	if (name.at != NULL)
		return loop_names_use(pool->names, name, pool->count, loop, why);
	*loop = in->is_placed ? in->loop : r->desk->loop->index;
	if (in->is_placed || value_is_null(wish))
		return GD_OK;
	if (value_as_int(wish) < 0 || value_as_int(wish) >= (int64_t)pool->count)
		return gd_fail(why, GD_LIMIT, "the spec wants loop %lld, and there are %u",
		               (long long)value_as_int(wish), (unsigned)pool->count);
	*loop = (uint32_t)value_as_int(wish);
	return GD_OK;
}

/* --- in --- */

/* ["a","b"], in `b`; it stays empty when there are none. */
static struct text labels_text(const struct intake *in, struct buf *b)
{
	if (in->label_count == 0)
		return (struct text){ 0 };
	for (uint32_t i = 0; i < in->label_count; i++) {
		buf_add_byte(b, i == 0 ? '[' : ',');
		buf_add_json_string(b, in->labels[i], strlen(in->labels[i]));
	}
	buf_add_byte(b, ']');
	return (struct text){ b->at, b->bytes };
}

enum gd_err intake_submit(const struct intake *in, const struct request *r, struct program *program,
                          uint64_t id, struct gd_error *why)
{
	struct desk      *d = r->desk;
	struct loop      *owner = pool_loop_of(d->net->pool, id);
	struct buf        labels = { 0 };
	char             *args = NULL;
	enum gd_err       rc = GD_NOMEM;
	struct submission s = { .id = id,
		                .program = program,
		                .args = in->args,
		                .owner = text_of(r->peer->who.name),
		                .key = text_of(in->key),
		                .title = text_of(in->title),
		                .start_at = in->start_at,
		                .retain = in->retain,
		                .priority = in->priority,
		                .loop_name = name_of_place(in, program),
		                .spec = { d->spec_text.at, d->spec_text.bytes } };

	s.labels = labels_text(in, &labels);
	if (in->args != NULL)
		args = json_dumps(in->args, JSON_COMPACT);
	s.args_text = text_of(args);
	if (labels.failed != GD_OK || (in->args != NULL && args == NULL))
		rc = gd_fail(why, GD_NOMEM, "no memory for a job");
	else if (owner == d->loop)
		rc = submit_here(owner, &s, why);
	else
		rc = submit_elsewhere(owner, &s, why);
	free(args);
	buf_close(&labels);
	return rc;
}
