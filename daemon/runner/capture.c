#include "daemon/runner/capture.h"

#include "proto/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK 4096u /* holes are made of whole ones */

void capture_name(const struct run_ref *ref, enum run_stream stream, char out[CAPTURE_NAME_BYTES])
{
	char text[RUN_REF_TEXT_BYTES];

	run_ref_text(ref, text);
	(void)snprintf(out, CAPTURE_NAME_BYTES, "%s.%s", text,
	               stream == RUN_STDOUT ? "out" : "err");
}

void capture_init(struct capture *c, int dir_fd, const struct run_ref *ref, enum run_stream stream,
                  uint64_t keep)
{
	*c = (struct capture){
		.dir_fd = dir_fd, .fd = -1, .ref = *ref, .stream = stream, .keep = keep
	};
}

/* 0 or errno. */
static int write_all(int fd, const struct iovec *part, int parts, uint64_t at)
{
	size_t  bytes = 0;
	ssize_t done;

	for (int i = 0; i < parts; i++)
		bytes += part[i].iov_len;
	done = pwritev(fd, part, parts, (off_t)at);
	if (done == (ssize_t)bytes)
		return 0;
	return done < 0 ? errno : ENOSPC;
}

static int write_head(const struct capture *c)
{
	struct capture_head head = { CAPTURE_MAGIC, c->key, c->from };

	return write_all(c->fd, &(struct iovec){ &head, sizeof head }, 1, 0);
}

static int make_file(struct capture *c)
{
	char name[CAPTURE_NAME_BYTES];
	int  failed;

	if (getrandom(&c->key, sizeof c->key, 0) != sizeof c->key)
		return EIO;
	capture_name(&c->ref, c->stream, name);
	c->fd = openat(c->dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (c->fd < 0)
		return errno;
	c->from = c->end = sizeof(struct capture_head);
	if ((failed = write_head(c)) != 0) {
		(void)close(c->fd);
		c->fd = -1;
	}
	return failed;
}

/* Whether these bytes go on where the last segment ended. */
static bool continues(const struct capture *c, size_t count, uint64_t order)
{
	return c->has_tail && c->tail.offset + c->tail.bytes == c->bytes &&
	       c->tail.order + c->tail.bytes == order &&
	       c->tail.bytes + count <= CAPTURE_SEGMENT_BYTES_MAX;
}

static int grow_segment(struct capture *c, const void *bytes, size_t count)
{
	uint32_t length = c->tail.bytes + (uint32_t)count;
	int      failed;

	failed = write_all(c->fd, &(struct iovec){ (void *)(uintptr_t)bytes, count }, 1, c->end);
	if (failed == 0)
		failed = write_all(c->fd, &(struct iovec){ &length, sizeof length }, 1,
		                   c->last + offsetof(struct capture_segment, bytes));
	if (failed != 0)
		return failed;
	c->tail.bytes = length;
	c->end += count;
	return 0;
}

static int new_segment(struct capture *c, const void *bytes, size_t count, uint64_t order)
{
	struct capture_segment s = { c->key, c->bytes, order, (uint32_t)count, 0 };
	struct iovec           part[2] = { { &s, sizeof s }, { (void *)(uintptr_t)bytes, count } };
	int                    failed = write_all(c->fd, part, 2, c->end);

	if (failed != 0)
		return failed;
	c->last = c->end;
	c->tail = s;
	c->has_tail = true;
	c->end += sizeof s + count;
	return 0;
}

/* Whether the first segment may go: `keep` bytes are left without it, or their headers weigh more
 * than they do. */
static bool may_drop(const struct capture *c, const struct capture_segment *first)
{
	if (c->from == c->last)
		return false;
	return c->tail.offset + c->tail.bytes - (first->offset + first->bytes) >= c->keep ||
	       c->end - c->from > 2 * c->keep;
}

/* Moves the beginning of the file on. 0 or errno. */
static int drop_oldest(struct capture *c)
{
	uint64_t               before = c->from, hole;
	struct capture_segment s;

	for (;;) {
		if (pread(c->fd, &s, sizeof s, (off_t)c->from) != sizeof s)
			return EIO;
		CHECK(s.key == c->key);
		if (!may_drop(c, &s))
			break;
		c->from += sizeof s + s.bytes;
	}
	if (s.offset > c->whole_from)
		c->whole_from = s.offset;
	if (c->from == before)
		return 0;
	/* Readers look at `from` after they read, so it moves before the bytes go. */
	hole = c->from / BLOCK * BLOCK;
	before = before < BLOCK ? BLOCK : before / BLOCK * BLOCK;
	if (write_head(c) != 0)
		return EIO;
	if (hole > before && fallocate(c->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	                               (off_t)before, (off_t)(hole - before)) != 0)
		return errno;
	return 0;
}

static bool is_over(const struct capture *c)
{
	uint64_t spare = c->keep / 4 + CAPTURE_SLACK_BYTES / 4;

	return c->end - c->from > c->keep + spare;
}

static int keep(struct capture *c, const char *bytes, size_t count, uint64_t order)
{
	int failed = 0;

	if (c->fd < 0)
		failed = make_file(c);
	if (failed == 0)
		failed = continues(c, count, order) ? grow_segment(c, bytes, count)
		                                    : new_segment(c, bytes, count, order);
	if (failed == 0 && is_over(c) && drop_oldest(c) != 0)
		c->is_full = true;
	return failed;
}

void capture_add(struct capture *c, const void *bytes, size_t count, uint64_t order)
{
	const char *at = bytes;

	while (count > 0) {
		size_t part = count < CAPTURE_SEGMENT_BYTES_MAX ? count : CAPTURE_SEGMENT_BYTES_MAX;
		int    failed = c->is_full ? ENOSPC : keep(c, at, part, order);

		c->bytes += part;
		if (failed != 0) {
			c->failed = failed;
			c->whole_from = c->bytes;
		}
		order += part;
		at += part;
		count -= part;
	}
}

uint64_t capture_kept(const struct capture *c)
{
	return c->bytes - c->whole_from;
}

int capture_sync(struct capture *c)
{
	return c->fd < 0 || fdatasync(c->fd) == 0 ? 0 : errno;
}

void capture_close(struct capture *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
}

void capture_remove(const struct capture *c)
{
	char name[CAPTURE_NAME_BYTES];

	capture_name(&c->ref, c->stream, name);
	(void)unlinkat(c->dir_fd, name, 0);
}
