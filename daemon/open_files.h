/*
 * open_files.h - how many descriptors a process may have.
 *
 * The soft limit is low for the sake of old programs that use select(); ours goes up to the hard one.
 * What is started by us begins with what we began with.
 *
 * Threads: open_files_raise() on the first one, before there are others.
 * Source: L. Poettering, "File Descriptor Limits", http://0pointer.net/blog/file-descriptor-limits.html
 */
#ifndef GATHERD_OPEN_FILES_H
#define GATHERD_OPEN_FILES_H

#include <sys/resource.h>

/* As far as the system lets us, and no error if it does not. */
void          open_files_raise(void);
/* Before it was raised; as it is now, if it never was. */
struct rlimit open_files_at_start(void);

#endif
