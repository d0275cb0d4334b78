/*
 * The clock of a daemon that opens golden state: with WALL_AT_START=N its clocks that count across
 * restarts begin at N seconds since the epoch, and go on from there. What was recorded for that
 * moment then comes out on any day.
 *
 * It stands before the clock of the C library; everything else is the daemon that ships. Timers on
 * those clocks are moved as well, the other way.
 */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define FD_MAX 1024

static long        shift; /* s */
static atomic_bool is_shifted_timer[FD_MAX];

__attribute__((constructor)) static void set_the_clock(void)
{
	const char     *wish = getenv("WALL_AT_START");
	struct timespec now;

	if (wish == NULL)
		return;
	if (syscall(SYS_clock_gettime, CLOCK_REALTIME, &now) != 0)
		abort();
	shift = strtol(wish, NULL, 10) - now.tv_sec;
}

static int is_shifted(clockid_t clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_BOOTTIME;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, out);

	if (rc == 0 && is_shifted(clock))
		out->tv_sec += shift;
	return rc;
}

int timerfd_create(clockid_t clock, int flags)
{
	int fd = (int)syscall(SYS_timerfd_create, clock, flags);

	if (fd >= FD_MAX)
		abort();
	if (fd >= 0)
		atomic_store(&is_shifted_timer[fd], is_shifted(clock));
	return fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
	struct itimerspec moved = *when;

	if ((flags & TFD_TIMER_ABSTIME) != 0 && fd >= 0 && fd < FD_MAX &&
	    atomic_load(&is_shifted_timer[fd]) &&
	    (when->it_value.tv_sec != 0 || when->it_value.tv_nsec != 0)) {
		moved.it_value.tv_sec -= shift;
		if (moved.it_value.tv_sec <= 0) /* before the clock began: due */
			moved.it_value = (struct timespec){ .tv_nsec = 1 };
	}
	return (int)syscall(SYS_timerfd_settime, fd, flags, &moved, old);
}
