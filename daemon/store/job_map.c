#include "daemon/store/job_map.h"

#include <stddef.h>
#include <stdlib.h>

#define FIRST_ROOM 64
#define TURN_FIRST 1 /* so that zeroed memory is free */

/* Fibonacci hashing (Knuth, TAOCP 3, section 6.4): ids are often consecutive. */
static uint32_t slot_of(const struct job_map *m, uint64_t job)
{
	return (uint32_t)(job * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (m->room - 1);
}

/* The job's entry, or the free one where it belongs. */
static struct job_note *find(const struct job_map *m, uint64_t job)
{
	uint32_t at = slot_of(m, job);

	while (m->at[at].turn == m->turn && m->at[at].job != job)
		at = (at + 1) & (m->room - 1);
	return &m->at[at];
}

struct job_note *job_map_get(const struct job_map *m, uint64_t job)
{
	struct job_note *n;

	if (m->count == 0)
		return NULL;
	n = find(m, job);
	return n->turn == m->turn ? n : NULL;
}

static int grow(struct job_map *m)
{
	struct job_map wide = { .room = m->room == 0 ? FIRST_ROOM : m->room * 2,
		                .count = m->count,
		                .turn = TURN_FIRST };

	wide.at = calloc(wide.room, sizeof *wide.at);
	if (wide.at == NULL)
		return -1;
	for (uint32_t i = 0; i < m->room; i++) {
		struct job_note *n;

		if (m->at[i].turn != m->turn)
			continue;
		n = find(&wide, m->at[i].job);
		*n = m->at[i];
		n->turn = wide.turn;
	}
	free(m->at);
	*m = wide;
	return 0;
}

struct job_note *job_map_put(struct job_map *m, uint64_t job)
{
	struct job_note *n;

	if (m->count >= m->room / 2 && grow(m) != 0)
		return NULL;
	n = find(m, job);
	if (n->turn != m->turn) {
		*n = (struct job_note){ .job = job, .turn = m->turn };
		m->count++;
	}
	return n;
}

struct job_note *job_map_next(const struct job_map *m, const struct job_note *n)
{
	uint32_t at = n == NULL ? 0 : (uint32_t)(n - m->at) + 1;

	if (m->count == 0)
		return NULL;
	while (at < m->room && m->at[at].turn != m->turn)
		at++;
	return at < m->room ? &m->at[at] : NULL;
}

void job_map_clear(struct job_map *m)
{
	if (m->count == 0)
		return;
	m->count = 0;
	if (++m->turn != 0)
		return;
	/* After 2^32 turns old entries would look fresh again. */
	for (uint32_t i = 0; i < m->room; i++)
		m->at[i].turn = 0;
	m->turn = TURN_FIRST;
}

void job_map_close(struct job_map *m)
{
	free(m->at);
	*m = (struct job_map){ 0 };
}
