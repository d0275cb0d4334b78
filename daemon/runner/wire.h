/*
 * wire.h - messages between gatherd and gatherd-runner, private to the two programs of one version.
 *
 * A frame is: bytes u32 (of what follows, at most RUN_FRAME_BYTES_MAX), kind u8, the fields of that
 * kind. Numbers are little-endian; a text is its bytes with the NUL, behind a u32 with their
 * number; a list is a u32 count and its texts.
 *
 *	daemon to runner                     runner to daemon
 *	HELLO version                        WELCOME version, instance, boot id   or REFUSED words
 *	                                     STATE of each command it knows, then STATE_END
 *	START ...                            STATE running, or failed, or what it is already
 *	WATCH ref, on                        OUTPUT ref, bytes of stdout and stderr so far
 *	TAKEN ref, stdout, stderr
 *	SIGNAL ref, number
 *	TERMINATE ref, grace                 STATE exited, failed, lost
 *	ACK ref
 *	LIST                                 STATE of each, STATE_END
 *
 * HELLO comes first; another version, or anything else first, is REFUSED and the connection ends.
 * So it does after any malformed frame, on both sides. A new HELLO takes over from the connection
 * before it: the daemon's own lock sees to it that there is one daemon.
 *
 * OUTPUT carries no bytes of the command's: they are in a file that both sides can read
 * (run_log.h). So there is one way to get them, from any offset, whether they are new or old; a
 * slow daemon costs the runner nothing; and what it does not read it does not copy. An OUTPUT may
 * be left out while the daemon does not read; the last one is told as soon as it does.
 *
 * SIGNAL goes to the process group of the command. TERMINATE is SIGTERM to it, and after `grace`
 * SIGKILL to the whole tree, wherever its processes went; EXITED is told when the tree is gone.
 * SIGNAL, TERMINATE, WATCH, TAKEN, ACK for an unknown or ended command: nothing happens, which is
 * right, since its end is on the way.
 *
 * Every coder here works in both directions: fields are named once. Threads: none.
 */
#ifndef GATHERD_RUNNER_WIRE_H
#define GATHERD_RUNNER_WIRE_H

#include "daemon/runner/run.h"
#include "proto/base/buf.h"

#define WIRE_VERSION 1u
#define WIRE_WORDS_MAX 240u /* of REFUSED */
#define BOOT_ID_CHARS 36u

enum run_kind {
	RUN_HELLO = 1,
	RUN_START,
	RUN_SIGNAL,
	RUN_TERMINATE,
	RUN_ACK,
	RUN_LIST,
	RUN_WATCH,
	RUN_TAKEN,
	RUN_WELCOME = 64,
	RUN_REFUSED,
	RUN_STATE,
	RUN_OUTPUT,
	RUN_STATE_END
};

struct run_message {
	enum run_kind kind;
	struct run_ref
		ref; /* all but HELLO, LIST, WELCOME, REFUSED, STATE_END; START and STATE have
	                       the same inside */
	union {
		uint32_t version; /* HELLO */
		struct {
			uint32_t version;
			uint64_t instance;                   /* another number after each start */
			char     boot_id[BOOT_ID_CHARS + 1]; /* of the kernel */
		} welcome;
		const char      *words; /* REFUSED */
		struct run_start start;
		struct run_state state;
		int32_t          signal;             /* SIGNAL */
		gd_nsec          grace;              /* TERMINATE; 0: SIGKILL at once */
		bool             is_on;              /* WATCH */
		uint64_t         bytes[RUN_STREAMS]; /* OUTPUT, TAKEN */
	};
	void *owned[4]; /* lists of a decoded START */
};

/* Appends the frame; errors stick to `out`. */
void run_message_put(struct buf *out, const struct run_message *m);

enum wire_found { WIRE_MORE, WIRE_MESSAGE, WIRE_BAD, WIRE_NOMEM };
/* The first frame of these bytes. `m` points into them; run_message_close() when done with it.
 * `used` is the length of the frame, 0 unless WIRE_MESSAGE. */
enum wire_found run_message_get(const char *at, size_t bytes, struct run_message *m, size_t *used);
void            run_message_close(struct run_message *m);

/* --- coders, also for what is written to disk --- */

struct wire {
	struct buf          *out; /* NULL: decodes */
	const unsigned char *at;
	size_t               left;
	bool                 is_bad; /* sticks; what is decoded then is zero */
	bool                 has_nul;
};

void wire_u8(struct wire *w, uint8_t *number);
void wire_u32(struct wire *w, uint32_t *number);
void wire_u64(struct wire *w, uint64_t *number);
void wire_text(struct wire *w, const char **text); /* at least ""; decoded: inside the frame */
void wire_ref(struct wire *w, struct run_ref *ref);
void wire_state(struct wire *w, struct run_state *state);

#endif
