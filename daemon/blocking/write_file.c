/*
 * write_file(path, content, mode?): the whole file or none of it.
 *
 * The bytes go to a file beside it, are synced there, and take the name in one step; then the directory
 * is synced. Whoever reads finds the old file or the new one, also after a crash; a crash in the
 * middle leaves a file ".gatherd-*.tmp", which nobody looks at.
 */
#include "daemon/blocking/roots.h"
#include "daemon/value/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODE_USUAL 0644
#define TRIES 100 /* for a name that a crash has left behind */

struct writing {
	struct call        *call;
	const struct vtext *path;
	struct buf          decoded; /* owned; of a {base64} */
	const char         *at;      /* what is to be written; borrowed */
	size_t              bytes;
	mode_t              mode;
	int                 dir; /* owned, as the next */
	int                 file;
	struct roots_name   name, temporary;
};

/* --- arguments --- */

static bool read_content(struct call *c, struct writing *w)
{
	struct value        v = call_arg(c, "content");
	const struct vtext *coded = bytes_coded(v);

	if (value_is_type(v, VALUE_T_TEXT)) {
		w->at = value_text(v)->at;
		w->bytes = value_text(v)->bytes;
	} else if (coded == NULL) {
		(void)call_fail(c, "TypeError",
		                "%s: \"content\" wants str or {\"base64\": str}, not %s",
		                c->function, value_type_name(v));
		return false;
	} else if (!bytes_decode(&w->decoded, coded)) {
		(void)call_fail(c, "ValueError", "%s: what \"content\" has is not base64",
		                c->function);
		return false;
	} else if (w->decoded.failed != GD_OK) {
		(void)call_fail_memory(c);
		return false;
	} else {
		w->at = w->decoded.at;
		w->bytes = w->decoded.bytes;
	}
	if (w->bytes <= BLOCKING_WRITE_BYTES_MAX)
		return true;
	(void)call_fail(c, "LimitError", "%s: \"content\" has more than %u bytes", c->function,
	                BLOCKING_WRITE_BYTES_MAX);
	return false;
}

/* Permission bits, in octal; none that give a file the rights of its owner. */
static bool read_mode(struct call *c, mode_t *out)
{
	const struct vtext *text;

	*out = MODE_USUAL;
	if (value_is_none(call_arg(c, "mode")))
		return true;
	text = call_text(c, "mode");
	if (text == NULL)
		return false;
	if (text->bytes < 3 || text->bytes > 4 || strspn(text->at, "01234567") != text->bytes ||
	    (text->bytes == 4 && text->at[0] != '0')) {
		(void)call_fail(c, "ValueError",
		                "%s: \"mode\" is octal, such as \"0644\", not \"%s\"", c->function,
		                call_show(&(struct call_shown){ 0 }, text->at));
		return false;
	}
	*out = (mode_t)strtoul(text->at, NULL, 8);
	return true;
}

/* --- steps; false after a failure --- */

static bool fail(const struct writing *w, int sys)
{
	(void)call_fail_path(w->call, sys, w->path->at);
	return false;
}

/* Nobody expects a socket, a FIFO or a link to become a file. */
static bool check_target(const struct writing *w)
{
	struct stat st;

	if (fstatat(w->dir, w->name.at, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT || fail(w, errno);
	if (S_ISREG(st.st_mode))
		return true;
	return fail(w, S_ISDIR(st.st_mode) ? EISDIR : EEXIST);
}

static bool make_temporary(struct writing *w)
{
	static atomic_uint number;

	for (int i = 0; i < TRIES; i++) {
		(void)snprintf(w->temporary.at, sizeof w->temporary.at, ".gatherd-%ld-%u.tmp",
		               (long)getpid(), atomic_fetch_add(&number, 1));
		w->file = openat(w->dir, w->temporary.at,
		                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (w->file >= 0)
			return true;
		if (errno != EEXIST)
			break;
	}
	return fail(w, errno);
}

static bool fill(const struct writing *w)
{
	for (size_t done = 0; done < w->bytes;) {
		ssize_t got = write(w->file, w->at + done, w->bytes - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail(w, errno);
		done += (size_t)got;
	}
	if (fchmod(w->file, w->mode) != 0 || fsync(w->file) != 0)
		return fail(w, errno);
	return true;
}

static bool give_name(const struct writing *w)
{
	if (renameat(w->dir, w->temporary.at, w->dir, w->name.at) != 0)
		return fail(w, errno);
	/* From here on it has its new content; whether it keeps it, nobody knows after an error. */
	return fsync(w->dir) == 0 || fail(w, errno);
}

static bool write_all(struct writing *w)
{
	bool is_good;

	if (!check_target(w) || !make_temporary(w))
		return false;
	is_good = fill(w);
	/* Some file systems tell of a full disk only now. */
	if (close(w->file) != 0 && is_good)
		is_good = fail(w, errno);
	if (is_good && give_name(w))
		return true;
	(void)unlinkat(w->dir, w->temporary.at, 0);
	return false;
}

struct value blocking_write_file(struct call *c)
{
	struct writing w = { .call = c, .path = call_text(c, "path"), .file = -1 };
	struct value   result = VALUE_NONE;

	if (w.path == NULL || !read_mode(c, &w.mode))
		return VALUE_NONE;
	if (read_content(c, &w)) {
		w.dir = roots_open_parent(c, w.path, ROOT_WRITE, O_RDONLY, &w.name);
		if (w.dir >= 0 && write_all(&w))
			result = value_dict_put(c->heap, value_dict_new(c->heap, 1),
			                        value_text_new(c->heap, "bytes", 5),
			                        value_int(c->heap, (int64_t)w.bytes));
		if (w.dir >= 0)
			(void)close(w.dir);
	}
	buf_close(&w.decoded);
	return result;
}
