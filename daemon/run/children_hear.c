/* The side of the parent: births, stops, and what is heard of children. */
#include "daemon/run/children_inside.h"

#include "daemon/run/inputs.h"
#include "daemon/run/loop_names.h"
#include "daemon/store/journal_value.h"
#include "proto/base/check.h"
#include "proto/base/failpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MAX 256u
#define ASK_BYTES_MAX (1u << 20)

/* --- births --- */

/* Nothing can be made of it: it ends at once, with an error that says so. */
static void refuse(struct children *c, struct child_row *row, gd_nsec time, const char *type,
                   const char *words)
{
	struct buf        b = { 0 };
	struct child_msg *m;

	buf_addf(&b, "{\"type\":\"%s\",\"message\":", type);
	buf_add_json_string(&b, words, strlen(words));
	buf_add_text(&b, ",\"path\":\"\"}");
	if (b.failed != GD_OK)
		children_out_of_memory();
	m = child_msg_new(CHILD_END, row->key.job, row->key.ticket, 0, b.at, b.bytes);
	buf_close(&b);
	m->status = JOB_FAILED;
	m->time = time;
	child_msg_send(c, c->loop, m);
}

/* False: refused. */
static bool find_loop(struct children *c, struct child_row *row, gd_nsec time, struct value loop,
                      uint32_t *index)
{
	struct pool    *p = c->loop->pool;
	char            words[120];
	struct gd_error why;
	enum gd_err     rc;

	if (value_is_type(loop, VALUE_T_TEXT)) {
		rc = loop_names_use(p->names,
		                    (struct text){ value_text(loop)->at, value_text(loop)->bytes },
		                    p->count, index, &why);
		if (rc == GD_NOMEM)
			children_out_of_memory();
		if (rc != GD_OK)
			refuse(c, row, time, "LimitError", why.text);
		return rc == GD_OK;
	}
	if (value_as_int(loop) < (int64_t)p->count) {
		*index = (uint32_t)value_as_int(loop);
		return true;
	}
	(void)snprintf(words, sizeof words, "there is no loop %" PRId64 ": they are 0 to %u",
	               value_as_int(loop), (unsigned)p->count - 1);
	refuse(c, row, time, "ValueError", words);
	return false;
}

static struct text kept(struct arena *a, struct value v)
{
	struct text none = { 0 };

	if (!value_is_type(v, VALUE_T_TEXT))
		return none;
	return (struct text){ arena_copy(a, value_text(v)->at, value_text(v)->bytes),
		              value_text(v)->bytes };
}

static struct birth *birth_of(const struct children *c, const struct child_row *row,
                              const struct engine_child_info *info)
{
	struct birth *b = calloc(1, sizeof *b);
	struct buf    captures = { 0 };

	if (b == NULL)
		children_out_of_memory();
	b->program = program_retain(info->program);
	b->index = info->child;
	b->priority = jobs_find(&c->loop->jobs, row->key.job)->priority;
	b->must_settle = row->is_unheard;
	journal_add_value(&captures, info->captures);
	b->captures =
		(struct text){ arena_copy(&b->arena, captures.at, captures.bytes), captures.bytes };
	b->base = kept(&b->arena, info->base);
	b->name = kept(&b->arena, info->name);
	b->loop_name = kept(&b->arena, info->loop);
	if (captures.failed != GD_OK || b->arena.failed)
		children_out_of_memory();
	buf_close(&captures);
	return b;
}

static bool are_too_many(struct children *c, struct child_row *row, gd_nsec time)
{
	struct pool *p = c->loop->pool;
	uint32_t     max = atomic_load(&p->jobs_max);
	char         words[120];

	if (max == 0 || pool_job_count(p) < max)
		return false;
	(void)snprintf(words, sizeof words, "%u jobs live here, and no more may", (unsigned)max);
	refuse(c, row, time, "LimitError", words);
	return true;
}

static void give_birth(struct children *c, struct child_row *row)
{
	struct engine_child_info info;
	struct child_msg        *m;
	uint32_t                 loop;

	row->state = ROW_SENT;
	CHECK(engine_child(c->loop->engine, row->key.job, row->key.ticket, &info));
	if (!find_loop(c, row, info.spawned, info.loop, &loop) ||
	    are_too_many(c, row, info.spawned))
		return;
	row->child = pool_take_id(c->loop->pool, loop);
	m = child_msg_new(CHILD_BIRTH, row->key.job, row->key.ticket, row->child, NULL, 0);
	m->time = info.spawned;
	m->birth = birth_of(c, row, &info);
	child_msg_send(c, pool_loop(c->loop->pool, loop), m);
}

static void send_stop(struct children *c, struct child_row *row)
{
	struct child_msg *m = child_msg_new(
		CHILD_STOP, row->key.job, row->key.ticket, row->child, row->stop_message,
		row->stop_message == NULL ? 0 : strlen(row->stop_message));

	m->wanted = row->stops;
	m->time = row->stop_time;
	row->stops_sent = row->stops;
	GD_FAILPOINT("family.child_stop");
	child_msg_send(c, pool_loop_of(c->loop->pool, row->child), m);
}

static void list_to_ask(struct children *c, struct child_row *row)
{
	row->state = ROW_ASKED;
	row->is_listed = true;
	row->next_due = NULL;
	if (c->last_ask != NULL)
		c->last_ask->next_due = row;
	else
		c->first_ask = row;
	c->last_ask = row;
}

