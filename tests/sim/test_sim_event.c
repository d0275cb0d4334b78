#include "daemon/value/limits.h"
#include "tests/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC GD_NSEC_PER_SEC
#define DAY (24 * 3600 * SEC)

static void expect_new(struct engine_signal_check check)
{
	assert_int_equal(check.code, GD_OK);
	assert_false(check.is_known);
}

/* --- waiting --- */

static void given_a_job_that_waits_when_signalled_then_it_goes_on_with_the_value(void **state)
{
	struct sim *s = sim_open();
	uint64_t job = sim_submit(s, "[{\"event\": \"go\", \"as\": \"x\"}, {\"yield\": \"${x.a}\"},"
	                             " {\"return\": \"${x}\"}]");

	(void)state;
	sim_advance(s, 5 * SEC);
	sim_expect(s, "");
	expect_new(sim_signal(s, job, "go", "{\"a\": [1, 2.5, null]}", NULL));

	sim_expect(s, "[  5000ms] job 1 yield [1,2.5,null]\n"
	              "[  5000ms] job 1 job.completed {\"a\":[1,2.5,null]}\n");
	sim_close(s);
}

static void given_a_signal_before_the_wait_then_the_wait_does_not_suspend(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(
		   s, "[{\"sleep\": 2}, {\"gather\": [[{\"event\": \"go\"}, {\"yield\": \"first\"}],"
			 " {\"yield\": \"second\"}]}, {\"event\": \"go\"}]");

	(void)state;
	sim_advance(s, SEC);
	expect_new(sim_signal(s, job, "go", "7", NULL));
	sim_run_until_idle(s);

	sim_expect(s, "[  2000ms] job 1 yield \"first\"\n"
	              "[  2000ms] job 1 yield \"second\"\n"
	              "[  2000ms] job 1 job.completed 7\n");
	sim_close(s);
}

static void given_a_later_signal_then_later_waits_get_its_value(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job =
		sim_submit(s, "[{\"event\": \"go\", \"as\": \"a\"}, {\"sleep\": 2}, {\"event\": "
	                      "\"go\", \"as\": \"b\"}, {\"return\": [\"${a}\", \"${b}\"]}]");

	(void)state;
	sim_advance(s, SEC);
	expect_new(sim_signal(s, job, "go", "1", NULL));
	sim_advance(s, SEC);
	expect_new(sim_signal(s, job, "go", "2", NULL));
	expect_new(sim_signal(s, job, "other", "3", NULL));
	sim_run_until_idle(s);

	sim_expect(s, "[  3000ms] job 1 job.completed [1,2]\n");
	sim_close(s);
}

static void given_several_that_wait_when_signalled_then_they_go_on_in_the_order_of_waiting(
	void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(
		   s,
		   "{\"gather\": [{\"sleep\": \"${3 - n}\"}, {\"event\": \"go\"}, {\"yield\": \"${n}\"}],"
		      " \"for\": \"n\", \"in\": [1, 2, 3]}");

	(void)state;
	sim_advance(s, 5 * SEC);
	expect_new(sim_signal(s, job, "go", "null", NULL));

	sim_expect(s, "[  5000ms] job 1 yield 3\n"
	              "[  5000ms] job 1 yield 2\n"
	              "[  5000ms] job 1 yield 1\n"
	              "[  5000ms] job 1 job.completed [null,null,null]\n");
	sim_close(s);
}

static void given_a_job_that_has_not_begun_then_a_signal_is_kept_for_it(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit_at(s, "{\"event\": \"go\"}", SIM_EPOCH + 3 * SEC);

	(void)state;
	sim_advance(s, SEC);
	expect_new(sim_signal(s, job, "go", "\"early\"", NULL));
	sim_run_until_idle(s);

	sim_expect(s, "[  3000ms] job 1 job.completed \"early\"\n");
	sim_close(s);
}

