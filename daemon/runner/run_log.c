#include "daemon/runner/run_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum gd_err run_log_open(struct run_log *log, const char *dir, const struct run_ref *ref,
                         enum run_log_which which, uint64_t offset, struct gd_error *why)
{
	char name[CAPTURE_NAME_BYTES];
	int  chars;

	*log = (struct run_log){ .which = which, .next = offset };
	for (int i = 0; i < RUN_STREAMS; i++) {
		log->file[i].fd = -1;
		capture_name(ref, (enum run_stream)i, name);
		chars = snprintf(log->file[i].path, sizeof log->file[i].path, "%s/%s", dir, name);
		if (chars < 0 || (size_t)chars >= sizeof log->file[i].path)
			return gd_fail(why, GD_LIMIT, "the path of the output is too long");
	}
	return GD_OK;
}

void run_log_give(struct run_log *log, const int fd[RUN_STREAMS], enum run_log_which which,
                  uint64_t offset)
{
	*log = (struct run_log){ .which = which, .next = offset };
	for (int i = 0; i < RUN_STREAMS; i++)
		log->file[i].fd = fd[i];
}

void run_log_close(struct run_log *log)
{
	for (int i = 0; i < RUN_STREAMS; i++) {
		if (log->file[i].fd >= 0)
			(void)close(log->file[i].fd);
		log->file[i].fd = -1;
	}
}

/* Exactly these bytes, or false: not there (yet), or an error in `*failed`. */
static bool read_at(int fd, void *to, size_t bytes, uint64_t at, int *failed)
{
	ssize_t got;

	do
		got = pread(fd, to, bytes, (off_t)at);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		*failed = errno;
	return got == (ssize_t)bytes;
}

/* --- one file --- */

static bool read_head(const struct run_log_file *f, struct capture_head *head, int *failed)
{
	return read_at(f->fd, head, sizeof *head, 0, failed) && head->magic == CAPTURE_MAGIC;
}

/* To the first segment that is kept. */
static bool to_first(struct run_log_file *f, int *failed)
{
	struct capture_head head;

	f->has_now = false;
	if (!read_head(f, &head, failed))
		return false;
	f->key = head.key;
	f->at = head.from;
	f->done = 0;
	f->has_now = read_at(f->fd, &f->now, sizeof f->now, f->at, failed) && f->now.key == f->key;
	return f->has_now;
}

/* Whether the segment at hand was dropped since. */
static bool is_gone(const struct run_log_file *f, int *failed)
{
	struct capture_head head;

	return !read_head(f, &head, failed) || head.from > f->at;
}

/* To a segment with unread bytes. False: there is none now. */
static bool to_unread(struct run_log_file *f, int *failed)
{
	struct capture_segment next;
	uint64_t               place;

	if (f->fd < 0 && f->path[0] == '\0')
		return false;
	if (f->fd < 0 && (f->fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0) {
		if (errno != ENOENT)
			*failed = errno;
		return false;
	}
	while (*failed == 0) {
		if ((!f->has_now || is_gone(f, failed)) && !to_first(f, failed))
			return false;
		if (f->done < f->now.bytes)
			return true;
		/* It may have grown; what was behind it then was never a segment. */
		if (!read_at(f->fd, &next, sizeof next, f->at, failed))
			return false;
		if (next.key != f->key) {
			if (!is_gone(f, failed))
				return false; /* damaged */
			continue;             /* a hole: on from where the file begins now */
		}
		f->now = next;
		if (f->done < f->now.bytes)
			return true;
		place = f->at + sizeof next + f->now.bytes;
		if (!read_at(f->fd, &next, sizeof next, place, failed) || next.key != f->key)
			return false;
		f->at = place;
		f->now = next;
		f->done = 0;
	}
	return false;
}

/* --- both --- */

static uint64_t offset_of(const struct run_log *log, const struct run_log_file *f)
{
	return (log->which == RUN_LOG_BOTH ? f->now.order : f->now.offset) + f->done;
}

/* To the first byte not before `next`. */
static bool to_next(const struct run_log *log, struct run_log_file *f, int *failed)
{
	while (to_unread(f, failed)) {
		uint64_t offset = offset_of(log, f);

		if (offset >= log->next)
			return true;
		if (log->next - offset < f->now.bytes - f->done) {
			f->done += (uint32_t)(log->next - offset);
			return true;
		}
		f->done = f->now.bytes;
	}
	return false;
}

/* The stream that goes on first, or RUN_STREAMS. */
static enum run_stream choose(struct run_log *log, int *failed)
{
	enum run_stream best = RUN_STREAMS;

	/* Segments are written in their order. So when the first look finds nothing and the second a
	 * segment of the other file, a third look shows what came between. */
	for (int look = 0; look < RUN_STREAMS + 1; look++) {
		enum run_stream i = (enum run_stream)(look % RUN_STREAMS);

		if (log->which != RUN_LOG_BOTH && log->which != (enum run_log_which)i)
			continue;
		if (to_next(log, &log->file[i], failed) &&
		    (best == RUN_STREAMS ||
		     offset_of(log, &log->file[i]) < offset_of(log, &log->file[best])))
			best = i;
	}
	return best;
}

enum gd_err run_log_read(struct run_log *log, void *room, size_t room_bytes, struct run_chunk *out,
                         struct gd_error *why)
{
	int                  failed = 0;
	struct run_log_file *f;
	uint64_t             place;

	*out = (struct run_chunk){ .offset = log->next };
	while ((out->stream = choose(log, &failed)) != RUN_STREAMS && failed == 0) {
		f = &log->file[out->stream];
		out->offset = offset_of(log, f);
		out->skipped = out->offset - log->next;
		out->bytes = f->now.bytes - f->done;
		if (out->bytes > room_bytes)
			out->bytes = room_bytes;
		place = f->at + sizeof f->now + f->done;
		if (!read_at(f->fd, room, out->bytes, place, &failed))
			break; /* an error, or cut short by a power cut */
		if (is_gone(f, &failed)) {
			f->has_now = false; /* dropped under our eyes */
			continue;
		}
		f->done += (uint32_t)out->bytes;
		log->next = out->offset + out->bytes;
		return GD_OK;
	}
	out->stream = RUN_STDOUT;
	out->bytes = 0;
	out->skipped = 0;
	return failed == 0 ? GD_OK : gd_fail_sys(why, failed, "cannot read %s", log->file[0].path);
}

void run_log_unread(struct run_log *log, const struct run_chunk *chunk)
{
	log->next = chunk->offset - chunk->skipped;
	log->file[chunk->stream].done -= (uint32_t)chunk->bytes;
}
