#include "daemon/engine/exec.h"

static struct exec_run *exec_of(struct claim *c)
{
	return (struct exec_run *)(void *)c;
}

static enum exec_state state_of(const struct exec_run *x)
{
	return (enum exec_state)x->claim.sched.obj.state;
}

static bool has(const struct exec_run *x, unsigned flag)
{
	return (x->claim.sched.obj.flags & flag) != 0;
}

struct exec_run *exec_awaited(const struct task *t)
{
	const struct op *op = &t->job->program->ops[t->top->pc];

	CHECK(t->sched.obj.state == TASK_EXECUTING);
	return (struct exec_run *)(void *)value_obj(t->top->slots[op->b]);
}

/* --- deadline --- */

static void disarm(struct engine *e, struct exec_run *x)
{
	if (has(x, EXEC_ARMED))
		timer_heap_disarm(&e->timers, &x->claim.sched.at.timer);
	x->claim.sched.obj.flags &= (uint8_t)~EXEC_ARMED;
}

static void arm(struct engine *e, struct exec_run *x)
{
	gd_nsec due;

	if (x->timeout <= 0)
		exec_expired(e, x);
	else if (x->timeout != GD_NSEC_NEVER &&
	         !__builtin_add_overflow(x->claim.job->now, x->timeout, &due) &&
	         timer_arm(e, &x->claim.sched, due))
		x->claim.sched.obj.flags |= EXEC_ARMED;
}

/* --- outputs --- */

static void put(struct engine *e, struct exec_run *x, enum engine_out_kind kind, struct value data)
{
	struct engine_outs *outs = e->outs;
	struct engine_out  *out = engine_put_claim(e, &x->claim, kind, data);

	if (out == NULL)
		return;
	out->attempt = x->attempt;
	out->path = (uint32_t)outs->paths.bytes;
	out->path_bytes = value_text(x->path)->bytes;
	buf_add(&outs->paths, value_text(x->path)->at, value_text(x->path)->bytes);
	if (outs->paths.failed != GD_OK)
		e->heap.failed = true;
}

static void put_wish(struct engine *e, struct exec_run *x)
{
	put(e, x, x->kind == EXEC_CALL ? ENGINE_CALL : ENGINE_EXEC, x->request);
}

static void put_stop(struct engine *e, struct exec_run *x)
{
	put(e, x, ENGINE_STOP, VALUE_NONE);
	x->claim.sched.obj.state = EXEC_STOPPING;
}

void exec_want_lines(struct engine *e, struct exec_run *x)
{
	if (state_of(x) == EXEC_RUNNING || state_of(x) == EXEC_STOPPING)
		put(e, x, ENGINE_MORE, VALUE_NONE);
}

/* --- beginning and end --- */

/* The address of the running op. */
static struct value address_of(struct running *r)
{
	struct buf *b = &r->e->scratch;

	buf_clear(b);
	address_write(b, r->j, r->t);
	if (b->failed != GD_OK) {
		r->e->heap.failed = true;
		return VALUE_NONE;
	}
	return value_text_new(&r->e->heap, b->at == NULL ? "" : b->at, b->bytes);
}

/* `like` says what is asked for; its request is taken. */
static struct exec_run *open(struct running *r, const struct op *op, const struct exec_run *like)
{
	struct exec_run *x = slab_alloc(&r->e->slab, sizeof *x);

	if (x == NULL) {
		r->e->heap.failed = true;
		value_release(&r->e->heap, like->request);
		return NULL;
	}
	*x = *like;
	x->path = address_of(r);
	x->outcome = x->lines = x->cancel = VALUE_NONE;
	x->attempt = 1;
	claim_open(&x->claim, VALUE_T_EXEC, r->t);
	x->claim.sched.obj.state = EXEC_WAITING;
	slot_set(r, op->b, value_of_obj(x));
	if (r->e->heap.failed || (r->t->sched.obj.flags & TASK_MUST_CANCEL)) {
		x->claim.sched.obj.state = EXEC_ENDED;
		claim_close(&x->claim);
	} else {
		x->claim.sched.obj.refs++;
		put_wish(r->e, x);
	}
	return x;
}

struct exec_run *exec_open_command(struct running *r, const struct op *op)
{
	const struct exec *spec = &r->j->program->execs[op->a];
	struct exec_run    like = { .kind = EXEC_COMMAND,
		                    .interrupt = spec->interrupt,
		                    .checks = (spec->flags & EXEC_CHECKS) != 0 };

