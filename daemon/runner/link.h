/*
 * link.h - the daemon's end: starting gatherd-runner, and talking to it.
 *
 *	struct runner_link *link;
 *
 *	if (runner_link_open(path, &link, why) != GD_OK)        nobody there:
 *		runner_spawn(&how, why);                        and open again, soon
 *	...
 *	runner_link_start(link, &start, why);                   once the start record is durable
 *	...
 *	when runner_link_fd(link) is readable:
 *		rc = runner_link_read(link, why);
 *		while (runner_link_next(link, &m)) {
 *			switch (m.kind) {
 *			case RUN_WELCOME:   m.welcome: which runner this is
 *			case RUN_STATE:     m.state: running, failed, exited, lost
 *			case RUN_STATE_END: all that this runner knows was told: what the journal has
 *			                    under way and was not told is lost
 *			case RUN_OUTPUT:    m.bytes: there is more to read, see run_log.h
 *			}
 *		}
 *		rc != GD_OK: it is gone; close, open again, and hear all of it once more
 *
 * How a daemon uses it so that nothing is lost or doubled:
 *	- START only after the record that it is about to start is durable. A START whose answer did
 *	  not come may be sent again on the next connection: a known ref is never started twice.
 *	- An end (failed, exited, lost) may be told more than once: ref decides whether it is news.
 *	- ACK only after the end is durable and what is wanted of the output was read: the runner then
 *	  forgets both. Never START a ref again that was ACKed.
 *
 * Nothing here blocks but runner_spawn() (some ms) and runner_link_open() (a connect to a local
 * socket). What is asked for is queued and sent with runner_link_flush(), or by the next read.
 *
 * Ownership: opaque; runner_link_close() frees. Threads: one for each link.
 */
#ifndef GATHERD_RUNNER_LINK_H
#define GATHERD_RUNNER_LINK_H

#include "daemon/runner/wire.h"

#define RUNNER_LINK_UNSENT_MAX (64u << 20)

struct runner_link;

struct runner_spawn {
	const char *program;     /* absolute */
	const char *state_dir;   /* of the daemon; the runner lives in its folder "runner" */
	const char *socket;      /* NULL: in that folder */
	const char *cgroup;      /* NULL: none */
	const char *credentials; /* NULL: none */
};

/* Starts one in a session of its own, without our descriptors or environment, and does not wait
 * until it is ready. It writes its log to runner/log. When there is one already the new one ends by
 * itself. Errors: GD_SYS (it cannot be executed). */
GD_NODISCARD enum gd_err runner_spawn(const struct runner_spawn *how, struct gd_error *why);

/* Connects and says HELLO. Errors: GD_UNAVAILABLE (nobody there), GD_SYS, GD_NOMEM. */
GD_NODISCARD enum gd_err runner_link_open(const char *socket, struct runner_link **out,
                                          struct gd_error *why);
void                     runner_link_close(struct runner_link *l); /* NULL: nothing */
int                      runner_link_fd(const struct runner_link *l);
bool                     runner_link_wants_to_write(const struct runner_link *l);

/* Takes what has come, without waiting. Errors: GD_UNAVAILABLE (it is gone, or refused us: `why`
 * has its words), GD_INVALID_REQUEST (malformed), GD_NOMEM. Messages that came before can still be
 * taken. */
GD_NODISCARD enum gd_err runner_link_read(struct runner_link *l, struct gd_error *why);
/* The next message, valid until the next call here. False: no more now. */
bool                     runner_link_next(struct runner_link *l, struct run_message *out);
/* Sends what it can. Errors: GD_UNAVAILABLE. */
GD_NODISCARD enum gd_err runner_link_flush(struct runner_link *l, struct gd_error *why);

/* Errors of all of these: GD_LIMIT (START: larger than RUN_FRAME_BYTES_MAX, or beyond another RUN_
 * limit; or too much unsent), GD_NOMEM; nothing is queued then. */
GD_NODISCARD enum gd_err runner_link_start(struct runner_link *l, const struct run_start *start,
                                           struct gd_error *why);
GD_NODISCARD enum gd_err runner_link_signal(struct runner_link *l, const struct run_ref *ref,
                                            int number, struct gd_error *why);
GD_NODISCARD enum gd_err runner_link_terminate(struct runner_link *l, const struct run_ref *ref,
                                               gd_nsec grace, struct gd_error *why);
GD_NODISCARD enum gd_err runner_link_ack(struct runner_link *l, const struct run_ref *ref,
                                         struct gd_error *why);
GD_NODISCARD enum gd_err runner_link_watch(struct runner_link *l, const struct run_ref *ref,
                                           bool is_on, struct gd_error *why);
GD_NODISCARD enum gd_err runner_link_taken(struct runner_link *l, const struct run_ref *ref,
                                           const uint64_t bytes[RUN_STREAMS], struct gd_error *why);
GD_NODISCARD enum gd_err runner_link_list(struct runner_link *l, struct gd_error *why);

#endif