static void given_two_jobs_then_a_signal_is_for_one_of_them(void **state)
{
	struct sim *s = sim_open();
	uint64_t    first = sim_submit(s, "{\"event\": \"go\"}");
	uint64_t    second = sim_submit(s, "{\"event\": \"go\"}");

	(void)state;
	expect_new(sim_signal(s, second, "go", "2", NULL));
	sim_expect(s, "[     0ms] job 2 job.completed 2\n");
	expect_new(sim_signal(s, first, "go", "1", NULL));
	sim_expect(s, "[     0ms] job 2 job.completed 2\n"
	              "[     0ms] job 1 job.completed 1\n");
	sim_close(s);
}

/* --- timeouts and cancels --- */

#define APPROVAL                                                                      \
	"[{\"try\": {\"event\": \"approved\", \"timeout\": \"3d\", \"as\": \"who\"}," \
	" \"except\": {\"TimeoutError\": {\"return\": \"too late\"}}},"               \
	" {\"event\": \"approved\", \"as\": \"who\"}, {\"return\": \"by ${who}\"}]"

static void given_an_approval_with_a_deadline_when_it_comes_just_before_then_it_counts(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(s, APPROVAL);

	(void)state;
	sim_advance(s, 3 * DAY - 1);
	sim_forget(s);
	expect_new(sim_signal(s, job, "approved", "\"ann\"", NULL));

	sim_expect(s, "[259200000ms] job 1 job.completed \"by ann\"\n");
	sim_close(s);
}

static void given_an_approval_with_a_deadline_when_it_has_passed_then_it_is_too_late(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(s, APPROVAL);

	(void)state;
	sim_advance(s, 3 * DAY);
	sim_expect(s, "[259200000ms] job 1 job.completed \"too late\"\n");
	assert_int_equal(sim_signal(s, job, "approved", "\"ann\"", NULL).code, GD_NOT_FOUND);
	sim_close(s);
}

/* The loop was late: the deadline lies before the signal, and fires first. */
static void given_a_deadline_that_was_missed_when_the_signal_is_fed_then_the_deadline_is_first(
	void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(
		   s, "[{\"try\": {\"event\": \"go\", \"timeout\": 2}, \"except\": {\"TimeoutError\": "
			 "{\"yield\": \"late\"}}}, {\"event\": \"go\"}]");

	(void)state;
	s->now += 3 * SEC;
	expect_new(sim_signal(s, job, "go", "1", NULL));

	sim_expect(s, "[  2000ms] job 1 yield \"late\"\n"
	              "[  3000ms] job 1 job.completed 1\n");
	sim_close(s);
}

static void given_a_timeout_then_it_says_so(void **state)
{
	(void)state;
	sim_expect_error("{\"event\": \"go\", \"timeout\": 2}", "TimeoutError",
	                 "not done within 2 s");
}

static void given_a_cancel_while_it_waits_then_it_is_met_there_and_the_others_wait_on(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(
		   s,
		   "[{\"create_task\": {\"event\": \"go\"}, \"as\": \"a\"}, {\"create_task\": "
		      "{\"event\": \"go\"}, \"as\": \"b\"}, {\"create_task\": {\"event\": \"go\"}, \"as\": "
		      "\"c\"}, {\"sleep\": 1}, {\"cancel\": \"${b}\"}, {\"gather\": [{\"await\": \"${a}\"}, "
		      "{\"await\": \"${b}\"}, {\"await\": \"${c}\"}], \"return_exceptions\": true, \"as\": "
		      "\"r\"}, {\"return\": [\"${r[0]}\", \"${r[1].type}\", \"${r[2]}\"]}]");

	(void)state;
	sim_advance(s, 2 * SEC);
	expect_new(sim_signal(s, job, "go", "4", NULL));

	sim_expect(s, "[  2000ms] job 1 job.completed [4,\"CancelledError\",4]\n");
	sim_close(s);
}

