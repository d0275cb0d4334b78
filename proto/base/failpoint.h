/*
 * failpoint.h - named places where a crash rig can end the daemon.
 *
 * GD_FAILPOINT("store.committed") stands where a crash is worth trying: it is nothing at all unless
 * GD_FAILPOINTS is defined. What ships is never built so: tests/torture compiles a daemon of its own
 * with it, and brings gd_failpoint(), which ends the process with SIGKILL when GATHERD_FAILPOINT
 * names the place.
 *
 * GD_FAILPOINT_HOLDS("run.recovery") is true as long as a test holds what goes on there: what must
 * hold in between can then be looked at in peace.
 *
 * Threads: any. Source: the failpoints of etcd's gofail.
 */
#ifndef GATHERD_BASE_FAILPOINT_H
#define GATHERD_BASE_FAILPOINT_H

#include <stdbool.h>

#ifdef GD_FAILPOINTS
void gd_failpoint(const char *name);
bool gd_failpoint_holds(const char *name);
#define GD_FAILPOINT(name) gd_failpoint(name)
#define GD_FAILPOINT_HOLDS(name) gd_failpoint_holds(name)
#else
#define GD_FAILPOINT(name) ((void)0)
#define GD_FAILPOINT_HOLDS(name) false
#endif

#endif
