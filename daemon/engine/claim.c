/* What a job has asked of the outside, under tickets that count from 1. */
#include "daemon/engine/coro.h"

#include <stdlib.h>

#define FEW 16u /* up to here a walk along the list is as good as a table */

static void insert(struct job *j, struct claim *c)
{
	struct claim **bucket = &j->claim_table[c->ticket & (j->claim_room - 1)];

	c->chain = *bucket;
	*bucket = c;
}

/* Where memory ends, chains are longer. */
static void grow(struct job *j)
{
	uint32_t       room = j->claim_room == 0 ? 4 * FEW : 2 * j->claim_room;
	struct claim **table = calloc(room, sizeof(struct claim *));

	if (table == NULL)
		return;
	free(j->claim_table);
	j->claim_table = table;
	j->claim_room = room;
	for (struct claim *c = j->claims; c != NULL; c = c->next)
		insert(j, c);
}

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
	if (j->claim_table != NULL)
		insert(j, c);
	if (++j->claim_count > FEW && j->claim_count > j->claim_room)
		grow(j);
}

static void leave_table(struct claim *c)
{
	struct claim **at = &c->job->claim_table[c->ticket & (c->job->claim_room - 1)];

	while (*at != c)
		at = &(*at)->chain;
	*at = c->chain;
}

void claim_close(struct claim *c)
{
	struct job *j = c->job;

	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		j->claims = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	else
		j->claims_last = c->prev;
	c->prev = c->next = NULL;
	if (j->claim_table != NULL)
		leave_table(c);
	if (--j->claim_count > 0)
		return;
	free(j->claim_table);
	j->claim_table = NULL;
	j->claim_room = 0;
}

struct claim *claim_find(const struct job *j, enum value_type type, uint32_t ticket)
{
	struct claim *c = j->claims;

	if (j->claim_table == NULL)
		while (c != NULL && c->ticket != ticket)
			c = c->next;
	else
		for (c = j->claim_table[ticket & (j->claim_room - 1)];
		     c != NULL && c->ticket != ticket;)
			c = c->chain;
	return c != NULL && c->sched.obj.type == (uint8_t)type ? c : NULL;
}
