/* Calls of built-in functions: to a thread and back. */
#include "daemon/effect/calls_inside.h"

#include "daemon/blocking/blocking.h"
#include "daemon/effect/thread_pool.h"
#include "daemon/run/busy.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Belongs to the thread until its message has come back. */
struct thread_call {
	struct thread_task      task;
	struct inbox_msg        msg;
	struct calls           *cs;
	struct run_ref          ref;
	struct value_heap       heap; /* of this call alone */
	struct value            function, args;
	struct blocking_outcome outcome;
	atomic_bool             is_unwanted;
};

static struct thread_call *of_task(struct thread_task *t)
{
	return (struct thread_call *)(void *)((char *)t - offsetof(struct thread_call, task));
}

static void drop(struct thread_call *t)
{
	value_release(&t->heap, t->function);
	value_release(&t->heap, t->args);
	value_release(&t->heap, t->outcome.result);
	value_release(&t->heap, t->outcome.data);
	free(t);
}

/* --- on a thread --- */

static void work(struct thread_task *task)
{
	struct thread_call *t = of_task(task);

	blocking_run(t->cs->blocking, value_text(t->function)->at, t->args, &t->heap,
	             &t->is_unwanted, &t->outcome);
}

static void done(struct thread_task *task)
{
	struct thread_call *t = of_task(task);

	loop_post_answer(t->cs->loop, &t->msg);
}

/* --- on the loop --- */

static struct value outcome_of(struct value_heap *h, const struct thread_call *t)
{
	const struct blocking_outcome *o = &t->outcome;

	if (t->heap.failed)
		return calls_error(h, "LimitError", "no memory for the result", VALUE_NONE);
	if (value_is_none(o->result))
		return calls_error(h, o->type, o->message,
		                   value_is_none(o->data) ? VALUE_NONE : value_copy(h, o->data));
	return calls_result(h, value_copy(h, o->result));
}

static void take_back(struct loop *l, struct inbox_msg *m)
{
	struct thread_call *t =
		(struct thread_call *)(void *)((char *)m - offsetof(struct thread_call, msg));
	struct pending *c;

	if (busy_defers(l, t->ref.job, m))
		return;
	c = pending_find(&t->cs->table, t->ref.job, t->ref.exec);
	if (c != NULL && c->thread == t)
		c->thread = NULL;
	else
		c = NULL; /* recalled meanwhile */
	if (c != NULL && !l->is_stopping)
		calls_end(t->cs, c, outcome_of(engine_heap(l->engine), t));
	drop(t);
}

void calls_start_thread(struct calls *cs, struct pending *c, struct value request)
{
	struct thread_call *t = calloc(1, sizeof *t);

	if (t == NULL)
		calls_out_of_memory();
	t->task.work = work;
	t->task.done = done;
	t->msg.run = take_back;
	t->cs = cs;
	t->ref = pending_ref(c);
	t->heap.hash_seed = engine_heap(cs->loop->engine)->hash_seed;
	t->outcome.result = t->outcome.data = VALUE_NONE;
	t->function = value_copy(&t->heap, value_dict_get(request, "function", 8));
	t->args = value_copy(&t->heap, value_dict_get(request, "args", 4));
	if (t->heap.failed)
		calls_out_of_memory();
	c->thread = t;
	thread_pool_run(cs->threads, &t->task);
}

void calls_hurry_thread(struct pending *c)
{
	atomic_store(&c->thread->is_unwanted, true);
}

void calls_drop_thread(struct calls *cs, struct pending *c)
{
	struct thread_call *t = c->thread;

	c->thread = NULL;
	if (thread_pool_recall(cs->threads, &t->task))
		drop(t);
	else
		atomic_store(&t->is_unwanted, true);
}
