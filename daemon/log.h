/*
 * log.h - leveled key=value lines to stderr.
 *
 *	log_info("job.started", "job=%" PRIu64 " owner=%s", id, owner);
 *
 * A line is: when and how bad, the event, then what the format says. Control characters in it are
 * escaped, so nobody can write a line of their own. Under systemd the level is told as a <N>
 * prefix and the journal adds the time; otherwise both are in the line.
 *
 * It never waits: a line that stderr does not take at once is dropped and counted, and the count is
 * told as soon as a line gets through. Nothing secret belongs in a line.
 *
 * Threads: any, after log_open(). Bound: LOG_LINE_BYTES_MAX; a longer line ends in "...".
 */
#ifndef GATHERD_LOG_H
#define GATHERD_LOG_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_BYTES_MAX 1024u

enum log_level {
	LOG_LEVEL_ERROR, /* somebody must act */
	LOG_LEVEL_WARN,  /* somebody may want to act */
	LOG_LEVEL_INFO,  /* lifecycle */
	LOG_LEVEL_DEBUG  /* each request; off by default */
};

enum log_style {
	LOG_STYLE_PLAIN,  /* 2030-01-31T09:00:00.250Z info  event key=value */
	LOG_STYLE_JOURNAL /* <6>event key=value */
};

/* Takes the style from $JOURNAL_STREAM: journal when that is what stderr is; plain when
 * `is_foreground`. Before this call: plain, info. */
void log_open(bool is_foreground);
/* For tests and for those who know better: where lines go (borrowed) and how they look. */
void log_open_fd(int fd, enum log_style style);

void           log_set_level(enum log_level level);
enum log_level log_level(void);
bool           log_is_on(enum log_level level);
bool           log_level_parse(const char *text, enum log_level *out);
const char    *log_level_name(enum log_level level);
/* Lines lost since the start. */
uint64_t       log_lost(void);

void log_write(enum log_level level, const char *event, const char *fmt, ...) GD_PRINTF(3, 4);

#define LOG_AT(level, event, ...)                             \
	do {                                                  \
		if (log_is_on(level))                         \
			log_write(level, event, __VA_ARGS__); \
	} while (0)
#define log_error(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

/* A text from outside as one value: quoted and escaped, cut where it is too long. Use it as
 * log_info("x", "title=%s", log_quote(&(struct log_quoted){ 0 }, title)). */
struct log_quoted {
	char at[128];
};
const char *log_quote(struct log_quoted *room, const char *text);

#endif
