/* Calls on threads and by HTTP: what the engine asks for, what it takes, and what the job sees. */
#include "tests/sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void run(const char *spec, const char *transcript)
{
	struct sim *s = sim_open();

	(void)sim_submit(s, spec);
	sim_run_until_idle(s);
	sim_expect(s, transcript);
	sim_close(s);
}

/* --- results --- */

static void given_a_function_when_it_returns_then_that_is_the_result(void **state)
{
	(void)state;
	run("[{\"to_thread\": \"read_file\", \"args\": [\"sleep 5 done\"]}]",
	    "[     0ms] job 1 call 1@1 {\"function\":\"read_file\",\"args\":{\"path\":\"sleep 5 done\"}}\n"
	    "[     0ms] job 1 task.started /0\n"
	    "[  5000ms] job 1 task.completed /0\n"
	    "[  5000ms] job 1 job.completed \"done\"\n");
}

static void given_a_request_when_it_is_answered_then_its_event_tells_the_status(void **state)
{
	(void)state;
	run("{\"http\": \"http://test/sleep/2/hello\"}",
	    "[     0ms] job 1 call 1@1 {\"url\":\"http://test/sleep/2/hello\"}\n"
	    "[     0ms] job 1 task.started \n"
	    "[  2000ms] job 1 task.completed  {\"status\":200}\n"
	    "[  2000ms] job 1 job.completed {\"status\":200,\"body\":\"hello\"}\n");
}

static void given_the_parts_of_a_request_then_they_are_worked_out(void **state)
{
	(void)state;
	run("[{\"value\": 3, \"as\": \"n\"}, {\"http\": {\"url\": \"http://test/ok/x\", "
	    "\"json\": {\"n\": \"${n}\"}, \"headers\": {\"A\": \"b${n}\"}, \"timeout\": \"1m\"}, "
	    "\"on_interrupt\": \"retry\"}]",
	    "[     0ms] job 1 call 1@1 {\"headers\":{\"A\":\"b3\"},\"json\":{\"n\":3},"
	    "\"timeout\":60.0,\"url\":\"http://test/ok/x\"}\n"
	    "[     0ms] job 1 task.started /1\n"
	    "[     0ms] job 1 task.completed /1 {\"status\":200}\n"
	    "[     0ms] job 1 job.completed {\"status\":200,\"body\":\"x\"}\n");
}

static void given_a_status_that_is_not_good_then_an_http_error_unless_it_is_not_checked(
	void **state)
{
	(void)state;
	sim_expect_error("{\"http\": \"http://test/fail/404/gone\"}", "HttpError",
	                 "http://test/fail/404/gone answered 404\",\"path\":\"\",\"data\":"
	                 "{\"status\":404,\"body\":\"gone");
	sim_expect_result("{\"http\": \"http://test/fail/404/gone\", \"check\": false}",
	                  "{\"status\":404,\"body\":\"gone\"}");
}

static void given_an_error_then_it_is_raised_with_its_type(void **state)
{
	(void)state;
	sim_expect_error("[{\"to_thread\": \"read_file\", \"args\": [\"missing no such file\"]}]",
	                 "FileNotFoundError", "file");
	sim_expect_error("{\"http\": \"http://test/missing/nobody\", \"check\": false}",
	                 "FileNotFoundError", "nobody");
}

static void given_a_timeout_of_a_request_that_is_no_length_then_an_error(void **state)
{
	(void)state;
	sim_expect_error("[{\"value\": 0, \"as\": \"n\"}, "
	                 "{\"http\": {\"url\": \"http://test/ok\", \"timeout\": \"${n}\"}}]",
	                 "ValueError", "the \\\"timeout\\\" of a request is more than 0");
}

/* --- cancels and deadlines --- */

