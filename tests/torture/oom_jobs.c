/* Scenes of the loader and the engine: a job from its text to its last output. */
#include "daemon/engine/engine.h"
#include "daemon/load/load.h"
#include "daemon/run/pool.h"
#include "daemon/store/journal.h"
#include "proto/rpc.h"
#include "tests/torture/oom_scenes.h"

#include <stdlib.h>
#include <string.h>

#define T0 (INT64_C(1700000000) * GD_NSEC_PER_SEC)
#define JOB UINT64_C(1)
#define STEPS_MAX 100000u

struct run {
	struct engine     *engine;
	struct engine_outs outs;
	struct program    *program; /* borrowed */
	struct buf        *said;
	gd_nsec            now;
	bool               is_cancel_due;
	bool               is_signal_due;
	bool               has_ended;
};

static enum gd_err feed(struct run *r, const struct engine_in *in);

static void say(struct run *r, const struct engine_out *o)
{
	buf_addf(r->said, "%lld %d ", (long long)(o->time - T0), (int)o->kind);
	if (!value_is_none(o->name))
		value_write_json(r->said, o->name);
	if (!value_is_none(o->data))
		value_write_json(r->said, o->data);
	buf_add_byte(r->said, '\n');
}

/* Every command says two lines, where it is asked for any, and exits with 1. */
static enum gd_err play(struct run *r, const struct engine_in *exec, bool has_lines)
{
	struct value_heap *h = engine_heap(r->engine);
	struct engine_in   in = *exec;
	enum gd_err        rc;

	in.kind = ENGINE_BEGIN;
	rc = feed(r, &in);
	if (rc == GD_OK && has_lines) {
		in.kind = ENGINE_LINES;
		in.message =
			value_list_append(h, value_list_new(h, 2), engine_bytes(h, "a", 1, true));
		in.message = value_list_append(h, in.message, engine_bytes(h, "\xff", 1, false));
		rc = h->failed ? GD_NOMEM : feed(r, &in);
		value_release(h, in.message);
	}
	if (rc != GD_OK)
		return rc;
	in.kind = ENGINE_EXITED;
	in.message = value_dict_put(h, value_dict_new(h, 1), value_text_new(h, "code", 4),
	                            value_int(h, 1));
	rc = h->failed ? GD_NOMEM : feed(r, &in);
	value_release(h, in.message);
	return rc;
}

/* What a loop would do with outputs: say, grant, tell the time, run. */
static enum gd_err obey(struct run *r)
{
	struct engine_in answers[8];
	uint32_t         count = 0;
	enum gd_err      rc = GD_OK;
	bool             has_lines = false;

	for (uint32_t i = 0; i < r->outs.count; i++) {
		const struct engine_out *o = &r->outs.at[i];

		say(r, o);
		r->has_ended = r->has_ended ||
		               (o->kind >= ENGINE_JOB_COMPLETED && o->kind <= ENGINE_JOB_CANCELLED);
		if (count < 8 && (o->kind == ENGINE_ACQUIRE || o->kind == ENGINE_WANT_NOW))
			answers[count++] =
				(struct engine_in){ .kind = o->kind == ENGINE_ACQUIRE ? ENGINE_GRANT
				                                                      : ENGINE_NOW,
				                    .time = r->now,
				                    .job = JOB,
				                    .ticket = o->ticket };
		if (count < 8 && o->kind == ENGINE_EXEC) {
			has_lines = !value_is_none(value_dict_get(o->data, "yield", 5));
			answers[count++] = (struct engine_in){ .kind = ENGINE_BEGIN,
				                               .time = r->now,
				                               .job = JOB,
				                               .ticket = o->ticket,
				                               .attempt = o->attempt };
		}
	}
	engine_outs_clear(r->engine, &r->outs);
	for (uint32_t i = 0; rc == GD_OK && i < count; i++)
		rc = answers[i].kind == ENGINE_BEGIN ? play(r, &answers[i], has_lines)
		                                     : feed(r, &answers[i]);
	return rc;
}

static enum gd_err feed(struct run *r, const struct engine_in *in)
{
	enum gd_err rc = engine_step(r->engine, in, &r->outs, NULL);

	return rc == GD_OK ? obey(r) : rc;
}

static enum gd_err start(struct run *r)
{
	struct value_heap   *h = engine_heap(r->engine);
	struct load_problems problems = { 0 };
	uint32_t             count = r->program->job_arg_count;
	struct value        *args = calloc(count + 1, sizeof *args);
	enum gd_err          rc;

	if (args == NULL)
		return GD_NOMEM;
	rc = load_args(h, r->program, NULL, args, &problems, NULL);
	load_problems_close(&problems);
	if (rc == GD_OK) {
		rc = feed(r, &(struct engine_in){ .kind = ENGINE_START,
		                                  .time = T0,
		                                  .job = JOB,
		                                  .program = r->program,
		                                  .args = args,
		                                  .title = r->program->title });
		for (uint32_t i = 0; i < count; i++)
			value_release(h, args[i]);
	}
	free(args);
	return rc;
}

