#include "daemon/effect/pending.h"

#include "daemon/effect/ticket_hash.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 64u

/* --- the table --- */

static uint32_t index_of(const struct pending_table *t, uint64_t job, uint32_t ticket)
{
	return ticket_hash(job, ticket) & (t->room - 1);
}

static void insert(struct pending_table *t, struct pending *c)
{
	struct pending **bucket = &t->at[index_of(t, c->job, c->ticket)];

	c->chain = *bucket;
	*bucket = c;
}

static bool reserve(struct pending_table *t)
{
	uint32_t         old_room = t->room, room = old_room == 0 ? ROOM_MIN : old_room * 2;
	struct pending **old = t->at, **at;

	if (t->count < old_room)
		return true;
	if ((at = calloc(room, sizeof(struct pending *))) == NULL)
		return false;
	t->at = at;
	t->room = room;
	for (uint32_t i = 0; i < old_room; i++)
		for (struct pending *c = old[i], *next; c != NULL; c = next) {
			next = c->chain;
			insert(t, c);
		}
	free(old);
	return true;
}

struct pending *pending_add(struct pending_table *t, uint64_t job, uint32_t ticket,
                            const char *path, size_t path_bytes)
{
	struct pending *c = calloc(1, sizeof *c + path_bytes + 1);

	if (c == NULL || !reserve(t)) {
		free(c);
		return NULL;
	}
	c->job = job;
	c->ticket = ticket;
	c->path_bytes = path_bytes;
	if (path_bytes > 0) /* the address of the root is empty */
		memcpy(c->path, path, path_bytes);
	insert(t, c);
	t->count++;
	return c;
}

struct pending *pending_find(const struct pending_table *t, uint64_t job, uint32_t ticket)
{
	struct pending *c = t->count == 0 ? NULL : t->at[index_of(t, job, ticket)];

	while (c != NULL && (c->job != job || c->ticket != ticket))
		c = c->chain;
	return c;
}

void pending_remove(struct pending_table *t, struct pending *c)
{
	struct pending **at = &t->at[index_of(t, c->job, c->ticket)];

	while (*at != c)
		at = &(*at)->chain;
	*at = c->chain;
	t->count--;
	free(c);
}

struct pending *pending_next(const struct pending_table *t, const struct pending *c)
{
	uint32_t i = 0;

	if (t->count == 0)
		return NULL;
	if (c != NULL) {
		if (c->chain != NULL)
			return c->chain;
		i = index_of(t, c->job, c->ticket) + 1;
	}
	while (i < t->room && t->at[i] == NULL)
		i++;
	return i < t->room ? t->at[i] : NULL;
}

void pending_table_close(struct pending_table *t)
{
	for (uint32_t i = 0; i < t->room; i++)
		while (t->at[i] != NULL) {
			struct pending *c = t->at[i];

			t->at[i] = c->chain;
			free(c);
		}
	free(t->at);
	*t = (struct pending_table){ 0 };
}

/* --- a line --- */

void pending_line_add(struct pending_line *line, struct pending *c)
{
	c->before = line->last;
	c->behind = NULL;
	*(line->last == NULL ? &line->first : &line->last->behind) = c;
	line->last = c;
	line->count++;
}

void pending_line_remove(struct pending_line *line, struct pending *c)
{
	*(c->before == NULL ? &line->first : &c->before->behind) = c->behind;
	*(c->behind == NULL ? &line->last : &c->behind->before) = c->before;
	c->before = c->behind = NULL;
	line->count--;
}
