/* Commands, seen from outside of the engine: what is asked for, and what it may be told. */
#include "tests/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- what is asked for --- */

static char asked[2048];

static void note_request(struct sim *s, const struct engine_out *o)
{
	struct buf b = { 0 };

	(void)s;
	if (o->kind != ENGINE_EXEC)
		return;
	value_write_json(&b, o->data);
	assert_true(b.bytes < sizeof asked);
	memcpy(asked, b.at, b.bytes);
	asked[b.bytes] = '\0';
	buf_close(&b);
}

static void expect_request(const char *spec, const char *request)
{
	struct sim *s = sim_open();

	asked[0] = '\0';
	s->on_output = note_request;
	(void)sim_submit(s, spec);
	assert_string_equal(asked, request);
	sim_run_until_idle(s);
	sim_close(s);
}

static void given_options_then_the_request_says_them(void **state)
{
	(void)state;
	expect_request("{\"exec\": [\"ok\"]}", "{\"argv\":[\"ok\"],\"grace\":10.0}");
	expect_request(
		"[{\"set\": {\"x\": \"v\"}}, {\"exec\": [\"ok\", \"${x}${x}\"], \"cwd\": "
		"\"/${x}\", \"env\": {\"A\": \"${x}\", \"B\": \"\"}, \"stdin\": \"in\", "
		"\"grace\": \"1m\", \"pool\": \"gpu\", \"stdout\": \"DEVNULL\", \"stderr\": "
		"\"STDOUT\", \"on_interrupt\": \"hold\", \"timeout\": 3}]",
		"{\"argv\":[\"ok\",\"vv\"],\"stdin\":\"in\",\"env\":{\"A\":\"v\",\"B\":\"\"},"
		"\"cwd\":\"/v\",\"grace\":60.0,\"pool\":\"gpu\",\"stdout\":\"DEVNULL\","
		"\"stderr\":\"STDOUT\",\"on_interrupt\":\"hold\"}");
	expect_request("[{\"set\": {\"x\": {\"base64\": \"AAA=\"}}}, {\"exec\": [\"ok\"], "
	               "\"stdin\": \"${x}\", \"stderr\": \"DEVNULL\"}]",
	               "{\"argv\":[\"ok\"],\"stdin\":{\"base64\":\"AAA=\"},\"grace\":10.0,"
	               "\"stderr\":\"DEVNULL\"}");
	expect_request("{\"async_for\": {\"exec\": [\"ok\"], \"yield\": \"lines\", \"stdin\": "
	               "\"${null}\"}}",
	               "{\"argv\":[\"ok\"],\"grace\":10.0,\"yield\":\"lines\"}");
}

/* What is worked out is text, whatever it looks like: it reaches no secret. */
static void given_a_profile_and_secrets_then_the_request_names_them(void **state)
{
	(void)state;
	expect_request("[{\"set\": {\"x\": \"secret:b\"}}, {\"exec\": [\"ok\"], \"env\": {\"A\": "
	               "\"secret:a\", \"B\": \"${x}\", \"C\": \"${'secret:c'}\"}}]",
	               "{\"argv\":[\"ok\"],\"env\":{\"A\":{\"secret\":\"a\"},\"B\":\"secret:b\","
	               "\"C\":\"secret:c\"},\"grace\":10.0}");
	expect_request("{\"exec\": [\"ok\", \"\"], \"profile\": \"p\", \"timeout\": 3}",
	               "{\"argv\":[\"ok\",\"\"],\"grace\":10.0,\"timeout\":3.0,\"profile\":\"p\"}");
}

#define WITH(values, node) "[{\"set\": {" values "}}, " node "]"

