/*
 * fault_vfs.h - a disk under SQLite that fails on command.
 *
 * It stands in front of SQLite's own unix VFS, counts what SQLite asks of the disk, and makes one
 * of these requests go wrong: the n-th open, read, write, sync, truncate or delete since the plan
 * was made, and all later ones of its kind if the fault lasts. Apart from that it can run out of
 * room. Syncs that do not fail are not passed on: what a process writes survives its end without,
 * and thousands of runs need not wait for a disk.
 *
 * Ownership: one for the process, installed as the default for ever. Threads: any; one lock.
 */
#ifndef GATHERD_TESTS_FAULT_VFS_H
#define GATHERD_TESTS_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

enum fault_op {
	FAULT_OPEN,
	FAULT_READ,
	FAULT_WRITE,
	FAULT_SYNC,
	FAULT_TRUNCATE,
	FAULT_DELETE,
	FAULT_OPS
};
const char *fault_op_name(enum fault_op op);

enum fault_way {
	FAULT_ERROR, /* nothing was done, and SQLite is told so */
	FAULT_SHORT, /* a write: half of it is done, then the disk is full */
	FAULT_FLIP   /* a read: one bit of what comes back is another, and nobody is told */
};

struct fault_plan {
	enum fault_op  op;
	enum fault_way way;
	uint64_t       nth; /* from 1; 0: nothing fails */
	bool           is_lasting;
	const char    *only; /* files whose name ends so; NULL: all */
};

void     fault_vfs_install(void);
/* Counts begin at 0 again; there is room without end. */
void     fault_vfs_arm(const struct fault_plan *plan);
void     fault_vfs_disarm(void);
uint64_t fault_vfs_count(enum fault_op op); /* since it was armed, of the files of the plan */
bool     fault_vfs_has_struck(void);        /* since it was armed */
/* Files may grow by so many bytes together; the write that passes it ends there. */
void     fault_vfs_set_room(uint64_t bytes);

#endif
