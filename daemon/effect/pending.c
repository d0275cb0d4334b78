#include "daemon/effect/pending.h"

#include <stdlib.h>
#include <string.h>

/* --- the table --- */

struct pending *pending_add(struct ticket_table *t, uint64_t job, uint32_t ticket, const char *path,
                            size_t path_bytes)
{
	struct pending *c = calloc(1, sizeof *c + path_bytes + 1);

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

void pending_remove(struct ticket_table *t, struct pending *c)
{
	ticket_table_remove(t, &c->entry);
	free(c);
}

void pending_table_close(struct ticket_table *t)
{
	struct ticket_entry *e;

	while ((e = ticket_table_pop(t)) != NULL)
		free(e);
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