/* As in asyncio: what it waited for has come, but its task has not run yet. */
static void given_a_task_that_is_cancelled_by_one_that_goes_on_before_it_then_the_cancel_is_met(
	void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(
		   s,
		   "[{\"create_task\": [{\"sleep\": 1}, {\"event\": \"go\"}], \"as\": \"b\"}, "
		      "{\"create_task\": [{\"event\": \"go\"}, {\"cancel\": \"${b}\"}], \"as\": "
		      "\"a\"}, {\"wait\": [\"${a}\", \"${b}\"]}, {\"gather\": [{\"await\": \"${b}\"}], "
		      "\"return_exceptions\": true, \"as\": \"r\"}, {\"return\": \"${r[0].type}\"}]");

	(void)state;
	sim_advance(s, 2 * SEC);
	expect_new(sim_signal(s, job, "go", "1", NULL));

	sim_expect(s, "[  2000ms] job 1 job.completed \"CancelledError\"\n");
	sim_close(s);
}

/* A job that has spun and wants to know the time rests with tasks that are about to run. */
static void given_a_task_that_was_cancelled_and_rests_when_a_signal_comes_then_it_runs_once(
	void **state)
{
	char spec[300];

	(void)state;
	for (int rounds = 9990; rounds < 10010; rounds++) {
		struct sim *s = sim_open();
		uint64_t    job;

		(void)snprintf(
			spec, sizeof spec,
			"[{\"create_task\": {\"event\": \"go\"}, \"as\": \"t\"}, {\"do\": {\"sleep\": 0}, "
			"\"for\": \"n\", \"in\": \"${range(%d)}\"}, {\"cancel\": \"${t}\"}, {\"wait\": "
			"[\"${t}\"]}, {\"sleep\": 1}, {\"return\": \"done\"}]",
			rounds);
		s->is_replaying = true; /* nobody answers */
		job = sim_submit(s, spec);
		(void)sim_signal(s, job, "go", "1", NULL);
		s->is_replaying = false;
		sim_run_until_idle(s);
		sim_expect(s, "[  1000ms] job 1 job.completed \"done\"\n");
		sim_close(s);
	}
}

static void given_a_job_cancel_while_it_waits_then_the_job_is_cancelled(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(s, "{\"event\": \"go\"}");

	(void)state;
	sim_advance(s, SEC);
	sim_cancel(s, job, "enough");

	sim_expect(s, "[  1000ms] job 1 job.cancelled {\"type\":\"CancelledError\",\"message\":"
	              "\"enough\",\"path\":\"\"}\n");
	sim_close(s);
}

static void given_many_that_wait_when_all_are_cancelled_in_reverse_then_it_takes_no_time(
	void **state)
{
	struct sim *s = sim_open();

	(void)state;
	/* 100,000 waits, given up from the last one on: a walk for each would take minutes. */
	(void)sim_submit(
		s, "[{\"do\": {\"create_task\": {\"event\": \"go\"}}, \"for\": \"n\", \"in\": "
		   "\"${range(100000)}\", \"as\": \"all\"}, {\"sleep\": 1}, {\"cancel\": "
		   "\"${reversed(all)}\"}, {\"wait\": \"${all}\"}, {\"return\": \"done\"}]");
	sim_run_until_idle(s);

	sim_expect(s, "[  1000ms] job 1 job.completed \"done\"\n");
	sim_close(s);
}

/* --- names --- */

static void given_names_that_are_none_then_typed_errors(void **state)
{
	(void)state;
	sim_expect_error("[{\"set\": {\"n\": 1}}, {\"event\": \"${n}\"}]", "TypeError",
	                 "\\\"event\\\" wants text, the name of an event");
	sim_expect_error("[{\"set\": {\"n\": \"\"}}, {\"event\": \"${n}\"}]", "ValueError",
	                 "the name of an event is empty");
	sim_expect_error(
		"[{\"set\": {\"a\": \"0123456789\"}}, {\"event\": \"${join('', [a for n in "
		"range(21)])}\"}]",
		"LimitError", "the name of an event has 210 bytes, and may have 200");
}

