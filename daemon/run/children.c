#include "daemon/run/children_inside.h"

#include "daemon/run/busy.h"
#include "daemon/run/recover.h"
#include "proto/base/check.h"
#include "proto/base/failpoint.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLICE_NSEC (2 * GD_NSEC_PER_MSEC)

_Noreturn void children_out_of_memory(void)
{
	struct gd_error why;

	(void)gd_fail(&why, GD_NOMEM, "no memory for a child job");
	pool_die("loop.no_memory", &why);
}

gd_nsec children_monotonic(void)
{
	struct timespec now;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (gd_nsec)now.tv_sec * GD_NSEC_PER_SEC + now.tv_nsec;
}

/* --- words --- */

struct child_msg *child_msg_new(enum child_word word, uint64_t parent, uint32_t ticket,
                                uint64_t child, const char *text, size_t bytes)
{
	struct child_msg *m = calloc(1, sizeof *m + bytes + 1);

	if (m == NULL)
		children_out_of_memory();
	m->word = word;
	m->parent = parent;
	m->ticket = ticket;
	m->child = child;
	m->bytes = bytes;
	m->has_text = text != NULL;
	if (text != NULL)
		memcpy(m->text, text, bytes);
	return m;
}

void child_msg_free(struct child_msg *m)
{
	if (m->birth != NULL) {
		program_release(m->birth->program);
		arena_close(&m->birth->arena);
		free(m->birth);
	}
	free(m);
}

static void stand_in_line(struct children *c, struct child_msg *m)
{
	m->next = NULL;
	if (c->last_msg != NULL)
		c->last_msg->next = m;
	else
		c->first_msg = m;
	c->last_msg = m;
}

/* Also of one that had to wait for the replay of its job, or until that came to rest. */
static void take_msg(struct loop *l, struct inbox_msg *m)
{
	_Static_assert(offsetof(struct child_msg, msg) == 0, "it begins with its message");
	if (l->is_stopping) {
		child_msg_free((struct child_msg *)(void *)m); /* the next start finds it again */
		return;
	}
	stand_in_line(l->children, (struct child_msg *)(void *)m);
	l->is_busy = true; /* for one that waited, the slice of this turn is over */
}

void child_msg_send(struct children *c, struct loop *to, struct child_msg *m)
{
	m->msg.run = take_msg;
	if (to == c->loop)
		take_msg(to, &m->msg);
	else
		loop_post_answer(to, &m->msg); /* as many as there are children */
}

/* In the arena of its group. */
struct later {
	struct outbox_item item;
	uint64_t           to, parent, child;
	uint32_t           ticket;
	enum child_word    word;
};

static void release_later(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	const struct later *later = (struct later *)(void *)item;

	_Static_assert(offsetof(struct later, item) == 0, "it begins with its item");
	if (outcome != GD_OK || l->is_stopping)
		return;
	if (later->word == CHILD_BORN)
		GD_FAILPOINT("family.child_durable");
	child_msg_send(
		l->children, pool_loop_of(l->pool, later->to),
		child_msg_new(later->word, later->parent, later->ticket, later->child, NULL, 0));
}

void child_msg_send_durable(struct children *c, uint64_t to, enum child_word word, uint64_t parent,
                            uint32_t ticket, uint64_t child)
{
	struct store_group *g = loop_group(c->loop);
	struct later       *later = g == NULL ? NULL : arena_alloc(&g->arena, sizeof *later);

	if (later == NULL)
		children_out_of_memory();
	*later = (struct later){ .item.release = release_later,
		                 .to = to,
		                 .parent = parent,
		                 .child = child,
		                 .ticket = ticket,
		                 .word = word };
	outbox_add(g->outbox, &later->item);
}

/* --- what the engine puts out --- */

/* In the arena of its group. */
struct durable {
	struct outbox_item item;
	uint64_t           job;
	uint32_t           ticket;
	uint8_t            stops; /* 0: its SPAWN */
};

static void note_durable(struct children *c, struct child_row *row, uint8_t stops)
{
	if (stops > row->stops)
		row->stops = stops;
	row->is_durable = true; /* a stop is behind the SPAWN */
	children_list_row(c, row);
}

static void release_durable(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	const struct durable *d = (struct durable *)(void *)item;
	struct child_row     *row = kin_find_row(&l->children->table, d->job, d->ticket);

	_Static_assert(offsetof(struct durable, item) == 0, "it begins with its item");
	if (outcome != GD_OK || l->is_stopping || row == NULL)
		return;
	GD_FAILPOINT("family.spawn_durable");
	note_durable(l->children, row, d->stops);
}

/* In a replay all follows from what is durable. */
static void when_durable(struct children *c, struct child_row *row, uint8_t stops)
{
	struct store_group *g;
	struct durable     *d;

	if (children_is_replay(c, row->key.job)) {
		note_durable(c, row, stops);
		return;
	}
	g = loop_group(c->loop);
	d = g == NULL ? NULL : arena_alloc(&g->arena, sizeof *d);
	if (d == NULL)
		children_out_of_memory();
	*d = (struct durable){ .item.release = release_durable,
		               .job = row->key.job,
		               .ticket = row->key.ticket,
		               .stops = stops };
	outbox_add(g->outbox, &d->item);
}

