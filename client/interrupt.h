/*
 * interrupt.h - Ctrl-C as a number that is looked at, instead of a sudden end.
 *
 * After interrupt_catch() SIGINT is blocked except while conn.c waits. Threads: one.
 */
#ifndef GATHERD_CLIENT_INTERRUPT_H
#define GATHERD_CLIENT_INTERRUPT_H

void interrupt_catch(void);
int  interrupt_count(void); /* how many since interrupt_catch() */

#endif