static void given_values_that_do_not_fit_then_typed_errors_and_nothing_is_asked(void **state)
{
	(void)state;
	sim_expect_error(WITH("\"x\": 5", "{\"exec\": [\"ok\", \"${x}\"]}"), "TypeError",
	                 "argument 1 of \\\"exec\\\" wants text, not int");
	sim_expect_error(WITH("\"x\": \"AAA\"", "{\"exec\": [\"ok\"], \"stdin\": {\"base64\":"
	                                        " \"${x}\"}}"),
	                 "ValueError", "what \\\"stdin\\\" has is not base64");
	sim_expect_error(WITH("\"x\": \"\"", "{\"exec\": [\"${x}\"]}"), "ValueError",
	                 "\\\"exec\\\" with an empty name of a program");
	sim_expect_error(WITH("\"x\": 5", "{\"exec\": [\"ok\"], \"env\": {\"N\": \"${x}\"}}"),
	                 "TypeError", "the variable 'N' wants text, not int");
	sim_expect_error(WITH("\"x\": [1]", "{\"exec\": [\"ok\"], \"stdin\": \"${x}\"}"),
	                 "TypeError",
	                 "\\\"stdin\\\" wants text, {\\\"base64\\\": text} or null, not list");
	sim_expect_error(WITH("\"x\": \"\"", "{\"exec\": [\"ok\"], \"cwd\": \"${x}\"}"),
	                 "ValueError", "\\\"cwd\\\" wants text of 1 to 131071 bytes");
	sim_expect_error(WITH("\"x\": 1", "{\"exec\": [\"ok\"], \"pool\": \"${x}\"}"), "TypeError",
	                 "\\\"pool\\\" wants text, not int");
	sim_expect_error(WITH("\"x\": 3601", "{\"exec\": [\"ok\"], \"grace\": \"${x}\"}"),
	                 "ValueError", "\\\"grace\\\" wants a duration from 0 to 3600 s");
	sim_expect_error(WITH("\"x\": \"soon\"", "{\"exec\": [\"ok\"], \"timeout\": \"${x}\"}"),
	                 "ValueError", "not a duration: \\\"soon\\\"");
}

/* `x` doubled until it has 2 ** 17 bytes, and what is done with it then. */
#define LONG(node)                                                                         \
	"[{\"set\": {\"x\": \"0123456789abcdef\", \"n\": 0}}, {\"do\": {\"set\": {\"x\": " \
	"\"${x + x}\", \"n\": \"${n + 1}\"}}, \"while\": \"${n < 13}\"}, " node "]"

static void given_more_than_a_command_can_take_then_a_limit_error(void **state)
{
	(void)state;
	sim_expect_error(LONG("{\"exec\": [\"ok\", \"${x}\"]}"), "LimitError",
	                 "argument 1 has more than 131071 bytes");
	sim_expect_error(LONG("{\"exec\": [\"ok\"], \"env\": {\"V\": \"${x}\"}}"), "LimitError",
	                 "the variable 'V' has more than 131071 bytes");
	sim_expect_error(LONG("{\"value\": \"${x[1:]}\", \"as\": \"y\"}, {\"exec\": [\"ok\", "
	                      "\"${y}\", \"${y}\", \"${y}\", \"${y}\", \"${y}\", \"${y}\", "
	                      "\"${y}\", \"${y}\"]}"),
	                 "LimitError",
	                 "the arguments and variables of a command have more than 1048576 bytes");
}

/* A group that has errors repeats a cancel from outside at the next wait. */
static void expect_nothing_asked_when_cancelled(const char *node)
{
	struct sim *s = sim_open();
	struct buf  spec = { 0 };
	uint64_t    job;

	buf_addf(&spec,
	         "{\"try\": {\"task_group\": [{\"try\": {\"sleep\": 9}, \"finally\": "
	         "{\"raise\": \"A\"}}]}, \"except\": {\"ExceptionGroup\": %s}}%c",
	         node, '\0');
	asked[0] = '\0';
	s->on_output = note_request;
	job = sim_submit(s, spec.at);
	sim_advance(s, GD_NSEC_PER_SEC);
	sim_cancel(s, job, "enough");

	assert_string_equal(asked, "");
	assert_false(sim_next_due(s, &(gd_nsec){ 0 }));
	assert_non_null(memmem(s->transcript.at, s->transcript.bytes, "job.cancelled", 13));
	buf_close(&spec);
	sim_close(s);
}

