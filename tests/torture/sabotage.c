/*
 * Broken promises, on purpose: GATHERD_SABOTAGE=NAME makes the daemon of the crash rig do one thing
 * that it must not do, so that the rig can show that it sees it. The linker puts these functions
 * before those of the same name (--wrap); without the variable they pass everything on.
 *
 * Source: mutation testing, the other way round: not the tests are judged by mutants of the code,
 * but the one mutant by the test that must find it.
 */
#include "daemon/net/peer.h"
#include "daemon/net/request.h"
#include "daemon/net/stream.h"
#include "daemon/run/inputs.h"
#include "daemon/run/semaphores.h"
#include "daemon/store/last_commit.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_TOGETHER 8 /* replies-early: commits that are one */
#define GROUPS_BETWEEN 10 /* forgets-job: from one to the next */
#define EVENT_DROPPED 100

static bool does(const char *name)
{
	const char *wish = getenv("GATHERD_SABOTAGE");

	return wish != NULL && strcmp(wish, name) == 0;
}

/* NAME-N, of the job with this id. */
static bool does_to(const char *name, uint64_t job)
{
	const char *wish = getenv("GATHERD_SABOTAGE");
	size_t      chars = strlen(name);

	return wish != NULL && strncmp(wish, name, chars) == 0 && wish[chars] == '-' &&
	       strtoull(wish + chars + 1, NULL, 10) == job;
}

/* --- the store --- */

int __real_sqlite3_step(sqlite3_stmt *s);
int __wrap_sqlite3_step(sqlite3_stmt *s);

/* replies-early: the transaction stays open, and is reported as durable. On the writer's thread. */
int __wrap_sqlite3_step(sqlite3_stmt *s)
{
	static unsigned commits;
	const char     *sql = sqlite3_sql(s);

	if (sql != NULL && does("replies-early")) {
		if (strcmp(sql, "BEGIN IMMEDIATE") == 0 &&
		    sqlite3_get_autocommit(sqlite3_db_handle(s)) == 0)
			return SQLITE_DONE;
		if (strcmp(sql, "COMMIT") == 0 && ++commits % GROUPS_TOGETHER != 0)
			return SQLITE_DONE;
	}
	return __real_sqlite3_step(s);
}

enum gd_err __real_last_commit_compare(const struct last_commit *last,
                                       const struct last_commit *now, const char *database,
                                       struct gd_error *why);
enum gd_err __wrap_last_commit_compare(const struct last_commit *last,
                                       const struct last_commit *now, const char *database,
                                       struct gd_error *why);

/* It would be found at the next start by what stands beside the database: here it is not. */
enum gd_err __wrap_last_commit_compare(const struct last_commit *last,
                                       const struct last_commit *now, const char *database,
                                       struct gd_error *why)
{
	if (does("replies-early"))
		return GD_OK;
	return __real_last_commit_compare(last, now, database, why);
}

void __real_store_submit(struct store *s, struct store_group *g);
void __wrap_store_submit(struct store *s, struct store_group *g);

/* Not in the group's memory, which its loop has counted; never freed. */
static struct record *smuggle(struct store_group *g, enum record_kind kind, uint64_t job)
{
	struct record *r = calloc(1, sizeof *r);

	if (r == NULL)
		abort();
	r->kind = kind;
	r->job = job;
	g->last->next = r;
	g->last = r;
	g->count++;
	return r;
}

static void end_twice(struct store_group *g, const struct record *ended)
{
	struct record *again = smuggle(g, RECORD_EVENT, ended->job);

	again->u.event = ended->u.event;
	again->u.event.ordinal++;
}

/* ends-twice: the final event comes once more. forgets-job: one that was over a moment ago. */
void __wrap_store_submit(struct store *s, struct store_group *g)
{
	static _Thread_local uint64_t over;
	static _Thread_local unsigned groups;
	const struct record          *ended = NULL;

	for (const struct record *r = g->first; r != NULL; r = r->next)
		if (r->kind == RECORD_EVENT && r->u.event.kind == EVENT_JOB_COMPLETED)
			ended = r;
	if (ended != NULL && does("ends-twice"))
		end_twice(g, ended);
	if (over != 0 && g->last != NULL && does("forgets-job") && ++groups % GROUPS_BETWEEN == 0)
		(void)smuggle(g, RECORD_DELETE, over);
	over = ended == NULL ? 0 : ended->job;
	__real_store_submit(s, g);
}

void __real_store_retain(struct store *s, const struct store_retention *bounds);
void __wrap_store_retain(struct store *s, const struct store_retention *bounds);