	if (!exec_request(r, spec, &like.request, &like.timeout))
		return NULL;
	return open(r, op, &like);
}

struct exec_run *exec_open_call(struct running *r, const struct op *op)
{
	const struct outcall *spec = &r->j->program->outcalls[op->a];
	struct exec_run       like = { .kind = EXEC_CALL,
		                       .timeout = GD_NSEC_NEVER,
		                       .checks = spec->checks };
	enum exec_interrupt   interrupt;

	if (!outcall_request(r, spec, &like.request, &interrupt))
		return NULL;
	like.interrupt = (uint8_t)interrupt;
	return open(r, op, &like);
}

void exec_free(struct engine *e, struct exec_run *x)
{
	CHECK(state_of(x) == EXEC_ENDED);
	value_release(&e->heap, x->request);
	value_release(&e->heap, x->path);
	value_release(&e->heap, x->outcome);
	value_release(&e->heap, x->lines);
	value_release(&e->heap, x->cancel);
	slab_free(&e->slab, x, sizeof *x);
}

static void end(struct engine *e, struct exec_run *x)
{
	disarm(e, x);
	x->claim.sched.obj.state = EXEC_ENDED;
	claim_close(&x->claim);
	sched_release(e, &x->claim.sched);
}

/* Who waits for it goes on. Only a slot of a live task holds it beside the list. */
static void wake(struct exec_run *x)
{
	struct task *t = x->claim.task;

	if (x->claim.sched.obj.refs > 1 && t != NULL && t->sched.obj.state == TASK_EXECUTING &&
	    exec_awaited(t) == x)
		task_wake(x->claim.job, t);
}

/* --- stopping --- */

bool exec_stop(struct engine *e, struct exec_run *x)
{
	x->claim.sched.obj.flags |= EXEC_DEAF;
	disarm(e, x);
	switch (state_of(x)) {
	case EXEC_WAITING:
	case EXEC_HELD:
		put(e, x, ENGINE_RECALL, VALUE_NONE);
		end(e, x);
		return false;
	case EXEC_RUNNING:
		if (x->kind == EXEC_CALL) {
			put(e, x, ENGINE_RECALL, VALUE_NONE);
			end(e, x);
			return false;
		}
		put_stop(e, x);
		return true;
	case EXEC_STOPPING:
		return true;
	case EXEC_ENDED:
		return false;
	}
	CHECK_NEVER("exec_stop: unknown state");
}

bool exec_stop_awaited(struct engine *e, struct task *t)
{
	return exec_stop(e, exec_awaited(t));
}

void exec_expired(struct engine *e, struct exec_run *x)
{
	CHECK(state_of(x) == EXEC_RUNNING);
	x->claim.sched.obj.flags = (uint8_t)((x->claim.sched.obj.flags & ~EXEC_ARMED) | EXEC_LATE);
	put_stop(e, x);
}

void exec_abandon(struct engine *e, struct exec_run *x)
{
	x->claim.task = NULL;
	(void)exec_stop(e, x);
}

void exec_kill_all(struct engine *e, struct job *j)
{
	for (struct claim *c = j->claims; c != NULL; c = c->next) {
		if (c->sched.obj.type != VALUE_T_EXEC || c->sched.obj.state != EXEC_STOPPING ||
		    (c->sched.obj.flags & EXEC_KILLED))
			continue;
		c->sched.obj.flags |= EXEC_KILLED;
		put(e, exec_of(c), ENGINE_KILL, VALUE_NONE);
	}
}

bool exec_is_left(struct engine *e, struct job *j)
{
	bool is_left = false;

	for (struct claim *c = j->claims, *next; c != NULL; c = next) {
		next = c->next;
		if (c->sched.obj.type != VALUE_T_EXEC)
			continue;
		if (exec_stop(e, exec_of(c)))
			is_left = true;
	}
	return is_left;
}

void exec_drop_all(struct engine *e, struct job *j)
{
	for (struct claim *c = j->claims, *next; c != NULL; c = next) {
		next = c->next;
		if (c->sched.obj.type == VALUE_T_EXEC)
			end(e, exec_of(c));
	}
}

/* --- inputs --- */

