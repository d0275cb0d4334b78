#include "daemon/run/kin.h"

#include "proto/base/check.h"

#include <stddef.h>
#include <stdlib.h>

#define KIN_ROOM_MIN 64u

/* --- by job and ticket --- */

/* Fibonacci hashing (Knuth, TAOCP 3, section 6.4): jobs and tickets are progressions. */
static uint32_t bucket_of(uint32_t room, uint64_t job, uint32_t ticket)
{
	uint64_t key = job * UINT64_C(0xd6e8feb86659fd93) + ticket;

	return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (room - 1);
}

static struct kin_key *find(const struct kin_table *t, uint64_t job, uint32_t ticket)
{
	struct kin_key *k = t->count == 0 ? NULL : t->at[bucket_of(t->room, job, ticket)];

	while (k != NULL && (k->job != job || k->ticket != ticket))
		k = k->chain;
	return k;
}

static bool grow(struct kin_table *t)
{
	uint32_t         room = t->room == 0 ? KIN_ROOM_MIN : t->room * 2;
	struct kin_key **at = calloc(room, sizeof *at);

	if (at == NULL)
		return false;
	for (uint32_t i = 0; i < t->room; i++) {
		for (struct kin_key *k = t->at[i], *next; k != NULL; k = next) {
			uint32_t bucket = bucket_of(room, k->job, k->ticket);

			next = k->chain;
			k->chain = at[bucket];
			at[bucket] = k;
		}
	}
	free(t->at);
	t->at = at;
	t->room = room;
	return true;
}

static void *add(struct kin_table *t, size_t bytes, uint64_t job, uint32_t ticket)
{
	struct kin_key *k;
	uint32_t        bucket;

	CHECK(find(t, job, ticket) == NULL);
	if (t->count >= t->room && !grow(t))
		return NULL;
	if ((k = calloc(1, bytes)) == NULL)
		return NULL;
	bucket = bucket_of(t->room, job, ticket);
	*k = (struct kin_key){ t->at[bucket], job, ticket };
	t->at[bucket] = k;
	t->count++;
	return k;
}

static void unlink_key(struct kin_table *t, struct kin_key *k)
{
	struct kin_key **at = &t->at[bucket_of(t->room, k->job, k->ticket)];

	while (*at != k)
		at = &(*at)->chain;
	*at = k->chain;
	t->count--;
}

void kin_table_close(struct kin_table *t)
{
	free(t->at);
	*t = (struct kin_table){ 0 };
}

/* --- kins --- */

struct kin *kin_find(const struct kin_table *t, uint64_t job)
{
	_Static_assert(offsetof(struct kin, key) == 0, "a kin begins with its key");
	return (struct kin *)(void *)find(t, job, 0);
}

struct kin *kin_add(struct kin_table *t, uint64_t job)
{
	return add(t, sizeof(struct kin), job, 0);
}

void kin_remove(struct kin_table *t, struct kin *k)
{
	CHECK(k->rows == NULL);
	unlink_key(t, &k->key);
	k->is_gone = true;
	if (!k->is_listed)
		free(k);
}

struct kin *kin_next(const struct kin_table *t, const struct kin *k)
{
	const struct kin_key *at = k == NULL ? NULL : k->key.chain;
	uint32_t bucket = k == NULL ? 0 : bucket_of(t->room, k->key.job, k->key.ticket) + 1;

	for (;;) {
		while (at != NULL && at->ticket != 0)
			at = at->chain;
		if (at != NULL)
			return (struct kin *)(void *)(uintptr_t)at;
		if (bucket >= t->room)
			return NULL;
		at = t->at[bucket++];
	}
}

/* --- rows --- */

struct child_row *kin_find_row(const struct kin_table *t, uint64_t job, uint32_t ticket)
{
	_Static_assert(offsetof(struct child_row, key) == 0, "a row begins with its key");
	return ticket == 0 ? NULL : (struct child_row *)(void *)find(t, job, ticket);
}

struct child_row *kin_add_row(struct kin_table *t, struct kin *of, uint32_t ticket)
{
	struct child_row *row = add(t, sizeof *row, of->key.job, ticket);

	if (row == NULL)
		return NULL;
	row->of = of;
	row->next = of->rows;
	if (of->rows != NULL)
		of->rows->prev = row;
	of->rows = row;
	return row;
}

void kin_row_free(struct child_row *row)
{
	free(row->end);
	free(row->stop_message);
	free(row);
}

void kin_remove_row(struct kin_table *t, struct child_row *row)
{
	if (row->prev != NULL)
		row->prev->next = row->next;
	else
		row->of->rows = row->next;
	if (row->next != NULL)
		row->next->prev = row->prev;
	unlink_key(t, &row->key);
	row->of = NULL;
	row->is_gone = true;
	if (!row->is_listed)
		kin_row_free(row);
}
