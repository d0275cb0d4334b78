/*
 * watch.h - who on this loop waits for a record of which job.
 *
 * A hash of chains over nodes that live inside their owners. Several may watch one job; they hear
 * of its records in the order of the commits. Threads: none; one table for each loop.
 * Cost: O(1) for each record, nothing while nobody watches.
 */
#ifndef GATHERD_NET_WATCH_H
#define GATHERD_NET_WATCH_H

#include "daemon/store/store.h"

#include <stdbool.h>

struct watch {
	struct watch  *next;
	struct watch **link; /* what points here; NULL: not watching */
	uint64_t       job;
	/* A record of the job is durable. It may begin and end any watch. */
	void (*on_record)(struct watch *w, const struct record *r);
};

struct watches {
	struct watch **at; /* owned; a power of two of them */
	uint32_t       room;
	uint32_t       count;
	struct watch  *next; /* to be told, while is_telling */
	bool           is_telling;
};

void                     watches_close(struct watches *t); /* nobody may watch any more */
/* Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err watch_begin(struct watches *t, struct watch *w, uint64_t job);
void                     watch_end(struct watches *t, struct watch *w); /* also when not watching */
void                     watches_tell(struct watches *t, const struct record *r);

#endif
