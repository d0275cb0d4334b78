/*
 * calls_inside.h - what the files of calls.h share. Private to them.
 *
 *	calls.c		life, the line, the inputs that they feed
 *	calls_thread.c	to a thread and back
 *	calls_http.c	to the network and back
 */
#ifndef GATHERD_EFFECT_CALLS_INSIDE_H
#define GATHERD_EFFECT_CALLS_INSIDE_H

#include "daemon/effect/calls.h"

_Noreturn void calls_out_of_memory(void);

/* The outcome (taken) of one that is RUNNING or BEGUN, journaled and fed. It is gone then, or waits for
 * another attempt. Not within a step of the engine. */
void         calls_end(struct calls *cs, struct pending *c, struct value outcome);
/* {result: v}, {error: {type, message, data}}; what is given is taken, `data` may be VALUE_NONE. */
struct value calls_result(struct value_heap *h, struct value v);
struct value calls_error(struct value_heap *h, const char *type, const char *message,
                         struct value data);

void calls_start_thread(struct calls *cs, struct pending *c, struct value request);
/* False: it was not made, and `*outcome` is what came of it. */
bool calls_start_http(struct calls *cs, struct pending *c, struct value request,
                      struct value *outcome);
/* Nobody waits for it any more. */
void calls_drop_thread(struct calls *cs, struct pending *c);
void calls_hurry_thread(struct pending *c);
void calls_drop_http(struct calls *cs, struct pending *c);

#endif
