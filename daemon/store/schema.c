#include "daemon/store/schema.h"

#include "proto/base/failpoint.h"

#include <stdio.h>

#define UUID_BYTES 16

/*
 * What a step reads often comes first in a row, large texts last: a column behind a long one costs
 * its overflow pages. No index stands on the way of a job that starts and ends in one commit, apart
 * from its key when it has one; jobs_live has only rows that are not over.
 *
 * Events are stored many to a row (see chunk.h). The chunk with a job's first event is found by
 * its seq; job_chunks names the others.
 *
 * An index over the ends of jobs would cost every job an entry. `expiry` has a row for many that
 * ended at about the same time and are kept equally long instead, and `event_marks` a row now and then that
 * says when the log had come how far.
 */
static const char *const steps[] = {
	"CREATE TABLE state ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" uuid TEXT NOT NULL,"
	" is_clean INTEGER NOT NULL,"
	" next_job INTEGER NOT NULL,"
	" seq INTEGER NOT NULL,"
	" queued INTEGER NOT NULL,"
	" running INTEGER NOT NULL,"
	" completed INTEGER NOT NULL,"
	" failed INTEGER NOT NULL,"
	" cancelled INTEGER NOT NULL);"
	"CREATE TABLE jobs ("
	" id INTEGER PRIMARY KEY,"
	" status INTEGER NOT NULL,"
	" loop INTEGER NOT NULL,"
	" submitted INTEGER NOT NULL,"
	" started INTEGER NOT NULL,"
	" ended INTEGER NOT NULL,"
	" seq INTEGER NOT NULL,"
	" end_seq INTEGER NOT NULL,"
	" owner TEXT NOT NULL,"
	" key TEXT,"
	" title TEXT,"
	" labels TEXT,"
	" args TEXT,"
	" spec TEXT NOT NULL,"
	" result TEXT,"
	" error TEXT);"
	"CREATE INDEX jobs_live ON jobs (id) WHERE status < 2;"
	"CREATE TABLE job_keys ("
	" owner TEXT NOT NULL,"
	" key TEXT NOT NULL,"
	" job INTEGER NOT NULL,"
	" PRIMARY KEY (owner, key)) WITHOUT ROWID;"
	"CREATE TABLE job_labels ("
	" label TEXT NOT NULL,"
	" job INTEGER NOT NULL,"
	" PRIMARY KEY (label, job)) WITHOUT ROWID;"
	"CREATE TABLE inputs ("
	" job INTEGER NOT NULL,"
	" number INTEGER NOT NULL,"
	" time INTEGER NOT NULL,"
	" bytes BLOB NOT NULL,"
	" PRIMARY KEY (job, number)) WITHOUT ROWID;"
	"CREATE TABLE event_chunks ("
	" first_seq INTEGER PRIMARY KEY,"
	" last_seq INTEGER NOT NULL,"
	" body BLOB NOT NULL);"
	"CREATE TABLE job_chunks ("
	" job INTEGER NOT NULL,"
	" chunk INTEGER NOT NULL,"
	" PRIMARY KEY (job, chunk)) WITHOUT ROWID",

	"CREATE TABLE semaphores ("
	" name TEXT PRIMARY KEY,"
	" permits INTEGER NOT NULL) WITHOUT ROWID",

	/* What has ended already leaves after seven days, 256 jobs to a row. Their events count from
	 * the first commit on. `ordinal` is that of the last event of a live job that has expired. */
	"ALTER TABLE jobs ADD COLUMN retain INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE jobs ADD COLUMN ordinal INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE expiry ("
	" id INTEGER PRIMARY KEY,"
	" due INTEGER NOT NULL,"
	" jobs TEXT NOT NULL);"
	"CREATE INDEX expiry_due ON expiry (due);"
	"INSERT INTO expiry (due, jobs)"
	" SELECT max(ended) + 604800000000000, group_concat(id, ' ')"
	" FROM (SELECT id, ended, row_number() OVER (ORDER BY id) AS n FROM jobs"
	" WHERE status >= 2) GROUP BY n / 256;"
	"CREATE TABLE ghosts ("
	" job INTEGER PRIMARY KEY,"
	" owner TEXT NOT NULL,"
	" labels TEXT);"
	"CREATE TABLE event_marks ("
	" time INTEGER PRIMARY KEY,"
	" seq INTEGER NOT NULL);"
	"CREATE TABLE event_log ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" trimmed INTEGER NOT NULL);"
	"INSERT INTO event_log VALUES (1, 0)",

	/* Of groups, ever; last_commit.h says why. */
	"ALTER TABLE state ADD COLUMN commits INTEGER NOT NULL DEFAULT 0",

	/* Times are moments of a scale of our own from now on; run/clock.h says which. Until now it
	 * was the wall: ahead of itself by nothing. `horizon`: how far it has come, roughly. */
	"CREATE TABLE clock ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" boot TEXT NOT NULL,"
	" offset INTEGER NOT NULL,"
	" horizon INTEGER NOT NULL);"
	"INSERT INTO clock SELECT 1, '', 0, max("
	" coalesce((SELECT max(time) FROM event_marks), 0),"
	" coalesce((SELECT submitted FROM jobs ORDER BY id DESC LIMIT 1), 0));"
	"CREATE TABLE clock_steps ("
	" at INTEGER PRIMARY KEY,"
	" ahead INTEGER NOT NULL);"
	"INSERT INTO clock_steps VALUES (0, 0)",

	/* What the row of `state` says is also said by the last chunk of most commits, which spares
	 * them that page; the newer of the two counts, see SQL_STATE_NOW. And not every commit writes
	 * a row of `expiry`: jobs whose last event is behind `listed` may stand in none yet. */
	"ALTER TABLE event_chunks ADD COLUMN next_job INTEGER;"
	"ALTER TABLE event_chunks ADD COLUMN queued INTEGER;"
	"ALTER TABLE event_chunks ADD COLUMN running INTEGER;"
	"ALTER TABLE event_chunks ADD COLUMN completed INTEGER;"
	"ALTER TABLE event_chunks ADD COLUMN failed INTEGER;"
	"ALTER TABLE event_chunks ADD COLUMN cancelled INTEGER;"
	"ALTER TABLE event_chunks ADD COLUMN commits INTEGER;"
	"ALTER TABLE state ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;"
	"UPDATE state SET listed = seq",

	/* A pool of processes may be called what a semaphore is called. What a job ran is read in the
	 * order in which it began, so that is the order of the key. */
	"ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE semaphores RENAME TO semaphores_6;"
	"CREATE TABLE semaphores ("
	" kind INTEGER NOT NULL,"
	" name TEXT NOT NULL,"
	" permits INTEGER NOT NULL,"
	" PRIMARY KEY (kind, name)) WITHOUT ROWID;"
	"INSERT INTO semaphores SELECT 0, name, permits FROM semaphores_6;"
	"DROP TABLE semaphores_6;"
	"CREATE TABLE commands ("
	" job INTEGER NOT NULL,"
	" begun INTEGER NOT NULL,"
	" ticket INTEGER NOT NULL,"
	" attempt INTEGER NOT NULL,"
	" path TEXT NOT NULL,"
	" PRIMARY KEY (job, begun, ticket, attempt)) WITHOUT ROWID",

	/* What makes a job a child has a table of its own, so that the rows of all others stay as
	 * they are. Its spec is that of `root`. Jobs from before `first_job` know no children: all
	 * their tasks run on their own loop. */
	"CREATE TABLE children ("
	" job INTEGER PRIMARY KEY,"
	" parent INTEGER NOT NULL,"
	" ticket INTEGER NOT NULL,"
	" root INTEGER NOT NULL,"
	" code TEXT NOT NULL,"
	" base TEXT,"
	" captures BLOB NOT NULL);"
	"CREATE UNIQUE INDEX children_of ON children (parent, ticket);"
	"CREATE TABLE loops ("
	" name TEXT PRIMARY KEY,"
	" loop INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE eras ("
	" schema INTEGER PRIMARY KEY,"
	" first_job INTEGER NOT NULL);"
	"INSERT INTO eras SELECT 8, coalesce(max(id), 0) + 1 FROM jobs",
};

