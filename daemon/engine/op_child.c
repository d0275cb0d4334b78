/* create_task with `loop`: the task that stands for a child job. */
#include "daemon/engine/child.h"
#include "daemon/engine/ops.h"
#include "daemon/expr/fn.h"
#include "daemon/value/sayable.h"

/* --- in the maker --- */

static bool read_loop(struct running *r, const struct child *spec, struct value *out)
{
	if (!eval(r, spec->loop, out))
		return false;
	if (value_is_type(*out, VALUE_T_TEXT)
	            ? value_text(*out)->bytes > 0 && value_text(*out)->bytes <= LOOP_NAME_BYTES_MAX
	            : value_type(*out) == VALUE_T_INT && value_as_int(*out) >= 0)
		return true;
	if (value_is_type(*out, VALUE_T_TEXT) || value_type(*out) == VALUE_T_INT)
		(void)raise_text(r, "ValueError",
		                 "\"loop\" wants a name of 1 to %d bytes or a number from 0 on",
		                 LOOP_NAME_BYTES_MAX);
	else
		(void)raise_text(r, "TypeError", "\"loop\" wants a name or a number, not %s",
		                 value_type_name(*out));
	value_release(&r->e->heap, *out);
	return false;
}

/* What it sees goes to another loop, and to the disk: data only. */
static bool read_captures(struct running *r, const struct child *spec, struct value *out)
{
	const struct code *c = &r->j->program->codes[spec->code];
	const char        *why, *type;
	struct value       v;

	*out = value_list_new(&r->e->heap, c->capture_count);
	for (uint32_t i = 0; i < c->capture_count; i++) {
		v = c->captures[i] == CAPTURE_UNREAD
		            ? VALUE_NULL
		            : value_retain(r->t->top->slots[c->captures[i]]);
		*out = value_list_append(&r->e->heap, *out, value_is_none(v) ? VALUE_NULL : v);
	}
	type = engine_unsayable(r->e, *out, &why);
	if (type == NULL)
		return true;
	value_release(&r->e->heap, *out);
	if (strcmp(type, "TypeError") == 0)
		why = "holds a task: one of this loop cannot be awaited on another one";
	(void)raise_text(r, type, "what the task on another loop sees %s", why);
	return false;
}

enum step op_create_child(struct running *r, const struct op *op)
{
	const struct child *spec = &r->j->program->children[op->a];
	struct value_heap  *h = &r->e->heap;
	struct value        label, loop, captures;
	struct task        *t;

	if (r->j->tasks_live > JOB_TASKS_MAX)
		return raise_text(r, "LimitError", "a job may have %d live tasks", JOB_TASKS_MAX);
	if (!task_label(r, op->b, &label))
		return STEP_RAISED;
	if (!read_loop(r, spec, &loop)) {
		value_release(h, label);
		return STEP_RAISED;
	}
	if (!read_captures(r, spec, &captures)) {
		value_release(h, label);
		value_release(h, loop);
		return STEP_RAISED;
	}
	t = task_create(r, op, spec->proxy, label);
	if (t == NULL) {
		value_release(h, loop);
		value_release(h, captures);
		return STEP_WAIT;
	}
	t->frame.slots[CHILD_CAPTURES] = captures;
	t->frame.slots[CHILD_LOOP] = loop;
	return STEP_NEXT;
}

/* --- in the task --- */

static struct value take_slot(struct running *r, uint32_t slot)
{
	struct value v = r->t->top->slots[slot];

	r->t->top->slots[slot] = VALUE_NONE;
	return v;
}

enum step op_child(struct running *r, const struct op *op)
{
	struct value captures = take_slot(r, CHILD_CAPTURES), loop = take_slot(r, CHILD_LOOP);

	if (child_open(r, op, captures, loop) != NULL)
		r->t->sched.obj.state = TASK_PARENTING;
	return STEP_WAIT;
}

static struct value member(struct value outcome, const char *name)
{
	return value_is_type(outcome, VALUE_T_DICT) ? value_dict_get(outcome, name, strlen(name))
	                                            : VALUE_NONE;
}

static bool is_exception(struct value v)
{
	return value_is_type(v, VALUE_T_DICT) &&
	       value_is_type(value_dict_get(v, "type", 4), VALUE_T_TEXT);
}

enum step op_child_resume(struct running *r, const struct op *op)
{
	struct child_run *x = (struct child_run *)(void *)value_obj(r->t->top->slots[op->b]);
	struct value      result = member(x->outcome, "result");
	struct value      exc = member(x->outcome, "error");

	if (value_is_none(exc))
		exc = member(x->outcome, "cancelled");
	if (value_is_none(result) && !is_exception(exc))
		return raise_text(r, "InterruptedError", "nobody knows how the child job ended");
	(void)value_retain(result);
	(void)value_retain(exc);
	slot_set(r, op->b, VALUE_NONE);
	if (value_is_none(result))
		return raise_value(r, exc);
	slot_set(r, op->dst, result);
	return STEP_NEXT;
}