static enum gd_err cancel(struct run *r)
{
	struct value_heap *h = engine_heap(r->engine);
	struct engine_in   in = { .kind = ENGINE_CANCEL, .time = r->now, .job = JOB };
	enum gd_err        rc;

	r->is_cancel_due = false;
	in.message = value_text_new(h, "enough", 6);
	if (value_is_none(in.message))
		return GD_NOMEM;
	rc = feed(r, &in);
	value_release(h, in.message);
	return rc;
}

/* Its event "go", under a key. */
static enum gd_err send_signal(struct run *r)
{
	struct value_heap *h = engine_heap(r->engine);
	struct engine_in   in = { .kind = ENGINE_SIGNAL, .time = r->now, .job = JOB };
	enum gd_err        rc = GD_NOMEM;

	r->is_signal_due = false;
	in.message = value_dict_new(h, 3);
	in.message = value_dict_put(h, in.message, value_text_new(h, "event", 5),
	                            value_text_new(h, "go", 2));
	in.message = value_dict_put(
		h, in.message, value_text_new(h, "value", 5),
		value_list_append(h, value_list_new(h, 1), value_text_new(h, "yes", 3)));
	in.message = value_dict_put(h, in.message, value_text_new(h, "key", 3),
	                            value_text_new(h, "k", 1));
	if (!h->failed && engine_check_signal(r->engine, JOB, in.message, 1).code == GD_OK)
		rc = feed(r, &in);
	value_release(h, in.message);
	return rc;
}

static enum gd_err run_to_end(struct run *r)
{
	enum gd_err rc = start(r);
	gd_nsec     due;

	for (uint32_t i = 0; rc == GD_OK && i < STEPS_MAX && !r->has_ended; i++) {
		if (r->is_cancel_due) {
			rc = cancel(r);
			continue;
		}
		if (!engine_is_behind(r->engine)) {
			if (r->is_signal_due) {
				rc = send_signal(r);
				continue;
			}
			if (!engine_next_due(r->engine, &due) || due == GD_NSEC_NEVER)
				break;
			r->now = due > r->now ? due : r->now;
		}
		rc = feed(r, &(struct engine_in){ .kind = ENGINE_TIME, .time = r->now });
	}
	return rc;
}

static enum gd_err run_program(struct program *p, const struct oom_scene *scene, struct buf *said)
{
	struct run  r = { .program = p, .said = said, .now = T0 };
	enum gd_err rc = engine_open(&r.engine, NULL);

	if (rc != GD_OK)
		return rc;
	r.is_cancel_due = scene->script != NULL && scene->script[0] == 'c';
	r.is_signal_due = scene->script != NULL && scene->script[0] == 's';
	rc = run_to_end(&r);
	engine_outs_close(r.engine, &r.outs);
	engine_close(r.engine);
	if (rc == GD_OK && !r.has_ended)
		buf_add_text(said, "it does not end\n");
	return rc == GD_OK ? said->failed : rc;
}

static enum gd_err run_job(const struct oom_scene *scene, struct buf *said)
{
	struct load_problems problems = { 0 };
	struct program      *p = NULL;
	json_t              *spec = json_loads(scene->text, JSON_REJECT_DUPLICATES, NULL);
	enum gd_err          rc;

	if (spec == NULL)
		return GD_NOMEM;
	rc = load_program(spec, &p, &problems, NULL);
	if (rc == GD_OK)
		rc = run_program(p, scene, said);
	else if (rc == GD_INVALID_SPEC)
		load_problems_write_json(said, &problems);
	load_problems_close(&problems);
	if (p != NULL)
		program_release(p);
	json_decref(spec);
	return said->failed != GD_OK ? said->failed : rc;
}

/* --- not jobs --- */

static enum gd_err run_journal(const struct oom_scene *scene, struct buf *said)
{
	struct value_heap heap = { 0 };
	struct engine_in  in = { .kind = ENGINE_CANCEL, .time = T0 };
	struct engine_in  back = { .message = VALUE_NULL };
	struct buf        bytes = { 0 };
	enum gd_err       rc = GD_NOMEM;

	in.message = value_text_new(&heap, scene->text, strlen(scene->text));
	if (!value_is_none(in.message)) {
		journal_encode(&bytes, &in);
		rc = bytes.failed;
	}
	if (rc == GD_OK)
		rc = journal_decode(&heap, bytes.at, bytes.bytes, &back, NULL);
	if (rc == GD_OK) {
		value_write_json(said, back.message);
		value_release(&heap, back.message);
	}
	if (!value_is_none(in.message))
		value_release(&heap, in.message);
	buf_close(&bytes);
	return rc == GD_OK ? said->failed : rc;
}

