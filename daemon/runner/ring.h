/*
 * ring.h - members of a list who live inside their owners; a member can leave at any time.
 */
#ifndef GATHERD_RUNNER_RING_H
#define GATHERD_RUNNER_RING_H

#include <stdbool.h>
#include <stddef.h>

/* The head of a ring has no owner. A member that is in none is all zero. */
struct ring {
	struct ring *prev, *next;
	void        *owner; /* borrowed */
};

static inline void ring_init(struct ring *head)
{
	*head = (struct ring){ head, head, NULL };
}

static inline void ring_leave(struct ring *member)
{
	if (member->next == NULL)
		return;
	member->prev->next = member->next;
	member->next->prev = member->prev;
	*member = (struct ring){ 0 };
}

/* At the end; out of the ring it was in. */
static inline void ring_join(struct ring *head, struct ring *member, void *owner)
{
	ring_leave(member);
	*member = (struct ring){ head->prev, head, owner };
	head->prev->next = member;
	head->prev = member;
}

static inline bool ring_is_empty(const struct ring *head)
{
	return head->next == head;
}

#endif
