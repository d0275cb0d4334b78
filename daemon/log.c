#include "daemon/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const struct {
	const char *name;
	int         syslog; /* priority of sd-daemon(3) */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },
	[LOG_LEVEL_WARN] = { "warn", 4 },
	[LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};
#define LEVEL_COUNT (sizeof levels / sizeof levels[0])

/* The process has one log. `lock` keeps lines whole and in order. */
static struct {
	pthread_mutex_t  lock;
	int              fd;
	enum log_style   style;
	_Atomic int      level;
	_Atomic uint64_t lost;
	uint64_t         lost_told; /* under lock */
	bool             is_broken; /* under lock: the last line was cut; the next begins with LF */
} sink = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.fd = STDERR_FILENO,
	.style = LOG_STYLE_PLAIN,
	.level = LOG_LEVEL_INFO,
};

/* Is this what systemd connected to the journal, or was stderr moved elsewhere since? */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uint64_t    device, inode;
	struct stat st;

	if (stream == NULL || sscanf(stream, "%" SCNu64 ":%" SCNu64, &device, &inode) != 2)
		return false;
	return fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(bool is_foreground)
{
	bool for_journal = !is_foreground && is_journal(STDERR_FILENO);

	log_open_fd(STDERR_FILENO, for_journal ? LOG_STYLE_JOURNAL : LOG_STYLE_PLAIN);
}

void log_open_fd(int fd, enum log_style style)
{
	pthread_mutex_lock(&sink.lock);
	sink.fd = fd;
	sink.style = style;
	sink.lost_told = 0;
	sink.is_broken = false;
	pthread_mutex_unlock(&sink.lock);
	atomic_store(&sink.lost, 0);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&sink.level, (int)level, memory_order_relaxed);
}

enum log_level log_level(void)
{
	return (enum log_level)atomic_load_explicit(&sink.level, memory_order_relaxed);
}

bool log_is_on(enum log_level level)
{
	return level <= log_level();
}

