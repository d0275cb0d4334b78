/* list_dir(path) and stat(path) */
#include "daemon/blocking/roots.h"
#include "daemon/value/bytes.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- list_dir --- */

/* The names, one behind the other, each with its NUL; and where each begins. */
struct names {
	struct buf   text;
	const char **at; /* owned; into `text`, set when all are there */
	uint32_t     count;
};

static bool add_name(struct call *c, struct names *n, const char *path, const char *name)
{
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	buf_add(&n->text, name, strlen(name) + 1);
	n->count++;
	if (n->text.failed == GD_NOMEM) {
		(void)call_fail_memory(c);
		return false;
	}
	if (n->text.failed == GD_OK && n->count <= BLOCKING_NAMES_MAX)
		return true;
	(void)call_fail(c, "LimitError", "%s: more than %u names, or %u bytes of them",
	                call_show(&(struct call_shown){ 0 }, path), BLOCKING_NAMES_MAX,
	                BLOCKING_NAME_BYTES_MAX);
	return false;
}

static bool read_names(struct call *c, struct names *n, const char *path, DIR *dir)
{
	for (;;) {
		const struct dirent *d;

		errno = 0;
		d = readdir(dir);
		if (d == NULL && errno != 0) {
			(void)call_fail_path(c, errno, path);
			return false;
		}
		if (d == NULL)
			return true;
		if (!add_name(c, n, path, d->d_name))
			return false;
	}
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct value sorted(struct call *c, struct names *n)
{
	struct value list = value_list_new(c->heap, n->count);
	const char  *next = n->text.at;

	n->at = calloc(n->count + 1u, sizeof *n->at);
	if (n->at == NULL)
		c->heap->failed = true;
	for (uint32_t i = 0; i < n->count && n->at != NULL; i++) {
		n->at[i] = next;
		next += strlen(next) + 1;
	}
	if (n->at != NULL)
		qsort(n->at, n->count, sizeof *n->at, by_bytes);
	for (uint32_t i = 0; i < n->count && n->at != NULL; i++)
		list = value_list_append(c->heap, list,
		                         bytes_new(c->heap, n->at[i], strlen(n->at[i])));
	return list;
}

struct value blocking_list_dir(struct call *c)
{
	const struct vtext *path = call_text(c, "path");
	struct names        n = { .text = { .cap = BLOCKING_NAME_BYTES_MAX } };
	struct value        result = VALUE_NONE;
	DIR                *dir;
	int                 fd = path == NULL ? -1 : roots_open_dir(c, path);

	if (fd < 0)
		return VALUE_NONE;
	dir = fdopendir(fd);
	if (dir == NULL) {
		(void)call_fail_path(c, errno, path->at);
		(void)close(fd);
		return VALUE_NONE;
	}
	if (read_names(c, &n, path->at, dir))
		result = sorted(c, &n);
	(void)closedir(dir);
	buf_close(&n.text);
	free(n.at);
	return result;
}

/* --- stat --- */

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	case S_IFCHR:
		return "character device";
	case S_IFBLK:
		return "block device";
	default:
		return "other";
	}
}

static struct value put(struct value_heap *h, struct value dict, const char *key, struct value v)
{
	return value_dict_put(h, dict, value_text_new(h, key, strlen(key)), v);
}

static struct value describe(struct value_heap *h, const struct stat *st)
{
	const char  *kind = kind_of(st->st_mode);
	struct value dict = value_dict_new(h, 6);
	char         mode[8];

	(void)snprintf(mode, sizeof mode, "%04o", (unsigned)(st->st_mode & 07777));
	dict = put(h, dict, "type", value_text_new(h, kind, strlen(kind)));
	dict = put(h, dict, "size", value_int(h, st->st_size));
	dict = put(h, dict, "mode", value_text_new(h, mode, strlen(mode)));
	dict = put(h, dict, "uid", value_int(h, st->st_uid));
	dict = put(h, dict, "gid", value_int(h, st->st_gid));
	return put(h, dict, "mtime",
	           value_float((double)st->st_mtim.tv_sec + (double)st->st_mtim.tv_nsec / 1e9));
}

struct value blocking_stat(struct call *c)
{
	const struct vtext *path = call_text(c, "path");
	struct value        result = VALUE_NONE;
	struct stat         st;
	int                 fd = path == NULL ? -1 : roots_find(c, path);

	if (fd < 0)
		return VALUE_NONE;
	if (fstat(fd, &st) != 0)
		(void)call_fail_path(c, errno, path->at);
	else
		result = describe(c->heap, &st);
	(void)close(fd);
	return result;
}
