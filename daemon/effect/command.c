#include "daemon/effect/command.h"

#include "daemon/effect/ticket_hash.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 64u

static uint32_t index_of(const struct command_table *t, uint64_t job, uint32_t ticket)
{
	return ticket_hash(job, ticket) & (t->room - 1);
}

static void insert(struct command_table *t, struct command *c)
{
	struct command **bucket = &t->at[index_of(t, c->job, c->ticket)];

	c->chain = *bucket;
	*bucket = c;
}

static bool reserve(struct command_table *t)
{
	uint32_t         old_room = t->room, room = old_room == 0 ? ROOM_MIN : old_room * 2;
	struct command **old = t->at;
	struct command **at;

	if (t->count < old_room)
		return true;
	if ((at = calloc(room, sizeof *at)) == NULL)
		return false;
	t->at = at;
	t->room = room;
	for (uint32_t i = 0; i < old_room; i++)
		for (struct command *c = old[i], *next; c != NULL; c = next) {
			next = c->chain;
			insert(t, c);
		}
	free(old);
	return true;
}

struct command *command_add(struct command_table *t, uint64_t job, uint32_t ticket,
                            const char *path, size_t path_bytes)
{
	struct command *c = calloc(1, sizeof *c + path_bytes + 1);

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

struct command *command_find(const struct command_table *t, uint64_t job, uint32_t ticket)
{
	struct command *c = t->count == 0 ? NULL : t->at[index_of(t, job, ticket)];

	while (c != NULL && (c->job != job || c->ticket != ticket))
		c = c->chain;
	return c;
}

void command_reset(struct command *c)
{
	if (c->lines != NULL)
		lines_close(c->lines);
	free(c->lines);
	free(c->end);
	c->lines = NULL;
	c->end = NULL;
	c->is_durable = c->is_running = c->is_stopped = false;
	c->pid = 0;
	c->offset = c->bytes[RUN_STDOUT] = c->bytes[RUN_STDERR] = 0;
}

static void command_free(struct command *c)
{
	command_reset(c);
	free(c);
}

void command_remove(struct command_table *t, struct command *c)
{
	struct command **at = &t->at[index_of(t, c->job, c->ticket)];

	while (*at != c)
		at = &(*at)->chain;
	*at = c->chain;
	t->count--;
	command_free(c);
}

struct command *command_next(const struct command_table *t, const struct command *c)
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

void command_table_close(struct command_table *t)
{
	for (uint32_t i = 0; i < t->room; i++)
		while (t->at[i] != NULL) {
			struct command *c = t->at[i];

			t->at[i] = c->chain;
			command_free(c);
		}
	free(t->at);
	*t = (struct command_table){ 0 };
}
