/*
 * played.h - the runner of a simulator: programs that are known by heart, on the virtual clock.
 *
 *	ok [WORDS]		prints them, exits with 0 at once
 *	fail CODE [WORDS]	prints them to stderr, exits with CODE at once
 *	sleep SECONDS [WORDS]	prints them and exits with 0 when they are over
 *	deaf SECONDS		the same, and does not hear TERM
 *	tidy SECONDS MORE	the same; at TERM it takes MORE seconds, then exits with 0
 *	lines COUNT STEP	prints "1", "2", ..., one every STEP seconds, then exits with 0
 *	missing			cannot be started
 *	gone SECONDS		after them nobody knows what became of it
 *	flaky TIMES SECONDS	the same in its first attempts, so many times; then as `sleep`
 *
 * A call plays one of them as well: a function by the words of its path ("sleep 3 done"), a
 * request by the path of its URL (http://test/sleep/3/done; a `fail` answers with CODE). Its end comes
 * without a BEGIN where it needs none.
 *
 * A pool that has a name runs one command at a time, first come first served; without a name there is
 * no limit. What was interrupted and is held goes on after two seconds: again, but the third time it
 * fails. A command that is being stopped gives no more lines. At any moment what is first in the list
 * of commands happens first, when nothing else can.
 *
 * It decides nothing that is not in its list, and the list follows from what the engine puts out and
 * what it is fed: a replay rebuilds it.
 */
#ifndef GATHERD_TESTS_PLAYED_H
#define GATHERD_TESTS_PLAYED_H

#include "daemon/engine/engine.h"

#define PLAYED_NEVER GD_NSEC_NEVER

struct played_command {
	uint64_t job;
	uint32_t ticket, attempt;
	char     program[16];
	double   numbers[2];
	char     words[40];
	char     pool[16];
	gd_nsec  grace;
	bool     is_held_when_lost; /* on_interrupt: hold */
	bool     gives_lines;
	bool     is_call, is_http;
	int32_t  wanted;                       /* how often lines may be given yet */
	uint32_t given;                        /* lines */
	gd_nsec  begun, stopped, killed, held; /* PLAYED_NEVER: not */
};

struct played {
	struct played_command *at; /* in the order of asking; owned */
	uint32_t               count, room;
};

void played_close(struct played *p);

/* What the engine has put out; and what it was fed, behind that step: what an input answers may come
 * out in the same one. */
void played_note_out(struct played *p, const struct engine_out *o);
void played_note_in(struct played *p, const struct engine_in *in);

/* When the next thing happens, not before `now`; PLAYED_NEVER: nothing without the engine. */
gd_nsec played_next_due(const struct played *p, gd_nsec now);
/* The first that happens at `now`, as an input whose message is a new reference on `h`. False: none. */
bool played_next(const struct played *p, gd_nsec now, struct value_heap *h, struct engine_in *in);
/* Whether two know of the same commands in the same states. */
bool played_is_same(const struct played *a, const struct played *b);

#endif
