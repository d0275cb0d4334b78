#include "daemon/runner/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char *const       argv[] = { "cc", "-c", "", NULL };
static const char *const       env[] = { "A=1", NULL };
static const char *const       secrets[] = { "T=t", NULL };
static const struct run_rlimit limits[] = { { 1, 2, 3 }, { 4, RLIM_INFINITY, RLIM_INFINITY } };

static struct run_message start_message(void)
{
	struct run_message m = { .kind = RUN_START, .ref = { 1, 2, 3 } };

	m.start = (struct run_start){ .ref = m.ref,
		                      .key = "key",
		                      .argv = argv,
		                      .env = env,
		                      .secrets = secrets,
		                      .cwd = "/tmp",
		                      .input = "a\0b",
		                      .input_bytes = 3,
		                      .keep = { 100, 200 },
		                      .rlimits = limits,
		                      .rlimit_count = 2,
		                      .pids_max = 5,
		                      .umask = 077,
		                      .nice = -6,
		                      .uid = 7,
		                      .gid = RUN_ID_NONE,
		                      .is_paced = true,
		                      .merges_error = true };
	return m;
}

static struct run_message exit_message(void)
{
	struct run_message m = { .kind = RUN_STATE };

	m.state = (struct run_state){ .ref = { UINT64_MAX, 2, 3 },
		                      .phase = RUN_EXITED,
		                      .started = 9 };
	m.state.exit = (struct run_exit){ .code = -1,
		                          .signal = 11,
		                          .has_core = true,
		                          .ended = 1,
		                          .ended_boot = 8,
		                          .took = 2,
		                          .user = 3,
		                          .system = 4,
		                          .peak_bytes = 5,
		                          .bytes = { 60, 70 },
		                          .kept = { 6, 7 },
		                          .is_incomplete = true };
	return m;
}

/* Its bytes, and what comes of them. */
static struct run_message round_trip(struct buf *b, const struct run_message *m)
{
	struct run_message out;
	size_t             used;

	buf_clear(b);
	run_message_put(b, m);
	assert_int_equal(b->failed, GD_OK);
	assert_int_equal(run_message_get(b->at, b->bytes, &out, &used), WIRE_MESSAGE);
	assert_int_equal(used, b->bytes);
	assert_int_equal(out.kind, m->kind);
	return out;
}

static void a_start_comes_as_it_was_sent(void **state)
{
	struct run_message sent = start_message();
	struct buf         b = { 0 };
	struct run_message m = round_trip(&b, &sent);
	struct run_start  *s = &m.start;

	(void)state;
	assert_true(run_ref_equal(&s->ref, &sent.ref));
	assert_string_equal(s->key, "key");
	assert_string_equal(s->argv[0], "cc");
	assert_string_equal(s->argv[2], "");
	assert_null(s->argv[3]);
	assert_string_equal(s->env[0], "A=1");
	assert_string_equal(s->secrets[0], "T=t");
	assert_string_equal(s->cwd, "/tmp");
	assert_int_equal(s->input_bytes, 3);
	assert_memory_equal(s->input, "a\0b", 3);
	assert_int_equal(s->keep[1], 200);
	assert_memory_equal(s->rlimits, limits, sizeof limits);
	assert_int_equal(s->nice, -6);
	assert_int_equal(s->uid, 7);
	assert_int_equal(s->gid, RUN_ID_NONE);
	assert_true(s->is_paced);
	assert_true(s->merges_error);
	assert_false(s->tells_output);
	assert_false(s->has_nul);
	run_message_close(&m);
	buf_close(&b);
}

static void a_start_with_nothing_optional_has_nothing(void **state)
{
	struct run_message sent = { .kind = RUN_START };
	struct buf         b = { 0 };
	struct run_message m;

	(void)state;
	sent.start.key = "k";
	m = round_trip(&b, &sent);

	assert_null(m.start.argv[0]);
	assert_null(m.start.env[0]);
	assert_null(m.start.cwd);
	assert_null(m.start.input);
	run_message_close(&m);
	buf_close(&b);
}

