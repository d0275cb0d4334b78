#include "daemon/load/loader.h"
#include "proto/base/check.h"

#include <stdlib.h>
#include <string.h>

/* --- captures --- */

static void capture(struct loader *l, struct draft *d, uint32_t source)
{
	const struct binding *from = &l->names.binding[source];

	(void)names_bind_again(&l->names, from->symbol,
	                       (struct binding){ .code = d->code,
	                                         .slot = d->capture_count,
	                                         .source = source,
	                                         .is_fixed = from->is_fixed });
	d->capture_count++;
}

/* Captures every visible name of the maker that the text of `body` mentions. */
static void capture_names(struct loader *l, struct draft *d, const json_t *body)
{
	struct mention_range range = mentions_in(&l->mentions, body);
	uint32_t             source;

	for (uint32_t i = range.from; i < range.to; i++) {
		if (d->is_child && l->mentions.symbol[i] == l->mentions.undo)
			continue;
		source = names_newest(&l->names, l->mentions.symbol[i]);
		if (source != BINDING_NONE && l->names.binding[source].code == d->maker->code)
			capture(l, d, source);
	}
}

static void begin(struct loader *l, struct draft *d, uint32_t code, const json_t *body,
                  bool is_child)
{
	*d = (struct draft){ .maker = l->draft,
		             .code = code,
		             .handler = PROGRAM_NONE,
		             .except_pair = PROGRAM_NONE,
		             .first_binding = l->names.binding_count,
		             .is_concurrent = body != NULL,
		             .is_child = is_child };
	if (body != NULL && !loader_failed(l))
		capture_names(l, d, body);
	l->draft = d;
	(void)slots_take(l, d->capture_count);
	d->bound_top = d->top;
}

void draft_begin(struct loader *l, struct draft *d, uint32_t code, const json_t *body)
{
	begin(l, d, code, body, false);
}

void draft_begin_child(struct loader *l, struct draft *d, uint32_t code, const json_t *body)
{
	begin(l, d, code, body, true);
}

/* The slots of the maker that fill the first slots of a branch. A capture that nothing reads gets
 * the value of one that is read, so that it keeps nothing alive; those at the end are dropped. */
static uint16_t *take_captures(struct loader *l, const struct draft *d, uint32_t *count)
{
	const struct binding *capture;
	struct binding       *source;
	uint16_t             *slots;
	uint16_t              used_slot = 0;

	*count = 0;
	if (d->capture_count == 0)
		return NULL; /* there may be no table yet */
	capture = l->names.binding + d->first_binding;
	for (uint32_t i = 0; i < d->capture_count; i++)
		if (capture[i].is_used)
			*count = i + 1;
	if (*count == 0)
		return NULL;
	slots = calloc(*count, sizeof *slots);
	if (slots == NULL) {
		l->b.failed = true;
		return NULL;
	}
	used_slot = d->is_child ? CAPTURE_UNREAD
	                        : (uint16_t)l->names.binding[capture[*count - 1].source].slot;
	for (uint32_t i = 0; i < *count; i++) {
		source = &l->names.binding[capture[i].source];
		slots[i] = capture[i].is_used ? (uint16_t)source->slot : used_slot;
		source->is_used = source->is_used || capture[i].is_used;
	}
	return slots;
}

void draft_end(struct loader *l, struct draft *d, const struct place *at, uint32_t slot)
{
	struct code body = { .node = at->node };

	(void)emit(l, at, OP_END, slot, PROGRAM_NONE, PROGRAM_NONE, PROGRAM_NONE);
	if (d->slot_count > SLOTS_MAX)
		loader_problem(l, at, "",
		               "more than %d names and intermediate results in one coroutine",
		               SLOTS_MAX);
	body.capture_count = (uint16_t)d->capture_count;
	if (d->maker != NULL && !loader_failed(l)) {
		uint32_t count;

		body.captures = take_captures(l, d, &count);
		body.capture_count = (uint16_t)count;
	}
	body.slot_count = (uint16_t)d->slot_count;
	body.op_count = d->op_count;
	body.is_generator = d->is_generator;
	CHECK(d->handler == PROGRAM_NONE);
	build_code_set(&l->b, d->code, body, d->ops, d->handlers, d->handler_count);
	names_leave(&l->names, d->first_binding);
	free(d->ops);
	free(d->handlers);
	d->ops = NULL;
	d->handlers = NULL;
	l->draft = d->maker;
}

/* --- ops --- */