static void obey_spawn(struct children *c, const struct engine_out *out)
{
	struct kin       *k = kin_find(&c->table, out->job);
	struct child_row *row = kin_find_row(&c->table, out->job, out->ticket);

	CHECK(k != NULL);
	if (row != NULL) {
		CHECK(row->state == ROW_EARLY);
		row->state = ROW_SENT;
		children_set_unheard(c, row,
		                     k->is_settling && !row->is_caught_up && row->end == NULL);
		when_durable(c, row, 0);
		return;
	}
	if ((row = kin_add_row(&c->table, k, out->ticket)) == NULL)
		children_out_of_memory();
	/* What a timer led to before the restart comes out again after it. */
	row->state = k->is_from_past && out->time <= c->resumed ? ROW_LOST : ROW_WAITING;
	children_set_unheard(c, row, k->is_settling);
	when_durable(c, row, 0);
}

static void obey_stop(struct children *c, const struct engine_out *out)
{
	struct child_row   *row = kin_find_row(&c->table, out->job, out->ticket);
	const struct vtext *text;

	CHECK(row != NULL && row->state != ROW_EARLY);
	row->stop_time = out->time;
	if (value_is_type(out->data, VALUE_T_TEXT) && row->stop_message == NULL) {
		text = value_text(out->data);
		if ((row->stop_message = malloc(text->bytes + 1)) == NULL)
			children_out_of_memory();
		memcpy(row->stop_message, text->at, text->bytes + 1);
	}
	when_durable(c, row, out->kind == ENGINE_SPAWN_STOP ? 1 : 2);
}

void children_obey(struct loop *l, const struct engine_out *out)
{
	if (out->kind == ENGINE_SPAWN)
		obey_spawn(l->children, out);
	else
		obey_stop(l->children, out);
}

void children_took(struct loop *l, const struct engine_in *in)
{
	struct children  *c = l->children;
	struct child_row *row = kin_find_row(&c->table, in->job, in->ticket);

	if (row == NULL)
		return;
	children_set_unheard(c, row, false);
	kin_remove_row(&c->table, row);
}

/* --- jobs that come and go --- */

static struct kin *add_kin(struct children *c, uint64_t job)
{
	struct kin *k = kin_find(&c->table, job);

	if (k != NULL)
		return k; /* a child that may have children */
	if ((k = kin_add(&c->table, job)) == NULL)
		children_out_of_memory();
	k->is_from_past = children_is_replay(c, job);
	if (k->is_from_past)
		children_begin_settling(c, k);
	return k;
}

void children_add_parent(struct loop *l, uint64_t job)
{
	(void)add_kin(l->children, job);
}

void children_set_last_ticket(struct loop *l, uint64_t job, uint32_t ticket)
{
	add_kin(l->children, job)->last_ticket = ticket;
}

uint32_t children_last_ticket(const struct loop *l, uint64_t job)
{
	const struct kin *k = kin_find(&l->children->table, job);

	return k == NULL ? 0 : k->last_ticket;
}

void children_add_child(struct loop *l, uint64_t job, uint64_t parent, uint32_t ticket)
{
	struct kin *k = add_kin(l->children, job);

	k->parent = parent;
	k->ticket = ticket;
}

/* In the arena of its group. */
struct farewell {
	struct outbox_item item;
	uint64_t           parent, child;
	uint32_t           ticket;
	enum job_status    status;
	gd_nsec            time;
	struct text        outcome;
};

static void release_farewell(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	const struct farewell *f = (struct farewell *)(void *)item;
	struct child_msg      *m;

	_Static_assert(offsetof(struct farewell, item) == 0, "it begins with its item");
	if (outcome != GD_OK || l->is_stopping)
		return;
	GD_FAILPOINT("family.child_ended");
	m = child_msg_new(CHILD_END, f->parent, f->ticket, f->child, f->outcome.at,
	                  f->outcome.bytes);
	m->status = f->status;
	m->time = f->time;
	child_msg_send(l->children, pool_loop_of(l->pool, f->parent), m);
}

static void say_farewell(struct children *c, const struct kin *k, enum job_status status,
                         gd_nsec time, struct text outcome)
{
	struct store_group *g = loop_group(c->loop);
	struct farewell    *f = g == NULL ? NULL : arena_alloc(&g->arena, sizeof *f);

	if (f == NULL)
		children_out_of_memory();
	*f = (struct farewell){ .item.release = release_farewell,
		                .parent = k->parent,
		                .child = k->key.job,
		                .ticket = k->ticket,
		                .status = status,
		                .time = time,
		                .outcome = outcome };
	outbox_add(g->outbox, &f->item);
}

void children_job_ended(struct loop *l, uint64_t job, enum job_status status, gd_nsec time,
                        struct text outcome)
{
	struct children *c = l->children;
	struct kin      *k = kin_find(&c->table, job);