static void an_exit_comes_as_it_was_sent(void **state)
{
	struct run_message sent = exit_message();
	struct buf         b = { 0 };
	struct run_message m = round_trip(&b, &sent);

	(void)state;
	assert_true(run_ref_equal(&m.ref, &sent.state.ref));
	assert_int_equal(m.state.exit.code, -1);
	assert_int_equal(m.state.exit.signal, 11);
	assert_true(m.state.exit.has_core);
	assert_int_equal(m.state.exit.ended, 1);
	assert_int_equal(m.state.exit.ended_boot, 8);
	assert_int_equal(m.state.exit.system, 4);
	assert_int_equal(m.state.exit.bytes[1], 70);
	assert_int_equal(m.state.exit.kept[1], 7);
	assert_true(m.state.exit.is_incomplete);
	assert_false(m.state.exit.is_left_behind);
	buf_close(&b);
}

static void every_other_kind_comes_as_it_was_sent(void **state)
{
	const struct run_message sent[] = {
		{ .kind = RUN_HELLO, .version = 8 },
		{ .kind = RUN_SIGNAL, .ref = { 1, 2, 3 }, .signal = 9 },
		{ .kind = RUN_TERMINATE, .ref = { 1, 2, 3 }, .grace = 10 },
		{ .kind = RUN_WATCH, .ref = { 1, 2, 3 }, .is_on = true },
		{ .kind = RUN_TAKEN, .ref = { 1, 2, 3 }, .bytes = { 11, 12 } },
		{ .kind = RUN_OUTPUT, .ref = { 1, 2, 3 }, .bytes = { 11, 12 } },
		{ .kind = RUN_ACK, .ref = { 1, 2, 3 } },
		{ .kind = RUN_LIST },
		{ .kind = RUN_STATE_END },
		{ .kind = RUN_WELCOME, .welcome = { 1, 2, "boot" } },
		{ .kind = RUN_REFUSED, .words = "no" },
		{ .kind = RUN_STATE,
		  .state = { .ref = { 1, 2, 3 }, .phase = RUN_RUNNING, .pid = 4 } },
		{ .kind = RUN_STATE, .state = { .ref = { 1, 2, 3 }, .phase = RUN_LOST } },
		{ .kind = RUN_STATE,
		  .state = { .ref = { 1, 2, 3 },
		             .phase = RUN_FAILED,
		             .stage = RUN_STAGE_CWD,
		             .error = 2 } },
	};
	struct buf b = { 0 }, again = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof sent / sizeof sent[0]; i++) {
		struct run_message m = round_trip(&b, &sent[i]);

		/* What was decoded gives the same bytes. */
		buf_clear(&again);
		run_message_put(&again, &m);
		assert_int_equal(again.bytes, b.bytes);
		assert_memory_equal(again.at, b.at, b.bytes);
		run_message_close(&m);
	}
	buf_close(&b);
	buf_close(&again);
}

/* A copy of its own size, so that a sanitizer sees a byte that is read behind it. */
static enum wire_found get_copy(const char *at, size_t bytes)
{
	char              *copy = malloc(bytes + 1);
	struct run_message m = { 0 };
	size_t             used;
	enum wire_found    found;

	assert_non_null(copy);
	memcpy(copy, at, bytes);
	found = run_message_get(copy, bytes, &m, &used);
	assert_true((found == WIRE_MESSAGE) == (used > 0));
	if (found == WIRE_MESSAGE)
		run_message_close(&m);
	free(copy);
	return found;
}

static void a_frame_that_is_not_all_there_is_waited_for(void **state)
{
	struct run_message sent[] = { start_message(), exit_message() };
	struct buf         b = { 0 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		buf_clear(&b);
		run_message_put(&b, &sent[i]);
		for (size_t bytes = 0; bytes < b.bytes; bytes++)
			assert_int_equal(get_copy(b.at, bytes), WIRE_MORE);
	}
	buf_close(&b);
}

