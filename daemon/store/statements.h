/*
 * statements.h - every statement the store runs after it was opened, in one table.
 *
 * They are prepared once and kept. The column order of SQL_JOB_GET and SQL_LIVE is that of
 * rows_job(); both must change together.
 */
#ifndef GATHERD_STORE_STATEMENTS_H
#define GATHERD_STORE_STATEMENTS_H

#define SQL_JOB_HEAD                                                                            \
	"id, status, loop, submitted, started, ended, seq, end_seq, owner, key, title, labels," \
	" priority"
#define SQL_STATE_COUNTS "queued, running, completed, failed, cancelled, commits"
/* The columns of the row in `state` that each commit changes, as they are now: from there or from
 * the last chunk, whichever is newer. In place of a table. */
#define SQL_STATE_NOW                                                                  \
	"(SELECT 0 AS place, next_job, seq, " SQL_STATE_COUNTS " FROM state UNION ALL" \
	" SELECT * FROM (SELECT 1, next_job, last_seq, " SQL_STATE_COUNTS              \
	" FROM event_chunks ORDER BY first_seq DESC LIMIT 1) ORDER BY commits DESC, place LIMIT 1)"
#define SQL_SCAN_HEAD                                    \
	"j.id, j.status, j.submitted, j.owner, j.title," \
	" EXISTS (SELECT 1 FROM children WHERE job = j.id)"
/* Where the page goes on behind the child ?1, or from either end. */
#define SQL_CHILD_TICKET "(SELECT ticket FROM children WHERE job = ?1 AND parent = ?2)"