int schema_version(void)
{
	return (int)(sizeof steps / sizeof steps[0]);
}

/* Random, version 4 (RFC 9562). */
void schema_new_uuid(char out[SCHEMA_UUID_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char     bytes[UUID_BYTES];

	sqlite3_randomness(sizeof bytes, bytes);
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
	for (int i = 0; i < UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 0x0f];
	}
	*out = '\0';
}

static enum gd_err take_step(struct db *db, int from, struct gd_error *why)
{
	char        number[64];
	enum gd_err rc = db_exec(db, "BEGIN IMMEDIATE", why);

	(void)snprintf(number, sizeof number, "PRAGMA user_version = %d", from + 1);
	if (rc == GD_OK)
		rc = db_exec(db, steps[from], why);
	if (rc == GD_OK)
		rc = db_exec(db, number, why);
	GD_FAILPOINT("store.in_migration");
	if (rc == GD_OK)
		rc = db_exec(db, "COMMIT", why);
	if (rc != GD_OK && sqlite3_get_autocommit(db->link) == 0)
		(void)!db_exec(db, "ROLLBACK", NULL);
	return rc;
}

static enum gd_err migrate_to(struct db *db, int newest, struct gd_error *why)
{
	int64_t     version;
	enum gd_err rc = db_number(db, "PRAGMA user_version", &version, why);

