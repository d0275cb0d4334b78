#include "client/log_tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* `texts` are the pieces; what is left of them, with a bar between two. */
static void expect_cut(const char *texts, json_int_t lines, bool is_cut, const char *expected)
{
	json_t       *pieces = json_loads(texts, 0, NULL);
	char          left[200] = "";
	size_t        i;
	const json_t *piece;

	assert_non_null(pieces);
	assert_int_equal(log_tail_cut(pieces, lines), is_cut);
	json_array_foreach (pieces, i, piece) {
		if (i > 0)
			strcat(left, "|");
		strcat(left, json_string_value(json_object_get(piece, "text")));
	}
	assert_string_equal(left, expected);
	json_decref(pieces);
}

static void given_more_lines_than_wanted_then_the_last_are_left(void **state)
{
	(void)state;
	expect_cut("[{\"text\": \"a\\nb\\nc\\n\", \"offset\": 0}]", 2, true, "b\nc\n");
	expect_cut("[{\"text\": \"a\\nb\\nc\", \"offset\": 0}]", 2, true, "b\nc");
	expect_cut("[{\"text\": \"a\\n\\n\\n\", \"offset\": 0}]", 1, true, "\n");
}

static void given_lines_across_pieces_then_whole_pieces_leave(void **state)
{
	(void)state;
	expect_cut("[{\"text\": \"a\\nb\", \"offset\": 0}, {\"text\": \"c\\n\", \"offset\": 3}]", 1,
	           true, "b|c\n");
	expect_cut("[{\"text\": \"a\\n\", \"offset\": 0}, {\"text\": \"b\\n\", \"offset\": 2}, "
	           "{\"text\": \"\", \"offset\": 4}]",
	           1, true, "|b\n|");
}

static void given_as_many_lines_or_fewer_then_all_of_it_is_left(void **state)
{
	(void)state;
	expect_cut("[{\"text\": \"a\\nb\\n\", \"offset\": 0}]", 2, false, "a\nb\n");
	expect_cut("[{\"text\": \"a\", \"offset\": 0}]", 2, false, "a");
	expect_cut("[]", 1, false, "");
}

static void given_a_cut_then_the_piece_says_where_it_begins(void **state)
{
	json_t *pieces =
		json_loads("[{\"text\": \"a\\nb\\n\", \"offset\": 40, \"skipped\": 40}]", 0, NULL);
	const json_t *piece = json_array_get(pieces, 0);

	(void)state;
	assert_true(log_tail_cut(pieces, 1));
	assert_int_equal(json_integer_value(json_object_get(piece, "offset")), 42);
	assert_null(json_object_get(piece, "skipped"));
	json_decref(pieces);
}

static void given_bytes_that_are_no_text_then_they_are_cut_too(void **state)
{
	/* ff 0a fe 0a */
	json_t *pieces = json_loads("[{\"base64\": \"/wr+Cg==\", \"offset\": 0}]", 0, NULL);

	(void)state;
	assert_true(log_tail_cut(pieces, 1));
	assert_string_equal(json_string_value(json_object_get(json_array_get(pieces, 0), "base64")),
	                    "/go=");
	json_decref(pieces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_more_lines_than_wanted_then_the_last_are_left),
		cmocka_unit_test(given_lines_across_pieces_then_whole_pieces_leave),
		cmocka_unit_test(given_as_many_lines_or_fewer_then_all_of_it_is_left),
		cmocka_unit_test(given_a_cut_then_the_piece_says_where_it_begins),
		cmocka_unit_test(given_bytes_that_are_no_text_then_they_are_cut_too),
	};

	return cmocka_run_group_tests_name("log_tail", tests, NULL, NULL);
}