static void given_a_cancel_then_nobody_waits_for_the_thread(void **state)
{
	struct sim *s = sim_open();
	uint64_t    job = sim_submit(
		   s,
		   "{\"try\": {\"to_thread\": \"write_file\", \"args\": [\"sleep 9 late\", \"x\"]}, "
		      "\"finally\": {\"sleep\": 1}}");

	(void)state;
	sim_advance(s, 2 * GD_NSEC_PER_SEC);
	sim_cancel(s, job, "enough");
	sim_run_until_idle(s);
	sim_expect(
		s,
		"[     0ms] job 1 call 1@1 {\"function\":\"write_file\","
		"\"args\":{\"path\":\"sleep 9 late\",\"content\":\"x\"},\"on_interrupt\":\"fail\"}\n"
		"[     0ms] job 1 task.started /try\n"
		"[  2000ms] job 1 recall 1@1\n"
		"[  2000ms] job 1 task.failed /try {\"type\":\"CancelledError\","
		"\"message\":\"enough\",\"path\":\"/try\"}\n"
		"[  3000ms] job 1 job.cancelled {\"type\":\"CancelledError\","
		"\"message\":\"enough\",\"path\":\"/try\"}\n");
	sim_close(s);
}

static void given_a_timeout_then_it_is_met_at_once(void **state)
{
	(void)state;
	sim_expect_error("{\"http\": \"http://test/sleep/9/late\", \"timeout\": 2}", "TimeoutError",
	                 "not done within 2 s");
	sim_expect_result("{\"race\": {\"a\": {\"http\": \"http://test/sleep/9/late\"}, "
	                  "\"b\": {\"http\": \"http://test/sleep/1/soon\"}}}",
	                  "{\"name\":\"b\",\"result\":{\"status\":200,\"body\":\"soon\"}}");
}

/* --- what nobody knows --- */

static void given_one_that_changes_nothing_when_it_is_interrupted_then_it_is_made_again(
	void **state)
{
	(void)state;
	run("[{\"to_thread\": \"stat\", \"args\": [\"flaky 2 1 ok\"]}]",
	    "[     0ms] job 1 call 1@1 {\"function\":\"stat\",\"args\":{\"path\":\"flaky 2 1 ok\"}}\n"
	    "[     0ms] job 1 task.started /0\n"
	    "[  1000ms] job 1 call 1@2 {\"function\":\"stat\",\"args\":{\"path\":\"flaky 2 1 ok\"}}\n"
	    "[  2000ms] job 1 call 1@3 {\"function\":\"stat\",\"args\":{\"path\":\"flaky 2 1 ok\"}}\n"
	    "[  3000ms] job 1 task.completed /0\n"
	    "[  3000ms] job 1 job.completed \"ok\"\n");
}

static void given_one_that_changes_things_when_it_is_interrupted_then_an_error(void **state)
{
	(void)state;
	sim_expect_error(
		"[{\"to_thread\": \"write_file\", \"args\": [\"gone 1\", \"x\"]}]",
		"InterruptedError",
		"write_file was interrupted, and how it ended is not known: gatherd ended");
	sim_expect_error(
		"{\"http\": {\"url\": \"http://test/gone/1\", \"method\": \"POST\"}}",
		"InterruptedError",
		"http://test/gone/1 was interrupted, and how it ended is not known: gatherd ended");
	sim_expect_error(
		"{\"http\": {\"url\": \"http://test/gone/1\", \"body\": \"x\"}}",
		"InterruptedError",
		"http://test/gone/1 was interrupted, and how it ended is not known: gatherd ended");
	sim_expect_result(
		"{\"http\": {\"url\": \"http://test/flaky/1/1/x\", \"method\": \"HEAD\"}}",
		"{\"status\":200,\"body\":\"x\"}");
	sim_expect_result("{\"http\": {\"url\": \"http://test/flaky/1/1/x\", \"json\": null}, "
	                  "\"on_interrupt\": \"hold\"}",
	                  "{\"status\":200,\"body\":\"x\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_function_when_it_returns_then_that_is_the_result),
		cmocka_unit_test(
			given_a_request_when_it_is_answered_then_its_event_tells_the_status),
		cmocka_unit_test(given_the_parts_of_a_request_then_they_are_worked_out),
		cmocka_unit_test(
			given_a_status_that_is_not_good_then_an_http_error_unless_it_is_not_checked),
		cmocka_unit_test(given_an_error_then_it_is_raised_with_its_type),
		cmocka_unit_test(given_a_timeout_of_a_request_that_is_no_length_then_an_error),
		cmocka_unit_test(given_a_cancel_then_nobody_waits_for_the_thread),
		cmocka_unit_test(given_a_timeout_then_it_is_met_at_once),
		cmocka_unit_test(
			given_one_that_changes_nothing_when_it_is_interrupted_then_it_is_made_again),
		cmocka_unit_test(
			given_one_that_changes_things_when_it_is_interrupted_then_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
