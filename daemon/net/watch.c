#include "daemon/net/watch.h"

#include "proto/base/check.h"

#include <stdlib.h>

#define WATCHES_ROOM_MIN 64u

void watches_close(struct watches *t)
{
	CHECK(t->count == 0);
	free(t->at);
	*t = (struct watches){ 0 };
}

static struct watch **chain_of(const struct watches *t, uint64_t job)
{
	return &t->at[(uint32_t)((job * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (t->room - 1)];
}

/* Behind the others of its chain, so that whoever came first hears first. */
static void link_last(struct watches *t, struct watch *w)
{
	struct watch **link = chain_of(t, w->job);

	while (*link != NULL)
		link = &(*link)->next;
	*link = w;
	w->link = link;
	w->next = NULL;
}

static bool grow(struct watches *t)
{
	struct watches old = *t;
	uint32_t       room = old.room == 0 ? WATCHES_ROOM_MIN : old.room * 2;
	struct watch **at = calloc(room, sizeof *at);

	if (at == NULL)
		return false;
	t->at = at;
	t->room = room;
	for (uint32_t i = 0; i < old.room; i++)
		for (struct watch *w = old.at[i]; w != NULL;) {
			struct watch *next = w->next;

			link_last(t, w);
			w = next;
		}
	free(old.at);
	return true;
}

enum gd_err watch_begin(struct watches *t, struct watch *w, uint64_t job)
{
	CHECK(w->link == NULL);
	/* Growing moves the chain that is being told; a longer chain does no harm meanwhile. */
	if (t->count >= t->room && !t->is_telling && !grow(t))
		return GD_NOMEM;
	w->job = job;
	link_last(t, w);
	t->count++;
	return GD_OK;
}

void watch_end(struct watches *t, struct watch *w)
{
	if (w->link == NULL)
		return;
	if (t->next == w)
		t->next = w->next;
	*w->link = w->next;
	if (w->next != NULL)
		w->next->link = w->link;
	w->link = NULL;
	t->count--;
}

void watches_tell(struct watches *t, const struct record *r)
{
	if (t->count == 0)
		return;
	t->is_telling = true;
	for (struct watch *w = *chain_of(t, r->job); w != NULL; w = t->next) {
		t->next = w->next;
		if (w->job == r->job)
			w->on_record(w, r);
	}
	t->is_telling = false;
	t->next = NULL;
}