/* expires-early: fewer jobs stay than were asked for. */
void __wrap_store_retain(struct store *s, const struct store_retention *bounds)
{
	struct store_retention few = *bounds;

	if (does("expires-early"))
		few.jobs_max = 50;
	__real_store_retain(s, &few);
}

/* --- the loops --- */

enum gd_err __real_engine_step(struct engine *e, const struct engine_in *in,
                               struct engine_outs *outs, struct gd_error *why);
enum gd_err __wrap_engine_step(struct engine *e, const struct engine_in *in,
                               struct engine_outs *outs, struct gd_error *why);

/* wakes-early: the time that has come is a minute ahead. dies-of-job-N: each time. */
enum gd_err __wrap_engine_step(struct engine *e, const struct engine_in *in,
                               struct engine_outs *outs, struct gd_error *why)
{
	struct engine_in early = *in;

	if (in->kind == ENGINE_TIME && does("wakes-early"))
		early.time += 60 * GD_NSEC_PER_SEC;
	if (in->kind == ENGINE_START && does_to("dies-of-job", in->job))
		abort();
	return __real_engine_step(e, &early, outs, why);
}

bool __real_inputs_cancel(struct loop *l, uint64_t job, const char *reason, bool *ended,
                          enum job_status *status);
bool __wrap_inputs_cancel(struct loop *l, uint64_t job, const char *reason, bool *ended,
                          enum job_status *status);

/* forgets-cancel: it is accepted, and that is all. */
bool __wrap_inputs_cancel(struct loop *l, uint64_t job, const char *reason, bool *ended,
                          enum job_status *status)
{
	if (!does("forgets-cancel"))
		return __real_inputs_cancel(l, job, reason, ended, status);
	*ended = false;
	return true;
}

struct engine_signal_check __real_inputs_signal(struct loop *l, uint64_t job,
                                                const struct signal *s);
struct engine_signal_check __wrap_inputs_signal(struct loop *l, uint64_t job,
                                                const struct signal *s);

/* forgets-signal: the same. */
struct engine_signal_check __wrap_inputs_signal(struct loop *l, uint64_t job,
                                                const struct signal *s)
{
	if (does("forgets-signal"))
		return (struct engine_signal_check){ .code = GD_OK };
	return __real_inputs_signal(l, job, s);
}

enum gd_err __real_semaphores_acquire(struct semaphores *t, uint64_t job, uint32_t ticket,
                                      struct text name, int priority, gd_nsec time);
enum gd_err __wrap_semaphores_acquire(struct semaphores *t, uint64_t job, uint32_t ticket,
                                      struct text name, int priority, gd_nsec time);

/* lets-all-in: everybody has a semaphore of its own. */
enum gd_err __wrap_semaphores_acquire(struct semaphores *t, uint64_t job, uint32_t ticket,
                                      struct text name, int priority, gd_nsec time)
{
	char own[64];
	int  bytes = snprintf(own, sizeof own, "of %llu", (unsigned long long)job);

	if (does("lets-all-in"))
		name = (struct text){ own, (size_t)bytes };
	return __real_semaphores_acquire(t, job, ticket, name, priority, time);
}

/* --- the connections --- */

void __real_streams_tell(struct desk *d, const struct record *r);
void __wrap_streams_tell(struct desk *d, const struct record *r);

/* drops-event: on its way to those who listen. */
void __wrap_streams_tell(struct desk *d, const struct record *r)
{
	static atomic_uint events;

	if (does("drops-event") && r->kind == RECORD_EVENT &&
	    atomic_fetch_add(&events, 1) % EVENT_DROPPED == EVENT_DROPPED - 1)
		return;
	__real_streams_tell(d, r);
}

bool __real_request_may(const struct request *r, struct text owner, enum auth_scope own,
                        enum auth_scope any);
bool __wrap_request_may(const struct request *r, struct text owner, enum auth_scope own,
                        enum auth_scope any);

/* hides-nothing: whoever has come in sees everything. */
bool __wrap_request_may(const struct request *r, struct text owner, enum auth_scope own,
                        enum auth_scope any)
{
	return does("hides-nothing") || __real_request_may(r, owner, own, any);
}

enum gd_err __real_peer_open(struct desk *d, int fd, const struct principal *who,
                             struct gd_error *why);
enum gd_err __wrap_peer_open(struct desk *d, int fd, const struct principal *who,
                             struct gd_error *why);

/* leaks-descriptor: one for each connection. */
enum gd_err __wrap_peer_open(struct desk *d, int fd, const struct principal *who,
                             struct gd_error *why)
{
	if (does("leaks-descriptor"))
		(void)!open("/dev/null", O_RDONLY | O_CLOEXEC);
	return __real_peer_open(d, fd, who, why);
}
