#include "daemon/run/claims.h"

#include "proto/base/check.h"

#include <stdlib.h>

#define CLAIMS_ROOM_MIN 64u

_Static_assert(sizeof(struct claim) <= 56, "many thousands wait");

/* --- a line --- */

void claim_line_add(struct claim_line *l, struct claim *c)
{
	c->next = NULL;
	c->previous = l->last;
	if (l->last != NULL)
		l->last->next = c;
	else
		l->first = c;
	l->last = c;
	l->count++;
}

void claim_line_remove(struct claim_line *l, struct claim *c)
{
	if (c->previous != NULL)
		c->previous->next = c->next;
	else
		l->first = c->next;
	if (c->next != NULL)
		c->next->previous = c->previous;
	else
		l->last = c->previous;
	l->count--;
}

static int by_age(const void *a, const void *b)
{
	const struct claim *x = *(struct claim *const *)a, *y = *(struct claim *const *)b;

	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	if (x->job != y->job)
		return x->job < y->job ? -1 : 1;
	return (x->ticket > y->ticket) - (x->ticket < y->ticket);
}

bool claim_line_sort(struct claim_line *l)
{
	uint32_t       count = 0, expected = l->count;
	struct claim **all;

	if (expected < 2)
		return true;
	if ((all = malloc(expected * sizeof *all)) == NULL)
		return false;
	for (struct claim *c = l->first; c != NULL; c = c->next)
		all[count++] = c;
	CHECK(count == expected);
	qsort(all, count, sizeof *all, by_age);
	*l = (struct claim_line){ 0 };
	for (uint32_t i = 0; i < count; i++)
		claim_line_add(l, all[i]);
	free(all);
	return true;
}

/* --- lines by priority --- */

/* Where the line of this priority hangs, or would hang. */
static struct priority_line **place_of(struct priority_lines *p, int priority)
{
	struct priority_line **at = &p->first;

	while (*at != NULL && (*at)->priority > priority)
		at = &(*at)->next;
	return at;
}

/* NULL: no memory. */
static struct priority_line *line_for(struct priority_lines *p, int priority)
{
	struct priority_line **at = place_of(p, priority);
	struct priority_line  *l = *at;

	if (l != NULL && l->priority == priority)
		return l;
	if ((l = calloc(1, sizeof *l)) == NULL)
		return NULL;
	l->priority = priority;
	l->next = *at;
	*at = l;
	return l;
}

bool priority_lines_add(struct priority_lines *p, struct claim *c)
{
	struct priority_line *l = line_for(p, c->priority);

	if (l == NULL)
		return false;
	claim_line_add(&l->line, c);
	p->count++;
	return true;
}

void priority_lines_remove(struct priority_lines *p, struct claim *c)
{
	struct priority_line **at = place_of(p, c->priority);
	struct priority_line  *l = *at;

	CHECK(l != NULL && l->priority == c->priority);
	claim_line_remove(&l->line, c);
	p->count--;
	if (l->line.first != NULL)
		return;
	*at = l->next;
	free(l);
}

struct claim *priority_lines_first(const struct priority_lines *p)
{
	return p->first == NULL ? NULL : p->first->line.first;
}

struct claim *priority_lines_next(const struct priority_lines *p, const struct claim *c)
{
	const struct priority_line *l = p->first;

	if (c->next != NULL)
		return c->next;
	while (l != NULL && l->priority >= c->priority)
		l = l->next;
	return l == NULL ? NULL : l->line.first;
}

uint32_t priority_lines_before(const struct priority_lines *p, const struct claim *c, uint32_t max,
                               bool *is_more)
{
	uint32_t count = 0, higher = 0;

	for (const struct priority_line *l = p->first; l->priority != c->priority; l = l->next)
		higher += l->line.count;
	while (c->previous != NULL && count < max) {
		c = c->previous;
		count++;
	}
	*is_more = c->previous != NULL;
	return higher + count;
}

bool priority_lines_sort(struct priority_lines *p)
{
	for (struct priority_line *l = p->first; l != NULL; l = l->next)
		if (!claim_line_sort(&l->line))
			return false;
	return true;
}

void priority_lines_close(struct priority_lines *p)
{
	for (struct priority_line *l = p->first, *next; l != NULL; l = next) {
		next = l->next;
		free(l);
	}
	*p = (struct priority_lines){ 0 };
}

/* --- the table --- */

static struct claim **bucket_of(const struct claims *t, uint64_t job, uint32_t ticket)
{
	/* Both are counted up: Fibonacci hashing spreads them (Knuth vol. 3, 6.4). */
	uint64_t hash =
		(job * UINT64_C(0x9e3779b97f4a7c15) + ticket) * UINT64_C(0x9e3779b97f4a7c15);

	return &t->at[(hash >> 32) & (t->room - 1)];
}

struct claim *claims_find(const struct claims *t, uint64_t job, uint32_t ticket)
{
	struct claim *c = *bucket_of(t, job, ticket);

	while (c != NULL && (c->job != job || c->ticket != ticket))
		c = c->chain;
	return c;
}

static void insert(struct claims *t, struct claim *c)
{
	struct claim **bucket = bucket_of(t, c->job, c->ticket);

	c->chain = *bucket;
	*bucket = c;
}

static bool reserve(struct claims *t)
{
	uint32_t       old_room = t->room;
	struct claim **old = t->at;
	struct claim **at;

	if (t->count < old_room)
		return true;
	if ((at = calloc((size_t)old_room * 2, sizeof *at)) == NULL)
		return false;
	t->at = at;
	t->room = old_room * 2;
	for (uint32_t i = 0; i < old_room; i++)
		for (struct claim *c = old[i], *next; c != NULL; c = next) {
			next = c->chain;
			insert(t, c);
		}
	free(old);
	return true;
}

struct claim *claims_add(struct claims *t, uint64_t job, uint32_t ticket)
{
	struct claim *c;

	CHECK(claims_find(t, job, ticket) == NULL);
	if (!reserve(t) || (c = calloc(1, sizeof *c)) == NULL)
		return NULL;
	c->job = job;
	c->ticket = ticket;
	insert(t, c);
	t->count++;
	return c;
}

void claims_remove(struct claims *t, struct claim *c)
{
	struct claim **at = bucket_of(t, c->job, c->ticket);

	while (*at != c)
		at = &(*at)->chain;
	*at = c->chain;
	t->count--;
	free(c);
}

/* --- life --- */

bool claims_init(struct claims *t)
{
	*t = (struct claims){ .at = calloc(CLAIMS_ROOM_MIN, sizeof *t->at),
		              .room = CLAIMS_ROOM_MIN };
	return t->at != NULL;
}

void claims_close(struct claims *t)
{
	for (uint32_t i = 0; i < t->room; i++)
		for (struct claim *c = t->at[i], *next; c != NULL; c = next) {
			next = c->chain;
			free(c);
		}
	free(t->at);
}