/* X(symbol, text) */
#define SQL_STATEMENTS(X)                                                                          \
	X(SQL_BEGIN, "BEGIN IMMEDIATE")                                                            \
	X(SQL_COMMIT, "COMMIT")                                                                    \
	X(SQL_ROLLBACK, "ROLLBACK")                                                                \
	X(SQL_STATE_GET, "SELECT uuid, is_clean, listed, now.next_job, now.seq, now.queued,"       \
	                 " now.running, now.completed, now.failed, now.cancelled, now.commits"     \
	                 " FROM state, " SQL_STATE_NOW " AS now")                                  \
	X(SQL_STATE_PUT, "UPDATE state SET next_job = ?1, seq = ?2, queued = ?3, running = ?4,"    \
	                 " completed = ?5, failed = ?6, cancelled = ?7, commits = ?8,"             \
	                 " listed = ?9")                                                           \
	X(SQL_STATE_CLEAN, "UPDATE state SET is_clean = ?1")                                       \
	X(SQL_STATE_UUID, "UPDATE state SET uuid = ?1")                                            \
	/* jobs */                                                                                 \
	X(SQL_KEY_TAKE, "INSERT INTO job_keys (owner, key, job) VALUES (?1, ?2, ?3)"               \
	                " ON CONFLICT DO NOTHING")                                                 \
	X(SQL_KEY_GET, "SELECT job FROM job_keys WHERE owner = ?1 AND key = ?2")                   \
	X(SQL_KEY_DROP, "DELETE FROM job_keys WHERE owner = ?1 AND key = ?2 AND job = ?3")         \
	X(SQL_JOB_PUT, "INSERT INTO jobs (" SQL_JOB_HEAD ", args, spec, result, error, retain)"    \
	               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"     \
	               " ?15, ?16, ?17, ?18)")                                                     \
	X(SQL_JOB_SAME, "SELECT spec IS ?2 AND args IS ?3, seq FROM jobs WHERE id = ?1")           \
	X(SQL_JOB_START, "UPDATE jobs SET status = 1, started = ?2 WHERE id = ?1 AND status = 0")  \
	X(SQL_JOB_END, "UPDATE jobs SET started = iif(status = 0, 0, started), status = ?3,"       \
	               " ended = ?4, end_seq = ?5, result = ?6,"                                   \
	               " error = ?7 WHERE id = ?1 AND status = ?2 RETURNING retain")               \
	X(SQL_JOB_TO_DROP, "SELECT status, seq, owner, key, labels, end_seq,"                      \
	                   " (SELECT parent FROM children WHERE job = ?1), retain FROM jobs"       \
	                   " WHERE id = ?1")                                                       \
	X(SQL_JOB_ENDED, "SELECT ended, retain FROM jobs WHERE id = ?1 AND status >= 2")           \
	X(SQL_JOB_DROP, "DELETE FROM jobs WHERE id = ?1")                                          \
	/* children */                                                                             \
	X(SQL_OWNER_OF, "SELECT owner FROM jobs WHERE id = ?1")                                    \
	X(SQL_CHILD_PUT, "INSERT INTO children (job, parent, ticket, root, code, base, captures)"  \
	                 " VALUES (?1, ?2, ?3, coalesce((SELECT root FROM children WHERE"          \
	                 " job = ?2), ?2), ?4, ?5, ?6)")                                           \
	X(SQL_CHILD_FIRST, "SELECT job FROM children WHERE parent = ?1 ORDER BY ticket LIMIT 1")   \
	X(SQL_CHILD_DROP, "DELETE FROM children WHERE job = ?1")                                   \
	X(SQL_CHILD_OUTCOME, "SELECT j.id, j.status, j.ended, j.result, j.error FROM children c"   \
	                     " CROSS JOIN jobs j ON j.id = c.job"                                  \
	                     " WHERE c.parent = ?1 AND c.ticket = ?2")                             \
	X(SQL_IS_LIVE_BELOW, "WITH RECURSIVE below (job) AS (SELECT ?1 UNION ALL SELECT c.job"     \
	                     " FROM below b CROSS JOIN children c ON c.parent = b.job)"            \
	                     " SELECT EXISTS (SELECT 1 FROM below CROSS JOIN jobs"                 \
	                     " ON id = job WHERE status < 2)")                                     \
	X(SQL_LABELS_PUT, "INSERT OR IGNORE INTO job_labels (label, job)"                          \
	                  " SELECT value, ?1 FROM json_each(?2)")                                  \
	X(SQL_LABELS_DROP, "DELETE FROM job_labels WHERE job = ?1"                                 \
	                   " AND label IN (SELECT value FROM json_each(?2))")                      \
	X(SQL_INPUT_PUT, "INSERT INTO inputs (job, number, time, bytes) SELECT ?1, ?2, ?3, ?4"     \
	                 " WHERE EXISTS (SELECT 1 FROM jobs WHERE id = ?1)")                       \
	X(SQL_INPUTS_GET, "SELECT number, time, bytes FROM inputs WHERE job = ?1"                  \
	                  " ORDER BY number")                                                      \
	X(SQL_INPUTS_LATEST, "SELECT number, time, bytes FROM inputs WHERE job = ?1"               \
	                     " ORDER BY number DESC")                                              \
	X(SQL_INPUTS_DROP, "DELETE FROM inputs WHERE job = ?1")                                    \
	X(SQL_INPUTS_DROP_SOME, "DELETE FROM inputs WHERE job = ?1 AND number IN (SELECT number"   \
	                        " FROM inputs WHERE job = ?1 ORDER BY number LIMIT ?2)")           \
	/* commands */                                                                             \
	X(SQL_COMMAND_PUT, "INSERT INTO commands (job, begun, ticket, attempt, path)"              \
	                   " SELECT ?1, ?2, ?3, ?4, ?5"                                            \
	                   " WHERE EXISTS (SELECT 1 FROM jobs WHERE id = ?1)")                     \
	X(SQL_COMMANDS_GET, "SELECT begun, ticket, attempt, path FROM commands WHERE job = ?1"     \
	                    " AND (begun, ticket, attempt) > (?2, ?3, ?4)"                         \
	                    " ORDER BY begun, ticket, attempt")                                    \
	X(SQL_COMMANDS_BACK, "SELECT begun, ticket, attempt, path FROM commands WHERE job = ?1"    \
	                     " AND (begun, ticket, attempt) < (?2, ?3, ?4)"                        \
	                     " ORDER BY begun DESC, ticket DESC, attempt DESC")                    \
	X(SQL_COMMANDS_DROP, "DELETE FROM commands WHERE job = ?1 RETURNING ticket, attempt")      \
	X(SQL_COMMANDS_DROP_SOME, "DELETE FROM commands WHERE job = ?1"                            \
	                          " AND (begun, ticket, attempt) IN"                               \
	                          " (SELECT begun, ticket, attempt FROM commands WHERE job = ?1"   \
	                          " ORDER BY begun, ticket, attempt LIMIT ?2)"                     \
	                          " RETURNING ticket, attempt")                                    \
	/* events */                                                                               \
	X(SQL_CHUNK_PUT, "INSERT INTO event_chunks (first_seq, last_seq, body)"                    \
	                 " VALUES (?1, ?2, ?3)")                                                   \
	X(SQL_CHUNK_PUT_LAST,                                                                      \
	  "INSERT INTO event_chunks (first_seq, last_seq, body, next_job, " SQL_STATE_COUNTS       \
	  ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"                                          \
	  " ?10)")                                                                                 \
	X(SQL_CHUNK_SET, "UPDATE event_chunks SET body = ?2 WHERE first_seq = ?1")                 \
	X(SQL_CHUNK_DROP, "DELETE FROM event_chunks WHERE first_seq = ?1")                         \
	X(SQL_CHUNK_AT, "SELECT first_seq, last_seq, body FROM event_chunks"                       \
	                " WHERE first_seq <= ?1 ORDER BY first_seq DESC LIMIT 1")                  \
	X(SQL_CHUNKS_FROM, "SELECT first_seq, last_seq, body FROM event_chunks WHERE first_seq >=" \
	                   " coalesce((SELECT max(first_seq) FROM event_chunks"                    \
	                   " WHERE first_seq <= ?1), 0) ORDER BY first_seq")                       \
	X(SQL_CHUNK_OLDEST, "SELECT first_seq, substr(body, 1, 32) FROM event_chunks"              \
	                    " ORDER BY first_seq LIMIT 1")                                         \
	X(SQL_CHUNK_LAST, "SELECT max(last_seq) FROM event_chunks WHERE first_seq ="               \
	                  " (SELECT max(first_seq) FROM event_chunks)")                            \
	X(SQL_JOB_CHUNK_PUT, "INSERT INTO job_chunks (job, chunk) VALUES (?1, ?2)")                \
	X(SQL_JOB_CHUNKS_GET, "SELECT chunk FROM job_chunks WHERE job = ?1 AND chunk >= ?2"        \
	                      " ORDER BY chunk")                                                   \
	X(SQL_JOB_CHUNKS_DROP, "DELETE FROM job_chunks WHERE job = ?1")                            \
	X(SQL_JOB_CHUNKS_DROP_SOME, "DELETE FROM job_chunks WHERE job = ?1 AND chunk IN (SELECT"   \
	                            " chunk FROM job_chunks WHERE job = ?1 ORDER BY chunk"         \
	                            " LIMIT ?2)")                                                  \
	X(SQL_JOB_CHUNKS_TRIM, "DELETE FROM job_chunks WHERE job = ?1 AND chunk <= ?2")            \
	X(SQL_JOB_ORDINAL, "UPDATE jobs SET ordinal = ?2 WHERE id = ?1 AND status < 2"             \
	                   " AND ordinal < ?2")                                                    \
	/* what expires */                                                                         \
	X(SQL_EXPIRY_PUT, "INSERT INTO expiry (due, jobs) VALUES (?1, ?2)")                        \
	X(SQL_EXPIRY_FIRST, "SELECT id, due, jobs FROM expiry ORDER BY due, id LIMIT 1")           \
	X(SQL_EXPIRY_SET, "UPDATE expiry SET jobs = ?2 WHERE id = ?1")                             \
	X(SQL_EXPIRY_DROP, "DELETE FROM expiry WHERE id = ?1")                                     \
	X(SQL_GHOST_PUT, "INSERT INTO ghosts (job, owner, labels)"                                 \
	                 " SELECT id, owner, labels FROM jobs WHERE id = ?1")                      \
	X(SQL_GHOST_DROP, "DELETE FROM ghosts WHERE job = ?1")                                     \
	X(SQL_GHOST_MATCHES, "SELECT (?2 IS NULL OR owner = ?2) AND (?3 IS NULL OR EXISTS"         \
	                     " (SELECT 1 FROM json_each(labels) WHERE value = ?3))"                \
	                     " FROM ghosts WHERE job = ?1")                                        \
	X(SQL_MARK_PUT, "INSERT OR REPLACE INTO event_marks (time, seq) VALUES (?1, ?2)")          \
	X(SQL_MARK_AT, "SELECT max(seq) FROM event_marks WHERE time <= ?1")                        \
	X(SQL_MARK_ENDS, "SELECT min(time), max(time), max(seq) FROM event_marks")                 \
	X(SQL_MARKS_DROP, "DELETE FROM event_marks WHERE time <= ?1")                              \
	X(SQL_TRIMMED_GET, "SELECT trimmed FROM event_log")                                        \
	X(SQL_TRIMMED_PUT, "UPDATE event_log SET trimmed = ?1")                                    \
	X(SQL_CHUNK_FIRST, "SELECT first_seq, last_seq, body FROM event_chunks"                    \
	                   " ORDER BY first_seq LIMIT 1")                                          \
	X(SQL_SPACE_USED, "SELECT (SELECT page_count FROM pragma_page_count)"                      \
	                  " - (SELECT freelist_count FROM pragma_freelist_count)")                 \
	/* clock */                                                                                \
	X(SQL_CLOCK_GET, "SELECT boot, offset, horizon FROM clock")                                \
	X(SQL_CLOCK_PUT, "UPDATE clock SET boot = ?1, offset = ?2")                                \
	X(SQL_CLOCK_REACH, "UPDATE clock SET horizon = ?1")                                        \
	X(SQL_CLOCK_STEPS, "SELECT at, ahead FROM clock_steps ORDER BY at")                        \
	X(SQL_CLOCK_STEP_PUT, "INSERT OR IGNORE INTO clock_steps (at, ahead) VALUES (?1, ?2)")     \
	X(SQL_CLOCK_STEPS_TRIM, "DELETE FROM clock_steps WHERE at < (SELECT max(at)"               \
	                        " FROM clock_steps WHERE at <= (SELECT coalesce(min(submitted),"   \
	                        " 9223372036854775807) FROM jobs))")                               \
	/* loops */                                                                                \
	X(SQL_LOOP_PUT, "INSERT OR IGNORE INTO loops (name, loop) VALUES (?1, ?2)")                \
	X(SQL_LOOPS_GET, "SELECT name, loop FROM loops ORDER BY name")                             \
	/* semaphores */                                                                           \
	X(SQL_SEMAPHORE_PUT, "INSERT INTO semaphores (kind, name, permits) VALUES (?1, ?2, ?3)"    \
	                     " ON CONFLICT (kind, name) DO UPDATE SET permits = ?3")               \
	X(SQL_SEMAPHORE_DROP, "DELETE FROM semaphores WHERE kind = ?1 AND name = ?2")              \
	X(SQL_SEMAPHORES_GET,                                                                      \
	  "SELECT name, permits FROM semaphores WHERE kind = ?1 ORDER BY name")                    \
	/* reads */                                                                                \
	X(SQL_JOB_GET, "SELECT " SQL_JOB_HEAD ","                                                  \
	               " iif(?2 & 1, args, NULL), iif(?2 & 1, coalesce((SELECT r.spec FROM"        \
	               " children c CROSS JOIN jobs r ON r.id = c.root WHERE c.job = ?1), spec),"  \
	               " NULL), iif(?2 & 2, result, NULL), iif(?2 & 2, error, NULL),"              \
	               " (SELECT parent FROM children WHERE job = ?1) FROM jobs WHERE id = ?1")    \
	X(SQL_JOB_SEQ, "SELECT seq FROM jobs WHERE id = ?1")                                       \
	X(SQL_JOB_MATCHES, "SELECT (?2 IS NULL OR owner = ?2) AND (?3 IS NULL OR EXISTS"           \
	                   " (SELECT 1 FROM job_labels WHERE label = ?3 AND job = ?1))"            \
	                   " FROM jobs WHERE id = ?1")                                             \
	X(SQL_LIVE, "SELECT " SQL_JOB_HEAD ", args, iif(c.job IS NULL, spec,"                      \
	            " (SELECT r.spec FROM jobs r WHERE r.id = c.root)), NULL, NULL, parent,"       \
	            " (SELECT max(chunk) FROM job_chunks WHERE job = jobs.id), ordinal,"           \
	            " id < (SELECT first_job FROM eras WHERE schema = 8), ticket, code, base,"     \
	            " captures, (SELECT max(ticket) FROM children WHERE parent = jobs.id)"         \
	            " FROM jobs INDEXED BY jobs_live LEFT JOIN children c"                         \
	            " ON c.job = jobs.id WHERE status < 2 AND id > ?1 AND id < ?2"                 \
	            " AND id % ?3 = ?4 ORDER BY id")                                               \
	X(SQL_ALL_UP, "SELECT " SQL_SCAN_HEAD " FROM jobs j WHERE j.id > ?1 ORDER BY j.id")        \
	X(SQL_ALL_DOWN, "SELECT " SQL_SCAN_HEAD " FROM jobs j WHERE j.id < ?1 ORDER BY j.id DESC") \
	X(SQL_LIVE_UP, "SELECT " SQL_SCAN_HEAD " FROM jobs j INDEXED BY jobs_live"                 \
	               " WHERE j.status < 2 AND j.id > ?1 ORDER BY j.id")                          \
	X(SQL_LIVE_DOWN, "SELECT " SQL_SCAN_HEAD " FROM jobs j INDEXED BY jobs_live"               \
	                 " WHERE j.status < 2 AND j.id < ?1 ORDER BY j.id DESC")                   \
	X(SQL_CHILDREN_UP, "SELECT " SQL_SCAN_HEAD " FROM children c CROSS JOIN jobs j"            \
	                   " ON j.id = c.job WHERE c.parent = ?2 AND c.ticket >"                   \
	                   " coalesce(" SQL_CHILD_TICKET ", 0) ORDER BY c.ticket")                 \
	X(SQL_CHILDREN_DOWN, "SELECT " SQL_SCAN_HEAD " FROM children c CROSS JOIN jobs j"          \
	                     " ON j.id = c.job WHERE c.parent = ?2 AND c.ticket <"                 \
	                     " coalesce(" SQL_CHILD_TICKET ", 4294967296)"                         \
	                     " ORDER BY c.ticket DESC")                                            \
	X(SQL_LABEL_UP, "SELECT " SQL_SCAN_HEAD " FROM job_labels l CROSS JOIN jobs j"             \
	                " ON j.id = l.job WHERE l.label = ?2 AND l.job > ?1 ORDER BY l.job")       \
	X(SQL_LABEL_DOWN,                                                                          \
	  "SELECT " SQL_SCAN_HEAD " FROM job_labels l CROSS JOIN jobs j"                           \
	  " ON j.id = l.job WHERE l.label = ?2 AND l.job < ?1 ORDER BY l.job DESC")

enum sql {
#define SQL_ENUM(symbol, text) symbol,
	SQL_STATEMENTS(SQL_ENUM)
#undef SQL_ENUM
		SQL_COUNT
};

#endif