static void begin(struct engine *e, struct exec_run *x)
{
	if (state_of(x) != EXEC_WAITING)
		return;
	x->claim.sched.obj.state = EXEC_RUNNING;
	arm(e, x);
}

static void again(struct engine *e, struct exec_run *x)
{
	x->claim.sched.obj.state = EXEC_WAITING;
	x->claim.sched.obj.flags &= (uint8_t)~EXEC_KILLED;
	x->attempt++;
	put_wish(e, x);
}

static void keep_outcome(struct engine *e, struct exec_run *x, struct value outcome)
{
	value_release(&e->heap, x->outcome);
	x->outcome = value_copy(&e->heap, outcome);
}

static void exited(struct engine *e, struct exec_run *x, struct value outcome)
{
	enum exec_interrupt then = (enum exec_interrupt)x->interrupt;
	bool                is_early = x->kind == EXEC_CALL && state_of(x) == EXEC_WAITING;

	if (state_of(x) != EXEC_RUNNING && state_of(x) != EXEC_STOPPING && !is_early)
		return;
	disarm(e, x);
	if (state_of(x) != EXEC_STOPPING && exec_outcome_is_interrupted(outcome)) {
		if (then == EXEC_INTERRUPT_RETRY && x->attempt < EXEC_ATTEMPTS_MAX) {
			again(e, x);
			return;
		}
		if (then == EXEC_INTERRUPT_HOLD) {
			keep_outcome(e, x, outcome);
			x->claim.sched.obj.state = EXEC_HELD;
			return;
		}
	}
	keep_outcome(e, x, outcome);
	wake(x);
	end(e, x);
}

static bool takes_lines(const struct exec_run *x)
{
	return (state_of(x) == EXEC_RUNNING || state_of(x) == EXEC_STOPPING) && !has(x, EXEC_DEAF);
}

/* What an attempt that was interrupted has left comes first. */
static void take_lines(struct engine *e, struct exec_run *x, struct value lines)
{
	struct value_heap *h = &e->heap;
	struct value       all;

	if (!takes_lines(x) || !value_is_type(lines, VALUE_T_LIST) || value_list(lines)->count == 0)
		return;
	all = value_is_none(x->lines) ? value_copy(h, lines) : value_list_new(h, 0);
	if (!value_is_none(x->lines)) {
		for (uint32_t i = x->next_line; i < value_list(x->lines)->count; i++)
			all = value_list_append(h, all, value_retain(value_list(x->lines)->at[i]));
		for (uint32_t i = 0; i < value_list(lines)->count; i++)
			all = value_list_append(h, all, value_copy(h, value_list(lines)->at[i]));
	}
	value_release(h, x->lines);
	x->lines = all;
	x->next_line = 0;
	wake(x);
}

static void resume(struct engine *e, struct exec_run *x, struct value what)
{
	if (state_of(x) != EXEC_HELD || !value_is_type(what, VALUE_T_TEXT))
		return;
	if (strcmp(value_text(what)->at, "retry") == 0) {
		again(e, x);
		return;
	}
	wake(x);
	end(e, x);
}

void exec_take(struct engine *e, struct job *j, const struct engine_in *in)
{
	struct claim *c = claim_find(j, VALUE_T_EXEC, in->ticket);

	if (c == NULL || exec_of(c)->attempt != in->attempt)
		return;
	switch (in->kind) {
	case ENGINE_BEGIN:
		begin(e, exec_of(c));
		return;
	case ENGINE_EXITED:
		exited(e, exec_of(c), in->message);
		return;
	case ENGINE_LINES:
		take_lines(e, exec_of(c), in->message);
		return;
	case ENGINE_RESUME:
		resume(e, exec_of(c), in->message);
		return;
	case ENGINE_TIME:
	case ENGINE_START:
	case ENGINE_CANCEL:
	case ENGINE_GRANT:
	case ENGINE_NOW:
	case ENGINE_SIGNAL:
	case ENGINE_CHILD_ENDED:
		break;
	}
	CHECK_NEVER("exec_take: not of a command");
}

/* --- looking --- */

struct value engine_request(const struct engine *e, uint64_t job, uint32_t ticket)
{
	const struct job *j = job_find(e, job);
	struct claim     *c = j == NULL ? NULL : claim_find(j, VALUE_T_EXEC, ticket);

	return c == NULL ? VALUE_NONE : exec_of(c)->request;
}