static void given_a_cancel_that_is_due_already_then_nothing_is_asked_for(void **state)
{
	(void)state;
	expect_nothing_asked_when_cancelled("{\"exec\": [\"ok\"]}");
	expect_nothing_asked_when_cancelled(
		"{\"async_for\": {\"exec\": [\"ok\"], \"yield\": \"lines\"}}");
}

/* --- what the outside may do --- */

static enum gd_err feed(struct sim *s, enum engine_in_kind kind, uint32_t ticket, uint32_t attempt,
                        struct value message)
{
	struct engine_in in = { .kind = kind,
		                .time = s->now,
		                .job = 1,
		                .message = message,
		                .ticket = ticket,
		                .attempt = attempt };
	enum gd_err      rc = engine_step(s->engine, &in, &s->outs, NULL);

	value_release(engine_heap(s->engine), message);
	return rc;
}

static struct value outcome(struct sim *s, int64_t code)
{
	struct value_heap *h = engine_heap(s->engine);

	return value_dict_put(h, value_dict_new(h, 1), value_text_new(h, "code", 4),
	                      value_int(h, code));
}

static void given_what_comes_twice_or_of_an_earlier_attempt_then_it_is_ignored(void **state)
{
	struct sim        *s = sim_open();
	struct value_heap *h = engine_heap(s->engine);
	struct value       lost;

	(void)state;
	s->is_replaying = true; /* nobody else plays */
	(void)sim_submit(s, "{\"exec\": [\"x\"], \"on_interrupt\": \"retry\"}");
	assert_int_equal(feed(s, ENGINE_EXITED, 1, 1, outcome(s, 9)), GD_OK); /* not begun */
	assert_int_equal(feed(s, ENGINE_BEGIN, 1, 1, VALUE_NULL), GD_OK);
	assert_int_equal(feed(s, ENGINE_BEGIN, 1, 1, VALUE_NULL), GD_OK);
	lost = value_dict_put(h, value_dict_new(h, 1), value_text_new(h, "interrupted", 11),
	                      value_bool(true));
	assert_int_equal(feed(s, ENGINE_EXITED, 1, 1, lost), GD_OK);
	assert_int_equal(feed(s, ENGINE_EXITED, 1, 1, outcome(s, 9)), GD_OK);
	assert_int_equal(feed(s, ENGINE_EXITED, 2, 1, outcome(s, 9)), GD_OK);
	assert_int_equal(feed(s, ENGINE_BEGIN, 1, 2, VALUE_NULL), GD_OK);
	assert_int_equal(feed(s, ENGINE_RESUME, 1, 2, value_text_new(h, "fail", 4)), GD_OK);
	engine_outs_clear(s->engine, &s->outs);
	assert_int_equal(feed(s, ENGINE_EXITED, 1, 2, outcome(s, 0)), GD_OK);

	assert_int_equal(s->outs.count, 2);
	assert_int_equal(s->outs.at[1].kind, ENGINE_JOB_COMPLETED);
	sim_close(s);
}

static void given_a_line_and_a_cancel_in_one_tick_then_it_is_stopped_before_the_cancel(void **state)
{
	struct sim        *s = sim_open();
	struct value_heap *h = engine_heap(s->engine);
	struct value       lines = value_list_append(h, value_list_new(h, 1), value_int(h, 1));

	(void)state;
	/* The branch that spins stands in the ready queue before the consumer whom the line wakes. */
	s->is_replaying = true;
	(void)sim_submit(s, "[{\"create_task\": {\"async_for\": {\"exec\": [\"x\"], \"yield\": "
	                    "\"lines\"}}, \"as\": \"t\"}, {\"do\": {\"sleep\": 0}, \"while\": "
	                    "\"${now < 1700000001}\"}, {\"cancel\": \"${t}\"}, "
	                    "{\"await\": \"${t}\"}]");
	assert_int_equal(feed(s, ENGINE_BEGIN, 1, 1, VALUE_NULL), GD_OK);
	engine_outs_clear(s->engine, &s->outs);
	s->now += GD_NSEC_PER_SEC;
	assert_int_equal(feed(s, ENGINE_LINES, 1, 1, lines), GD_OK);

	assert_int_equal(s->outs.count, 1);
	assert_int_equal(s->outs.at[0].kind, ENGINE_STOP);
	assert_int_equal(feed(s, ENGINE_EXITED, 1, 1, outcome(s, 0)), GD_OK);
	assert_int_equal(s->outs.at[s->outs.count - 1].kind, ENGINE_JOB_FAILED);
	sim_close(s);
}

