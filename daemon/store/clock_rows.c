/* clock_rows.c - how the scale of time stands to the host's clocks, and how far it has come. */
#include "daemon/store/inside.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_KEPT 64u /* so few cost nothing; with more, those that no job needs are forgotten */

static enum gd_err load_row(struct store *s, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_CLOCK_GET);
	struct text boot;
	bool        has_row;
	enum gd_err rc = db_step(&s->db, &b, &has_row, why);

	if (rc != GD_OK)
		return rc;
	if (!has_row)
		return gd_fail(why, GD_STORE, "%s lacks its clock row; restore it from a backup",
		               s->dir.database);
	boot = row_text(&b, 0);
	if (boot.bytes == STORE_BOOT_CHARS)
		memcpy(s->clock.boot, boot.at, STORE_BOOT_CHARS);
	s->clock.offset = row_i64(&b, 1);
	s->clock.horizon = row_i64(&b, 2);
	db_done(&b);
	return GD_OK;
}

static enum gd_err add_step(struct store *s, uint32_t *room, struct gd_wall_step step,
                            struct gd_error *why)
{
	struct gd_wall_step *at = s->steps;

	if (s->clock.step_count == *room) {
		*room = *room == 0 ? STEPS_KEPT : *room * 2;
		if ((at = realloc(s->steps, *room * sizeof *at)) == NULL)
			return gd_fail(why, GD_NOMEM, "clock: out of memory");
		s->steps = at;
	}
	s->steps[s->clock.step_count++] = step;
	return GD_OK;
}

static enum gd_err load_steps(struct store *s, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_CLOCK_STEPS);
	uint32_t    room = 0;
	bool        has_row;
	enum gd_err rc;

	s->clock.step_count = 0;
	free(s->steps);
	s->steps = NULL;
	while ((rc = db_step(&s->db, &b, &has_row, why)) == GD_OK && has_row) {
		rc = add_step(s, &room, (struct gd_wall_step){ row_i64(&b, 0), row_i64(&b, 1) },
		              why);
		if (rc != GD_OK)
			break;
	}
	db_done(&b);
	s->clock.steps = s->steps;
	return rc;
}

enum gd_err clock_rows_load(struct store *s, struct gd_error *why)
{
	struct bind b;
	enum gd_err rc = load_row(s, why);

	if (rc == GD_OK)
		rc = load_steps(s, why);
	if (rc != GD_OK || s->clock.step_count <= STEPS_KEPT)
		return rc;
	b = db_bind(&s->db, SQL_CLOCK_STEPS_TRIM);
	rc = db_run(&s->db, &b, why);
	return rc == GD_OK ? load_steps(s, why) : rc;
}

const struct store_clock *store_clock(const struct store *s)
{
	return &s->clock;
}

enum gd_err clock_rows_put_step(struct store *s, struct gd_wall_step step, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_CLOCK_STEP_PUT);

	bind_i64(&b, step.at);
	bind_i64(&b, step.ahead);
	return db_run(&s->db, &b, why);
}

/* A little ahead, so that few commits have to say it. */
enum gd_err clock_rows_reach(struct store *s, gd_nsec latest, struct gd_error *why)
{
	struct bind b;

	if (latest <= s->clock.horizon)
		return GD_OK;
	s->clock.horizon = latest + STORE_HORIZON_NSEC;
	b = db_bind(&s->db, SQL_CLOCK_REACH);
	bind_i64(&b, s->clock.horizon);
	return db_run(&s->db, &b, why);
}

static enum gd_err put_clock(struct store *s, const struct store_clock *clock, struct gd_error *why)
{
	struct bind b = db_bind(&s->db, SQL_CLOCK_PUT);
	enum gd_err rc;

	bind_text(&b, (struct text){ clock->boot, strlen(clock->boot) });
	bind_i64(&b, clock->offset);
	rc = db_run(&s->db, &b, why);
	for (uint32_t i = s->clock.step_count; rc == GD_OK && i < clock->step_count; i++)
		rc = clock_rows_put_step(s, clock->steps[i], why);
	return rc;
}

enum gd_err store_put_clock(struct store *s, const struct store_clock *clock, struct gd_error *why)
{
	enum gd_err rc = GD_OK;

	if (clock->offset == s->clock.offset && clock->step_count == s->clock.step_count &&
	    strcmp(clock->boot, s->clock.boot) == 0)
		return GD_OK;
	rc = db_exec(&s->db, "BEGIN IMMEDIATE", why);
	if (rc == GD_OK)
		rc = put_clock(s, clock, why);
	if (rc == GD_OK)
		rc = db_exec(&s->db, "COMMIT", why);
	return rc;
}
