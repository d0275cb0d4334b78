/* What a job has asked of the outside, under tickets that count from 1. */
#include "daemon/engine/coro.h"

void claim_open(struct claim *c, enum value_type type, struct task *t)
{
	struct job *j = t->job;

	c->sched.obj = (struct vobj){ .refs = 1, .type = (uint8_t)type };
	c->job = j;
	c->prev = j->claims_last;
	c->task = t;
	c->ticket = ++j->ticket_serial;
	if (c->prev != NULL)
		c->prev->next = c;
	else
		j->claims = c;
	j->claims_last = c;
}

void claim_close(struct claim *c)
{
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		c->job->claims = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		c->job->claims_last = c->prev;
	c->prev = c->next = NULL;
}

/* Answers come in the order of asking as a rule, so that the walk is as long as the list of what is
 * held. */
struct claim *claim_find(const struct job *j, enum value_type type, uint32_t ticket)
{
	struct claim *c = j->claims;

	while (c != NULL && c->ticket != ticket)
		c = c->next;
	return c != NULL && c->sched.obj.type == (uint8_t)type ? c : NULL;
}