/* Runs `spec`, in which each command says 256 KiB, to its end or for so many commands. */
static void run_loud(struct sim *s, const char *spec, uint32_t commands, struct engine_out *last)
{
	static char        text[EXEC_STREAM_BYTES_MAX];
	struct value_heap *h = engine_heap(s->engine);

	memset(text, 'x', sizeof text);
	s->is_replaying = true; /* nobody else plays */
	(void)sim_submit(s, spec);
	for (uint32_t i = 1;
	     i <= commands && engine_job_info(s->engine, 1, &(struct engine_job_info){ 0 }); i++) {
		struct value said = value_dict_put(h, outcome(s, 0), value_text_new(h, "stdout", 6),
		                                   value_text_new(h, text, sizeof text));

		assert_int_equal(feed(s, ENGINE_BEGIN, i, 1, VALUE_NULL), GD_OK);
		engine_outs_clear(s->engine, &s->outs);
		assert_int_equal(feed(s, ENGINE_EXITED, i, 1, said), GD_OK);
	}
	assert_true(s->outs.count > 0);
	*last = s->outs.at[s->outs.count - 1];
}

static void given_results_that_nobody_keeps_then_they_are_not_held_against_the_job(void **state)
{
	struct sim       *s = sim_open();
	struct engine_out last;

	(void)state;
	run_loud(s,
	         "[{\"do\": [{\"exec\": [\"x\"]}, {\"value\": 0}], \"for\": \"i\", \"in\": "
	         "\"${range(600)}\"}, {\"value\": 1}]",
	         600, &last);

	assert_int_equal(last.kind, ENGINE_JOB_COMPLETED);
	sim_close(s);
}

static void given_results_that_are_kept_then_they_count_among_the_values_of_the_job(void **state)
{
	struct sim       *s = sim_open();
	struct engine_out last;

	(void)state;
	run_loud(
		s,
		"[{\"do\": {\"exec\": [\"x\"]}, \"for\": \"i\", \"in\": \"${range(600)}\", \"as\": "
		"\"all\"}, {\"value\": 1}]",
		600, &last);

	assert_int_equal(last.kind, ENGINE_JOB_FAILED);
	assert_string_equal(value_text(value_dict_get(last.data, "type", 4))->at, "LimitError");
	sim_close(s);
}

static void given_more_input_than_a_command_takes_then_a_limit_error(void **state)
{
	struct sim        *s = sim_open();
	struct value_heap *h = engine_heap(s->engine);
	size_t             bytes = EXEC_INPUT_BYTES_MAX + 1;
	char              *text = malloc(bytes);
	struct value       big;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', bytes);
	big = value_dict_put(h, value_dict_new(h, 1), value_text_new(h, "stdout", 6),
	                     value_text_new(h, text, bytes));
	free(text);
	s->is_replaying = true;
	(void)sim_submit(s, "[{\"exec\": [\"x\"], \"check\": false, \"as\": \"r\"}, {\"exec\": "
	                    "[\"y\"], \"stdin\": \"${r.stdout}\"}]");
	assert_int_equal(feed(s, ENGINE_BEGIN, 1, 1, VALUE_NULL), GD_OK);
	engine_outs_clear(s->engine, &s->outs);
	assert_int_equal(feed(s, ENGINE_EXITED, 1, 1, big), GD_OK);

	assert_int_equal(s->outs.count, 2);
	assert_int_equal(s->outs.at[1].kind, ENGINE_JOB_FAILED);
	assert_string_equal(value_text(value_dict_get(s->outs.at[1].data, "type", 4))->at,
	                    "LimitError");
	sim_close(s);
}

