#include "daemon/runner/spool.h"

#include "proto/base/check.h"
#include "proto/base/sum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "spool"
#define HEAD_BYTES 12u /* length and sum */
#define SCRATCH_BYTES (SPOOL_LATER_BYTES + HEAD_BYTES + SPOOL_RECORD_BYTES_MAX)

/* --- one record --- */

static void code_record(struct wire *w, struct spool_record *r)
{
	uint8_t  kind = (uint8_t)r->kind;
	uint64_t born = (uint64_t)r->born;

	wire_u8(w, &kind);
	r->kind = (enum spool_kind)kind;
	switch (r->kind) {
	case SPOOL_OPEN:
		wire_text(w, &r->boot_id);
		return;
	case SPOOL_STARTED:
		wire_state(w, &r->state);
		wire_text(w, &r->key);
		wire_u64(w, &born);
		r->born = (gd_nsec)born;
		return;
	case SPOOL_ENDED:
		wire_state(w, &r->state);
		return;
	case SPOOL_FORGOT:
		wire_ref(w, &r->state.ref);
		return;
	}
	w->is_bad = true;
}

static uint64_t get(const unsigned char *at, size_t bytes)
{
	uint64_t number = 0;

	for (size_t i = 0; i < bytes; i++)
		number |= (uint64_t)at[i] << (8 * i);
	return number;
}

static void put(char *to, uint64_t number, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		to[i] = (char)(number >> (8 * i));
}

/* The first record of these bytes: its length, or 0 when there is none that is whole. */
static size_t read_record(const unsigned char *at, size_t bytes, struct spool_record *out)
{
	struct wire w = { 0 };
	size_t      length;

	if (bytes < HEAD_BYTES)
		return 0;
	length = get(at, 4);
	if (length > SPOOL_RECORD_BYTES_MAX || length > bytes - HEAD_BYTES ||
	    get(at + 4, 8) != gd_sum(GD_SUM_START, at + HEAD_BYTES, length))
		return 0;
	*out = (struct spool_record){ 0 };
	w.at = at + HEAD_BYTES;
	w.left = length;
	code_record(&w, out);
	return w.is_bad || w.left != 0 ? 0 : HEAD_BYTES + length;
}

/* Behind what waits in `scratch`. 0 or errno. */
static int add_record(struct spool *s, const struct spool_record *record)
{
	struct buf         *b = &s->scratch;
	struct wire         w = { .out = b };
	struct spool_record copy = *record;
	char                head[HEAD_BYTES] = { 0 };
	const size_t        at = b->bytes, from = at + HEAD_BYTES;

	buf_add(b, head, sizeof head);
	code_record(&w, &copy);
	CHECK(!w.is_bad);
	if (b->failed != GD_OK)
		return ENOMEM;
	put(b->at + at, b->bytes - from, 4);
	put(b->at + at + 4, gd_sum(GD_SUM_START, b->at + from, b->bytes - from), 8);
	return 0;
}

/* All of `scratch`. 0 or errno. */
static int write_out(struct spool *s)
{
	struct buf *b = &s->scratch;
	ssize_t     done;

	if (b->bytes == 0)
		return 0;
	done = pwrite(s->fd, b->at, b->bytes, (off_t)s->bytes);
	if (done != (ssize_t)b->bytes)
		return done < 0 ? errno : ENOSPC;
	s->bytes += b->bytes;
	buf_clear(b);
	return 0;
}

/* Takes the record at hand back: what waits stays. */
static int give_up(struct spool *s, size_t waiting, int failed)
{
	s->scratch.bytes = waiting;
	s->scratch.failed = GD_OK;
	return failed;
}

int spool_put(struct spool *s, const struct spool_record *record)
{
	const size_t waiting = s->scratch.bytes;
	int          failed = add_record(s, record);

	if (failed == 0)
		failed = write_out(s);
	return failed == 0 ? 0 : give_up(s, waiting, failed);
}

int spool_flush(struct spool *s)
{
	int failed = write_out(s);

	return failed == 0 ? 0 : give_up(s, 0, failed);
}

