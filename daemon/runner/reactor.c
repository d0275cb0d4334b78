#include "daemon/runner/reactor.h"

#include "proto/base/check.h"

#include <errno.h>
#include <unistd.h>

enum gd_err reactor_open(struct reactor *r, struct gd_error *why)
{
	*r = (struct reactor){ .epoll_fd = epoll_create1(EPOLL_CLOEXEC) };
	return r->epoll_fd >= 0 ? GD_OK : gd_fail_sys(why, errno, "epoll");
}

void reactor_close(struct reactor *r)
{
	if (r->epoll_fd >= 0)
		(void)close(r->epoll_fd);
	r->epoll_fd = -1;
}

int reactor_add(struct reactor *r, struct reactor_fd *f, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = f };

	f->events = events;
	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, f->fd, &e) == 0 ? 0 : errno;
}

/* Takes it out rather than wanting nothing: epoll would tell of a hang-up for ever. */
void reactor_want(struct reactor *r, struct reactor_fd *f, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = f };
	int                how = EPOLL_CTL_MOD;

	if (events == f->events)
		return;
	if (events == 0)
		how = EPOLL_CTL_DEL;
	else if (f->events == 0)
		how = EPOLL_CTL_ADD;
	f->events = events;
	/* It was taken once, so there is room and it can be watched. */
	CHECK(epoll_ctl(r->epoll_fd, how, f->fd, &e) == 0 || errno == ENOMEM || errno == ENOSPC);
}

void reactor_drop(struct reactor *r, struct reactor_fd *f)
{
	if (f->fd < 0)
		return;
	(void)close(f->fd);
	f->fd = -1;
	f->events = 0;
	for (int i = r->next; i < r->count; i++) {
		if (r->batch[i].data.ptr == f)
			r->batch[i].data.ptr = NULL;
	}
}

void reactor_turn(struct reactor *r, int timeout_ms)
{
	r->count = epoll_wait(r->epoll_fd, r->batch, REACTOR_BATCH, timeout_ms);
	for (r->next = 0; r->next < r->count;) {
		struct epoll_event *e = &r->batch[r->next++];
		struct reactor_fd  *f = e->data.ptr;

		if (f != NULL && f->events != 0)
			f->ready(f, e->events);
	}
	r->count = r->next = 0;
}
