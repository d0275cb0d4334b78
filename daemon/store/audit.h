/*
 * audit.h - the write-ahead log, read before SQLite opens it.
 *
 * Where SQLite finds a frame with a wrong checksum it takes that for the end of the log, drops what
 * stands behind it and says nothing. That is right for a commit that was cut off by a crash, which
 * nobody was told of. But every commit waits for the sync of the one before it, so at most one can
 * stand behind such a place in good faith; where there are more, the disk has lost what was
 * promised. Whether that one was acknowledged, last_commit.h knows: a page that a power cut has torn,
 * with an older round of the log below it, may look like one with a flipped bit.
 *
 * Cost: one pass over the file. Threads: none.
 * Source: https://www.sqlite.org/fileformat2.html, section 4.
 */
#ifndef GATHERD_STORE_AUDIT_H
#define GATHERD_STORE_AUDIT_H

#include "proto/base/err.h"

#include <stdint.h>

struct audit_report {
	uint64_t bytes;        /* of the file; 0: there is none */
	uint64_t commits;      /* whole ones */
	uint64_t frames;       /* up to the end of the last of these */
	uint64_t good_bytes;   /* up to the end of what can be read */
	uint64_t commits_lost; /* behind that */
};

/* Fills `report` also with GD_STORE. Otherwise as audit_wal(). */
GD_NODISCARD enum gd_err audit_read(const char *path, struct audit_report *report,
                                    struct gd_error *why);
/* GD_OK also when there is no such file. GD_STORE: acknowledged commits would be lost; the words
 * name the place. GD_SYS, GD_NOMEM. The file is only read, and must not be open in SQLite. SQLite
 * reads it once more by itself: *frames is how many it must find. */
GD_NODISCARD enum gd_err audit_wal(const char *path, uint64_t *frames, struct gd_error *why);

#endif
