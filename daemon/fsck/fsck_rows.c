#include "daemon/fsck/inside.h"

#include <inttypes.h>
#include <stdio.h>

/* The row `state` holds numbers that could be counted; a start believes it. */
static void count_status(struct fsck *f, enum job_status status)
{
	const char *name = job_status_name(status);
	char        sql[512];
	int64_t     counted;
	int64_t     noted;

	(void)snprintf(sql, sizeof sql, "SELECT count(*) FROM jobs WHERE status = %d", (int)status);
	counted = fsck_number(f, sql);
	(void)snprintf(sql, sizeof sql, "SELECT %s FROM %s", name, f->state);
	noted = fsck_number(f, sql);
	fsck_say(f, "jobs %s: %" PRId64, name, counted);
	if (counted != noted)
		fsck_problem(f, "the state row says %" PRId64 " %s", noted, name);
}

static void count_jobs(struct fsck *f)
{
	char    sql[512];
	int64_t unknown;

	fsck_begin(f);
	for (int s = JOB_QUEUED; s <= JOB_CANCELLED; s++)
		count_status(f, (enum job_status)s);
	unknown = fsck_number(f, "SELECT count(*) FROM jobs WHERE status NOT BETWEEN 0 AND 4");
	if (unknown != 0)
		fsck_problem(f, "%" PRId64 " jobs have a status that nobody knows", unknown);
	(void)snprintf(sql, sizeof sql,
	               "SELECT coalesce(max(id), 0) >= (SELECT next_job FROM %s) FROM jobs",
	               f->state);
	if (fsck_number(f, sql) != 0)
		fsck_problem(f, "the next job would get the id of one that is there");
	fsck_end(f);
}

/* Each row of the question is a problem. */
static void look_for(struct fsck *f, const char *sql, const char *words)
{
	sqlite3_stmt *ask;

	fsck_begin(f);
	if (!fsck_ask(f, sql, &ask))
		return;
	while (fsck_row(f, ask))
		fsck_problem(f, "job %" PRId64 ": %s", (int64_t)sqlite3_column_int64(ask, 0),
		             words);
	(void)sqlite3_finalize(ask);
	fsck_end(f);
}

static void look_for_families(struct fsck *f)
{
	look_for(f,
	         "SELECT job FROM children c WHERE NOT EXISTS"
	         " (SELECT 1 FROM jobs WHERE id = c.job)",
	         "it is a child, but is not there");
	look_for(f,
	         "SELECT job FROM children c WHERE NOT EXISTS"
	         " (SELECT 1 FROM jobs WHERE id = c.parent)",
	         "it is a child, and its parent is not there");
	look_for(f,
	         "SELECT job FROM children c WHERE root IS NOT coalesce((SELECT root FROM children"
	         " WHERE job = c.parent), c.parent)",
	         "it has another root than its parent");
	look_for(f, "SELECT job FROM children WHERE ticket NOT BETWEEN 1 AND 4294967295",
	         "no job can have asked for it under that ticket");
	look_for(f, "SELECT id FROM jobs WHERE spec = '' AND id NOT IN (SELECT job FROM children)",
	         "it has no spec, and is no child");
	look_for(f,
	         "SELECT j.id FROM children c JOIN jobs j ON j.id = c.job JOIN jobs p"
	         " ON p.id = c.parent WHERE j.status < 2 AND p.status IN (2, 4)",
	         "it goes on, and its parent is over");
}

void fsck_rows(struct fsck *f)
{
	count_jobs(f);
	look_for(f,
	         "SELECT job FROM job_keys k WHERE NOT EXISTS"
	         " (SELECT 1 FROM jobs WHERE id = k.job)",
	         "its key is there, the job is not");
	look_for(
		f,
		"SELECT id FROM jobs j WHERE key IS NOT NULL AND NOT EXISTS (SELECT 1 FROM job_keys"
		" WHERE owner = j.owner AND key = j.key AND job = j.id)",
		"its key does not lead to it");
	look_for(f,
	         "SELECT DISTINCT job FROM job_labels l WHERE NOT EXISTS"
	         " (SELECT 1 FROM jobs WHERE id = l.job)",
	         "it has a label, but is not there");
	look_for(f,
	         "SELECT DISTINCT job FROM inputs i WHERE NOT EXISTS"
	         " (SELECT 1 FROM jobs WHERE id = i.job)",
	         "it has journaled inputs, but is not there");
	if (fsck_has_table(f, "children"))
		look_for_families(f);
	if (fsck_has_table(f, "commands"))
		look_for(f,
		         "SELECT DISTINCT job FROM commands c WHERE NOT EXISTS"
		         " (SELECT 1 FROM jobs WHERE id = c.job)",
		         "it has commands, but is not there");
}
