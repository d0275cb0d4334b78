/*
 * disk.h - a disk that forgets, when the power goes, what was not synced.
 *
 * Two halves. The first stands before the C library's open(), pwrite(), fdatasync() and so on: what
 * is done to the files of one directory is written down, in order, in a tape (a file, so that
 * several processes after one another can go on with it). Nothing is really synced, which also
 * makes it quick. The second half plays a tape up to some place, and makes the directory that may
 * be found after a power cut just there.
 *
 * The model: a sector of 512 bytes is written whole or not at all, and holds after the cut any
 * version of itself since the last sync of its file. A file's length may be any it had since then.
 * Names (create, rename, unlink) become durable in order, all of them when the directory is
 * synced: a sync of the file alone does not make its name safe. SQLite assumes less
 * (https://www.sqlite.org/atomiccommit.html, section 2).
 *
 * Threads: recording from any; playing from one.
 */
#ifndef GATHERD_TESTS_DISK_H
#define GATHERD_TESTS_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- recording --- */

/* From now on, what is done in `dir` goes to the end of the tape. */
void disk_record(const char *dir, const char *tape);
/* Begins a tape with what stands in `dir`, all of it safe. */
void disk_record_present(const char *dir, const char *tape);
/* Marks for whoever plays the tape: a commit was handed in, and reported as durable; what is there
 * can be seen by others. `number` is a number of the marker's own. */
enum disk_mark { DISK_HANDED_IN = 1, DISK_ACKNOWLEDGED, DISK_SEEN };
void disk_mark(enum disk_mark mark, uint64_t number);
/* The next so many writes that make a file longer find no room. */
void disk_no_room(uint32_t writes);

/* A disk whose syncs are left out or come late, to see that it is found: "syncs-nothing",
 * "syncs-no-names", "syncs-late"; NULL: none. False: there is no such. */
bool disk_sabotage(const char *name);

/* --- playing --- */

struct tape;

struct tape *tape_open(const char *path); /* NULL: no memory, or no tape */
void         tape_close(struct tape *t);
uint32_t     tape_count(const struct tape *t);               /* entries */
bool         tape_is_sync(const struct tape *t, uint32_t i); /* of a file or the directory */
/* Marks among the first `count` entries; *last (may be NULL) the number of the last one. */
uint32_t     tape_marks(const struct tape *t, uint32_t count, enum disk_mark mark, uint64_t *last);
/* The entry behind the n-th mark, n from 1. */
uint32_t     tape_behind(const struct tape *t, enum disk_mark mark, uint32_t n);

enum cut {
	CUT_KEEPS_ALL,   /* as after kill -9 */
	CUT_KEEPS_NONE,  /* nothing that was not synced */
	CUT_DROPS_FIRST, /* of each file the first write is lost, later ones are there */
	CUT_TEARS_LAST,  /* all is there, but of the last write only some first sectors */
	CUT_RANDOM,      /* each sector, length and number of names as the seed has it */
	CUT_KINDS
};
extern const char *const cut_names[CUT_KINDS];

/* Makes `dir` (which must not be there) as the cut behind `count` entries leaves it. False: `dir` would
 * not be there either. The hash stands for all that was made. */
bool tape_play(const struct tape *t, uint32_t count, enum cut cut, uint64_t seed, const char *dir,
               uint64_t *hash);

#endif
