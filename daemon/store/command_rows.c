/* command_rows.c - what a job has run, in the order in which it began. */
#include "daemon/store/inside.h"

#include <string.h>

#define FIRST_ROOM 16u

enum gd_err command_rows_put(struct store *s, struct record *r, struct gd_error *why)
{
	const struct store_command *c = &r->u.command;
	struct bind                 b = db_bind(&s->db, SQL_COMMAND_PUT);
	enum gd_err                 rc;

	bind_u64(&b, r->job);
	bind_i64(&b, c->begun);
	bind_i64(&b, c->ticket);
	bind_i64(&b, c->attempt);
	bind_text(&b, c->path);
	rc = db_run(&s->db, &b, why);
	if (rc == GD_OK && !db_has_changed(&s->db))
		r->outcome = GD_NOT_FOUND;
	return rc;
}

/* --- leaving --- */

/* The rows that a deletion gives back. A list that does not fit does no harm: files without a job are
 * found at the next look at all of them. */
static enum gd_err note_dropped(struct store *s, uint64_t job, struct bind *b, uint32_t *count,
                                struct gd_error *why)
{
	struct buf *outputs = &s->tx.outputs;
	bool        has_row;
	enum gd_err rc;

	for (*count = 0; (rc = db_step(&s->db, b, &has_row, why)) == GD_OK && has_row; (*count)++) {
		struct output_ref ref = { .job = job,
			                  .ticket = (uint32_t)row_i64(b, 0),
			                  .attempt = (uint32_t)row_i64(b, 1) };

		buf_add(outputs, &ref, sizeof ref);
	}
	db_done(b);
	return rc;
}

enum gd_err command_rows_drop(struct store *s, uint64_t job, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_COMMANDS_DROP);
	uint32_t    count;

	bind_u64(&b, job);
	return note_dropped(s, job, &b, &count, why);
}

enum gd_err command_rows_drop_some(struct store *s, uint64_t job, uint32_t count, bool *is_done,
                                   struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_COMMANDS_DROP_SOME);
	uint32_t    dropped;
	enum gd_err rc;

	bind_u64(&b, job);
	bind_i64(&b, count);
	rc = note_dropped(s, job, &b, &dropped, why);
	*is_done = rc == GD_OK && dropped < count;
	return rc;
}

/* --- reading --- */

/* The answer's next row, zeroed; NULL when memory ends. What is outgrown stays in the arena. */
static struct store_command *next_command(struct store_read *r, uint32_t *room)
{
	struct store_command *wider;

	if (r->command_count == *room) {
		*room = *room == 0 ? FIRST_ROOM : *room * 2;
		wider = arena_alloc(&r->arena, *room * sizeof *wider);
		if (wider == NULL)
			return NULL;
		if (r->command_count != 0)
			memcpy(wider, r->commands, r->command_count * sizeof *wider);
		r->commands = wider;
	}
	return &r->commands[r->command_count++];
}

static bool is_wanted(struct text filter, struct text path)
{
	return filter.at == NULL ||
	       (filter.bytes == path.bytes && memcmp(filter.at, path.at, path.bytes) == 0);
}

/* The row that `b` is on. */
static enum gd_err take_row(struct store_read *r, const struct bind *b, uint32_t *room,
                            struct gd_error *why)
{
	struct text           path = row_text(b, 3);
	struct store_command *c;

	r->next_command = (struct store_command){ .begun = row_i64(b, 0),
		                                  .ticket = (uint32_t)row_i64(b, 1),
		                                  .attempt = (uint32_t)row_i64(b, 2) };
	if (!is_wanted(r->path_filter, path))
		return GD_OK;
	c = next_command(r, room);
	if (c != NULL) {
		*c = r->next_command;
		c->path.at = arena_copy(&r->arena, path.at, path.bytes);
		c->path.bytes = path.bytes;
	}
	return r->arena.failed ? gd_fail(why, GD_NOMEM, "commands: out of memory") : GD_OK;
}

enum gd_err command_rows_read(struct store *s, struct store_read *r, struct gd_error *why)
{
	enum gd_err rc = read_job(s, r, why);
	struct bind b;
	uint32_t    room = 0;
	uint32_t    looked_at = 0;
	bool        has_row = false;

	if (rc != GD_OK)
		return rc;
	r->next_command = r->after_command;
	b = db_bind(&s->db, r->is_newest_first ? SQL_COMMANDS_BACK : SQL_COMMANDS_GET);
	bind_u64(&b, r->job);
	bind_i64(&b, r->is_newest_first && r->after_command.attempt == 0 ? INT64_MAX
	                                                                 : r->after_command.begun);
	bind_i64(&b, r->after_command.ticket);
	bind_i64(&b, r->after_command.attempt);
	while ((rc = db_step(&s->db, &b, &has_row, why)) == GD_OK && has_row) {
		if (r->command_count >= r->limit || looked_at++ >= SCAN_ROWS_MAX)
			break;
		if ((rc = take_row(r, &b, &room, why)) != GD_OK)
			break;
	}
	db_done(&b);
	r->next_command.path = (struct text){ 0 };
	r->has_more_commands = rc == GD_OK && has_row;
	return rc;
}
