#include "daemon/run/clock.h"

#include "daemon/log.h"
#include "proto/base/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NO_STEP_NSEC 1000 /* differences up to this are the readings' own, at the least */
#define READINGS_MAX 16u  /* until one is tight */
#define WIDTHS_OF_SLACK 4 /* where a reading takes long, of those */
#define SLACK_MAX GD_NSEC_PER_MSEC
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

struct clock {
	struct clock_source source;
	gd_nsec            offset; /* scale minus CLOCK_BOOTTIME; does not change after the start */
	gd_nsec            slack;  /* differences up to this are no steps; nor does this change */
	_Atomic gd_nsec    ahead;  /* that of the last step */
	atomic_uint        step_count;
	atomic_bool        is_full;
	pthread_mutex_t    lock; /* of what follows */
	struct wall        wall;
	struct clock_hand *hands;
};

/* --- the system's clocks --- */

static gd_nsec read_clock(clockid_t which)
{
	struct timespec ts;

	CHECK(clock_gettime(which, &ts) == 0);
	return (gd_nsec)ts.tv_sec * GD_NSEC_PER_SEC + ts.tv_nsec;
}

static gd_nsec system_boot(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_BOOTTIME);
}

static gd_nsec system_wall(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_REALTIME);
}

static void system_boot_id(void *ctx, char out[STORE_BOOT_CHARS + 1])
{
	int     fd = open(BOOT_ID_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t bytes = -1;

	(void)ctx;
	if (fd >= 0) {
		bytes = read(fd, out, STORE_BOOT_CHARS);
		(void)close(fd);
	}
	out[bytes == STORE_BOOT_CHARS ? STORE_BOOT_CHARS : 0] = '\0';
}

const struct clock_source clock_of_system = { system_boot, system_wall, system_boot_id, NULL };

static gd_nsec boot_of(const struct clock *c)
{
	return c->source.boot(c->source.ctx);
}

static gd_nsec wall_now(const struct clock *c)
{
	return c->source.wall(c->source.ctx);
}

/* --- readings --- */

/* What the wall is ahead of CLOCK_BOOTTIME lies between the two. */
struct reading {
	gd_nsec low, high;
};

static struct reading read_both(const struct clock *c)
{
	struct reading best = { 0 };

	for (uint32_t i = 0; i < READINGS_MAX; i++) {
		gd_nsec before = boot_of(c), wall = wall_now(c), after = boot_of(c);

		if (i == 0 || after - before < best.high - best.low)
			best = (struct reading){ wall - after, wall - before };
		if (best.high - best.low <= c->slack)
			break;
	}
	return best;
}

/* A clock that is read by a system call, or from a slow device, must not look off each time. */
static gd_nsec measure_slack(const struct clock *c)
{
	struct reading r = read_both(c);
	gd_nsec        slack = NO_STEP_NSEC + WIDTHS_OF_SLACK * (r.high - r.low);

	return slack < SLACK_MAX ? slack : SLACK_MAX;
}

/* --- steps --- */

static void append(struct clock *c, struct gd_wall_step step)
{
	wall_add(&c->wall, step);
	atomic_store(&c->ahead, step.ahead);
}

/* A loop publishes the moment that it was given, then looks whether there are new steps; here it is
 * the other way round. So either the loop sees the step, or its moment is seen here. */
static gd_nsec after_all_hands(const struct clock *c)
{
	gd_nsec at = c->wall.last.at;

	for (const struct clock_hand *h = c->hands; h != NULL; h = h->next) {
		gd_nsec now = atomic_load(&h->now);

		if (now > at)
			at = now;
	}
	return at + 1;
}

/* Where there is no memory for it, the next reading finds it again. */
static void take_step(struct clock *c, gd_nsec ahead)
{
	gd_nsec by = ahead - c->wall.last.ahead;

	if (!wall_reserve(&c->wall))
		return;
	atomic_fetch_add(&c->step_count, 1); /* who looks now waits for the lock */
	append(c, (struct gd_wall_step){ after_all_hands(c), ahead });
	log_info("clock.set", "by=%.6fs", (double)by / (double)GD_NSEC_PER_SEC);
	if (c->wall.count < CLOCK_STEPS_MAX)
		return;
	atomic_store(&c->is_full, true);
	log_error("clock.too_many_steps",
	          "the clock was set %u times since the oldest job came; it is followed no "
	          "more until there is a start without that job",
	          CLOCK_STEPS_MAX);
}

/* The wall seems to be off: is it, or was the reading interrupted? */
static void look_closely(struct clock *c)
{
	struct reading r;
	gd_nsec        ahead;

	CHECK(pthread_mutex_lock(&c->lock) == 0);
	r = read_both(c);
	ahead = c->wall.last.ahead + c->offset;
	if (ahead < r.low - c->slack || ahead > r.high + c->slack)
		take_step(c, r.low - c->offset);
	CHECK(pthread_mutex_unlock(&c->lock) == 0);
}

gd_nsec clock_now(struct clock *c, struct clock_hand *h)
{
	gd_nsec boot = boot_of(c);
	gd_nsec off = wall_now(c) - boot - c->offset - atomic_load(&c->ahead);

	if ((off < -c->slack || off > c->slack) && !atomic_load(&c->is_full)) {
		look_closely(c);
		boot = boot_of(c);
	}
	clock_reach(h, boot + c->offset);
	return atomic_load_explicit(&h->now, memory_order_relaxed);
}

void clock_reach(struct clock_hand *h, gd_nsec time)
{
	if (time > atomic_load_explicit(&h->now, memory_order_relaxed))
		atomic_store(&h->now, time);
}

uint32_t clock_step_count(const struct clock *c)
{
	return atomic_load(&c->step_count);
}

struct gd_wall_step clock_step(struct clock *c, uint32_t index)
{
	struct gd_wall_step step;

	CHECK(pthread_mutex_lock(&c->lock) == 0);
	CHECK(index < c->wall.count);
	step = c->wall.at[index];
	CHECK(pthread_mutex_unlock(&c->lock) == 0);
	return step;
}

gd_nsec clock_time(struct clock *c)
{
	return boot_of(c) + c->offset;
}

gd_nsec clock_boot_of(const struct clock *c, gd_nsec time)
{
	gd_nsec boot;

	return __builtin_sub_overflow(time, c->offset, &boot) ? time : boot;
}

gd_nsec clock_of_boot(const struct clock *c, gd_nsec boot)
{
	gd_nsec time;

	return __builtin_add_overflow(boot, c->offset, &time) ? boot : time;
}

/* --- life --- */

enum gd_err clock_open(const struct clock_source *source, struct clock **out, struct gd_error *why)
{
	struct clock *c = calloc(1, sizeof *c);

	if (c == NULL)
		return gd_fail(why, GD_NOMEM, "clock: %zu bytes", sizeof *c);
	c->source = *source;
	CHECK(pthread_mutex_init(&c->lock, NULL) == 0);
	*out = c;
	return GD_OK;
}

void clock_close(struct clock *c)
{
	if (c == NULL)
		return;
	wall_close(&c->wall);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}

void clock_add_hand(struct clock *c, struct clock_hand *h)
{
	h->next = c->hands;
	c->hands = h;
}

/* The offset of this boot is known, unless it is another boot, or a namespace in which its clock
 * tells something else. */
static bool is_same_boot(const struct clock *c, const struct store_clock *past, const char *boot)
{
	return boot[0] != '\0' && strcmp(boot, past->boot) == 0 &&
	       boot_of(c) + past->offset > past->horizon - STORE_HORIZON_NSEC;
}

static gd_nsec offset_of(const struct clock *c, const struct store_clock *past, gd_nsec ahead)
{
	struct reading r = read_both(c);
	gd_nsec        boot = boot_of(c);
	gd_nsec        offset = r.low - ahead;

	return boot + offset > past->horizon ? offset : past->horizon + 1 - boot;
}

/* The wall may have been set while nobody looked: as early as nothing that is stored denies it. */
static enum gd_err look_first(struct clock *c, gd_nsec horizon, struct gd_error *why)
{
	struct reading r = read_both(c);
	gd_nsec        now = clock_time(c);
	gd_nsec        at = horizon < now ? horizon + 1 : now;
	gd_nsec        ahead = c->wall.last.ahead + c->offset;

	if (ahead >= r.low - c->slack && ahead <= r.high + c->slack)
		return GD_OK;
	if (at <= c->wall.last.at)
		at = c->wall.last.at + 1;
	if (!wall_reserve(&c->wall))
		return gd_fail(why, GD_NOMEM, "clock: no memory for its steps");
	append(c, (struct gd_wall_step){ at, r.low - c->offset });
	log_info("clock.set", "by=%.6fs while the daemon was down",
	         (double)(r.low - ahead) / (double)GD_NSEC_PER_SEC);
	return GD_OK;
}

static void tell_of_restart(const struct clock *c, const struct store_clock *past)
{
	if (past->horizon != 0)
		log_info("clock.host_restarted", "the host was away for %.1fs, as its clock tells",
		         (double)(boot_of(c) + c->offset - past->horizon) /
		                 (double)GD_NSEC_PER_SEC);
}

enum gd_err clock_start(struct clock *c, const struct store_clock *past, struct store_clock *next,
                        struct gd_error *why)
{
	enum gd_err rc = GD_OK;

	for (uint32_t i = 0; i < past->step_count; i++) {
		if (!wall_reserve(&c->wall))
			return gd_fail(why, GD_NOMEM, "clock: no memory for its steps");
		append(c, past->steps[i]);
	}
	*next = *past;
	c->source.boot_id(c->source.ctx, next->boot);
	c->slack = measure_slack(c);
	c->offset = past->offset;
	if (!is_same_boot(c, past, next->boot)) {
		c->offset = offset_of(c, past, c->wall.last.ahead);
		tell_of_restart(c, past);
	}
	atomic_store(&c->is_full, c->wall.count >= CLOCK_STEPS_MAX);
	if (!atomic_load(&c->is_full))
		rc = look_first(c, past->horizon, why);
	next->offset = c->offset;
	next->steps = c->wall.at;
	next->step_count = c->wall.count;
	atomic_store(&c->step_count, c->wall.count);
	return rc;
}