static void given_more_names_than_a_job_may_have_then_a_limit_error(void **state)
{
	(void)state;
	sim_expect_error("{\"gather\": {\"event\": \"${str(n)}\"}, \"for\": \"n\", \"in\": "
	                 "\"${range(10001)}\"}",
	                 "LimitError", "the job names more than 10000 different events");
}

/* --- signals that are refused, and those that are known --- */

static void given_a_key_then_the_same_signal_counts_once(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(s, "[{\"event\": \"a\"}, {\"event\": \"b\"}]");
	uint32_t    inputs = s->input_count;

	(void)state;
	expect_new(sim_signal(s, job, "a", "{\"x\": 1, \"y\": [true]}", "k"));
	expect_new(sim_signal(s, job, "c", "1", NULL));
	expect_new(sim_signal(s, job, "c", "1", NULL));
	assert_true(sim_signal(s, job, "a", "{\"y\": [true], \"x\": 1}", "k").is_known);
	assert_int_equal(s->input_count, inputs + 3);

	assert_int_equal(sim_signal(s, job, "b", "{\"x\": 1, \"y\": [true]}", "k").code,
	                 GD_CONFLICT);
	assert_int_equal(sim_signal(s, job, "a", "{\"x\": 1.0, \"y\": [true]}", "k").code,
	                 GD_CONFLICT);
	assert_int_equal(sim_signal(s, job, "a", "{\"x\": 1, \"y\": [1]}", "k").code, GD_CONFLICT);
	assert_int_equal(sim_signal(s, job, "a", "{\"x\": 1}", "k").code, GD_CONFLICT);
	expect_new(sim_signal(s, job, "a", "2", "another"));
	sim_forget(s);
	assert_true(sim_signal(s, job, "a", "{\"y\": [true], \"x\": 1}", "k").is_known);
	assert_true(sim_signal(s, job, "a", "2", "another").is_known);
	sim_close(s);
}

static void given_as_many_signals_as_a_job_takes_then_another_is_over_the_limit(void **state)
{
	struct sim                *s = sim_open();
	uint64_t                   job = sim_submit(s, "{\"event\": \"end\"}");
	struct engine_signal_check check;

	(void)state;
	for (uint32_t i = 0; i < JOB_SIGNALS_MAX; i++)
		expect_new(sim_signal(s, job, "more", "1", NULL));
	check = sim_signal(s, job, "end", "1", NULL);
	assert_int_equal(check.code, GD_LIMIT);
	assert_string_equal(check.limit, "signals");
	assert_int_equal(check.max, JOB_SIGNALS_MAX);
	sim_close(s);
}

static void given_more_names_than_a_job_may_have_then_a_signal_is_over_the_limit(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job =
		sim_submit(s, "{\"gather\": {\"event\": \"${str(n)}\"}, \"for\": \"n\", \"in\": "
	                      "\"${range(10000)}\"}");

	(void)state;
	assert_string_equal(sim_signal(s, job, "one more", "1", NULL).limit, "events");
	expect_new(sim_signal(s, job, "9999", "1", NULL));
	sim_close(s);
}

/* `bytes` of text, as JSON; static. */
static const char *text_of(size_t bytes)
{
	static char text[JOB_SIGNAL_BYTES_MAX / 8];

	assert_true(bytes + 3 <= sizeof text);
	memset(text, 'x', bytes + 1);
	text[0] = '"';
	memcpy(text + bytes + 1, "\"", 2);
	return text;
}

static void given_as_many_bytes_as_a_job_takes_then_another_signal_is_over_the_limit(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(s, "{\"event\": \"end\"}");

	(void)state;
	for (int i = 0; i < 15; i++)
		expect_new(sim_signal(s, job, "more", text_of(1u << 20), NULL));
	assert_string_equal(sim_signal(s, job, "more", text_of(1u << 20), NULL).limit,
	                    "signal_bytes");
	expect_new(sim_signal(s, job, "end", "1", NULL));
	sim_expect(s, "[     0ms] job 1 job.completed 1\n");
	sim_close(s);
}

