#include "daemon/run/inbox.h"

#include "proto/base/check.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum gd_err inbox_init(struct inbox *in, uint32_t room, struct gd_error *why)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		return gd_fail_sys(why, errno, "inbox: no eventfd");
	*in = (struct inbox){ .room = room, .wake_fd = fd };
	CHECK(pthread_mutex_init(&in->mutex, NULL) == 0);
	return GD_OK;
}

void inbox_close(struct inbox *in)
{
	CHECK(in->first == NULL);
	(void)pthread_mutex_destroy(&in->mutex);
	(void)close(in->wake_fd);
}

static bool post(struct inbox *in, struct inbox_msg *m, bool is_answer)
{
	const uint64_t one = 1;
	bool           was_empty;

	m->next = NULL;
	CHECK(pthread_mutex_lock(&in->mutex) == 0);
	if (!is_answer && in->count >= in->room) {
		CHECK(pthread_mutex_unlock(&in->mutex) == 0);
		return false;
	}
	was_empty = in->first == NULL;
	if (was_empty)
		in->first = m;
	else
		in->last->next = m;
	in->last = m;
	in->count++;
	CHECK(pthread_mutex_unlock(&in->mutex) == 0);
	/* The counter cannot overflow: it is read back to 0 long before 2^64 wake-ups. */
	if (was_empty)
		CHECK(write(in->wake_fd, &one, sizeof one) == (ssize_t)sizeof one);
	return true;
}

bool inbox_post(struct inbox *in, struct inbox_msg *m)
{
	return post(in, m, false);
}

void inbox_post_answer(struct inbox *in, struct inbox_msg *m)
{
	CHECK(post(in, m, true));
}

struct inbox_msg *inbox_take(struct inbox *in)
{
	struct inbox_msg *first;
	uint64_t          wakes;

	/* Quiet first, take second: a message posted in between wakes once more, for nothing. */
	if (read(in->wake_fd, &wakes, sizeof wakes) < 0)
		CHECK(errno == EAGAIN || errno == EINTR);
	CHECK(pthread_mutex_lock(&in->mutex) == 0);
	first = in->first;
	in->first = NULL;
	in->last = NULL;
	in->count = 0;
	CHECK(pthread_mutex_unlock(&in->mutex) == 0);
	return first;
}
