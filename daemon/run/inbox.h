/*
 * inbox.h - bounded queue with a wake-up: the only way between threads.
 *
 * Messages are intrusive: whoever sends one embeds a struct inbox_msg in what it sends, and the
 * receiver owns it from then on. They arrive in the order in which they were posted.
 *
 * The wake-up is an eventfd that the receiver watches; it is written only when the queue was empty,
 * so a burst costs one system call. Threads: post from any thread, take from one.
 */
#ifndef GATHERD_RUN_INBOX_H
#define GATHERD_RUN_INBOX_H

#include "proto/base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;

struct inbox_msg {
	struct inbox_msg *next;
	/* On the receiving loop's thread; `m` is its to free. */
	void (*run)(struct loop *l, struct inbox_msg *m);
};

struct inbox {
	pthread_mutex_t   mutex;
	struct inbox_msg *first; /* guarded by mutex, like the next two */
	struct inbox_msg *last;
	uint32_t          count;
	uint32_t          room;
	int               wake_fd; /* readable when there is something to take; owned */
};

/* Errors: GD_SYS. */
GD_NODISCARD enum gd_err inbox_init(struct inbox *in, uint32_t room, struct gd_error *why);
/* Messages still inside are the caller's to have taken. */
void                     inbox_close(struct inbox *in);

/* False when `room` messages wait: the message stays with the caller. */
bool              inbox_post(struct inbox *in, struct inbox_msg *m);
/* For answers, whose number is bounded by their questions: never refused. */
void              inbox_post_answer(struct inbox *in, struct inbox_msg *m);
/* Everything, oldest first; NULL when empty. Quiets wake_fd. */
struct inbox_msg *inbox_take(struct inbox *in);

#endif
