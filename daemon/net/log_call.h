/*
 * log_call.h - a call of job.log on its way: the commands of a job in the order in which they began,
 * each from where the last reply ended to where it has come.
 *
 *	READING: its commands --> VISITING its loop: which are under way? --> files --> reply
 *	   ^                                                                 | nothing new, and `follow`
 *	   `--- a record of the job, or word of its runner <--- WAITING <----'
 *
 * The loop of the job tells us of more output for as long as the call `is_watched`; records come by
 * the desk's watch. Nothing is read while nothing is told, and a reader that is slow asks seldom: it
 * costs what one page costs.
 *
 * Ownership: log_call_start() takes the call. Threads: the loop of its peer; what is said to be the
 * owner's, the loop of the job.
 */
#ifndef GATHERD_NET_LOG_CALL_H
#define GATHERD_NET_LOG_CALL_H

#include "daemon/effect/effects.h"
#include "daemon/net/request.h"
#include "daemon/runner/run_log.h"

#include <stdatomic.h>

#define LOG_PAGE_COMMANDS 32u /* looked at for one reply, or one round of it */

enum log_stage { LOG_READING, LOG_VISITING, LOG_WAITING };

struct log_call {
	struct request
		    *request; /* NULL: answered or let go; it lives until nothing is on its way */
	struct desk *desk;
	struct loop *owner; /* of the job */
	uint64_t     job;
	char        *path; /* owned; NULL: all commands */
	enum run_log_which   which;
	enum log_stage       stage;
	bool                 follows;
	bool                 has_tail;
	bool                 is_stale;    /* something was told since the last read began */
	bool                 is_watching; /* the job: `watch` */
	bool                 is_over;     /* the job */
	uint64_t             tail;
	struct store_command at; /* where the next chunk begins; its path is not set */
	uint64_t             offset;
	struct watch         watch;
	struct loop_read    *read; /* owned; the page at hand, VISITING */

	/* To the owner's loop and back. */
	struct inbox_msg     visit, told, stop;
	bool                 is_watched;    /* until `stop` is back */
	bool                 is_stopping;   /* `stop` is on its way */
	atomic_bool          is_told;       /* `told` is on its way */
	struct command_watch command_watch; /* the owner's, as the rest */
	bool                 has_noted;     /* a command is under way at which the page ends */
	struct store_command noted;
	uint64_t             noted_bytes;
	bool                 is_gone[LOG_PAGE_COMMANDS]; /* of the page: has ended */
};

/* Answers `call->request` sooner or later. All that was asked is set, the rest zero; `path` is the
 * call's from now on. */
void log_call_start(struct log_call *call);

#endif
