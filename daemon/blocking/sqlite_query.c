/*
 * sqlite_query(path, sql, params?): the rows of one statement that reads.
 *
 * The database is somebody's who may write to it meanwhile. In WAL mode SQLite needs the -wal and -shm
 * beside it: it makes them where it may, and otherwise says that it cannot open the file.
 *
 * fcntl(2) locks belong to the process, and end when any descriptor of the file is closed: a read_file
 * or sha256 of a database that is being queried in rollback mode lets a writer in. The query may then
 * fail as corrupt, or see the change in half; nothing is written.
 */
#include "daemon/blocking/query.h"
#include "daemon/blocking/query_vfs.h"
#include "daemon/blocking/roots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* SQLite would make of all of these that it "cannot open the file". */
static bool check_file(struct call *c, const struct vtext *path, int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		(void)call_fail_path(c, errno, path->at);
	else if (S_ISREG(st.st_mode))
		return true;
	else if (S_ISDIR(st.st_mode))
		(void)call_fail_path(c, EISDIR, path->at);
	else
		(void)call_fail(c, "PermissionError", "%s: not a regular file",
		                call_show(&(struct call_shown){ 0 }, path->at));
	return false;
}

static struct value query(struct call *c, const struct vtext *path, int dir, const char *name)
{
	const struct vtext *sql = call_text(c, "sql");
	const char         *vfs = query_vfs();
	struct query        q = { .call = c, .path = path->at };
	struct value        rows = VALUE_NONE;
	char                file[sizeof(struct roots_name) + 32];

	if (sql == NULL)
		return VALUE_NONE;
	if (vfs == NULL)
		return call_fail_memory(c);
	(void)snprintf(file, sizeof file, "/proc/self/fd/%d/%s", dir, name);
	if (sqlite3_open_v2(file, &q.db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, vfs) !=
	    SQLITE_OK)
		(void)(q.db == NULL ? call_fail_memory(c) : query_fail(&q));
	else if (query_restrict(&q))
		rows = query_run(&q, sql, call_arg(c, "params"));
	(void)sqlite3_close(q.db);
	return rows;
}

struct value blocking_sqlite_query(struct call *c)
{
	const struct vtext *path = call_text(c, "path");
	struct value        params = call_arg(c, "params");
	struct value        rows = VALUE_NONE;
	struct roots_name   name;
	int                 dir;

	if (path == NULL)
		return VALUE_NONE;
	if (!value_is_none(params) && !value_is_type(params, VALUE_T_LIST))
		return call_fail(c, "TypeError", "%s: \"params\" wants list, not %s", c->function,
		                 value_type_name(params));
	dir = roots_open_parent(c, path, ROOT_READ, O_PATH, &name);
	if (dir < 0)
		return VALUE_NONE;
	if (check_file(c, path, dir, name.at))
		rows = query(c, path, dir, name.at);
	(void)close(dir);
	return rows;
}
