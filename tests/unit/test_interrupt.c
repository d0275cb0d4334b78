#include "client/interrupt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>

/* As when every wait finds something to read at once, and so never lets a signal in. */
static void given_a_signal_that_no_wait_lets_in_then_it_still_counts(void **state)
{
	(void)state;
	interrupt_catch();
	assert_int_equal(interrupt_count(), 0);
	assert_int_equal(raise(SIGINT), 0);
	assert_int_equal(interrupt_count(), 1);
	assert_int_equal(interrupt_count(), 1);
	assert_int_equal(raise(SIGINT), 0);
	assert_int_equal(interrupt_count(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_a_signal_that_no_wait_lets_in_then_it_still_counts),
	};

	return cmocka_run_group_tests_name("interrupt", tests, NULL, NULL);
}