bool log_level_parse(const char *text, enum log_level *out)
{
	for (size_t i = 0; i < LEVEL_COUNT; i++) {
		if (strcmp(text, levels[i].name) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

const char *log_level_name(enum log_level level)
{
	return levels[level].name;
}

uint64_t log_lost(void)
{
	return atomic_load(&sink.lost);
}

/* --- one line --- */

struct line {
	char   at[LOG_LINE_BYTES_MAX];
	size_t bytes;
};

#define LINE_END_BYTES 4 /* "..." and LF always fit */

/* False when the line is full. */
static bool line_add(struct line *l, const char *bytes, size_t count)
{
	if (l->bytes + count > sizeof l->at - LINE_END_BYTES)
		return false;
	memcpy(l->at + l->bytes, bytes, count);
	l->bytes += count;
	return true;
}

/* Control characters, also 80 to 9F, bare or as UTF-8 writes them (C2 80 to C2 9F): a terminal
 * obeys them all. */
static bool is_control(const unsigned char *at)
{
	return at[0] < 0x20 || (at[0] >= 0x7f && at[0] <= 0x9f) ||
	       (at[0] == 0xc2 && at[1] >= 0x80 && at[1] <= 0x9f);
}

/* The bytes of `at` that stay together: a code point, or one byte. */
static size_t unit_bytes(const char *at)
{
	size_t bytes = 1;

	while ((at[bytes] & 0xc0) == 0x80 && bytes < 4)
		bytes++;
	return bytes;
}

static bool line_add_escaped(struct line *l, const char *text)
{
	char hex[5];

	for (size_t bytes; *text != '\0'; text += bytes) {
		const unsigned char *at = (const unsigned char *)text;

		bytes = is_control(at) ? 1 : unit_bytes(text);
		if (!is_control(at)) {
			if (!line_add(l, text, bytes))
				return false;
			continue;
		}
		(void)snprintf(hex, sizeof hex, "\\x%02x", at[0]);
		if (!line_add(l, hex, 4))
			return false;
	}
	return true;
}

static void line_begin(struct line *l, enum log_level level, enum log_style style)
{
	char            head[64];
	char            when[32];
	struct timespec now;
	struct tm       utc;

	l->bytes = 0;
	if (style == LOG_STYLE_JOURNAL) {
		(void)snprintf(head, sizeof head, "<%d>", levels[level].syslog);
	} else {
		(void)clock_gettime(CLOCK_REALTIME, &now);
		(void)gmtime_r(&now.tv_sec, &utc);
		(void)strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%S", &utc);
		(void)snprintf(head, sizeof head, "%s.%03dZ %-5s ", when,
		               (int)(now.tv_nsec / 1000000), levels[level].name);
	}
	(void)line_add(l, head, strlen(head));
}

static void line_end(struct line *l, bool is_whole)
{
	if (!is_whole) {
		memcpy(l->at + l->bytes, "...", 3);
		l->bytes += 3;
	}
	l->at[l->bytes++] = '\n';
}

/* --- sending; under the lock --- */

/* Hands bytes over if that takes no waiting. Sockets can be told so; for the rest, poll() knows: a
 * pipe that is ready takes PIPE_BUF bytes, which is more than a line. */
static ssize_t put(const char *bytes, size_t count)
{
	struct pollfd ready = { .fd = sink.fd, .events = POLLOUT };
	ssize_t       done = send(sink.fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (done >= 0 || errno != ENOTSOCK)
		return done;
	if (poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0)
		return -1;
	return write(sink.fd, bytes, count);
}

static bool put_line(const struct line *l)
{
	ssize_t done;

	if (sink.is_broken && put("\n", 1) != 1)
		return false;
	sink.is_broken = false;
	done = put(l->at, l->bytes);
	if (done == (ssize_t)l->bytes)
		return true;
	sink.is_broken = done > 0;
	return false;
}

static void tell_lost(void)
{
	uint64_t    lost = atomic_load(&sink.lost);
	struct line l;
	char        words[48];

	if (lost == sink.lost_told)
		return;
	line_begin(&l, LOG_LEVEL_WARN, sink.style);
	(void)snprintf(words, sizeof words, "log.lost lines=%" PRIu64, lost - sink.lost_told);
	line_end(&l, line_add(&l, words, strlen(words)));
	if (put_line(&l))
		sink.lost_told = lost;
}

void log_write(enum log_level level, const char *event, const char *fmt, ...)
{
	char        words[LOG_LINE_BYTES_MAX];
	struct line l;
	va_list     args;
	bool        is_whole;
	int         saved = errno; /* a log line changes nothing for its caller */
	int         need;

	va_start(args, fmt);
	need = vsnprintf(words, sizeof words, fmt, args);
	va_end(args);
	if (need < 0)
		words[0] = '\0';
	pthread_mutex_lock(&sink.lock);
	line_begin(&l, level, sink.style);
	is_whole = line_add_escaped(&l, event) && (need <= 0 || line_add(&l, " ", 1)) &&
	           line_add_escaped(&l, words) && (size_t)(need < 0 ? 0 : need) < sizeof words;
	line_end(&l, is_whole);
	tell_lost();
	if (!put_line(&l))
		atomic_fetch_add(&sink.lost, 1);
	pthread_mutex_unlock(&sink.lock);
	errno = saved;
}

/* --- values from outside --- */

static bool is_plain(const char *text)
{
	size_t chars = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	                            "._:/@+-");

	return chars > 0 && text[chars] == '\0' && chars < sizeof((struct log_quoted *)0)->at;
}

/* One code point of `text` as it stands between quotes; how many bytes of `out` it takes. */
static size_t quote_unit(const char *text, size_t bytes, char out[8])
{
	const unsigned char *at = (const unsigned char *)text;

	if (is_control(at))
		return (size_t)snprintf(out, 8, "\\x%02x", at[0]);
	if (*text == '"' || *text == '\\')
		return (size_t)snprintf(out, 8, "\\%c", *text);
	memcpy(out, text, bytes);
	return bytes;
}

const char *log_quote(struct log_quoted *room, const char *text)
{
	size_t used = 0;
	char   unit[8];

	if (is_plain(text)) {
		memcpy(room->at, text, strlen(text) + 1);
		return room->at;
	}
	room->at[used++] = '"';
	while (*text != '\0') {
		size_t bytes = is_control((const unsigned char *)text) ? 1 : unit_bytes(text);
		size_t need = quote_unit(text, bytes, unit);

		if (used + need + sizeof "...\"" > sizeof room->at) {
			memcpy(room->at + used, "...", 3);
			used += 3;
			break;
		}
		memcpy(room->at + used, unit, need);
		used += need;
		text += bytes;
	}
	room->at[used++] = '"';
	room->at[used] = '\0';
	return room->at;
}
