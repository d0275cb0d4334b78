#include "daemon/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NOTIFY_BYTES_MAX 512
#define NOTIFY_READY_TRIES 100
#define NOTIFY_READY_PAUSE_MSEC 10

/* The process has one manager. Written by notify_open() and notify_close() alone. */
static struct {
	int                fd; /* -1: nobody listens */
	struct sockaddr_un to;
	socklen_t          to_bytes;
	gd_nsec            watchdog;
} manager = { .fd = -1 };

/* The address of $NOTIFY_SOCKET: a path, or a name without one when it begins with '@'. */
static bool read_address(const char *text)
{
	size_t chars = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || chars < 2 || chars >= sizeof manager.to.sun_path)
		return false;
	manager.to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(manager.to.sun_path, text, chars);
	manager.to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + chars);
	if (text[0] == '@')
		manager.to.sun_path[0] = '\0';
	else
		manager.to_bytes++; /* the NUL behind a path */
	return true;
}

static bool read_u64(const char *text, uint64_t *out)
{
	char *end;

	if (text == NULL || *text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno == 0 && *end == '\0';
}

/* WATCHDOG_PID says for whom WATCHDOG_USEC is: variables are inherited. */
static gd_nsec read_watchdog(void)
{
	const char *for_whom = getenv("WATCHDOG_PID");
	uint64_t    usec, pid;

	if (!read_u64(getenv("WATCHDOG_USEC"), &usec) || usec == 0 || usec > INT64_MAX / 1000)
		return 0;
	if (for_whom != NULL && (!read_u64(for_whom, &pid) || pid != (uint64_t)getpid()))
		return 0;
	return (gd_nsec)usec * 1000;
}

void notify_open(void)
{
	const char *address = getenv("NOTIFY_SOCKET");

	notify_close();
	if (address != NULL && read_address(address))
		manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (manager.fd >= 0)
		manager.watchdog = read_watchdog();
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

void notify_close(void)
{
	if (manager.fd >= 0)
		(void)close(manager.fd);
	manager.fd = -1;
	manager.watchdog = 0;
}

bool notify_is_on(void)
{
	return manager.fd >= 0;
}

gd_nsec notify_watchdog_interval(void)
{
	return manager.watchdog;
}

/* False when the manager has no room for it now. */
static bool tell(const char *words, size_t bytes)
{
	ssize_t done;

	if (manager.fd < 0)
		return true;
	do
		done = sendto(manager.fd, words, bytes, MSG_DONTWAIT | MSG_NOSIGNAL,
		              (const struct sockaddr *)&manager.to, manager.to_bytes);
	while (done < 0 && errno == EINTR);
	return done >= 0 || errno != EAGAIN;
}

void notify_ready(void)
{
	static const char words[] = "READY=1";

	for (int i = 0; i < NOTIFY_READY_TRIES && !tell(words, sizeof words - 1); i++)
		(void)poll(NULL, 0, NOTIFY_READY_PAUSE_MSEC);
}

void notify_status(const char *fmt, ...)
{
	char    words[NOTIFY_BYTES_MAX] = "STATUS=";
	size_t  bytes = strlen(words);
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(words + bytes, sizeof words - bytes, fmt, args);
	va_end(args);
	for (; words[bytes] != '\0'; bytes++) {
		if (words[bytes] == '\n')
			words[bytes] = ' '; /* an LF would begin another assignment */
	}
	(void)tell(words, bytes);
}

void notify_reloading(void)
{
	char            words[64];
	struct timespec now;
	int             bytes;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	bytes = snprintf(words, sizeof words, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
	                 (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	(void)tell(words, (size_t)bytes);
}

void notify_stopping(void)
{
	static const char words[] = "STOPPING=1";

	(void)tell(words, sizeof words - 1);
}

void notify_watchdog(void)
{
	static const char words[] = "WATCHDOG=1";

	(void)tell(words, sizeof words - 1);
}

void notify_watchdog_allow(gd_nsec interval)
{
	char words[64];
	int  bytes;

	if (manager.watchdog == 0)
		return;
	if (interval == 0)
		interval = manager.watchdog;
	bytes = snprintf(words, sizeof words, "WATCHDOG_USEC=%" PRId64, interval / 1000);
	(void)tell(words, (size_t)bytes);
}
