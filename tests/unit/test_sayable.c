#include "daemon/value/limits.h"
#include "daemon/value/sayable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static struct value text(struct value_heap *h, size_t bytes, char c)
{
	char        *at = malloc(bytes + 1);
	struct value v;

	assert_non_null(at);
	memset(at, c, bytes);
	v = value_text_new(h, at, bytes);
	free(at);
	return v;
}

static void expect(struct value v, const char *type, const char *message)
{
	const char *why = NULL;
	size_t      bytes;
	const char *got = value_unsayable(v, &bytes, &why);

	if (type == NULL) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_string_equal(got, type);
	assert_string_equal(why, message);
}

static void free_handle(struct value_heap *h, struct vobj *obj)
{
	(void)h;
	free(obj);
}

static void given_a_handle_anywhere_inside_then_it_cannot_be_said(void **state)
{
	struct value_heap h = { .free_object = free_handle };
	struct vobj      *handle = calloc(1, sizeof *handle);
	struct value      v;

	(void)state;
	assert_non_null(handle);
	*handle = (struct vobj){ .refs = 1, .type = VALUE_T_TASK };
	v = value_list_append(&h, value_list_new(&h, 1), value_of_obj(handle));
	v = value_dict_put(&h, value_dict_new(&h, 1), text(&h, 1, 't'), v);

	expect(v, "TypeError", "holds a task handle");
	value_release(&h, v);
	assert_int_equal(h.bytes, 0);
}

static void given_a_list_of_itself_sixty_times_then_it_is_too_large_at_once(void **state)
{
	struct value_heap h = { 0 };
	struct value      v = value_list_new(&h, 0);

	(void)state;
	for (int i = 0; i < 60; i++) {
		struct value pair = value_list_append(&h, value_list_new(&h, 2), value_retain(v));

		v = value_list_append(&h, pair, v);
	}

	expect(v, "LimitError", "is larger than 1 MiB");
	value_release(&h, v);
	assert_int_equal(h.bytes, 0);
}

static void given_lists_in_each_other_then_depth_200_is_the_last_that_can_be_said(void **state)
{
	struct value_heap h = { 0 };
	struct value      v = value_list_new(&h, 0);

	(void)state;
	for (int i = 1; i < VALUE_DEPTH_MAX; i++)
		v = value_list_append(&h, value_list_new(&h, 1), v);
	expect(v, NULL, NULL);
	v = value_list_append(&h, value_list_new(&h, 1), v);

	expect(v, "LimitError", "has lists and objects nested too deep");
	value_release(&h, v);
}

static void given_text_then_its_json_may_have_a_mebibyte_and_no_byte_more(void **state)
{
	struct value_heap h = { 0 };
	size_t            room = JOB_RESULT_BYTES_MAX - 2;
	struct value      fits = text(&h, room, 'x'), longer = text(&h, room + 1, 'x');
	struct value      escaped = text(&h, room / 2, '"'), swollen = text(&h, room / 2 + 1, '"');

	(void)state;
	expect(fits, NULL, NULL);
	expect(longer, "LimitError", "is larger than 1 MiB");
	expect(escaped, NULL, NULL);
	expect(swollen, "LimitError", "is larger than 1 MiB");
	value_release(&h, fits);
	value_release(&h, longer);
	value_release(&h, escaped);
	value_release(&h, swollen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_handle_anywhere_inside_then_it_cannot_be_said),
		cmocka_unit_test(given_a_list_of_itself_sixty_times_then_it_is_too_large_at_once),
		cmocka_unit_test(
			given_lists_in_each_other_then_depth_200_is_the_last_that_can_be_said),
		cmocka_unit_test(given_text_then_its_json_may_have_a_mebibyte_and_no_byte_more),
	};

	return cmocka_run_group_tests_name("sayable", tests, NULL, NULL);
}
