/*
 * wall_shift.c - a library for LD_PRELOAD: another clock on the wall for one process.
 *
 * WALL_SHIFT names a file of 8 bytes: by how many nanoseconds CLOCK_REALTIME is off. Whoever writes
 * it sets the clock: a timer made for CLOCK_REALTIME then becomes readable and its read fails with
 * ECANCELED, as TFD_TIMER_CANCEL_ON_SET promises. WALL_SHIFT_BOOT names a file that is read instead
 * of the id of this boot. The other clocks are the host's.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC 1000000000
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define TIMERS_MAX 1024 /* file descriptors below it may be timers of ours */

static volatile int64_t *shift;
static char              is_ours[TIMERS_MAX];

static void *next_of(const char *name)
{
	void *at = dlsym(RTLD_NEXT, name);

	if (at == NULL)
		abort();
	return at;
}

__attribute__((constructor)) static void map_shift(void)
{
	const char *path = getenv("WALL_SHIFT");
	int         fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void       *at;

	if (fd < 0)
		abort();
	at = mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		abort();
	(void)close(fd);
	shift = at;
}

int clock_gettime(clockid_t which, struct timespec *out)
{
	static int (*next)(clockid_t, struct timespec *);
	int     rc;
	int64_t nsec;

	if (next == NULL)
		*(void **)&next = next_of("clock_gettime");
	rc = next(which, out);
	if (rc != 0 || which != CLOCK_REALTIME || shift == NULL)
		return rc;
	nsec = (int64_t)out->tv_sec * NSEC_PER_SEC + out->tv_nsec + *shift;
	out->tv_sec = nsec / NSEC_PER_SEC;
	out->tv_nsec = nsec % NSEC_PER_SEC;
	return 0;
}

int timerfd_create(clockid_t which, int flags)
{
	int (*next)(clockid_t, int);
	int fd;

	if (which != CLOCK_REALTIME) {
		*(void **)&next = next_of("timerfd_create");
		return next(which, flags);
	}
	fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd < 0 || fd >= TIMERS_MAX ||
	    inotify_add_watch(fd, getenv("WALL_SHIFT"), IN_MODIFY) < 0)
		abort();
	is_ours[fd] = 1;
	return fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
	int (*next)(int, int, const struct itimerspec *, struct itimerspec *);

	if (fd >= 0 && fd < TIMERS_MAX && is_ours[fd])
		return 0;
	*(void **)&next = next_of("timerfd_settime");
	return next(fd, flags, when, old);
}

ssize_t read(int fd, void *to, size_t bytes)
{
	static ssize_t (*next)(int, void *, size_t);
	char    changes[4096];
	ssize_t got;

	if (next == NULL)
		*(void **)&next = next_of("read");
	if (fd < 0 || fd >= TIMERS_MAX || !is_ours[fd])
		return next(fd, to, bytes);
	got = next(fd, changes, sizeof changes);
	if (got > 0) {
		errno = ECANCELED;
		got = -1;
	}
	return got;
}

int close(int fd)
{
	int (*next)(int);

	if (fd >= 0 && fd < TIMERS_MAX)
		is_ours[fd] = 0;
	*(void **)&next = next_of("close");
	return next(fd);
}

int open(const char *path, int flags, ...)
{
	static int (*next)(const char *, int, ...);
	const char *boot = getenv("WALL_SHIFT_BOOT");
	mode_t      mode = 0;
	va_list     more;

	if (next == NULL)
		*(void **)&next = next_of("open");
	va_start(more, flags);
	if (flags & (O_CREAT | O_TMPFILE))
		mode = va_arg(more, mode_t);
	va_end(more);
	return next(boot != NULL && strcmp(path, BOOT_ID) == 0 ? boot : path, flags, mode);
}