static void given_a_job_that_holds_much_then_what_is_too_much_with_it_is_refused(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(
		   s,
		   "[{\"set\": {\"t\": \"0123456789abcde\"}}, {\"do\": {\"set\": {\"t\": \"${t}${t}\"}}, "
		      "\"for\": \"n\", \"in\": \"${range(16)}\"}, {\"do\": {\"value\": \"${t} ${n}\"}, "
		      "\"for\": \"n\", \"in\": \"${range(67)}\", \"as\": \"l\"}, {\"event\": \"go\"}]");

	(void)state;
	assert_string_equal(sim_signal(s, job, "go", text_of(1u << 20), NULL).limit, "value_bytes");
	expect_new(sim_signal(s, job, "go", "1", NULL));
	sim_expect(s, "[     0ms] job 1 job.completed 1\n");
	sim_close(s);
}

/* --- looking --- */

static void given_a_job_that_waits_then_its_stack_names_the_event(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(s, "{\"do\": {\"event\": \"say \\\"yes\\\"\"}}");
	struct buf  b = { 0 };

	(void)state;
	assert_true(engine_write_stack(s->engine, job, 10, &b, NULL, NULL));
	buf_add_byte(&b, '\0');
	assert_string_equal(b.at, "[{\"address\":\"/do\",\"op\":\"event\",\"state\":\"waiting\","
	                          "\"waiting_for\":\"say \\\"yes\\\"\"}]");
	buf_close(&b);
	sim_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_a_job_that_waits_when_signalled_then_it_goes_on_with_the_value),
		cmocka_unit_test(given_a_signal_before_the_wait_then_the_wait_does_not_suspend),
		cmocka_unit_test(given_a_later_signal_then_later_waits_get_its_value),
		cmocka_unit_test(
			given_several_that_wait_when_signalled_then_they_go_on_in_the_order_of_waiting),
		cmocka_unit_test(given_a_job_that_has_not_begun_then_a_signal_is_kept_for_it),
		cmocka_unit_test(given_two_jobs_then_a_signal_is_for_one_of_them),
		cmocka_unit_test(
			given_an_approval_with_a_deadline_when_it_comes_just_before_then_it_counts),
		cmocka_unit_test(
			given_an_approval_with_a_deadline_when_it_has_passed_then_it_is_too_late),
		cmocka_unit_test(
			given_a_deadline_that_was_missed_when_the_signal_is_fed_then_the_deadline_is_first),
		cmocka_unit_test(given_a_timeout_then_it_says_so),
		cmocka_unit_test(
			given_a_cancel_while_it_waits_then_it_is_met_there_and_the_others_wait_on),
		cmocka_unit_test(
			given_a_task_that_is_cancelled_by_one_that_goes_on_before_it_then_the_cancel_is_met),
		cmocka_unit_test(
			given_a_task_that_was_cancelled_and_rests_when_a_signal_comes_then_it_runs_once),
		cmocka_unit_test(given_a_job_cancel_while_it_waits_then_the_job_is_cancelled),
		cmocka_unit_test(
			given_many_that_wait_when_all_are_cancelled_in_reverse_then_it_takes_no_time),
		cmocka_unit_test(given_names_that_are_none_then_typed_errors),
		cmocka_unit_test(given_more_names_than_a_job_may_have_then_a_limit_error),
		cmocka_unit_test(given_a_key_then_the_same_signal_counts_once),
		cmocka_unit_test(
			given_as_many_signals_as_a_job_takes_then_another_is_over_the_limit),
		cmocka_unit_test(
			given_more_names_than_a_job_may_have_then_a_signal_is_over_the_limit),
		cmocka_unit_test(
			given_as_many_bytes_as_a_job_takes_then_another_signal_is_over_the_limit),
		cmocka_unit_test(
			given_a_job_that_holds_much_then_what_is_too_much_with_it_is_refused),
		cmocka_unit_test(given_a_job_that_waits_then_its_stack_names_the_event),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
