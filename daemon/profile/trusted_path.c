#include "daemon/profile/trusted_path.h"

#include "proto/base/check.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as many as the kernel follows */

struct walk {
	char     done[PATH_MAX]; /* looked at, without links; "" is the root */
	char     left[PATH_MAX]; /* still to go, slashes first */
	unsigned links;
	bool     is_file; /* `done` is a plain file */
};

static enum gd_err check_owner(const char *path, const struct stat *st, struct gd_error *why)
{
	if (st->st_uid == 0 || st->st_uid == geteuid())
		return GD_OK;
	return gd_fail(why, GD_FORBIDDEN, "%.140s belongs to user %ju, not to root or to us", path,
	               (uintmax_t)st->st_uid);
}

/* The mode of a link says nothing. */
static enum gd_err check_mode(const char *path, const struct stat *st, struct gd_error *why)
{
	bool is_sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0;

	if ((st->st_mode & 022) == 0 || is_sticky)
		return GD_OK;
	return gd_fail(why, GD_FORBIDDEN, "others may write to %.140s (mode %03o)", path,
	               (unsigned)(st->st_mode & 0777));
}

/* What a link leads to stands before the rest of the way. */
static enum gd_err follow(struct walk *w, struct gd_error *why)
{
	char    target[PATH_MAX], rest[PATH_MAX];
	ssize_t bytes = readlink(w->done, target, sizeof target - 1);
	char   *slash = strrchr(w->done, '/');

	if (bytes < 0)
		return gd_fail_sys(why, errno, "%.150s", w->done);
	target[bytes] = '\0';
	if (++w->links > LINKS_MAX)
		return gd_fail_sys(why, ELOOP, "%.150s", w->done);
	memcpy(rest, w->left, strlen(w->left) + 1);
	if ((size_t)snprintf(w->left, sizeof w->left, "/%s%s", target, rest) >= sizeof w->left)
		return gd_fail_sys(why, ENAMETOOLONG, "%.150s", w->done);
	CHECK(slash != NULL);
	*(target[0] == '/' ? w->done : slash) = '\0';
	return GD_OK;
}

static enum gd_err look(struct walk *w, struct gd_error *why)
{
	const char *path = w->done[0] == '\0' ? "/" : w->done;
	struct stat st;
	enum gd_err rc;

	if (lstat(path, &st) != 0)
		return gd_fail_sys(why, errno, "%.150s", path);
	if ((rc = check_owner(path, &st, why)) != GD_OK)
		return rc;
	if (S_ISLNK(st.st_mode))
		return follow(w, why);
	w->is_file = S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0;
	return check_mode(path, &st, why);
}

static enum gd_err append(struct walk *w, const char *name, size_t bytes, struct gd_error *why)
{
	size_t done = strlen(w->done);

	if (done + 1 + bytes >= sizeof w->done)
		return gd_fail_sys(why, ENAMETOOLONG, "%.150s", w->done);
	w->done[done] = '/';
	memcpy(w->done + done + 1, name, bytes);
	w->done[done + 1 + bytes] = '\0';
	return GD_OK;
}

/* Goes one name on; `is_end` when there is none. */
static enum gd_err step(struct walk *w, bool *is_end, struct gd_error *why)
{
	const char *at = w->left + strspn(w->left, "/");
	size_t      bytes = strcspn(at, "/");
	char       *slash = strrchr(w->done, '/');
	enum gd_err rc = GD_OK;

	*is_end = bytes == 0;
	if (bytes == 2 && memcmp(at, "..", 2) == 0) {
		if (slash != NULL)
			*slash = '\0';
	} else if (bytes > 1 || (bytes == 1 && *at != '.')) {
		rc = append(w, at, bytes, why);
	}
	memmove(w->left, at + bytes, strlen(at + bytes) + 1);
	return rc;
}

enum gd_err trusted_path_check(const char *path, struct gd_error *why)
{
	struct walk w = { .links = 0 };
	bool        is_end = false;
	enum gd_err rc = GD_OK;

	CHECK(path[0] == '/');
	if ((size_t)snprintf(w.left, sizeof w.left, "%s", path) >= sizeof w.left)
		return gd_fail_sys(why, ENAMETOOLONG, "%.150s", path);
	while (rc == GD_OK && !is_end)
		if ((rc = look(&w, why)) == GD_OK)
			rc = step(&w, &is_end, why);
	if (rc == GD_OK && !w.is_file)
		return gd_fail(why, GD_FORBIDDEN, "%.150s is no program", path);
	return rc;
}
