/* Handlers: which ops a `try`, or any scope that must be left, covers. */
#include "daemon/load/loader.h"

#include <stdlib.h>

static struct handler *handler_new(struct loader *l)
{
	struct draft *d = l->draft;

	if (d->handler_count == d->handler_room) {
		uint32_t        room = d->handler_room == 0 ? 4 : d->handler_room * 2;
		struct handler *handlers = realloc(d->handlers, room * sizeof *handlers);

		if (handlers == NULL) {
			l->b.failed = true;
			return NULL;
		}
		d->handlers = handlers;
		d->handler_room = room;
	}
	return &d->handlers[d->handler_count++];
}

struct cover cover_begin(struct loader *l, enum handler_kind kind)
{
	struct draft   *d = l->draft;
	struct cover    c = { .pair = slots_take(l, 2), .handler = PROGRAM_NONE };
	struct handler *handler = handler_new(l);

	if (handler == NULL)
		return c;
	c.handler = d->handler_count - 1;
	*handler = (struct handler){ .outer = d->handler,
		                     .code = d->code,
		                     .pair = (uint16_t)c.pair,
		                     .kind = (uint8_t)kind };
	d->handler = c.handler;
	return c;
}

void cover_end(struct loader *l, const struct cover *c)
{
	if (c->handler != PROGRAM_NONE)
		l->draft->handler = l->draft->handlers[c->handler].outer;
}

void cover_land(struct loader *l, const struct cover *c)
{
	if (c->handler != PROGRAM_NONE)
		l->draft->handlers[c->handler].landing = l->draft->op_count;
}

void cover_join(struct loader *l, const struct place *at, const struct cover *c)
{
	cover_end(l, c);
	(void)emit(l, at, OP_NORMAL, c->pair, PROGRAM_NONE, PROGRAM_NONE, PROGRAM_NONE);
	cover_land(l, c);
}
