#include "daemon/engine/join.h"
#include "daemon/value/sayable.h"

#include <stdarg.h>
#include <stdio.h>

/* What else than ops takes time, in steps of the budget. */
#define FUEL_PER_STEP 4
#define SAID_BYTES_PER_STEP 64 /* of a value that leaves the engine, until it is stored */

void slot_set(struct running *r, uint32_t slot, struct value v)
{
	struct value *at = &r->t->top->slots[slot];
	struct value  old = *at;

	*at = v;
	value_release(&r->e->heap, old);
}

/* --- addresses --- */

static void write_key(struct buf *b, const char *key)
{
	buf_add_byte(b, '/');
	for (; *key != '\0'; key++) {
		if (*key == '~')
			buf_add(b, "~0", 2);
		else if (*key == '/')
			buf_add(b, "~1", 2);
		else
			buf_add_byte(b, *key);
	}
}

/* Where the maker of a task stood: its node, and its address when that holds rounds. */
struct origin {
	uint32_t     node;
	struct value base;
};

static struct origin origin_of(const struct program *p, const struct task *t)
{
	const struct frame *f = t->top;

	if (f->caller == NULL && t->extra != NULL && !value_is_none(t->extra->base))
		return (struct origin){ t->extra->base_node, t->extra->base };
	if (f->caller == NULL && (t->sched.obj.flags & TASK_OF_JOIN)) {
		const struct join_run *jr = join_of(t->callbacks);

		if (!value_is_none(jr->base))
			return (struct origin){ jr->base_node, jr->base };
	}
	return (struct origin){ p->nodes[p->codes[f->code].node].parent, VALUE_NONE };
}

static void write_from(struct buf *b, const struct program *p, const struct origin *from,
                       uint32_t node, const struct task *t)
{
	const struct node *n;

	if (node == PROGRAM_NONE)
		return;
	if (node == from->node) {
		if (value_is_none(from->base))
			program_write_pointer(b, p, node);
		else
			buf_add(b, value_text(from->base)->at, value_text(from->base)->bytes);
		return;
	}
	n = &p->nodes[node];
	if (n->parent == PROGRAM_NONE)
		return;
	write_from(b, p, from, n->parent, t);
	write_key(b, n->key);
	if (n->is_branch) {
		buf_add_byte(b, '#');
		buf_add_u64(b, t->index);
	}
	if (n->counter != PROGRAM_NONE && value_is_int48(t->top->slots[n->counter])) {
		buf_add_byte(b, '#');
		buf_add_i64(b, value_as_int(t->top->slots[n->counter]) - 1);
	}
	if (n->attempt != PROGRAM_NONE && value_is_int48(t->top->slots[n->attempt])) {
		buf_add_byte(b, '@');
		buf_add_i64(b, value_as_int(t->top->slots[n->attempt]));
	}
}

void address_write(struct buf *b, const struct job *j, const struct task *t)
{
	const struct program *p = j->program;
	bool                  is_inside = (t->sched.obj.flags & TASK_STARTED) != 0;
	struct origin         from = origin_of(p, t);

	write_from(b, p, &from, is_inside ? p->ops[t->top->pc].node : p->codes[t->top->code].node,
	           t);
}

struct value address_base(struct running *r)
{
	struct engine *e = r->e;
	struct value   base;

	buf_clear(&e->scratch);
	address_write(&e->scratch, r->j, r->t);
	if (e->scratch.failed != GD_OK) {
		e->heap.failed = true;
		return VALUE_NONE;
	}
	if (e->scratch.bytes == 0 || (memchr(e->scratch.at, '#', e->scratch.bytes) == NULL &&
	                              memchr(e->scratch.at, '@', e->scratch.bytes) == NULL))
		return VALUE_NONE;
	base = value_text_new(&e->heap, e->scratch.at, e->scratch.bytes);
	return base;
}

/* --- exceptions --- */

struct value exception_new(struct engine *e, struct job *j, struct task *t, const char *type,
                           const char *message, size_t message_bytes)
{
	struct value exc = value_dict_new(&e->heap, 3);
	struct buf   path = { 0 };

	exc = member_put(e, exc, MEMBER_TYPE, value_text_new(&e->heap, type, strlen(type)));
	exc = member_put(e, exc, MEMBER_MESSAGE, value_text_new(&e->heap, message, message_bytes));
	address_write(&path, j, t);
	if (path.failed != GD_OK)
		e->heap.failed = true;
	exc = member_put(e, exc, MEMBER_PATH,
	                 value_text_new(&e->heap, path.at == NULL ? "" : path.at, path.bytes));
	buf_close(&path);
	return exc;
}

bool exception_is(struct value exc, const char *type)
{
	struct value is = value_dict_get(exc, "type", 4);

	return value_is_type(is, VALUE_T_TEXT) && strcmp(value_text(is)->at, type) == 0;
}

bool exception_is_ordinary(struct value exc)
{
	return !exception_is(exc, "CancelledError") && !exception_is(exc, "GeneratorExit");
}

const char *engine_unsayable(struct engine *e, struct value v, const char **why)
{
	size_t      bytes;
	const char *type = value_unsayable(v, &bytes, why);

	e->left -= (int64_t)(bytes / SAID_BYTES_PER_STEP);
	return type;
}

bool must_be_sayable(struct running *r, struct value v, const char *what)
{
	const char *why;
	const char *type = engine_unsayable(r->e, v, &why);

	if (type == NULL)
		return true;
	value_release(&r->e->heap, v);
	(void)raise_text(r, type, "%s %s", what, why);
	return false;
}

struct value exception_said(struct engine *e, struct value exc)
{
	const char  *why;
	struct value out;

	if (engine_unsayable(e, exc, &why) == NULL)
		return value_retain(exc);
	out = value_dict_new(&e->heap, value_dict(exc)->count);
	for (uint32_t i = 0; i < value_dict(exc)->count; i++) {
		const struct vpair *m = &value_dict(exc)->at[i];

		if (strcmp(value_text(m->key)->at, "data") != 0)
			out = value_dict_put(&e->heap, out, value_retain(m->key),
			                     value_retain(m->value));
	}
	return out;
}

enum step raise_value(struct running *r, struct value exc)
{
	r->exc = exc;
	return STEP_RAISED;
}

enum step raise_text(struct running *r, const char *type, const char *fmt, ...)
{
	char    text[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	return raise_value(r, exception_new(r->e, r->j, r->t, type, text, strlen(text)));
}

bool eval(struct running *r, uint32_t x, struct value *out)
{
	const struct program *p = r->j->program;
	const struct expr    *ex = &p->exprs[x];
	struct expr_env       env;
	struct expr_error     why;
	uint32_t              fuel = EXPR_FUEL;
	bool                  is_ok;

	if (ex->kind == EXPR_CONST) {
		*out = ex->constant;
		return true;
	}
	env = (struct expr_env){
		.slots = r->t->top->slots,
		.now = r->j->now + wall_ahead(&r->e->wall, r->j->now),
		.job_id = r->j->id,
		.job_title = r->j->title,
		.job_attempt = 1,
		.attempt = 1,
	};
	is_ok = expr_eval(&r->e->heap, &p->expr_code, ex, &env, &fuel, out, &why);
	r->e->left -= (EXPR_FUEL - fuel) / FUEL_PER_STEP;
	if (is_ok)
		return true;
	if (!r->e->heap.failed)
		(void)raise_text(r, why.type, "%s", why.message);
	else
		(void)raise_value(r, VALUE_NULL);
	return false;
}
