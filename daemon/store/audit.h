/*
 * audit.h - the write-ahead log, read before SQLite opens it.
 *
 * Where SQLite finds a frame with a wrong checksum it takes that for the end of the log, drops what
 * stands behind it and says nothing. That is right for a commit that was cut off by a crash, which
 * nobody was told of. But every commit waits for the sync of the one before it, so at most one can
 * stand behind such a place in good faith; where there are more, the disk has lost what was
 * promised.
 *
 * Cost: one pass over the file. Threads: none.
 * Source: https://www.sqlite.org/fileformat2.html, section 4.
 */
#ifndef GATHERD_STORE_AUDIT_H
#define GATHERD_STORE_AUDIT_H

#include "proto/base/err.h"

/* GD_OK also when there is no such file. GD_STORE: acknowledged commits would be lost; the words
 * name the place. GD_SYS, GD_NOMEM. The file is only read, and must not be open in SQLite. */
GD_NODISCARD enum gd_err audit_wal(const char *path, struct gd_error *why);

#endif
