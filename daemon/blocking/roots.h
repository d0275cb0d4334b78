/*
 * roots.h - the directories below which jobs may read and write, and the ways beneath them.
 *
 * A path is taken by its text to a root that it begins with; the rest of the way is the kernel's, from
 * the descriptor of that root. A link that leads out, and one that is absolute, is refused there, at
 * the moment of opening. Where several roots fit, one that lets it through is enough.
 *
 * Ownership: descriptors that are returned are the caller's. Threads: any. Needs /proc: a file is first
 * found (O_PATH) and looked at, then opened through /proc/self/fd, so that no device or FIFO is ever
 * opened. Source: openat2(2), proc(5).
 */
#ifndef GATHERD_BLOCKING_ROOTS_H
#define GATHERD_BLOCKING_ROOTS_H

#include "daemon/blocking/call.h"

#include <sys/stat.h>

enum root_use { ROOT_READ, ROOT_WRITE };

/* The way there, without its contents (O_PATH): -1 after a failure of the call. */
int roots_find(struct call *c, const struct vtext *path);
/* A regular file to read, and what fstat() said of it; -1 after a failure. */
int roots_open_file(struct call *c, const struct vtext *path, struct stat *st);
/* A directory to read. */
int roots_open_dir(struct call *c, const struct vtext *path);
/* The directory that the last name of a path stands in, opened with `flags` besides O_DIRECTORY, and
 * that name, for which `name` has room: a name, never "." or "..". */
struct roots_name {
	char at[256];
};
int roots_open_parent(struct call *c, const struct vtext *path, enum root_use use, int flags,
                      struct roots_name *name);

#endif
