#include "client/client.h"
#include "client/interrupt.h"
#include "proto/base/sum.h"
#include "proto/base64.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECONDS_BETWEEN_LOOKS 0.05
#define READ_BYTES 65536
#define PUSH_BYTES (4u << 20)

/* A file that has no name of its own until it is whole. */
struct target {
	const char *path;
	char        unborn[PATH_MAX];
	int         fd; /* -1: none; of the file beside `path` */
};

static enum gd_err fail_file(struct gd_error *why, const char *doing, const char *path)
{
	return gd_fail(why, GD_STORE, "cannot %s %.150s: %s", doing, path, strerror(errno));
}

static enum gd_err target_open(struct target *t, const char *path, struct gd_error *why)
{
	struct stat st;

	t->path = path;
	t->fd = -1;
	if (stat(path, &st) == 0)
		return gd_fail(why, GD_CONFLICT, "%.150s exists; a backup overwrites nothing",
		               path);
	if (snprintf(t->unborn, sizeof t->unborn, "%s.XXXXXX", path) >= (int)sizeof t->unborn)
		return gd_fail(why, GD_STORE, "%.100s... is too long a name", path);
	t->fd = mkostemp(t->unborn, O_CLOEXEC); /* mode 0600: it holds everybody's jobs */
	return t->fd >= 0 ? GD_OK : fail_file(why, "make", t->unborn);
}

static enum gd_err target_add(const struct target *t, const struct buf *piece, off_t offset,
                              struct gd_error *why)
{
	size_t at = 0;

	while (at < piece->bytes) {
		ssize_t done = pwrite(t->fd, piece->at + at, piece->bytes - at, offset + (off_t)at);

		if (done < 0 && errno != EINTR)
			return fail_file(why, "write", t->unborn);
		at += done > 0 ? (size_t)done : 0;
	}
	return GD_OK;
}

/* To the disk bit by bit: the daemon may sync on the same one, and must not wait behind all of it. */
static enum gd_err target_push(const struct target *t, uint64_t bytes, uint64_t *pushed,
                               struct gd_error *why)
{
	const unsigned all =
		SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;

	if (bytes - *pushed < PUSH_BYTES)
		return GD_OK;
	if (sync_file_range(t->fd, (off_t)*pushed, (off_t)(bytes - *pushed), all) != 0)
		return fail_file(why, "write", t->unborn);
	*pushed = bytes;
	return GD_OK;
}

/* Read back, so that what was written is compared, not what was meant. */
static enum gd_err target_check(const struct target *t, uint64_t bytes, uint64_t sum,
                                struct gd_error *why)
{
	char     piece[READ_BYTES];
	uint64_t found = GD_SUM_START;
	uint64_t at = 0;
	ssize_t  got;

	while ((got = pread(t->fd, piece, sizeof piece, (off_t)at)) > 0) {
		found = gd_sum(found, piece, (size_t)got);
		at += (uint64_t)got;
	}
	if (got < 0)
		return fail_file(why, "read", t->unborn);
	if (at != bytes || found != sum)
		return gd_fail(why, GD_STORE, "%.150s is not what the daemon sent", t->unborn);
	return GD_OK;
}

static enum gd_err sync_folder(const char *path, struct gd_error *why)
{
	char        folder[PATH_MAX];
	char       *slash;
	enum gd_err rc;
	int         fd;

	(void)snprintf(folder, sizeof folder, "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL)
		(void)snprintf(folder, sizeof folder, ".");
	else
		slash[slash == folder] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail_file(why, "open", folder);
	rc = fsync(fd) == 0 ? GD_OK : fail_file(why, "sync", folder);
	(void)close(fd);
	return rc;
}

/* link() and not rename(): it does not replace what somebody else has put there meanwhile. */
static enum gd_err target_bear(struct target *t, struct gd_error *why)
{
	if (fsync(t->fd) != 0)
		return fail_file(why, "sync", t->unborn);
	if (link(t->unborn, t->path) != 0)
		return fail_file(why, "make", t->path);
	return sync_folder(t->path, why);
}

static void target_close(struct target *t)
{
	if (t->fd < 0)
		return;
	(void)close(t->fd);
	(void)unlink(t->unborn);
}

/* --- the daemon's part --- */

struct copy {
	struct session *session;
	json_int_t      id;
	uint64_t        bytes;
	uint64_t        sum;
};

static enum gd_err call(const struct copy *c, const char *method, json_t *params, json_t **result,
                        struct gd_error *why)
{
	enum gd_err rc = session_call(c->session, method, params, result, why);