	if (k == NULL)
		return;
	if (k->ticket != 0)
		say_farewell(c, k, status, time, outcome);
	/* Only who is set aside leaves children behind. They end as well; one of which nothing is
	 * known tells of itself, and finds nobody. */
	while (k->rows != NULL) {
		struct child_row *row = k->rows;

		if (row->child != 0 && row->end == NULL)
			child_msg_send_durable(c, row->child, CHILD_STOP, job, row->key.ticket,
			                       row->child);
		children_set_unheard(c, row, false);
		kin_remove_row(&c->table, row);
	}
	children_end_settling(c, k);
	kin_remove(&c->table, k);
}

bool children_find(const struct loop *l, uint64_t job, uint32_t ticket, uint64_t *child)
{
	const struct child_row *row = kin_find_row(&l->children->table, job, ticket);

	if (row == NULL || !row->is_born)
		return false;
	*child = row->child;
	return true;
}

/* --- in line --- */

void children_list_row(struct children *c, struct child_row *row)
{
	if (row->is_listed)
		return;
	row->is_listed = true;
	row->next_due = NULL;
	if (c->last_row != NULL)
		c->last_row->next_due = row;
	else
		c->first_row = row;
	c->last_row = row;
}

static void take_row(struct children *c)
{
	struct child_row *row = c->first_row;

	c->first_row = row->next_due;
	if (c->first_row == NULL)
		c->last_row = NULL;
	row->is_listed = false;
	if (row->is_gone)
		kin_row_free(row);
	else
		children_go(c, row);
}

/* Whoever lives has told of itself. */
static void list_lost(struct children *c)
{
	for (struct kin *k = kin_next(&c->table, NULL); k != NULL; k = kin_next(&c->table, k))
		for (struct child_row *row = k->rows; row != NULL; row = row->next)
			if (row->state == ROW_LOST)
				children_list_row(c, row);
}

static void take_word(struct children *c)
{
	struct child_msg *m = c->first_msg;
	const uint64_t of = m->word == CHILD_BIRTH || m->word == CHILD_STOP ? m->child : m->parent;

	c->first_msg = m->next;
	if (c->first_msg == NULL)
		c->last_msg = NULL;
	if (m->word == CHILD_ALL_HERE) {
		child_msg_free(m);
		if (++c->here == c->loop->pool->count)
			list_lost(c);
		return;
	}
	if (m->word != CHILD_BIRTH &&
	    (recover_defers(c->loop, of, &m->msg) || busy_defers(c->loop, of, &m->msg)))
		return;
	if (m->word == CHILD_BIRTH || m->word == CHILD_STOP)
		child_job_hear(c, m);
	else
		children_hear(c, m);
}

bool children_slice(struct loop *l)
{
	struct children *c = l->children;
	gd_nsec          end;

	if (c->first_msg == NULL && c->first_row == NULL && c->first_ask == NULL &&
	    c->first_kin == NULL)
		return false;
	end = children_monotonic() + SLICE_NSEC;
	while ((c->first_msg != NULL || c->first_row != NULL) && !loop_is_ahead(l) &&
	       children_monotonic() < end) {
		if (c->first_row != NULL)
			take_row(c);
		else
			take_word(c);
	}
	children_ask(c);
	if (children_settle(c, end))
		return true;
	return (c->first_msg != NULL || c->first_row != NULL) && !loop_is_ahead(l);
}

/* --- life --- */

enum gd_err children_open(struct loop *l, struct gd_error *why)
{
	struct children *c = calloc(1, sizeof *c);

	if (c == NULL)
		return gd_fail(why, GD_NOMEM, "children: %zu bytes", sizeof *c);
	c->loop = l;
	c->resumed = GD_NSEC_NEVER;
	l->children = c;
	return GD_OK;
}

static void free_rows(struct child_row *row)
{
	for (struct child_row *next; row != NULL; row = next) {
		next = row->next_due;
		row->is_listed = false;
		if (row->is_gone)
			kin_row_free(row);
	}
}

static void free_table(struct children *c)
{
	for (struct kin *k = kin_next(&c->table, NULL); k != NULL; k = kin_next(&c->table, NULL)) {
		while (k->rows != NULL) {
			k->rows->is_listed = false;
			kin_remove_row(&c->table, k->rows);
		}
		k->is_listed = false;
		kin_remove(&c->table, k);
	}
	kin_table_close(&c->table);
}

void children_close(struct children *c)
{
	if (c == NULL)
		return;
	for (struct child_msg *m = c->first_msg, *next; m != NULL; m = next) {
		next = m->next;
		child_msg_free(m);
	}
	free_rows(c->first_row);
	free_rows(c->first_ask);
	for (struct kin *k = c->first_kin, *next; k != NULL; k = next) {
		next = k->next_due;
		k->is_listed = false;
		if (k->is_gone)
			free(k);
	}
	free_table(c);
	if (c->patience != NULL)
		event_free(c->patience);
	free(c);
}