static enum gd_err run_rpc(const struct oom_scene *scene, struct buf *said)
{
	struct rpc_message m;
	struct rpc_request r;
	enum gd_err        rc = rpc_parse(scene->text, strlen(scene->text), &m, NULL);

	if (rc != GD_OK)
		return rc;
	for (uint32_t i = 0; i < m.count; i++) {
		rc = rpc_request_at(&m, i, &r, NULL);
		if (rc == GD_NOMEM)
			break;
		buf_addf(said, "%d %s\n", (int)rc, rc == GD_OK ? r.method : "");
	}
	rpc_message_close(&m);
	return rc == GD_NOMEM ? rc : said->failed;
}

static enum gd_err run_pool(const struct oom_scene *scene, struct buf *said)
{
	struct pool *p;
	enum gd_err  rc = pool_open(2, &p, NULL);

	(void)scene;
	if (rc != GD_OK)
		return rc;
	buf_add_text(said, "open");
	pool_close(p);
	return said->failed;
}

#define JOB_SCENE(name_, text_)                              \
	{                                                    \
		.name = name_, .run = run_job, .text = text_ \
	}

const struct oom_scene oom_job_scenes[] = {
	JOB_SCENE("sleep", "{\"title\":\"nap\",\"do\":{\"sleep\":3,\"result\":\"Awaited\"}}"),
	JOB_SCENE(
		"sequence",
		"{\"args\":{\"n\":3},\"do\":[{\"set\":{\"a\":\"${n + 1}\"}},{\"if\":\"${a > 3}\","
		"\"value\":[\"${a}\",{\"k\":\"text ${a}\"}],\"as\":\"b\"},{\"return\":\"${b}\"}]}"),
	JOB_SCENE("gather", "{\"gather\":{\"a\":{\"sleep\":2,\"result\":1},\"b\":[{\"sleep\":1},"
	                    "{\"value\":\"x\"}]}}"),
	JOB_SCENE("gather-limit",
	          "{\"gather\":{\"sleep\":\"${n % 3}\",\"result\":\"${n}\"},\"for\":"
	          "\"n\",\"in\":\"${range(12)}\",\"limit\":3}"),
	JOB_SCENE("as-completed",
	          "{\"as_completed\":{\"c\":{\"sleep\":3},\"a\":{\"sleep\":1},\"b\":{\"sleep\":2}},"
	          "\"do\":{\"yield\":\"${c.name}\"},\"as\":\"c\"}"),
	JOB_SCENE("task-group",
	          "{\"try\":{\"task_group\":{\"bad\":[{\"sleep\":1},{\"raise\":\"Boom\"}],\"slow\":"
	          "{\"sleep\":60}}},\"except\":{\"ExceptionGroup\":{\"value\":\"${error}\"}}}"),
	JOB_SCENE("race", "{\"race\":{\"a\":{\"raise\":\"No\"},\"b\":{\"sleep\":1,\"result\":2}},"
	                  "\"until\":\"success\"}"),
	JOB_SCENE("wait",
	          "[{\"create_task\":{\"sleep\":1,\"result\":1},\"as\":\"a\"},"
	          "{\"create_task\":{\"sleep\":9},\"as\":\"b\"},{\"wait\":[\"${a}\",\"${b}\"],"
	          "\"return_when\":\"FIRST_COMPLETED\",\"as\":\"w\"},"
	          "{\"await\":\"${w.done}\"}]"),
	JOB_SCENE("tasks", "[{\"create_task\":{\"sleep\":5},\"name\":\"nap\",\"as\":\"t\"},"
	                   "{\"sleep\":1},{\"cancel\":\"${t}\",\"message\":\"up\"},{\"try\":"
	                   "{\"await\":\"${t}\"},\"except\":{\"CancelledError\":{\"value\":"
	                   "\"${error.message}\"}}}]"),
	JOB_SCENE("shield", "{\"shield\":[{\"sleep\":1},{\"value\":7}]}"),
	JOB_SCENE("try",
	          "{\"try\":[{\"sleep\":1},{\"value\":\"${{}.x}\"}],\"except\":{\"KeyError\":"
	          "{\"value\":\"${error.message}\"}},\"finally\":{\"yield\":\"last\"}}"),
	JOB_SCENE("timeout", "{\"try\":{\"sleep\":60,\"timeout\":1},\"except\":{\"TimeoutError\":"
	                     "{\"value\":\"${error}\"}}}"),
	JOB_SCENE("retry",
	          "{\"do\":[{\"yield\":\"${attempt}\"},{\"if\":\"${attempt < 4}\",\"raise\":"
	          "\"Flaky\",\"else\":{\"value\":1}}],\"retry\":{\"attempts\":5,\"delay\":1,"
	          "\"backoff\":2,\"jitter\":true,\"on\":[\"Flaky\"]}}"),
	JOB_SCENE("undo",
	          "{\"try\":[{\"value\":1,\"undo\":{\"yield\":\"undo 1\"}},{\"sleep\":1},"
	          "{\"value\":2,\"as\":\"v\",\"undo\":{\"yield\":\"undo ${v}\"}},"
	          "{\"raise\":\"Late\"}],\"except\":{\"*\":{\"value\":\"${error.type}\"}}}"),
	JOB_SCENE(
		"generator",
		"{\"def\":{\"count\":{\"params\":[\"k\"],\"do\":{\"do\":[{\"sleep\":1},{\"yield\":"
		"\"${i}\"}],\"for\":\"i\",\"in\":\"${range(k)}\"}}},\"do\":{\"async_for\":{\"call\":"
		"\"count\",\"args\":[4]},\"as\":\"x\",\"do\":{\"value\":\"${x * 2}\"}}}"),
	JOB_SCENE("with", "{\"gather\":{\"sleep\":1,\"result\":\"${n}\",\"with\":\"gate\"},\"for\":"
	                  "\"n\",\"in\":\"${range(3)}\"}"),
	JOB_SCENE("call",
	          "{\"def\":{\"f\":{\"params\":[\"a\"],\"do\":{\"match\":\"${a}\",\"case\":"
	          "{\"1\":{\"value\":\"one\"},\"_\":{\"call\":\"f\",\"args\":[1]}}}}},\"do\":"
	          "{\"call\":\"f\",\"args\":{\"a\":2}}}"),
	JOB_SCENE("while", "[{\"set\":{\"n\":0}},{\"do\":[{\"set\":{\"n\":\"${n + 1}\"}},"
	                   "{\"sleep\":0}],\"while\":\"${n < 20}\"},{\"return\":\"${n}\"}]"),
	JOB_SCENE("after",
	          "{\"gather\":{\"a\":{\"sleep\":1,\"result\":5},\"b\":{\"value\":\"${a + 1}\","
	          "\"after\":[\"a\"]}}}"),
	JOB_SCENE(
		"expressions",
		"[{\"set\":{\"l\":[3,1,2],\"o\":{\"a\":1,\"b\":\"t\"}}},{\"value\":[\"${sorted(l)}\","
		"\"${[x * 2 for x in l if x > 1]}\",\"${json(o)}\",\"${parse_json('[1,{\\\"k\\\":2}]')}"
		"\",\"${b64encode('hello')}\",\"${format_time(0)}\",\"${join(',', split('a b', ' '))}"
		"\",\"${zip(l, keys(o))}\",\"${{'k': l, 'm': o}}\",\"${upper('x') + str(l)}\"]}]"),
	{ .name = "cancel",
	  .run = run_job,
	  .text = "{\"try\":{\"gather\":{\"a\":{\"sleep\":60},\"b\":{\"sleep\":70}}},\"finally\":"
	          "[{\"sleep\":1},{\"yield\":\"cleanup\"}]}",
	  .script = "c" },
	{ .name = "event",
	  .run = run_job,
	  .text = "[{\"gather\":[{\"event\":\"go\"},{\"event\":\"${'g' + 'o'}\",\"timeout\":9},"
	          "{\"event\":\"never\",\"timeout\":1}],\"return_exceptions\":true},"
	          "{\"event\":\"go\"}]",
	  .script = "s" },
	JOB_SCENE(
		"exec",
		"[{\"set\":{\"x\":\"b\"}},{\"try\":{\"exec\":[\"a\",\"${x}\"],\"env\":{\"V\":\"${x}\"},"
		"\"stdin\":\"in\",\"pool\":\"p\",\"timeout\":5,\"grace\":1},\"except\":{\"ExecError\":"
		"{\"value\":\"${error}\"}}}]"),
	JOB_SCENE("lines",
	          "{\"try\":{\"async_for\":{\"exec\":[\"a\"],\"yield\":\"lines\"},\"as\":\"l\","
	          "\"do\":{\"yield\":\"${l}\"}},\"except\":{\"*\":{\"value\":\"${error}\"}}}"),
	JOB_SCENE("refused", "{\"gather\":{\"x\":{\"slep\":1},\"y\":{\"value\":\"${HOME}\"},\"z\":"
	                     "{\"sleep\":1,\"afterr\":[]}}}"),
	{ .name = "journal", .run = run_journal, .text = "enough, now" },
	{ .name = "rpc",
	  .run = run_rpc,
	  .text = "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"id\":"
	          "\"a\",\"method\":\"job.submit\",\"params\":{\"spec\":{\"sleep\":1}}}]" },
	{ .name = "loops", .run = run_pool },
};
const uint32_t oom_job_scene_count = sizeof oom_job_scenes / sizeof oom_job_scenes[0];