void children_go(struct children *c, struct child_row *row)
{
	if (!row->is_durable)
		return;
	if (row->state == ROW_LOST && c->here == c->loop->pool->count)
		list_to_ask(c, row);
	else if (row->state == ROW_WAITING)
		give_birth(c, row);
	if (row->state == ROW_SENT && row->child != 0 && row->stops > row->stops_sent)
		send_stop(c, row);
}

/* --- what the store knows --- */

static void take_outcome(struct children *c, const struct store_outcome *o)
{
	struct child_row *row = kin_find_row(&c->table, o->parent, o->ticket);
	struct text       text = o->status == JOB_COMPLETED ? o->result : o->error;
	struct child_msg *m;

	if (row == NULL || row->state != ROW_ASKED)
		return;
	if (!o->is_known) {
		row->state = ROW_LOST;
		children_list_row(c, row);
		return;
	}
	if (o->job == 0) {
		row->state = ROW_WAITING;
		children_list_row(c, row);
		return;
	}
	row->child = o->job;
	row->is_born = true;
	row->state = ROW_SENT;
	if (!job_status_is_final(o->status))
		return; /* it was set aside just now, and that word is on its way */
	m = child_msg_new(CHILD_END, o->parent, o->ticket, o->job, text.at, text.bytes);
	m->status = o->status;
	m->time = o->ended;
	child_msg_send(c, c->loop, m);
}

static void take_answer(struct loop *l, struct loop_read *read, void *ctx)
{
	struct children *c = ctx;

	c->is_asking = false;
	if (read->read.outcome == GD_OK) {
		for (uint32_t i = 0; i < read->read.outcome_count; i++)
			take_outcome(c, &read->read.outcomes[i]);
	} else if (!l->is_stopping && read->read.outcome != GD_DURABILITY_UNKNOWN) {
		pool_die("children.unread", &read->read.why);
	}
	store_read_free(&read->read);
}

void children_ask(struct children *c)
{
	struct loop_read *read;
	uint32_t          count = 0;

	if (c->is_asking || c->first_ask == NULL)
		return;
	if ((read = loop_read_new(READ_OUTCOMES)) == NULL ||
	    (read->read.outcomes =
	             arena_alloc(&read->read.arena, ASK_MAX * sizeof *read->read.outcomes)) == NULL)
		children_out_of_memory();
	while (c->first_ask != NULL && count < ASK_MAX) {
		struct child_row *row = c->first_ask;

		c->first_ask = row->next_due;
		if (c->first_ask == NULL)
			c->last_ask = NULL;
		row->is_listed = false;
		if (row->is_gone)
			kin_row_free(row);
		else if (row->state == ROW_ASKED)
			read->read.outcomes[count++] =
				(struct store_outcome){ .parent = row->key.job,
				                        .ticket = row->key.ticket };
	}
	if (count == 0) {
		store_read_free(&read->read);
		return;
	}
	read->read.outcome_count = count;
	read->read.bytes_max = ASK_BYTES_MAX;
	c->is_asking = true;
	loop_read_start(c->loop, read, take_answer, c);
}

/* --- what children say --- */

void children_feed_end(struct children *c, struct child_row *row)
{
	const uint64_t    job = row->key.job;
	const uint32_t    ticket = row->key.ticket;
	struct child_msg *m = row->end;

	row->end = NULL;
	children_set_unheard(c, row, false);
	kin_remove_row(&c->table, row);
	inputs_child_ended(c->loop, job, ticket, m->status, m->time,
	                   (struct text){ m->text, m->bytes });
	GD_FAILPOINT("family.child_end_fed");
	child_msg_free(m);
}

static void hear_end(struct children *c, struct child_row *row, struct child_msg *m)
{
	if (row->end != NULL) {
		child_msg_free(m); /* from the store, and from itself */
		return;
	}
	row->end = m;
	row->child = m->child;
	if (row->state == ROW_EARLY)
		return; /* it is asked for again first */
	row->state = ROW_SENT;
	if (row->of->is_settling)
		children_set_unheard(c, row, false); /* in its turn */
	else
		children_feed_end(c, row);
}

/* Its parent's loop knows nothing of it. */
static void hear_early(struct children *c, const struct child_msg *m)
{
	struct kin       *k = kin_find(&c->table, m->parent);
	struct child_row *row;

	if (k == NULL) {
		if (m->word == CHILD_HERE)
			child_msg_send_durable(c, m->child, CHILD_STOP, m->parent, m->ticket,
			                       m->child);
		return;
	}
	if (m->word != CHILD_HERE)
		return;
	if ((row = kin_add_row(&c->table, k, m->ticket)) == NULL)
		children_out_of_memory();
	row->state = ROW_EARLY;
	row->child = m->child;
	row->is_born = true;
}

void children_hear(struct children *c, struct child_msg *m)
{
	struct child_row *row = kin_find_row(&c->table, m->parent, m->ticket);

	if (row == NULL) {
		hear_early(c, m);
		child_msg_free(m);
		return;
	}
	switch ((int)m->word) {
	case CHILD_END:
		hear_end(c, row, m);
		return;
	case CHILD_BORN:
		row->is_born = true;
		break;
	case CHILD_HERE:
		row->state = ROW_SENT;
		row->child = m->child;
		row->is_born = true;
		children_list_row(c, row);
		break;
	case CHILD_CAUGHT_UP:
		row->is_caught_up = true;
		children_set_unheard(c, row, false);
		break;
	}
	child_msg_free(m);
}