/* Fields that end before the frame does, or after it. */
static void a_frame_of_another_length_is_refused(void **state)
{
	struct run_message sent[] = { start_message(), exit_message() };
	struct buf         b = { 0 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		buf_clear(&b);
		run_message_put(&b, &sent[i]);
		buf_add_byte(&b, 0);
		for (size_t length = 1; length <= b.bytes - 4; length++) {
			b.at[0] = (char)length;
			b.at[1] = (char)(length >> 8);
			assert_int_equal(get_copy(b.at, b.bytes),
			                 length == b.bytes - 5 ? WIRE_MESSAGE : WIRE_BAD);
		}
	}
	buf_close(&b);
}

static void changed_bytes_are_taken_or_refused_and_nothing_else(void **state)
{
	struct run_message sent[] = { start_message(), exit_message() };
	struct buf         b = { 0 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		buf_clear(&b);
		run_message_put(&b, &sent[i]);
		for (size_t at = 4; at < b.bytes; at++) {
			char before = b.at[at];

			for (int bit = 0; bit < 8; bit++) {
				b.at[at] = (char)(before ^ (1 << bit));
				assert_int_not_equal(get_copy(b.at, b.bytes), WIRE_MORE);
			}
			b.at[at] = before;
		}
	}
	buf_close(&b);
}

static void a_frame_that_is_too_large_is_refused_at_once(void **state)
{
	(void)state;
	assert_int_equal(get_copy("\1\0\x40\0", 4), WIRE_BAD);
	assert_int_equal(get_copy("\0\0\x40\0", 4), WIRE_MORE);
	assert_int_equal(get_copy("\0\0\0\0", 4), WIRE_BAD);
}

static void a_nul_within_an_argument_is_noticed(void **state)
{
	struct run_message sent = start_message();
	struct buf         b = { 0 };
	struct run_message m;
	size_t             used;
	char              *at;

	(void)state;
	run_message_put(&b, &sent);
	at = memmem(b.at, b.bytes, "-c", 3);
	assert_non_null(at);
	*at = '\0';

	assert_int_equal(run_message_get(b.at, b.bytes, &m, &used), WIRE_MESSAGE);
	assert_true(m.start.has_nul);
	run_message_close(&m);
	buf_close(&b);
}

static void a_ref_is_a_text_and_back(void **state)
{
	struct run_ref ref = { UINT64_MAX, UINT32_MAX, 1 }, back;
	char           text[RUN_REF_TEXT_BYTES];
	const char    *end;

	(void)state;
	run_ref_text(&ref, text);
	assert_string_equal(text, "18446744073709551615-4294967295-1");
	assert_true(run_ref_parse(text, &back, &end));
	assert_true(run_ref_equal(&ref, &back));
	assert_int_equal(*end, '\0');
	assert_false(run_ref_parse("1-2", &back, &end));
	assert_false(run_ref_parse("1--2-3", &back, &end));
	assert_false(run_ref_parse("18446744073709551616-1-1", &back, &end));
	assert_false(run_ref_parse("1-4294967296-1", &back, &end));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_comes_as_it_was_sent),
		cmocka_unit_test(a_start_with_nothing_optional_has_nothing),
		cmocka_unit_test(an_exit_comes_as_it_was_sent),
		cmocka_unit_test(every_other_kind_comes_as_it_was_sent),
		cmocka_unit_test(a_frame_that_is_not_all_there_is_waited_for),
		cmocka_unit_test(a_frame_of_another_length_is_refused),
		cmocka_unit_test(changed_bytes_are_taken_or_refused_and_nothing_else),
		cmocka_unit_test(a_frame_that_is_too_large_is_refused_at_once),
		cmocka_unit_test(a_nul_within_an_argument_is_noticed),
		cmocka_unit_test(a_ref_is_a_text_and_back),
	};

	return cmocka_run_group_tests_name("runner_wire", tests, NULL, NULL);
}
