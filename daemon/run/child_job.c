/* The side of the child: it is recorded and begun, and stopped. */
#include "daemon/run/children_inside.h"

#include "daemon/run/apply.h"
#include "daemon/run/inputs.h"
#include "daemon/run/loop_names.h"
#include "daemon/run/submit.h"
#include "proto/base/check.h"
#include "proto/base/failpoint.h"

#include <string.h>

static struct text kept(struct arena *a, struct text text)
{
	struct text copy = { arena_copy(a, text.at, text.bytes), text.bytes };

	if (text.at != NULL && copy.at == NULL)
		children_out_of_memory();
	return copy;
}

static struct text pointer_of(struct arena *a, const struct birth *b)
{
	const struct program *p = b->program;
	struct buf            pointer = { 0 };
	struct text           text;

	program_write_pointer(&pointer, p, p->codes[p->children[b->index].code].node);
	text = kept(a, (struct text){ pointer.at, pointer.bytes });
	if (pointer.failed != GD_OK)
		children_out_of_memory();
	buf_close(&pointer);
	return text;
}

static struct text title_of(struct arena *a, const struct birth *b)
{
	const struct value title = b->program->title;

	if (b->name.at != NULL || !value_is_type(title, VALUE_T_TEXT))
		return kept(a, b->name);
	return kept(a, (struct text){ value_text(title)->at, value_text(title)->bytes });
}

static struct store_job *record(struct loop *l, const struct child_msg *m)
{
	struct store_group *g = loop_group(l);
	struct record      *r = g == NULL ? NULL : store_group_add(g, RECORD_JOB, m->child);
	struct store_job   *job = g == NULL ? NULL : arena_alloc(&g->arena, sizeof *job);
	struct store_child *child = g == NULL ? NULL : arena_alloc(&g->arena, sizeof *child);
	const struct birth *b = m->birth;

	if (r == NULL || job == NULL || child == NULL)
		children_out_of_memory();
	*child = (struct store_child){ .parent = m->parent,
		                       .ticket = m->ticket,
		                       .code = pointer_of(&g->arena, b),
		                       .base = kept(&g->arena, b->base),
		                       .captures = kept(&g->arena, b->captures) };
	job->id = m->child;
	job->status = JOB_QUEUED;
	job->title = title_of(&g->arena, b);
	job->loop = l->index;
	job->submitted = m->time;
	job->priority = b->priority;
	job->parent = m->parent;
	job->child = child;
	r->u.submit = job;
	if (b->loop_name.at != NULL)
		loop_names_note(l, b->loop_name);
	return job;
}

static void hear_birth(struct children *c, const struct child_msg *m)
{
	struct loop        *l = c->loop;
	const struct birth *b = m->birth;
	struct store_job   *job;
	struct live_job    *live;
	struct gd_error     why;

	loop_reach(l, m->time);
	if (jobs_reserve(&l->jobs, &why) != GD_OK)
		children_out_of_memory();
	job = record(l, m);
	apply_queued(l, m->child, m->time);
	live = jobs_add(&l->jobs, m->child);
	live->priority = b->priority;
	live->u.unsent = job;
	live->v.group = l->open_number;
	children_add_child(l, m->child, m->parent, m->ticket);
	if (b->must_settle)
		children_begin_settling(c, kin_find(&c->table, m->child));
	GD_FAILPOINT("family.child_recorded");
	child_msg_send_durable(c, m->parent, CHILD_BORN, m->parent, m->ticket, m->child);
	if (submit_begin_child(l, m->child, b->program, b->program->children[b->index].code,
	                       job->child, job->title, m->time, &why) != GD_OK)
		children_out_of_memory(); /* what was written a moment ago can be read */
}

static void hear_stop(struct children *c, const struct child_msg *m)
{
	struct kin *k = kin_find(&c->table, m->child);

	if (k == NULL)
		return; /* it has ended, and that word is on its way */
	inputs_stop(c->loop, m->child, m->wanted == 0 ? 1 : m->wanted, m->has_text ? m->text : NULL,
	            m->wanted == 0 ? loop_now(c->loop) : m->time);
}

void child_job_hear(struct children *c, struct child_msg *m)
{
	if (m->word == CHILD_BIRTH)
		hear_birth(c, m);
	else
		hear_stop(c, m);
	child_msg_free(m);
}
