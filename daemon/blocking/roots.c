#include "daemon/blocking/roots.h"

#include "proto/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AGAIN_MAX 100 /* times that a rename elsewhere may disturb one walk */

struct root {
	char         *path; /* owned; absolute, tidy: "/srv/data"; "" is the root of all */
	int           fd;   /* O_PATH; owned */
	enum root_use use;
};

struct blocking_config {
	uint32_t    count;
	struct root at[2 * BLOCKING_ROOTS_MAX];
};

/* --- paths as texts --- */

/* Room for a path that is absolute and has neither "//" nor "." nor an end in "/". */
struct tidy {
	char   at[PATH_MAX];
	size_t bytes;
};

/* What is wrong with it, NULL: nothing. */
static const char *make_tidy(struct tidy *out, const char *path)
{
	out->bytes = 0;
	if (*path == '\0')
		return "an empty path";
	if (*path != '/')
		return "not an absolute path";
	if (strlen(path) >= sizeof out->at)
		return "too long for a path";
	while (*path != '\0') {
		size_t name = strcspn(++path, "/");

		if (name == 2 && memcmp(path, "..", 2) == 0)
			return "\"..\" in a path";
		if (name > 0 && !(name == 1 && *path == '.')) {
			out->at[out->bytes++] = '/';
			memcpy(out->at + out->bytes, path, name);
			out->bytes += name;
		}
		path += name;
	}
	out->at[out->bytes] = '\0';
	return NULL;
}

/* The way from the root to a path that its text says is below, "." for the root itself; NULL: it is
 * not. */
static const char *way_below(const struct root *r, const struct tidy *path)
{
	size_t bytes = strlen(r->path);

	if (bytes > path->bytes || memcmp(r->path, path->at, bytes) != 0)
		return NULL;
	if (path->at[bytes] == '\0')
		return ".";
	return path->at[bytes] == '/' ? path->at + bytes + 1 : NULL;
}

static bool is_below_some(const struct blocking_config *c, const struct tidy *path,
                          enum root_use use)
{
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->at[i].use == use && way_below(&c->at[i], path) != NULL)
			return true;
	}
	return false;
}

static bool has_root(const struct blocking_config *c, enum root_use use)
{
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->at[i].use == use)
			return true;
	}
	return false;
}

static const char *key_of(enum root_use use)
{
	return use == ROOT_READ ? "read-root" : "write-root";
}

/* Errors: GD_FORBIDDEN. */
static enum gd_err check(const struct blocking_config *c, const char *path, enum root_use use,
                         struct tidy *out, struct gd_error *why)
{
	const char       *fault = make_tidy(out, path);
	struct call_shown shown;

	if (fault != NULL)
		return gd_fail(why, GD_FORBIDDEN, "%s: %s", fault, call_show(&shown, path));
	if (!has_root(c, use))
		return gd_fail(why, GD_FORBIDDEN, "no %s is configured: %s", key_of(use),
		               call_show(&shown, path));
	if (!is_below_some(c, out, use))
		return gd_fail(why, GD_FORBIDDEN, "below no %s: %s", key_of(use),
		               call_show(&shown, path));
	return GD_OK;
}

enum gd_err blocking_check_path(const struct blocking_config *c, const char *function,
                                const char *path, struct gd_error *why)
{
	struct tidy tidy;

	if (strcmp(function, "resolve") == 0)
		return GD_OK;
	return check(c, path, strcmp(function, "write_file") == 0 ? ROOT_WRITE : ROOT_READ, &tidy,
	             why);
}

/* --- ways beneath --- */

/* A number of errno below zero where there is none. */
static int open_beneath(int root, const char *way, int flags)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		                .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	long            fd = -1;

	for (int i = 0; i < AGAIN_MAX; i++) {
		fd = syscall(SYS_openat2, root, way, &how, sizeof how);
		if (fd >= 0)
			return (int)fd;
		if (errno != EAGAIN && errno != EINTR)
			break;
	}
	return -errno;
}

