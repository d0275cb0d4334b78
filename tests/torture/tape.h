/*
 * tape.h - the form of a tape, between the half of disk.h that records and the one that plays.
 */
#ifndef GATHERD_TESTS_TAPE_H
#define GATHERD_TESTS_TAPE_H

#include <stdint.h>

enum tape_kind {
	TAPE_MAKE_DIR,
	TAPE_SYNC_PARENT,
	TAPE_CREATE,   /* payload: the name */
	TAPE_RENAME,   /* payload: the old name, NUL, the new one */
	TAPE_UNLINK,   /* payload: the name */
	TAPE_SYNC_DIR, /* the names are safe */
	TAPE_WRITE,    /* payload: the bytes, for offset `at` */
	TAPE_TRUNCATE, /* to length `at` */
	TAPE_SYNC,     /* the file is safe, but for its name */
	TAPE_MARK      /* `at` is the mark, `inode` its number */
};

struct tape_entry {
	uint32_t kind;
	uint32_t unused;
	uint64_t inode;
	uint64_t at;
	uint64_t bytes; /* of payload, behind this */
};

#endif
