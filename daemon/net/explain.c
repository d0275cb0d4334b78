#include "daemon/net/explain.h"

#include "daemon/run/children.h"
#include "daemon/run/pool.h"
#include "daemon/run/recover.h"
#include "daemon/run/semaphores.h"

#define TEXT_BYTES_MAX 200u     /* of a label, a program */
#define ADDRESS_BYTES_MAX 2000u /* of a task that is told of */

void explain_close(struct explanation *x)
{
	arena_close(&x->arena);
}

/* --- one wait --- */

/* What is told of it while the engine walks. */
struct sight {
	struct explanation    *x;
	struct loop           *l;
	const struct commands *cs;
	uint64_t               job;
};

static struct text kept(struct explanation *x, const char *at, size_t bytes)
{
	return (struct text){ arena_copy(&x->arena, at == NULL ? "" : at, bytes), bytes };
}

/* As JSON; NULL where there is none. What is very long loses its end. */
static struct text kept_value(struct explanation *x, struct value v)
{
	size_t      bytes;
	const char *at;
	struct buf  b = { 0 };
	struct text text = { 0 };

	if (value_is_none(v) || !value_is_type(v, VALUE_T_TEXT))
		return text;
	at = value_text(v)->at;
	bytes = value_text(v)->bytes;
	if (bytes > TEXT_BYTES_MAX)
		for (bytes = TEXT_BYTES_MAX; bytes > 0 && (at[bytes] & 0xc0) == 0x80; bytes--)
			;
	buf_add_json_string(&b, at, bytes);
	if (b.failed == GD_OK)
		text = kept(x, b.at, b.bytes);
	else
		x->arena.failed = true;
	buf_close(&b);
	return text;
}

struct holders {
	struct loop         *l;
	struct explain_line *line;
};

static bool see_holder(void *ctx, const struct semaphore_claim *c)
{
	struct holders *h = ctx;

	if (!c->is_held || h->line->holder_count == EXPLAIN_HOLDERS_MAX)
		return false;
	h->line->holders[h->line->holder_count++] =
		(struct explain_holder){ .job = c->job, .since = c->since };
	return true;
}

static void see_line(const struct sight *s, struct semaphores *table, struct text name,
                     uint32_t ticket, struct explain_line *line)
{
	struct holders         holders = { s->l, line };
	struct semaphore_place place;

	/* What has been asked for is told to the table when it is durable; until then it is not
	 * there. */
	if (!semaphores_place(table, s->job, ticket, &place))
		return;
	*line = (struct explain_line){ .is_known = true,
		                       .is_more = place.is_more,
		                       .permits = place.state.permits,
		                       .held = place.state.held,
		                       .waiting = place.state.waiting,
		                       .before = place.before,
		                       .since = loop_wall(s->l, place.claim.since) };
	(void)semaphores_who(table, name, see_holder, &holders);
	for (uint32_t i = 0; i < line->holder_count; i++)
		line->holders[i].since = loop_wall(s->l, line->holders[i].since);
}

static void see_command(const struct sight *s, uint32_t ticket, struct explain_wait *to)
{
	const struct command *c = command_find(&s->cs->table, s->job, ticket);

	if (c == NULL || to->kind == ENGINE_WAIT_TURN)
		return;
	to->begun = loop_wall(s->l, c->begun);
	to->grace = c->grace;
	to->pid = c->is_running ? c->pid : 0;
}

static struct text name_of(const struct engine_wait *w)
{
	if (value_is_none(w->name))
		return (struct text){ COMMANDS_POOL_USUAL, sizeof COMMANDS_POOL_USUAL - 1 };
	return (struct text){ value_text(w->name)->at, value_text(w->name)->bytes };
}

static bool see_wait(void *ctx, const struct engine_wait *w)
{
	struct sight        *s = ctx;
	struct explanation  *x = s->x;
	struct explain_wait *to;

	if (x->count == EXPLAIN_WAITS_MAX || w->address.bytes + w->on.bytes > ADDRESS_BYTES_MAX) {
		x->more++;
		return true;
	}
	to = &x->at[x->count++];
	*to = (struct explain_wait){ .kind = w->kind,
		                     .address = kept(x, w->address.at, w->address.bytes),
		                     .on = kept(x, w->on.at, w->on.bytes),
		                     .label = kept_value(x, w->label),
		                     .name = kept_value(x, w->name),
		                     .program = kept_value(x, w->program),
		                     .op = w->op,
		                     .attempt = w->attempt,
		                     .left = w->left,
		                     .count = w->count,
		                     .is_stopping = w->is_stopping,
		                     .until = w->until };
	if (w->kind == ENGINE_WAIT_PERMIT)
		see_line(s, s->l->pool->semaphores, name_of(w), w->ticket, &to->line);
	else if (w->kind == ENGINE_WAIT_TURN)
		see_line(s, s->l->pool->slots, name_of(w), w->ticket, &to->line);
	if (w->kind == ENGINE_WAIT_CHILD && children_find(s->l, s->job, w->ticket, &to->child))
		to->loop = pool_loop_of(s->l->pool, to->child)->index;
	if (w->attempt != 0)
		see_command(s, w->ticket, to);
	return true;
}

void explain_see(struct explanation *x, struct loop *l, const struct commands *cs, uint64_t job)
{
	const struct live_job *live = jobs_find(&l->jobs, job);
	struct sight           s = { x, l, cs, job };

	x->recovering = recover_left(l->pool);
	x->is_full = store_is_full(l->pool->store);
	x->is_missing = live == NULL && l->recovery != NULL;
	x->is_unsaved = live != NULL && live->start != NULL;
	x->at = arena_alloc(&x->arena, EXPLAIN_WAITS_MAX * sizeof *x->at);
	if (x->at != NULL && engine_each_wait(l->engine, job, see_wait, &s) == GD_NOMEM)
		x->arena.failed = true;
}