uint32_t emit(struct loader *l, const struct place *at, enum op_kind kind, uint32_t dst, uint32_t a,
              uint32_t b, uint32_t c)
{
	struct draft *d = l->draft;

	if (d->op_count == d->op_room) {
		uint32_t   room = d->op_room == 0 ? 8 : d->op_room * 2;
		struct op *ops = realloc(d->ops, room * sizeof *ops);

		if (ops == NULL) {
			l->b.failed = true;
			return 0;
		}
		d->ops = ops;
		d->op_room = room;
	}
	d->ops[d->op_count] = (struct op){ .kind = (uint8_t)kind,
		                           .dst = (uint16_t)dst,
		                           .a = a,
		                           .b = b,
		                           .c = c,
		                           .node = at->node,
		                           .handler = d->handler };
	return d->op_count++;
}

void emit_land(struct loader *l, uint32_t position)
{
	if (!l->b.failed)
		l->draft->ops[position].a = l->draft->op_count;
}

uint32_t emit_jump(struct loader *l, const struct place *at, uint32_t before)
{
	return emit(l, at, OP_JUMP, 0, before, PROGRAM_NONE, PROGRAM_NONE);
}

void emit_land_all(struct loader *l, uint32_t last)
{
	while (last != PROGRAM_NONE && !l->b.failed) {
		uint32_t before = l->draft->ops[last].a;

		emit_land(l, last);
		last = before;
	}
}

void emit_null(struct loader *l, const struct place *at, uint32_t dst)
{
	uint32_t x = expr_build_const(&l->b.exprs, VALUE_NULL, at->node);

	(void)emit(l, at, OP_EVAL, dst, x, PROGRAM_NONE, PROGRAM_NONE);
}

void emit_copy(struct loader *l, const struct place *at, uint32_t dst, uint32_t from)
{
	uint32_t x = expr_build_slot(&l->b.exprs, from, at->node);

	(void)emit(l, at, OP_EVAL, dst, x, PROGRAM_NONE, PROGRAM_NONE);
}

uint32_t emit_counter(struct loader *l, const struct place *at)
{
	uint32_t counter = slots_take(l, 1);
	uint32_t x = expr_build_const(&l->b.exprs, value_int(&l->b.heap, 0), at->node);

	(void)emit(l, at, OP_EVAL, counter, x, PROGRAM_NONE, PROGRAM_NONE);
	return counter;
}

void emit_count(struct loader *l, const struct place *at, uint32_t counter)
{
	uint32_t x = loader_internal(l, "${it + 1}", counter, at->node);

	(void)emit(l, at, OP_EVAL, counter, x, PROGRAM_NONE, PROGRAM_NONE);
}

/* --- slots and scopes --- */

uint32_t slots_take(struct loader *l, uint32_t count)
{
	struct draft *d = l->draft;
	uint32_t      first = d->top;

	d->top += count;
	if (d->top > d->slot_count)
		d->slot_count = d->top;
	return first;
}

void slots_give_back(struct loader *l, uint32_t mark)
{
	l->draft->top = mark > l->draft->bound_top ? mark : l->draft->bound_top;
}

struct scope_mark scope_open(const struct loader *l)
{
	return (struct scope_mark){ l->names.binding_count, l->draft->top, l->draft->bound_top };
}

void scope_close(struct loader *l, struct scope_mark mark)
{
	names_leave(&l->names, mark.bindings);
	l->draft->top = mark.top;
	l->draft->bound_top = mark.bound_top;
}

static void bind(struct loader *l, const char *name, uint32_t slot, bool is_fixed)
{
	(void)names_bind(&l->names, name,
	                 (struct binding){ .code = l->draft->code,
	                                   .slot = slot,
	                                   .source = BINDING_NONE,
	                                   .is_fixed = is_fixed });
	if (slot >= l->draft->bound_top)
		l->draft->bound_top = slot + 1;
}

void scope_bind(struct loader *l, const char *name, uint32_t slot)
{
	bind(l, name, slot, false);
}

void scope_bind_fixed(struct loader *l, const char *name, uint32_t slot)
{
	bind(l, name, slot, true);
}

enum name_state scope_resolve(struct loader *l, const struct place *at, const char *name,
                              uint32_t *slot)
{
	uint32_t              i = names_find(&l->names, name, strlen(name));
	const struct binding *b;

	if (i == BINDING_NONE || l->names.binding[i].is_fixed)
		return NAME_NEW;
	b = &l->names.binding[i];
	if (b->code == l->draft->code && b->source == BINDING_NONE) {
		*slot = b->slot;
		return NAME_BOUND;
	}
	loader_problem(l, at, "a branch sees a snapshot of outer names; bind another name here",
	               "\"%s\" belongs to the coroutine that makes this branch", CLIPPED(name));
	return NAME_OUTER;
}
