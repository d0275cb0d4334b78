#include "tests/sim/family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void *grown(void *at, uint32_t *room, uint32_t count, size_t bytes)
{
	if (count < *room)
		return at;
	*room = *room == 0 ? 16 : *room * 2;
	at = realloc(at, *room * bytes);
	assert_non_null(at);
	return at;
}

void family_close(struct family *f, struct value_heap *h)
{
	for (uint32_t i = f->first_word; i < f->word_count; i++)
		value_release(h, f->words[i].data);
	free(f->children);
	free(f->words);
	*f = (struct family){ 0 };
}

bool family_is_child(uint64_t job)
{
	return job >= FAMILY_FIRST_ID;
}

static bool is_of_family(const struct engine_out *o)
{
	if (o->kind == ENGINE_SPAWN || o->kind == ENGINE_SPAWN_STOP || o->kind == ENGINE_SPAWN_KILL)
		return true;
	return family_is_child(o->job) &&
	       (o->kind == ENGINE_JOB_COMPLETED || o->kind == ENGINE_JOB_FAILED ||
	        o->kind == ENGINE_JOB_CANCELLED);
}

void family_note(struct family *f, struct value_heap *h, const struct engine_out *o)
{
	if (!is_of_family(o))
		return;
	if (f->first_word == f->word_count)
		f->first_word = f->word_count = 0;
	f->words = grown(f->words, &f->word_room, f->word_count, sizeof *f->words);
	f->words[f->word_count++] = (struct family_word){ .kind = o->kind,
		                                          .job = o->job,
		                                          .ticket = o->ticket,
		                                          .time = o->time,
		                                          .data = value_copy(h, o->data) };
}

static uint64_t find(const struct family *f, uint64_t parent, uint32_t ticket)
{
	for (uint32_t i = 0; i < f->count; i++)
		if (f->children[i].parent == parent && f->children[i].ticket == ticket)
			return FAMILY_FIRST_ID + i;
	fail_msg("no child of job %u under ticket %u", (unsigned)parent, (unsigned)ticket);
	return 0;
}

static void make_start(struct family *f, struct engine *e, const struct family_word *w,
                       struct engine_in *in)
{
	struct engine_child_info info;

	assert_true(engine_child(e, w->job, w->ticket, &info));
	f->children = grown(f->children, &f->room, f->count, sizeof *f->children);
	f->children[f->count] = (struct family_child){ w->job, w->ticket };
	*in = (struct engine_in){ .kind = ENGINE_START,
		                  .time = w->time,
		                  .job = FAMILY_FIRST_ID + f->count++,
		                  .program = program_retain(info.program),
		                  .code = info.program->children[info.child].code,
		                  .args = value_list(info.captures)->at,
		                  .title = VALUE_NULL,
		                  .message = value_is_none(info.base) ? VALUE_NULL
		                                                      : value_retain(info.base) };
}

static void make_end(const struct family *f, struct engine *e, const struct family_word *w,
                     struct engine_in *in)
{
	const struct family_child *c = &f->children[w->job - FAMILY_FIRST_ID];
	struct value_heap         *h = engine_heap(e);
	const char                *name = w->kind == ENGINE_JOB_COMPLETED ? "result"
	                                  : w->kind == ENGINE_JOB_FAILED  ? "error"
	                                                                  : "cancelled";
	struct engine_job_info     parent;

	*in = (struct engine_in){ .kind = ENGINE_CHILD_ENDED,
		                  .time = w->time,
		                  .job = c->parent,
		                  .ticket = c->ticket,
		                  .message = value_dict_put(h, value_dict_new(h, 1),
		                                            value_text_new(h, name, strlen(name)),
		                                            w->data) };
	assert_true(engine_job_info(e, c->parent, &parent));
	if (in->time < parent.now)
		in->time = parent.now;
}

bool family_next(struct family *f, struct engine *e, struct engine_in *in)
{
	const struct family_word *w;
	struct engine_job_info    info;

	while (f->first_word < f->word_count) {
		w = &f->words[f->first_word++];
		if (w->kind == ENGINE_SPAWN) {
			make_start(f, e, w, in);
			return true;
		}
		if (w->kind != ENGINE_SPAWN_STOP && w->kind != ENGINE_SPAWN_KILL) {
			make_end(f, e, w, in);
			return true;
		}
		*in = (struct engine_in){ .kind = ENGINE_CANCEL,
			                  .time = w->time,
			                  .job = find(f, w->job, w->ticket),
			                  .message = w->kind == ENGINE_SPAWN_STOP ? w->data
			                                                          : VALUE_NULL,
			                  .is_of_parent = true };
		if (engine_job_info(e, in->job, &info)) {
			in->time = in->time < info.now ? info.now : in->time;
			return true;
		}
		value_release(engine_heap(e), in->message); /* it has ended, and says so */
	}
	return false;
}
