/*
 * query_vfs.h - how SQLite reaches the file of a query, and nothing else.
 *
 * SQLite names a database and what stands beside it (-wal, -shm, -journal) by path, and would first
 * follow every link of that path by hand: what it opens later could be something else. Here a name is
 * taken as it is. It begins with /proc/self/fd/N, a directory that was opened beneath its root; the
 * kernel goes there without a way that others could change, and SQLite itself opens the last name with
 * O_NOFOLLOW. What is no regular file is refused before: a FIFO would block the thread. Nothing is
 * deleted.
 *
 * Temporary files, which a sort may need, may grow to BLOCKING_SORT_BYTES_MAX each.
 *
 * Threads: any. Source: https://www.sqlite.org/vfs.html
 */
#ifndef GATHERD_BLOCKING_QUERY_VFS_H
#define GATHERD_BLOCKING_QUERY_VFS_H

/* Its name for sqlite3_open_v2(); NULL: no memory. It is there until the process ends. */
const char *query_vfs(void);

#endif
