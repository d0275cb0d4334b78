#include "daemon/effect/command.h"

#include <stdlib.h>
#include <string.h>

struct command *command_add(struct ticket_table *t, uint64_t job, uint32_t ticket, const char *path,
                            size_t path_bytes)
{
	struct command *c = calloc(1, sizeof *c + path_bytes + 1);

	if (c == NULL)
		return NULL;
	c->entry.job = job;
	c->entry.ticket = ticket;
	c->path_bytes = path_bytes;
	if (path_bytes > 0) /* the address of the root is empty */
		memcpy(c->path, path, path_bytes);
	if (ticket_table_add(t, &c->entry))
		return c;
	free(c);
	return NULL;
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

void command_remove(struct ticket_table *t, struct command *c)
{
	ticket_table_remove(t, &c->entry);
	command_free(c);
}

void command_table_close(struct ticket_table *t)
{
	struct ticket_entry *e;

	while ((e = ticket_table_pop(t)) != NULL)
		command_free((struct command *)(void *)e);
}
