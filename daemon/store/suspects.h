/*
 * suspects.h - which job ended the daemon while it was replayed.
 *
 * A mapped file in the state directory says which job each loop is replaying. What is written to it
 * outlives the process without a system call. It does not outlive the host, and need not: then the
 * counting begins again. Who stands there when a daemon ended is accused by the next one. When
 * several loops replayed at that moment, all their jobs are: so a start that finds anybody accused
 * has its jobs replayed one at a time, and only the one that did it is accused again.
 *
 * Threads: opened and closed by one; begin and end from any loop, each with its own index.
 */
#ifndef GATHERD_STORE_SUSPECTS_H
#define GATHERD_STORE_SUSPECTS_H

#include <stdbool.h>
#include <stdint.h>

struct suspects_page;

struct suspects {
	struct suspects_page *page; /* NULL: there is no room for it, and nobody is suspected */
	bool                  is_any_accused;
};

void     suspects_open(struct suspects *s, int dir_fd);
/* Gives the job's deaths: how often in a row a daemon ended while it replayed it. */
uint32_t suspects_begin(struct suspects *s, uint32_t loop, uint64_t job);
void     suspects_end(struct suspects *s, uint32_t loop);
/* Every job was replayed: nobody is suspected any more. */
void     suspects_acquit(struct suspects *s, int dir_fd);
void     suspects_close(struct suspects *s);

#endif
