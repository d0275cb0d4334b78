#include "daemon/net/render.h"
#include "daemon/run/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static struct text text(const char *at)
{
	return (struct text){ at, strlen(at) };
}

static void assert_text(struct buf *b, const char *expected)
{
	buf_add_byte(b, '\0');
	assert_int_equal(b->failed, GD_OK);
	assert_string_equal(b->at, expected);
	buf_close(b);
}

static void given_a_body_when_its_data_is_asked_then_it_is_what_follows_the_name(void **state)
{
	struct text body =
		text("\"time\":1.5,\"job\":3,\"kind\":\"yield\",\"path\":\"/a\\\"data\\\":,b\","
	             "\"name\":\"x,\\\\\",\"data\":{\"data\":[1,\"}\"]}");
	struct text data;

	(void)state;
	data = render_event_data(body);

	assert_int_equal(data.bytes, strlen("{\"data\":[1,\"}\"]}"));
	assert_memory_equal(data.at, "{\"data\":[1,\"}\"]}", data.bytes);
}

static void given_a_body_without_data_when_asked_then_there_is_none(void **state)
{
	(void)state;
	assert_null(render_event_data(text("\"time\":1,\"job\":3,\"kind\":\"job.queued\"")).at);
}

static void given_an_event_when_it_fits_then_its_body_is_sent_as_it_is(void **state)
{
	const struct event e = {
		.seq = 9, .body = text("\"time\":1,\"job\":3,\"kind\":\"yield\",\"data\":1")
	};
	struct buf b = { 0 };

	(void)state;
	render_event_line(&b, "\"s\"", &e, 8192);

	assert_text(&b,
	            "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"subscription\":\"s\","
	            "\"seq\":9,\"time\":1,\"job\":3,\"kind\":\"yield\",\"data\":1}}\n");
}

static void given_an_event_that_is_too_large_when_sent_then_data_is_a_digest(void **state)
{
	const struct event e = {
		.seq = 9, .body = text("\"time\":1,\"job\":3,\"kind\":\"yield\",\"data\":\"abc\"")
	};
	struct buf b = { 0 };

	(void)state;
	render_event(&b, NULL, &e, 10);

	assert_text(
		&b,
		"{\"seq\":9,\"time\":1,\"job\":3,\"kind\":\"yield\",\"data\":{\"$large\":{\"size\":5,"
		"\"sha256\":"
		"\"6cc43f858fbb763301637b5af970e2a46b46f461f27e5a0f41e009c59b827b25\"}}}");
}

static void given_a_value_when_it_fits_exactly_then_it_is_sent_whole(void **state)
{
	struct buf b = { 0 };

	(void)state;
	render_value(&b, text("[1,2]"), 5);

	assert_text(&b, "[1,2]");
}

static void given_a_job_that_ended_when_rendered_then_result_or_error_follows(void **state)
{
	struct buf b = { 0 };

	(void)state;
	render_outcome(&b, JOB_COMPLETED, text("1"), (struct text){ 0 }, 100);
	render_outcome(&b, JOB_FAILED, (struct text){ 0 }, text("{}"), 100);
	render_outcome(&b, JOB_RUNNING, (struct text){ 0 }, (struct text){ 0 }, 100);

	assert_text(&b, ",\"result\":1,\"error\":{}");
}

static void given_times_when_written_then_they_are_as_short_as_they_are_exact(void **state)
{
	struct buf b = { 0 };

	(void)state;
	apply_write_time(&b, INT64_C(1893456000250000000));
	buf_add_byte(&b, ' ');
	apply_write_time(&b, INT64_C(1893456000000000001));
	buf_add_byte(&b, ' ');
	apply_write_time(&b, 0);
	buf_add_byte(&b, ' ');
	apply_write_time(&b, -1500000000);

	assert_text(&b, "1893456000.25 1893456000.000000001 0 -1.5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			given_a_body_when_its_data_is_asked_then_it_is_what_follows_the_name),
		cmocka_unit_test(given_a_body_without_data_when_asked_then_there_is_none),
		cmocka_unit_test(given_an_event_when_it_fits_then_its_body_is_sent_as_it_is),
		cmocka_unit_test(given_an_event_that_is_too_large_when_sent_then_data_is_a_digest),
		cmocka_unit_test(given_a_value_when_it_fits_exactly_then_it_is_sent_whole),
		cmocka_unit_test(given_a_job_that_ended_when_rendered_then_result_or_error_follows),
		cmocka_unit_test(given_times_when_written_then_they_are_as_short_as_they_are_exact),
	};

	return cmocka_run_group_tests_name("net_render", tests, NULL, NULL);
}
