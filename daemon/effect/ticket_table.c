#include "daemon/effect/ticket_table.h"

#include <stddef.h>
#include <stdlib.h>

#define ROOM_MIN 64u

static uint32_t index_of(const struct ticket_table *t, uint64_t job, uint32_t ticket)
{
	/* Both are counted up: Fibonacci hashing spreads them (Knuth vol. 3, 6.4). */
	uint64_t hash =
		(job * UINT64_C(0x9e3779b97f4a7c15) + ticket) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(hash >> 32) & (t->room - 1);
}

static void insert(struct ticket_table *t, struct ticket_entry *e)
{
	struct ticket_entry **bucket = &t->at[index_of(t, e->job, e->ticket)];

	e->chain = *bucket;
	*bucket = e;
}

static bool reserve(struct ticket_table *t)
{
	uint32_t              old_room = t->room, room = old_room == 0 ? ROOM_MIN : old_room * 2;
	struct ticket_entry **old = t->at, **at;

	if (t->count < old_room)
		return true;
	if ((at = calloc(room, sizeof(struct ticket_entry *))) == NULL)
		return false;
	t->at = at;
	t->room = room;
	for (uint32_t i = 0; i < old_room; i++)
		for (struct ticket_entry *e = old[i], *next; e != NULL; e = next) {
			next = e->chain;
			insert(t, e);
		}
	free(old);
	return true;
}

bool ticket_table_add(struct ticket_table *t, struct ticket_entry *e)
{
	if (!reserve(t))
		return false;
	insert(t, e);
	t->count++;
	return true;
}

struct ticket_entry *ticket_table_find(const struct ticket_table *t, uint64_t job, uint32_t ticket)
{
	struct ticket_entry *e = t->count == 0 ? NULL : t->at[index_of(t, job, ticket)];

	while (e != NULL && (e->job != job || e->ticket != ticket))
		e = e->chain;
	return e;
}

void ticket_table_remove(struct ticket_table *t, struct ticket_entry *e)
{
	struct ticket_entry **at = &t->at[index_of(t, e->job, e->ticket)];

	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	t->count--;
}

struct ticket_entry *ticket_table_next(const struct ticket_table *t, const struct ticket_entry *e)
{
	uint32_t i = 0;

	if (t->count == 0)
		return NULL;
	if (e != NULL) {
		if (e->chain != NULL)
			return e->chain;
		i = index_of(t, e->job, e->ticket) + 1;
	}
	while (i < t->room && t->at[i] == NULL)
		i++;
	return i < t->room ? t->at[i] : NULL;
}

/* From the end of the array, which is given up behind it: O(room) for all of them. */
struct ticket_entry *ticket_table_pop(struct ticket_table *t)
{
	struct ticket_entry *e;

	while (t->room > 0) {
		if ((e = t->at[t->room - 1]) != NULL) {
			t->at[t->room - 1] = e->chain;
			return e;
		}
		t->room--;
	}
	free(t->at);
	*t = (struct ticket_table){ 0 };
	return NULL;
}
