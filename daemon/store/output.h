/*
 * output.h - what commands have printed, for as long as their jobs are kept: DIR/output.
 *
 *	DIR/runner/REF.out, .err --ended: link--> DIR/output/REF.out, .err --job leaves--> gone
 *	 `--ended and linked: unlinked by the runner     `--too much of it--> gone: "expired"
 *
 * No list of the files is held, only their sum. A look at all of them comes after each start, and
 * when the sum passes the bound: it takes away what belongs to no job (a crash came between the end
 * of the job and that of its output), corrects the sum, and lets the longest ended go, down to 7/8
 * of the bound, so that the next look is far off. A file counts with its blocks, one at least.
 *
 * The mtime of a file is when its command ended, on the daemon's scale; that of DIR/output/dropped
 * is the end of the last command that had to go. So a start needs no other record, and a command
 * whose output is not there can be told from one that has printed nothing: it began before that.
 * What is here is not in a backup, and no sync is waited for: a cut of the power may take the
 * output of what ended in its last seconds. The result of the command is in the journal.
 *
 * Ownership: the store's. Threads: output_keep(), output_open_streams() and output_has_expired()
 * from any; a thread of its own, begun when there is work, does all the rest. Cost: keeping is two
 * links, two stats and two times; a look costs a stat for each file, and 40 bytes while it lasts.
 */
#ifndef GATHERD_STORE_OUTPUT_H
#define GATHERD_STORE_OUTPUT_H

#include "daemon/store/store.h"
#include "proto/base/buf.h"

#include <pthread.h>

#define OUTPUT_STREAMS 2
#define OUTPUT_ABSENT_MAX 256u           /* jobs asked for at once */
#define OUTPUT_GONE_BYTES_MAX (1u << 20) /* of refs that wait to be unlinked; more: a look */

/* Leaves in `ids` those of no job, and in `count` how many they are. */
typedef enum gd_err output_absent_fn(void *ctx, uint64_t *ids, uint32_t *count,
                                     struct gd_error *why);

struct output {
	int               state_fd; /* borrowed: DIR */
	int               fd; /* DIR/output; owned; -1: nothing was ever kept. Under the lock */
	output_absent_fn *absent;
	void             *ctx;
	_Atomic gd_nsec   dropped; /* the end of the last one that had to go; 0: none had */

	pthread_mutex_t lock; /* of all below */
	pthread_cond_t  changed;
	pthread_t       thread;
	bool            is_started;
	bool            has_thread;
	atomic_bool     is_stopping;
	bool            is_look_due;
	uint64_t        bytes;     /* of all; never too low */
	uint64_t        fresh;     /* of those kept since the last look began */
	uint64_t        bytes_max; /* 0: no bound */
	uint64_t        again_at;  /* a look did not help: none before there are so many bytes */
	struct buf      gone;      /* struct output_ref: their jobs have left */
};

/* `state_fd` is borrowed. Errors: GD_SYS. */
GD_NODISCARD enum gd_err output_open(struct output *o, int state_fd, output_absent_fn *absent,
                                     void *ctx, struct gd_error *why);
/* From now on `absent` may be called, on the output's own thread, until output_stop() returns. */
void                     output_start(struct output *o);
void                     output_stop(struct output *o);
/* Unlinks what still waits for it; after output_stop(), unless it was never started. */
void                     output_close(struct output *o);

uint64_t output_bytes(struct output *o); /* of all */
void     output_set_max(struct output *o, uint64_t bytes_max);
/* Their jobs are durably gone: `refs` are so many struct output_ref. Errors: none; what cannot be
 * noted is found by the next look. */
void     output_let_go(struct output *o, const void *refs, size_t bytes);

/* The command has ended: its files stay when the runner lets go of them. Once is enough, twice is
 * no harm. Errors: GD_SYS; a stream that could not be linked is lost with the runner's. */
GD_NODISCARD enum gd_err output_keep(struct output *o, const struct output_ref *ref, gd_nsec ended,
                                     struct gd_error *why);
/* For reading, wherever the files are; -1: there is no such file. Owned by the caller. */
void output_open_streams(struct output *o, const struct output_ref *ref, int fd[OUTPUT_STREAMS]);

/* --- inside --- */

#define OUTPUT_NAME_BYTES 56u
#define OUTPUT_DIR "output"
#define OUTPUT_DROPPED "dropped" /* in it */

/* "JOB-TICKET-ATTEMPT.out", ".err", as the runner calls them. */
void     output_name(const struct output_ref *ref, int stream, char out[OUTPUT_NAME_BYTES]);
bool     output_parse(const char *name, struct output_ref *out);
/* Unlinks its files; gives their bytes. */
uint64_t output_remove(int dir_fd, const struct output_ref *ref);

struct output_file {
	struct output_ref ref;
	gd_nsec           ended;
	uint64_t          bytes;
};

struct output_files {
	struct output_file *at; /* owned */
	size_t              count;
	size_t              room;
};

/* All of DIR/output; a command may be there twice, once for each stream. Errors: GD_SYS, GD_NOMEM;
 * nothing is held then. */
GD_NODISCARD enum gd_err output_list(int dir_fd, struct output_files *out, struct gd_error *why);

/* output_keeper.c. The lock is held: there is work for the thread. */
void output_wake(struct output *o);
bool output_has_work(const struct output *o);

#endif
