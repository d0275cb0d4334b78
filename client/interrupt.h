/*
 * interrupt.h - Ctrl-C as a number that is looked at, instead of a sudden end.
 *
 * After interrupt_catch() SIGINT is blocked except while conn.c waits and in
 * interrupt_count(). Threads: one.
 */
#ifndef GATHERD_CLIENT_INTERRUPT_H
#define GATHERD_CLIENT_INTERRUPT_H

void interrupt_catch(void);
/* How many since interrupt_catch(), also those that no wait has let in, because there was always
 * something to read. */
int  interrupt_count(void);

#endif
