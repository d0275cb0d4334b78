#include "proto/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void given_bytes_then_the_prefix_ends_before_the_first_that_is_no_text(void **state)
{
	static const struct {
		const char *bytes;
		size_t      count;
		size_t      prefix;
		bool        is_cut;
	} cases[] = {
		{ "", 0, 0, false },
		{ "abc", 3, 3, false },
		{ "a\0b", 3, 1, false },
		{ "\xc3\xa4\xe4\xb8\x96\xf0\x9f\x98\x80", 9, 9, false },
		{ "a\xc3", 2, 1, true },
		{ "a\xe4\xb8", 3, 1, true },
		{ "a\xf0\x9f\x98", 4, 1, true },
		{ "a\xf0\x9f\x98z", 5, 1, false },
		{ "\xa4", 1, 0, false },
		{ "\xff", 1, 0, false },
		{ "\xc0\x80", 2, 0, false },         /* overlong */
		{ "\xe0\x9f\xbf", 3, 0, false },     /* the same */
		{ "\xf0\x8f\xbf\xbf", 4, 0, false }, /* the same */
		{ "\xed\xa0\x80", 3, 0, false },     /* a surrogate */
		{ "\xed\x9f\xbf", 3, 3, false },
		{ "\xf4\x90\x80\x80", 4, 0, false }, /* above U+10FFFF */
		{ "\xf4\x8f\xbf\xbf", 4, 4, false },
		{ "\xed\xa0", 2, 0, false },
		{ "\xf5", 1, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t prefix = utf8_prefix(cases[i].bytes, cases[i].count);

		if (prefix != cases[i].prefix)
			fail_msg("case %zu: %zu", i, prefix);
		if (utf8_is_cut(cases[i].bytes + prefix, cases[i].count - prefix) !=
		    cases[i].is_cut)
			fail_msg("case %zu: cut", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_bytes_then_the_prefix_ends_before_the_first_that_is_no_text),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