	json_decref(params);
	return rc;
}

static enum gd_err fail_strange(struct gd_error *why)
{
	return gd_fail(why, GD_INTERNAL, "the daemon sent something strange");
}

/* True: it is ready, or failed with words. */
static bool take_status(struct copy *c, const json_t *status, enum gd_err *rc, struct gd_error *why)
{
	const char *state = json_string_value(json_object_get(status, "state"));
	const char *sum = json_string_value(json_object_get(status, "sum"));

	if (state != NULL && (strcmp(state, "copying") == 0 || strcmp(state, "checking") == 0))
		return false;
	*rc = GD_OK;
	if (state == NULL || strcmp(state, "ready") != 0 || sum == NULL)
		*rc = fail_strange(why);
	else
		c->sum = strtoull(sum, NULL, 16);
	c->bytes = (uint64_t)json_integer_value(json_object_get(status, "bytes"));
	return true;
}

static enum gd_err look_for_interrupt(struct gd_error *why)
{
	return interrupt_count() == 0 ? GD_OK : gd_fail(why, GD_REQUEST_CANCELLED, "interrupted");
}

static enum gd_err wait_until_ready(struct copy *c, struct gd_error *why)
{
	json_t     *status = NULL;
	enum gd_err rc = GD_OK;
	bool        is_over = false;

	while (!is_over) {
		rc = call(c, "backup.status", json_pack("{s:I}", "backup", c->id), &status, why);
		if (rc != GD_OK)
			return rc;
		is_over = take_status(c, status, &rc, why);
		json_decref(status);
		if (!is_over) {
			(void)conn_pause(conn_deadline(SECONDS_BETWEEN_LOOKS));
			rc = look_for_interrupt(why);
			is_over = rc != GD_OK;
		}
	}
	return rc;
}

static enum gd_err fetch_piece(const struct copy *c, const struct target *t, uint64_t *at,
                               struct gd_error *why)
{
	json_t     *params = json_pack("{s:I, s:I}", "backup", c->id, "offset", (json_int_t)*at);
	json_t     *result = NULL;
	struct buf  piece = { .cap = 0 };
	enum gd_err rc = call(c, "backup.read", params, &result, why);
	json_t     *chunk = json_object_get(result, "chunk");

	if (rc == GD_OK &&
	    (!json_is_string(chunk) ||
	     !base64_read(&piece, json_string_value(chunk), json_string_length(chunk)) ||
	     piece.bytes == 0))
		rc = fail_strange(why);
	if (rc == GD_OK)
		rc = target_add(t, &piece, (off_t)*at, why);
	*at += piece.bytes;
	json_decref(result);
	buf_close(&piece);
	return rc;
}

static enum gd_err fetch(struct copy *c, struct target *t, struct gd_error *why)
{
	uint64_t    at = 0;
	uint64_t    pushed = 0;
	enum gd_err rc = wait_until_ready(c, why);

	while (rc == GD_OK && at < c->bytes) {
		rc = fetch_piece(c, t, &at, why);
		if (rc == GD_OK)
			rc = target_push(t, at, &pushed, why);
		if (rc == GD_OK)
			rc = look_for_interrupt(why);
	}
	if (rc == GD_OK)
		rc = target_check(t, c->bytes, c->sum, why);
	return rc == GD_OK ? target_bear(t, why) : rc;
}

static enum gd_err back_up(struct copy *c, struct target *t, struct gd_error *why)
{
	json_t     *begun = NULL;
	json_t     *ended = NULL;
	enum gd_err rc = call(c, "backup.start", json_object(), &begun, why);

	if (rc != GD_OK)
		return rc;
	c->id = json_integer_value(json_object_get(begun, "backup"));
	json_decref(begun);
	rc = fetch(c, t, why);
	/* If this one fails, the daemon drops it by itself after a while. */
	if (session_conn(c->session) != NULL)
		(void)!call(c, "backup.end", json_pack("{s:I}", "backup", c->id), &ended, NULL);
	json_decref(ended);
	return rc;
}

int cmd_backup(const struct options *o)
{
	struct gd_error why = { .code = GD_OK };
	struct copy     c = { .session = NULL };
	struct target   t;
	enum gd_err     rc;
	int             exit_code;

	interrupt_catch(); /* so that no half file stays */
	rc = target_open(&t, o->operands[0], &why);
	if (rc != GD_OK)
		return client_fail(NULL, rc, &why);
	c.session = client_open(o, &exit_code);
	if (c.session != NULL) {
		rc = back_up(&c, &t, &why);
		exit_code = rc == GD_OK ? CLIENT_DONE : client_fail(c.session, rc, &why);
		if (rc == GD_REQUEST_CANCELLED && interrupt_count() != 0)
			exit_code = CLIENT_INTERRUPTED;
		if (rc == GD_OK)
			printf("%s: %llu bytes, checked\n", t.path, (unsigned long long)c.bytes);
	}
	target_close(&t);
	session_close(c.session);
	return exit_code;
}
