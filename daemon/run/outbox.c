#include "daemon/run/outbox.h"

#include <stddef.h>

void outbox_add(struct outbox *o, struct outbox_item *item)
{
	item->next = NULL;
	if (o->first == NULL)
		o->first = item;
	else
		o->last->next = item;
	o->last = item;
}

void outbox_release(struct outbox *o, struct loop *l, enum gd_err outcome)
{
	struct outbox_item *item = o->first;

	*o = (struct outbox){ 0 };
	while (item != NULL) {
		struct outbox_item *next = item->next;

		item->release(l, item, outcome);
		item = next;
	}
}
