/*
 * clock.h - the time scale of this daemon, and what it knows of the clock on the wall.
 *
 * The scale goes forward evenly while the host runs or sleeps: CLOCK_BOOTTIME plus an offset that
 * is stored, so that within one boot a restart of the daemon goes on in it as if nothing had been.
 * Everything that is journaled or armed is a moment of this scale. After a reboot only the wall can
 * say how long it took; the scale then goes on from there, but never from before a moment that is
 * stored: a wall that went back makes a sleep longer by the time that the host was down, no more.
 *
 * The wall (CLOCK_REALTIME) is this scale and how far it is ahead, a list of steps (engine/wall.h).
 * clock_now() compares the two each time. Where the wall was set, the step counts from just after
 * the last moment that any loop has been given: no loop has acted in it yet, and each takes it into
 * its engine before it does. What a loop stores afterwards stands behind its record of the step.
 *
 * Where two readings of the clocks may lie apart by chance, a step is as early as they allow, so
 * that nobody who waits for the wall is woken early. Differences of a microsecond are none.
 * What NTP does by slewing changes both clocks alike.
 *
 * Ownership: the pool owns its clock. Threads: clock_now() and clock_step() from any loop, each
 * with its own hand; clock_time() from anywhere; the rest before the loops run. Cost: clock_now() two
 * readings, some 60 ns; a step takes a lock.
 */
#ifndef GATHERD_RUN_CLOCK_H
#define GATHERD_RUN_CLOCK_H

#include "daemon/engine/wall.h"
#include "daemon/store/store.h"

#include <stdatomic.h>

/* Steps since the oldest job that is stored; then the wall is followed no more until a start has
 * forgotten those that no job needs. Somebody would have to set the clock every nine seconds for a
 * week. */
#define CLOCK_STEPS_MAX 65536u

/* Where time comes from; tests bring their own. */
struct clock_source {
	gd_nsec (*boot)(void *ctx); /* never goes back within a boot; counts a suspend */
	gd_nsec (*wall)(void *ctx); /* since the epoch, as it stands on the wall */
	/* Which boot this is; "" where the system does not say. */
	void (*boot_id)(void *ctx, char out[STORE_BOOT_CHARS + 1]);
	void *ctx;
};
extern const struct clock_source clock_of_system;

/* A loop's place in the scale. */
struct clock_hand {
	_Atomic gd_nsec    now; /* the latest moment it was given */
	struct clock_hand *next;
};

struct clock;

GD_NODISCARD enum gd_err clock_open(const struct clock_source *source, struct clock **out,
                                    struct gd_error *why);
void                     clock_close(struct clock *c);
void                     clock_add_hand(struct clock *c, struct clock_hand *h);
/* Goes on where `past` ended. `*next` is what must be durable before the first loop acts: the boot,
 * the offset, and the step that was found, if any (none: step_count is that of `past`). Its steps
 * belong to the clock. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err clock_start(struct clock *c, const struct store_clock *past,
                                     struct store_clock *next, struct gd_error *why);

/* The time. Never before a moment that this hand was given. Then the caller takes the new steps. */
gd_nsec             clock_now(struct clock *c, struct clock_hand *h);
/* `h` goes to `time`, which another hand was given, if it is not there yet. */
void                clock_reach(struct clock_hand *h, gd_nsec time);
/* How many steps there are. */
uint32_t            clock_step_count(const struct clock *c);
struct gd_wall_step clock_step(struct clock *c, uint32_t index);
/* The time without a hand, for who does not act upon it. */
gd_nsec             clock_time(struct clock *c);
/* When CLOCK_BOOTTIME will show that time. */
gd_nsec             clock_boot_of(const struct clock *c, gd_nsec time);
/* The opposite: the time when CLOCK_BOOTTIME, in this boot, showed `boot`. */
gd_nsec             clock_of_boot(const struct clock *c, gd_nsec boot);

#endif