	while (rc == GD_OK && version < newest) {
		rc = take_step(db, (int)version, why);
		version++;
	}
	return rc;
}

enum gd_err schema_migrate(struct db *db, struct gd_error *why)
{
	return migrate_to(db, schema_version(), why);
}

enum gd_err schema_create(struct db *db, struct gd_error *why)
{
	return schema_create_old(db, schema_version(), why);
}

enum gd_err schema_create_old(struct db *db, int version, struct gd_error *why)
{
	char        uuid[SCHEMA_UUID_BYTES];
	char        sql[256];
	enum gd_err rc;

	/* Both are properties of the file and must stand before the first table. */
	(void)snprintf(sql, sizeof sql,
	               "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL;"
	               "PRAGMA application_id = %d",
	               SCHEMA_APPLICATION_ID);
	rc = db_exec(db, sql, why);
	if (rc == GD_OK)
		rc = migrate_to(db, version, why);
	if (rc != GD_OK)
		return rc;
	schema_new_uuid(uuid);
	(void)snprintf(sql, sizeof sql,
	               "INSERT INTO state (one, uuid, is_clean, next_job, seq, queued, running,"
	               " completed, failed, cancelled)"
	               " VALUES (1, '%s', 1, 1, 0, 0, 0, 0, 0, 0)",
	               uuid);
	return db_exec(db, sql, why);
}

enum gd_err schema_check(struct db *db, struct gd_error *why)
{
	int64_t     application = 0;
	int64_t     version = 0;
	enum gd_err rc = db_number(db, "PRAGMA application_id", &application, why);

	if (rc == GD_OK)
		rc = db_number(db, "PRAGMA user_version", &version, why);
	if (rc != GD_OK)
		return rc;
	if (application != SCHEMA_APPLICATION_ID)
		return gd_fail(why, GD_STORE,
		               "the database belongs to another program; give gatherd "
		               "a state directory of its own");
	if (version < 1 || version > schema_version())
		return gd_fail(why, GD_STORE,
		               "the database has schema %lld and this gatherd knows 1 to "
		               "%d; start the newer gatherd that wrote it",
		               (long long)version, schema_version());
	return GD_OK;
}
