#include "daemon/load/loader.h"

#include <stdlib.h>
#include <string.h>

/* --- captures --- */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* Captures every visible name of the maker that `text` mentions. That a word is no name (a text
 * inside an expression, a member) is not looked into: a name too many stays unused, and
 * draft_end() drops it or lets it cost no more than a slot. */
static void capture_words(struct loader *l, struct draft *d, const char *text)
{
	const char *at = strstr(text, "${");

	while (at != NULL && *at != '\0') {
		const char *first = at;
		uint32_t    source;

		while (is_word(*at))
			at++;
		if (at == first) {
			at++;
			continue;
		}
		if (first[-1] == '.')
			continue;
		source = names_find(&l->names, first, (size_t)(at - first));
		if (source == BINDING_NONE || l->names.binding[source].code != d->maker->code)
			continue;
		(void)names_bind(&l->names, names_text(&l->names, source),
		                 (struct binding){ .code = d->code,
		                                   .slot = d->capture_count,
		                                   .source = source });
		d->capture_count++;
	}
}

static void capture_names(struct loader *l, struct draft *d, const json_t *json)
{
	const char *key;
	json_t     *item;
	size_t      i;

	if (json_is_string(json)) {
		capture_words(l, d, json_string_value(json));
	} else if (json_is_array(json)) {
		json_array_foreach (json, i, item)
			capture_names(l, d, item);
	} else if (json_is_object(json)) {
		json_object_foreach ((json_t *)(uintptr_t)json, key, item)
			capture_names(l, d, item);
	}
}

void draft_begin(struct loader *l, struct draft *d, uint32_t code, const json_t *body)
{
	*d = (struct draft){ .maker = l->draft,
		             .code = code,
		             .first_binding = l->names.binding_count,
		             .is_concurrent = body != NULL };
	if (body != NULL)
		capture_names(l, d, body);
	l->draft = d;
	(void)slots_take(l, d->capture_count);
	d->bound_top = d->top;
}

/* The slots of the maker that fill the first slots of a branch. A capture that nothing reads gets
 * the value of one that is read, so that it keeps nothing alive; those at the end are dropped. */
static uint16_t *take_captures(struct loader *l, const struct draft *d, uint32_t *count)
{
	const struct binding *capture = l->names.binding + d->first_binding;
	struct binding       *source;
	uint16_t             *slots;
	uint16_t              used_slot = 0;

	*count = 0;
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
	used_slot = (uint16_t)l->names.binding[capture[*count - 1].source].slot;
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
	build_code_set(&l->b, d->code, body, d->ops);
	names_leave(&l->names, d->first_binding);
	free(d->ops);
	d->ops = NULL;
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
		                           .node = at->node };
	return d->op_count++;
}

void emit_land(struct loader *l, uint32_t position)
{
	if (!l->b.failed)
		l->draft->ops[position].a = l->draft->op_count;
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

void scope_bind(struct loader *l, const char *name, uint32_t slot)
{
	(void)names_bind(
		&l->names, name,
		(struct binding){ .code = l->draft->code, .slot = slot, .source = BINDING_NONE });
	if (slot >= l->draft->bound_top)
		l->draft->bound_top = slot + 1;
}

enum name_state scope_resolve(struct loader *l, const struct place *at, const char *name,
                              uint32_t *slot)
{
	uint32_t              i = names_find(&l->names, name, strlen(name));
	const struct binding *b;

	if (i == BINDING_NONE)
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