int spool_put_later(struct spool *s, const struct spool_record *record)
{
	const size_t waiting = s->scratch.bytes;
	int          failed;

	if (waiting + HEAD_BYTES + SPOOL_RECORD_BYTES_MAX > SPOOL_LATER_BYTES)
		return spool_put(s, record);
	failed = add_record(s, record);
	return failed == 0 ? 0 : give_up(s, waiting, failed);
}

/* --- the file --- */

/* All of it; `*out` is the caller's to free. */
static enum gd_err read_all(struct spool *s, unsigned char **out, size_t *bytes,
                            struct gd_error *why)
{
	struct stat st;
	ssize_t     got;

	if (fstat(s->fd, &st) != 0)
		return gd_fail_sys(why, errno, "cannot look at the spool");
	*bytes = 0;
	*out = malloc((size_t)st.st_size + 1);
	if (*out == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for a spool of %lld bytes",
		               (long long)st.st_size);
	while (*bytes < (size_t)st.st_size) {
		got = pread(s->fd, *out + *bytes, (size_t)st.st_size - *bytes, (off_t)*bytes);
		if (got < 0)
			return gd_fail_sys(why, errno, "cannot read the spool");
		if (got == 0)
			break;
		*bytes += (size_t)got;
	}
	return GD_OK;
}

static enum gd_err replay(struct spool *s,
                          void (*take)(void *ctx, const struct spool_record *record), void *ctx,
                          uint64_t *cut_bytes, struct gd_error *why)
{
	unsigned char      *at = NULL;
	size_t              bytes = 0, length;
	struct spool_record record;
	enum gd_err         rc = read_all(s, &at, &bytes, why);

	if (rc == GD_OK) {
		while ((length = read_record(at + s->bytes, bytes - s->bytes, &record)) > 0) {
			take(ctx, &record);
			s->bytes += length;
		}
		*cut_bytes = bytes - s->bytes;
		/* Or else what is whole behind the tear would come back after a record was put. */
		if (*cut_bytes > 0 && ftruncate(s->fd, (off_t)s->bytes) != 0)
			rc = gd_fail_sys(why, errno, "cannot cut the spool");
	}
	free(at);
	return rc;
}

enum gd_err spool_open(struct spool *s, int                                              dir_fd,
                       void (*take)(void *ctx, const struct spool_record *record), void *ctx,
                       uint64_t *cut_bytes, struct gd_error *why)
{
	enum gd_err rc;

	*s = (struct spool){ .dir_fd = dir_fd };
	buf_init(&s->scratch, SCRATCH_BYTES);
	s->fd = openat(dir_fd, FILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->fd < 0)
		return gd_fail_sys(why, errno, "cannot open the spool");
	if (buf_reserve(&s->scratch, SCRATCH_BYTES) == NULL)
		rc = gd_fail(why, GD_NOMEM, "no memory for the spool");
	else
		rc = replay(s, take, ctx, cut_bytes, why);
	if (rc != GD_OK)
		spool_close(s);
	return rc;
}

void spool_close(struct spool *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
	buf_close(&s->scratch);
}

int spool_sync(struct spool *s)
{
	int failed = spool_flush(s);

	if (failed != 0)
		return failed;
	return fdatasync(s->fd) == 0 ? 0 : errno;
}

int spool_rewrite(struct spool *s, int (*fill)(struct spool *s, void *ctx), void *ctx)
{
	int          failed = spool_flush(s);
	struct spool before;

	if (failed != 0)
		return failed;
	before = *s;
	s->fd = openat(s->dir_fd, FILE_NAME ".new",
	               O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->fd < 0) {
		failed = errno;
		s->fd = before.fd;
		return failed;
	}
	s->bytes = 0;
	failed = fill(s, ctx);
	if (failed == 0 && (fdatasync(s->fd) != 0 ||
	                    renameat(s->dir_fd, FILE_NAME ".new", s->dir_fd, FILE_NAME) != 0))
		failed = errno;
	if (failed != 0) {
		(void)close(s->fd);
		s->fd = before.fd;
		s->bytes = before.bytes;
		return failed;
	}
	(void)close(before.fd);
	s->rewritten_bytes = s->bytes;
	return fsync(s->dir_fd) == 0 ? 0 : errno;
}

bool spool_is_long(const struct spool *s)
{
	return s->bytes > SPOOL_LONG_BYTES && s->bytes > 2 * s->rewritten_bytes;
}
