/*
 * notify.h - telling systemd how we are, without libsystemd.
 *
 * One datagram each to $NOTIFY_SOCKET; nothing at all when nobody listens. notify_open() takes the
 * variables out of the environment, so that children do not speak for us.
 *
 * Threads: notify_open() before there are threads, then any. No call waits: what the manager does
 * not take at once is dropped, except for READY, which is sent again until it is taken or a second
 * has passed.
 * Source: sd_notify(3), sd_watchdog_enabled(3), systemd 252.
 */
#ifndef GATHERD_NOTIFY_H
#define GATHERD_NOTIFY_H

#include "proto/base/clock.h"
#include "proto/base/err.h"

#include <stdbool.h>

void notify_open(void);
void notify_close(void);
bool notify_is_on(void);

void notify_ready(void);
void notify_status(const char *fmt, ...) GD_PRINTF(1, 2); /* one line for systemctl status */
void notify_reloading(void);                              /* notify_ready() ends it */
void notify_stopping(void);
void notify_watchdog(void);

/* How often the manager wants to hear notify_watchdog() at the latest; beat twice as often.
 * 0: not at all. */
gd_nsec notify_watchdog_interval(void);
/* From now on the manager waits so long; for work of known kind and unknown length. 0: as long as
 * it wanted at first. Nothing where it wants no beats. */
void    notify_watchdog_allow(gd_nsec interval);

#endif