static void given_an_end_before_the_deadline_when_it_is_heard_late_then_it_was_not_late(
	void **state)
{
	struct sim *s = sim_open();

	(void)state;
	s->is_replaying = true;
	(void)sim_submit(s, "{\"exec\": [\"x\"], \"timeout\": 2}");
	assert_int_equal(feed(s, ENGINE_BEGIN, 1, 1, VALUE_NULL), GD_OK);
	engine_outs_clear(s->engine, &s->outs);
	s->now += 3 * GD_NSEC_PER_SEC / 2; /* whatever the clock says */
	assert_int_equal(feed(s, ENGINE_EXITED, 1, 1, outcome(s, 0)), GD_OK);

	assert_int_equal(s->outs.at[s->outs.count - 1].kind, ENGINE_JOB_COMPLETED);
	sim_close(s);
}

static void given_an_end_after_the_deadline_in_one_input_then_the_deadline_was_first(void **state)
{
	struct sim *s = sim_open();

	(void)state;
	s->is_replaying = true;
	(void)sim_submit(s, "{\"exec\": [\"x\"], \"timeout\": 2}");
	assert_int_equal(feed(s, ENGINE_BEGIN, 1, 1, VALUE_NULL), GD_OK);
	engine_outs_clear(s->engine, &s->outs);
	s->now += 3 * GD_NSEC_PER_SEC;
	assert_int_equal(feed(s, ENGINE_EXITED, 1, 1, outcome(s, 0)), GD_OK);

	assert_int_equal(s->outs.at[0].kind, ENGINE_STOP);
	assert_int_equal(s->outs.at[s->outs.count - 1].kind, ENGINE_JOB_FAILED);
	sim_close(s);
}

static void expect_bytes(const char *bytes, size_t count, bool is_tail, const char *json)
{
	struct sim  *s = sim_open();
	struct value v = engine_bytes(engine_heap(s->engine), bytes, count, is_tail);
	struct buf   b = { 0 };

	value_write_json(&b, v);
	buf_add_byte(&b, '\0');
	assert_string_equal(b.at, json);
	buf_close(&b);
	value_release(engine_heap(s->engine), v);
	sim_close(s);
}

static void given_bytes_then_text_where_they_are_that_and_base64_otherwise(void **state)
{
	(void)state;
	expect_bytes("", 0, false, "\"\"");
	expect_bytes("gr\xc3\xbc\xc3\x9f", 6, false, "\"gr\xc3\xbc\xc3\x9f\"");
	expect_bytes("\xbc\xc3\x9f!", 4, true, "\"\xc3\x9f!\"");
	expect_bytes("\xbc\xc3\x9f!", 4, false, "{\"base64\":\"vMOfIQ==\"}");
	expect_bytes("a\0b", 3, false, "{\"base64\":\"YQBi\"}");
	expect_bytes("\xbf\xbf\xbf\xbf", 4, true, "{\"base64\":\"v7+/vw==\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_options_then_the_request_says_them),
		cmocka_unit_test(given_a_profile_and_secrets_then_the_request_names_them),
		cmocka_unit_test(
			given_values_that_do_not_fit_then_typed_errors_and_nothing_is_asked),
		cmocka_unit_test(given_more_than_a_command_can_take_then_a_limit_error),
		cmocka_unit_test(given_a_cancel_that_is_due_already_then_nothing_is_asked_for),
		cmocka_unit_test(
			given_what_comes_twice_or_of_an_earlier_attempt_then_it_is_ignored),
		cmocka_unit_test(
			given_a_line_and_a_cancel_in_one_tick_then_it_is_stopped_before_the_cancel),
		cmocka_unit_test(
			given_results_that_nobody_keeps_then_they_are_not_held_against_the_job),
		cmocka_unit_test(
			given_results_that_are_kept_then_they_count_among_the_values_of_the_job),
		cmocka_unit_test(given_more_input_than_a_command_takes_then_a_limit_error),
		cmocka_unit_test(
			given_an_end_before_the_deadline_when_it_is_heard_late_then_it_was_not_late),
		cmocka_unit_test(
			given_an_end_after_the_deadline_in_one_input_then_the_deadline_was_first),
		cmocka_unit_test(given_bytes_then_text_where_they_are_that_and_base64_otherwise),
	};

	return cmocka_run_group_tests_name("exec_outside", tests, NULL, NULL);
}