/* The first root that does not refuse it; `path` is how the job called it. */
static int open_below(struct call *c, const struct tidy *tidy, const char *path, enum root_use use,
                      int flags)
{
	int fd = -EXDEV;

	for (uint32_t i = 0; i < c->config->count && fd == -EXDEV; i++) {
		const struct root *r = &c->config->at[i];
		const char        *way = r->use == use ? way_below(r, tidy) : NULL;

		if (way != NULL)
			fd = open_beneath(r->fd, way, flags);
	}
	if (fd >= 0)
		return fd;
	(void)call_fail_path(c, -fd, path);
	return -1;
}

static bool check_call(struct call *c, const struct vtext *path, enum root_use use,
                       struct tidy *tidy)
{
	struct gd_error why;

	if (check(c->config, path->at, use, tidy, &why) == GD_OK)
		return true;
	(void)call_fail(c, "PermissionError", "%s", why.text);
	return false;
}

int roots_find(struct call *c, const struct vtext *path)
{
	struct tidy tidy;

	if (!check_call(c, path, ROOT_READ, &tidy))
		return -1;
	return open_below(c, &tidy, path->at, ROOT_READ, O_PATH);
}

int roots_open_dir(struct call *c, const struct vtext *path)
{
	struct tidy tidy;

	if (!check_call(c, path, ROOT_READ, &tidy))
		return -1;
	return open_below(c, &tidy, path->at, ROOT_READ, O_RDONLY | O_DIRECTORY);
}

static bool is_regular(struct call *c, const struct vtext *path, const struct stat *st)
{
	if (S_ISREG(st->st_mode))
		return true;
	if (S_ISDIR(st->st_mode))
		(void)call_fail_path(c, EISDIR, path->at);
	else
		(void)call_fail(c, "PermissionError", "%s: not a regular file",
		                call_show(&(struct call_shown){ 0 }, path->at));
	return false;
}

