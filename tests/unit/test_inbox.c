#include "daemon/run/inbox.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define POSTERS 4
#define POSTS 2000

struct numbered {
	struct inbox_msg msg;
	int              poster;
	int              number;
};

static int open_inbox(void **state)
{
	static struct inbox in;

	*state = &in;
	return inbox_init(&in, 3, NULL) == GD_OK ? 0 : -1;
}

static int close_inbox(void **state)
{
	(void)inbox_take(*state);
	inbox_close(*state);
	return 0;
}

static bool is_awake(const struct inbox *in)
{
	struct pollfd look = { .fd = in->wake_fd, .events = POLLIN };

	return poll(&look, 1, 0) == 1;
}

static void given_messages_when_taken_then_they_come_in_the_order_of_posting(void **state)
{
	struct inbox    *in = *state;
	struct inbox_msg a, b;

	assert_true(inbox_post(in, &a));
	assert_true(inbox_post(in, &b));

	assert_ptr_equal(inbox_take(in), &a);
	assert_ptr_equal(a.next, &b);
	assert_null(b.next);
	assert_null(inbox_take(in));
}

static void given_a_full_inbox_when_posted_to_then_the_message_stays_with_the_sender(void **state)
{
	struct inbox    *in = *state;
	struct inbox_msg m[4];

	for (int i = 0; i < 3; i++)
		assert_true(inbox_post(in, &m[i]));

	assert_false(inbox_post(in, &m[3]));
	assert_ptr_equal(inbox_take(in), &m[0]);
	assert_null(m[2].next);
	assert_true(inbox_post(in, &m[3]));
}

static void given_a_full_inbox_when_an_answer_is_posted_then_it_is_taken_all_the_same(void **state)
{
	struct inbox    *in = *state;
	struct inbox_msg m[4];

	for (int i = 0; i < 3; i++)
		assert_true(inbox_post(in, &m[i]));

	inbox_post_answer(in, &m[3]);
	assert_ptr_equal(inbox_take(in), &m[0]);
	assert_ptr_equal(m[2].next, &m[3]);
}

static void given_a_message_when_posted_then_the_receiver_wakes_until_it_has_taken(void **state)
{
	struct inbox    *in = *state;
	struct inbox_msg m;

	assert_false(is_awake(in));
	assert_true(inbox_post(in, &m));
	assert_true(is_awake(in));

	(void)inbox_take(in);
	assert_false(is_awake(in));
}

static struct {
	struct inbox    in;
	struct numbered sent[POSTERS][POSTS];
} crowd;

static void *post_all(void *ctx)
{
	struct numbered *mine = ctx;

	for (int i = 0; i < POSTS; i++)
		inbox_post_answer(&crowd.in, &mine[i].msg);
	return NULL;
}

static void given_many_senders_when_they_post_at_once_then_nothing_is_lost_or_swapped(void **state)
{
	pthread_t threads[POSTERS];
	int       next[POSTERS] = { 0 };
	int       got = 0;

	(void)state;
	assert_int_equal(inbox_init(&crowd.in, 1, NULL), GD_OK);
	for (int p = 0; p < POSTERS; p++) {
		for (int i = 0; i < POSTS; i++)
			crowd.sent[p][i] = (struct numbered){ .poster = p, .number = i };
		assert_int_equal(pthread_create(&threads[p], NULL, post_all, crowd.sent[p]), 0);
	}

	while (got < POSTERS * POSTS) {
		struct pollfd     wait = { .fd = crowd.in.wake_fd, .events = POLLIN };
		struct inbox_msg *m;

		assert_int_equal(poll(&wait, 1, 10000), 1);
		for (m = inbox_take(&crowd.in); m != NULL; m = m->next, got++) {
			struct numbered *n = (struct numbered *)(void *)m;

			assert_int_equal(n->number, next[n->poster]++);
		}
	}
	for (int p = 0; p < POSTERS; p++)
		assert_int_equal(pthread_join(threads[p], NULL), 0);
	inbox_close(&crowd.in);
}

int main(void)
{
#define WITH_INBOX(test) cmocka_unit_test_setup_teardown(test, open_inbox, close_inbox)
	const struct CMUnitTest tests[] = {
		WITH_INBOX(given_messages_when_taken_then_they_come_in_the_order_of_posting),
		WITH_INBOX(
			given_a_full_inbox_when_posted_to_then_the_message_stays_with_the_sender),
		WITH_INBOX(
			given_a_full_inbox_when_an_answer_is_posted_then_it_is_taken_all_the_same),
		WITH_INBOX(given_a_message_when_posted_then_the_receiver_wakes_until_it_has_taken),
		cmocka_unit_test(
			given_many_senders_when_they_post_at_once_then_nothing_is_lost_or_swapped),
	};

	return cmocka_run_group_tests_name("inbox", tests, NULL, NULL);
}
