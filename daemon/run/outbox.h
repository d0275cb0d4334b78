/*
 * outbox.h - what waits until its cause is durable.
 *
 * Each open group has one. Items are intrusive and borrowed: whoever adds one keeps it alive until
 * it is released. They are released in the order in which they were added, on the loop that built
 * the group. All zero is empty. Threads: none.
 */
#ifndef GATHERD_RUN_OUTBOX_H
#define GATHERD_RUN_OUTBOX_H

#include "proto/base/err.h"

struct loop;

struct outbox_item {
	struct outbox_item *next;
	/* `outcome` is GD_OK; GD_UNAVAILABLE: the daemon stops, and the group was never handed to the
	 * store; or GD_DURABILITY_UNKNOWN: the process is about to end, and nothing need be freed. */
	void (*release)(struct loop *l, struct outbox_item *item, enum gd_err outcome);
};

struct outbox {
	struct outbox_item *first;
	struct outbox_item *last;
};

void outbox_add(struct outbox *o, struct outbox_item *item);
/* Empties it. An item may free itself; items added meanwhile go to another outbox. */
void outbox_release(struct outbox *o, struct loop *l, enum gd_err outcome);

#endif
