/*
 * children_settle.c - what is overdue after a restart, within a family.
 *
 * Parents and children live on several loops, whose timers know nothing of each other. What a child did
 * at second 3 must be heard by its parent before the parent's own second 4, even when all of it has
 * passed while the daemon was down. So before any other timer of a loop fires, each job of an earlier
 * life that has a parent, or may have children, is taken to the moment of the restart on its own:
 *
 *	as long as something of it is overdue, or an end of a child was heard:
 *		wait until each of its children has ended, or has caught up itself
 *		do what comes first: the earliest end that was heard, or its first deadline; the
 *		deadline anyway until it is where it was before the restart
 *	then it has caught up, and tells its parent so
 *
 * A child waits for nobody above it, so this ends. It is a conservative simulation of the family (Chandy
 * and Misra, "Distributed simulation", IEEE TSE 5, 1979), where a child's word is the promise. Should a
 * loop be slow to answer, nobody waits longer than CHILDREN_PATIENCE_SECONDS: from then on what is heard
 * is told as it comes.
 */
#include "daemon/run/children_inside.h"

#include "daemon/run/inputs.h"

#include "proto/base/check.h"
#include "proto/base/failpoint.h"

#include <stdlib.h>

/* --- who may go on --- */

static void list_kin(struct children *c, struct kin *k)
{
	if (k->is_listed)
		return;
	k->is_listed = true;
	k->next_due = NULL;
	if (c->last_kin != NULL)
		c->last_kin->next_due = k;
	else
		c->first_kin = k;
	c->last_kin = k;
}

static struct kin *take_kin(struct children *c)
{
	struct kin *k = c->first_kin;

	c->first_kin = k->next_due;
	if (c->first_kin == NULL)
		c->last_kin = NULL;
	k->is_listed = false;
	if (!k->is_gone)
		return k;
	free(k);
	return NULL;
}

void children_begin_settling(struct children *c, struct kin *k)
{
	if (!k->is_settling)
		c->settling++;
	k->is_settling = true;
	list_kin(c, k);
}

void children_end_settling(struct children *c, struct kin *k)
{
	if (k->is_settling)
		c->settling--;
	k->is_settling = false;
}

void children_set_unheard(struct children *c, struct child_row *row, bool is_unheard)
{
	struct kin *k = row->of;

	if (row->is_unheard == is_unheard)
		return;
	row->is_unheard = is_unheard;
	k->unheard += is_unheard ? 1 : UINT32_MAX;
	if (k->unheard == 0 && k->is_settling)
		list_kin(c, k);
}

/* --- one step --- */

/* The end that was heard and came first; NULL: none waits. */
static struct child_row *first_end(const struct kin *k)
{
	struct child_row *first = NULL;

	for (struct child_row *row = k->rows; row != NULL; row = row->next) {
		if (row->end == NULL || row->state != ROW_SENT)
			continue;
		if (first == NULL || row->end->time < first->end->time ||
		    (row->end->time == first->end->time && row->key.ticket < first->key.ticket))
			first = row;
	}
	return first;
}

static void catch_up(struct children *c, struct kin *k)
{
	children_end_settling(c, k);
	if (k->ticket != 0)
		child_msg_send(
			c, pool_loop_of(c->loop->pool, k->parent),
			child_msg_new(CHILD_CAUGHT_UP, k->parent, k->ticket, k->key.job, NULL, 0));
}

/* The kin may be gone then. */
static void settle(struct children *c, struct kin *k)
{
	const uint64_t    job = k->key.job;
	struct child_row *row = first_end(k);
	struct engine_in  in = { .kind = ENGINE_TIME, .job = job };
	bool              is_due =
		!c->is_impatient && engine_next_due_of(c->loop->engine, job, c->resumed, &in.time);

	if (row != NULL &&
	    (!is_due || (row->end->time < in.time && !inputs_is_behind(c->loop, job)))) {
		children_feed_end(c, row);
	} else if (is_due) {
		loop_step(c->loop, &in);
	} else {
		catch_up(c, k);
		return;
	}
	k = kin_find(&c->table, job);
	if (k != NULL && k->is_settling)
		list_kin(c, k);
}

static bool may_settle(const struct children *c)
{
	const struct loop *l = c->loop;

	if (!c->is_impatient && GD_FAILPOINT_HOLDS("family.settling"))
		return false;
	if (c->first_kin == NULL || c->resumed == GD_NSEC_NEVER || loop_is_ahead(l) ||
	    store_is_full(l->pool->store))
		return false;
	/* What ended in time must have been heard as well. */
	return l->effects.holds_time == NULL || !l->effects.holds_time(l->effects.ctx);
}

bool children_settle(struct children *c, gd_nsec end)
{
	struct kin *k;

	while (may_settle(c) && children_monotonic() < end) {
		k = take_kin(c);
		if (k != NULL && k->is_settling && (k->unheard == 0 || c->is_impatient))
			settle(c, k);
	}
	return may_settle(c);
}

/* --- how long --- */

static void on_patience(evutil_socket_t fd, short what, void *ctx)
{
	struct children *c = ctx;

	(void)fd;
	(void)what;
	c->is_impatient = true;
	for (struct kin *k = kin_next(&c->table, NULL); k != NULL; k = kin_next(&c->table, k))
		if (k->is_settling)
			list_kin(c, k);
}

bool children_hold_time(struct loop *l)
{
	const struct children *c = l->children;

	return c->settling != 0 && !c->is_impatient;
}

static void tell_of_all(struct children *c)
{
	struct pool *p = c->loop->pool;

	for (struct kin *k = kin_next(&c->table, NULL); k != NULL; k = kin_next(&c->table, k))
		if (k->ticket != 0 && k->is_from_past)
			child_msg_send(c, pool_loop_of(p, k->parent),
			               child_msg_new(CHILD_HERE, k->parent, k->ticket, k->key.job,
			                             NULL, 0));
	for (uint32_t i = 0; i < p->count; i++)
		child_msg_send(c, pool_loop(p, i), child_msg_new(CHILD_ALL_HERE, 0, 0, 0, NULL, 0));
}

void children_recovered(struct loop *l)
{
	const struct timeval tv = { .tv_sec = CHILDREN_PATIENCE_SECONDS };
	struct children     *c = l->children;

	c->resumed = l->pool->recovery.resumed;
	tell_of_all(c);
	if (c->settling == 0)
		return;
	c->patience = event_new(l->base, -1, 0, on_patience, c);
	if (c->patience == NULL || event_add(c->patience, &tv) != 0)
		children_out_of_memory();
}