int roots_open_file(struct call *c, const struct vtext *path, struct stat *st)
{
	char link[32];
	int  found = roots_find(c, path), fd = -1;

	if (found < 0)
		return -1;
	if (fstat(found, st) != 0) {
		(void)call_fail_path(c, errno, path->at);
	} else if (is_regular(c, path, st)) {
		(void)snprintf(link, sizeof link, "/proc/self/fd/%d", found);
		fd = open(link, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			(void)call_fail_path(c, errno, path->at);
	}
	(void)close(found);
	return fd;
}

int roots_open_parent(struct call *c, const struct vtext *path, enum root_use use, int flags,
                      struct roots_name *name)
{
	struct tidy tidy;
	char       *slash;

	if (!check_call(c, path, use, &tidy))
		return -1;
	slash = strrchr(tidy.at, '/');
	if (slash == NULL || path->at[path->bytes - 1] == '/') {
		(void)call_fail_path(c, EISDIR, path->at);
		return -1;
	}
	if (strlen(slash + 1) >= sizeof name->at) {
		(void)call_fail_path(c, ENAMETOOLONG, path->at);
		return -1;
	}
	memcpy(name->at, slash + 1, strlen(slash + 1) + 1);
	*slash = '\0';
	tidy.bytes = (size_t)(slash - tidy.at);
	if (!is_below_some(c->config, &tidy, use)) { /* it was the root itself */
		(void)call_fail_path(c, EISDIR, path->at);
		return -1;
	}
	return open_below(c, &tidy, path->at, use, flags | O_DIRECTORY);
}

/* --- the configuration --- */

/* Whether the way from / to `real`, its end included, comes by what `st` describes. */
static bool comes_by(const char *real, const struct stat *st)
{
	char        way[PATH_MAX];
	struct stat at;

	for (size_t end = 1;; end++) {
		bool is_end = real[end] == '\0' || end == 1;

		if (!is_end && real[end] != '/')
			continue;
		memcpy(way, real, end);
		way[end] = '\0';
		if (stat(way, &at) == 0 && at.st_dev == st->st_dev && at.st_ino == st->st_ino)
			return true;
		if (real[end] == '\0')
			return false;
	}
}

/* By what they are, not by name: a link or a bind mount hides nothing. */
static bool do_meet(const char *root, const char *private)
{
	char        root_real[PATH_MAX], private_real[PATH_MAX];
	struct stat root_st, private_st;

	if (realpath(private, private_real) == NULL || stat(private_real, &private_st) != 0 ||
	    realpath(root, root_real) == NULL || stat(root_real, &root_st) != 0)
		return false;
	return comes_by(private_real, &root_st) || comes_by(root_real, &private_st);
}

static enum gd_err check_private(const struct blocking_options *o, const char *key,
                                 const char *path, struct gd_error *why)
{
	for (uint32_t i = 0; i < o->private_count; i++) {
		if (o->private_paths[i][0] != '\0' && do_meet(path, o->private_paths[i]))
			return gd_fail(why, GD_INVALID_PARAMS, "%s: %.80s: no job may reach %.80s",
			               key, path, o->private_paths[i]);
	}
	return GD_OK;
}

/* Containers sometimes forbid what they do not know. */
static enum gd_err try_openat2(const struct root *r, const char *key, struct gd_error *why)
{
	int fd = open_beneath(r->fd, ".", O_PATH);

	if (fd < 0)
		return gd_fail_sys(why, -fd, "%s needs openat2(2), of Linux 5.6", key);
	(void)close(fd);
	if (access("/proc/self/fd", X_OK) != 0)
		return gd_fail_sys(why, errno, "%s needs /proc", key);
	return GD_OK;
}

/* On an error what it holds so far is blocking_config_close()'s. */
static enum gd_err add(struct blocking_config *c, const struct blocking_options *o,
                       const char *path, enum root_use use, struct gd_error *why)
{
	struct root *r = &c->at[c->count];
	struct tidy  tidy;
	const char  *key = key_of(use), *fault = make_tidy(&tidy, path);
	enum gd_err  rc;

	CHECK(c->count < 2 * BLOCKING_ROOTS_MAX);
	if (fault != NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "%s: %s: %.100s", key, fault, path);
	if ((rc = check_private(o, key, path, why)) != GD_OK)
		return rc;
	*r = (struct root){ .path = strdup(tidy.at), .use = use, .fd = -1 };
	if (r->path == NULL)
		return gd_fail(why, GD_NOMEM, "%s: no memory", key);
	c->count++;
	r->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->fd < 0) {
		(void)gd_fail_sys(why, errno, "%s: %.150s", key, path);
		return GD_INVALID_PARAMS;
	}
	return try_openat2(r, key, why);
}

enum gd_err blocking_config_open(const struct blocking_options *o, struct blocking_config **out,
                                 struct gd_error *why)
{
	struct blocking_config *c = calloc(1, sizeof *c);
	enum gd_err             rc = GD_OK;

	CHECK(o->read_root_count <= BLOCKING_ROOTS_MAX);
	CHECK(o->write_root_count <= BLOCKING_ROOTS_MAX);
	if (c == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for roots");
	for (uint32_t i = 0; i < o->read_root_count && rc == GD_OK; i++)
		rc = add(c, o, o->read_roots[i], ROOT_READ, why);
	for (uint32_t i = 0; i < o->write_root_count && rc == GD_OK; i++)
		rc = add(c, o, o->write_roots[i], ROOT_WRITE, why);
	if (rc != GD_OK)
		blocking_config_close(c);
	else
		*out = c;
	return rc;
}

void blocking_config_close(struct blocking_config *c)
{
	if (c == NULL)
		return;
	for (uint32_t i = 0; i < c->count; i++) {
		if (c->at[i].fd >= 0)
			(void)close(c->at[i].fd);
		free(c->at[i].path);
	}
	free(c);
}
