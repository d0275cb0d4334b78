#include "daemon/run/semaphores.h"

#include "daemon/run/name_tree.h"
#include "proto/base/check.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define CLAIMS_ROOM_MIN 64u

struct semaphore {
	struct name_node node; /* first */
	uint32_t         permits;
	uint32_t         held;
	uint32_t         waiting;
	uint32_t         puts_coming; /* begun, not durable yet */
	uint64_t         serial;      /* of the put that counts */
	gd_nsec          latest;      /* the highest `time` it was told */
	struct claim    *first;       /* who waits, in order */
	struct claim    *last;
	char             text[]; /* the name, NUL behind it */
};

struct claim {
	struct claim     *chain; /* in the table of claims */
	struct claim     *next;  /* in the line of its semaphore, while it waits */
	struct claim     *previous;
	struct semaphore *of;
	uint64_t          job;
	gd_nsec           time; /* when it was asked for */
	uint32_t          ticket;
	bool              is_held;
};

struct semaphores {
	pthread_mutex_t      lock; /* guards all below */
	struct name_tree     names;
	struct claim       **claims;     /* chained hash by job and ticket; owned */
	uint32_t             claim_room; /* a power of two */
	uint32_t             claim_count;
	uint32_t             put_count; /* semaphores that take one of SEMAPHORES_PUT_MAX */
	semaphores_grant_fn *grant;
	void                *ctx;
	bool                 is_started;
};

static void lock(struct semaphores *t)
{
	CHECK(pthread_mutex_lock(&t->lock) == 0);
}

static void unlock(struct semaphores *t)
{
	CHECK(pthread_mutex_unlock(&t->lock) == 0);
}

/* --- claims by job and ticket --- */

static struct claim **bucket_of(const struct semaphores *t, uint64_t job, uint32_t ticket)
{
	/* Both are counted up: Fibonacci hashing spreads them (Knuth vol. 3, 6.4). */
	uint64_t hash =
		(job * UINT64_C(0x9e3779b97f4a7c15) + ticket) * UINT64_C(0x9e3779b97f4a7c15);

	return &t->claims[(hash >> 32) & (t->claim_room - 1)];
}

static struct claim *claim_find(const struct semaphores *t, uint64_t job, uint32_t ticket)
{
	struct claim *c = *bucket_of(t, job, ticket);

	while (c != NULL && (c->job != job || c->ticket != ticket))
		c = c->chain;
	return c;
}

static void claim_insert(struct semaphores *t, struct claim *c)
{
	struct claim **bucket = bucket_of(t, c->job, c->ticket);

	c->chain = *bucket;
	*bucket = c;
}

static bool claims_reserve(struct semaphores *t)
{
	uint32_t       old_room = t->claim_room;
	struct claim **old = t->claims;
	struct claim **at;

	if (t->claim_count < old_room)
		return true;
	if ((at = calloc((size_t)old_room * 2, sizeof *at)) == NULL)
		return false;
	t->claims = at;
	t->claim_room = old_room * 2;
	for (uint32_t i = 0; i < old_room; i++)
		for (struct claim *c = old[i], *next; c != NULL; c = next) {
			next = c->chain;
			claim_insert(t, c);
		}
	free(old);
	return true;
}

static void claim_free(struct semaphores *t, struct claim *c)
{
	struct claim **at = bucket_of(t, c->job, c->ticket);

	while (*at != c)
		at = &(*at)->chain;
	*at = c->chain;
	t->claim_count--;
	free(c);
}

/* --- the line of a semaphore --- */

static void line_add(struct semaphore *s, struct claim *c)
{
	c->next = NULL;
	c->previous = s->last;
	if (s->last != NULL)
		s->last->next = c;
	else
		s->first = c;
	s->last = c;
	s->waiting++;
}

static void line_remove(struct semaphore *s, struct claim *c)
{
	if (c->previous != NULL)
		c->previous->next = c->next;
	else
		s->first = c->next;
	if (c->next != NULL)
		c->next->previous = c->previous;
	else
		s->last = c->previous;
	s->waiting--;
}

static void hold(struct semaphore *s, struct claim *c)
{
	line_remove(s, c);
	c->is_held = true;
	s->held++;
}

static int by_age(const void *a, const void *b)
{
	const struct claim *x = *(struct claim *const *)a, *y = *(struct claim *const *)b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->job != y->job)
		return x->job < y->job ? -1 : 1;
	return (x->ticket > y->ticket) - (x->ticket < y->ticket);
}

/* After a restart claims came job by job; who asked first is first again. */
static bool line_sort(struct semaphore *s)
{
	uint32_t       count = 0, waiting = s->waiting;
	struct claim **all;

	if (waiting < 2)
		return true;
	if ((all = malloc(waiting * sizeof *all)) == NULL)
		return false;
	for (struct claim *c = s->first; c != NULL; c = c->next)
		all[count++] = c;
	CHECK(count == waiting);
	qsort(all, count, sizeof *all, by_age);
	s->first = s->last = NULL;
	s->waiting = 0;
	for (uint32_t i = 0; i < count; i++)
		line_add(s, all[i]);
	free(all);
	return true;
}

/* --- semaphores by name --- */

static bool takes_place(const struct semaphore *s)
{
	return s->permits != SEMAPHORE_PERMITS_USUAL || s->puts_coming != 0;
}

static struct semaphore *find(const struct semaphores *t, struct text name)
{
	return (struct semaphore *)(void *)name_tree_find(&t->names, name);
}

/* NULL: no memory. */
static struct semaphore *find_or_add(struct semaphores *t, struct text name)
{
	struct semaphore *s = find(t, name);

	_Static_assert(offsetof(struct semaphore, node) == 0, "a semaphore begins with its node");
	if (s != NULL || (s = calloc(1, sizeof *s + name.bytes + 1)) == NULL)
		return s;
	memcpy(s->text, name.at, name.bytes);
	s->node.name = (struct text){ s->text, name.bytes };
	s->permits = SEMAPHORE_PERMITS_USUAL;
	s->latest = INT64_MIN;
	name_tree_add(&t->names, &s->node);
	return s;
}

static void drop_if_idle(struct semaphores *t, struct semaphore *s)
{
	if (s->held != 0 || s->waiting != 0 || takes_place(s))
		return;
	name_tree_remove(&t->names, &s->node);
	free(s);
}

/* Grants what is free to who stands in front. */
static void serve(struct semaphores *t, struct semaphore *s)
{
	while (t->is_started && s->held < s->permits && s->first != NULL) {
		struct claim *c = s->first;

		hold(s, c);
		t->grant(t->ctx, c->job, c->ticket, s->latest);
	}
}

/* --- asking and giving back --- */

enum gd_err semaphores_acquire(struct semaphores *t, uint64_t job, uint32_t ticket,
                               struct text name, gd_nsec time)
{
	struct claim     *c = calloc(1, sizeof *c);
	struct semaphore *s;

	if (c == NULL)
		return GD_NOMEM;
	lock(t);
	if (!claims_reserve(t) || (s = find_or_add(t, name)) == NULL) {
		unlock(t);
		free(c);
		return GD_NOMEM;
	}
	CHECK(claim_find(t, job, ticket) == NULL);
	c->job = job;
	c->ticket = ticket;
	c->time = time;
	c->of = s;
	claim_insert(t, c);
	t->claim_count++;
	line_add(s, c);
	if (time > s->latest)
		s->latest = time;
	serve(t, s);
	unlock(t);
	return GD_OK;
}

static void give_up(struct semaphores *t, struct claim *c, gd_nsec time)
{
	struct semaphore *s = c->of;

	if (c->is_held)
		s->held--;
	else
		line_remove(s, c);
	claim_free(t, c);
	if (time > s->latest)
		s->latest = time;
	serve(t, s);
	drop_if_idle(t, s);
}

void semaphores_release(struct semaphores *t, uint64_t job, uint32_t ticket, gd_nsec time)
{
	struct claim *c;

	lock(t);
	c = claim_find(t, job, ticket);
	if (c != NULL)
		give_up(t, c, time);
	unlock(t);
}

void semaphores_forget(struct semaphores *t, uint64_t job, gd_nsec time)
{
	lock(t);
	for (uint32_t i = 0; i < t->claim_room; i++) {
		for (struct claim *c = t->claims[i], *next; c != NULL; c = next) {
			next = c->chain;
			if (c->job == job)
				give_up(t, c, time);
		}
	}
	unlock(t);
}

/* --- permits --- */

enum gd_err semaphores_begin_put(struct semaphores *t, struct text name, uint32_t permits,
                                 struct gd_error *why)
{
	enum gd_err       rc = GD_OK;
	struct semaphore *s;

	lock(t);
	s = find(t, name);
	/* To the usual number is always possible: it is how a place becomes free. */
	if ((s == NULL || !takes_place(s)) && permits != SEMAPHORE_PERMITS_USUAL &&
	    t->put_count >= SEMAPHORES_PUT_MAX)
		rc = gd_fail(why, GD_LIMIT,
		             "%u semaphores have other than one permit, and no more may; put 1 on "
		             "those that are no longer needed",
		             SEMAPHORES_PUT_MAX);
	else if ((s = find_or_add(t, name)) == NULL)
		rc = gd_fail(why, GD_NOMEM, "no memory for a semaphore");
	if (rc == GD_OK) {
		if (!takes_place(s))
			t->put_count++;
		s->puts_coming++;
	}
	unlock(t);
	return rc;
}

void semaphores_put(struct semaphores *t, struct text name, uint32_t permits, uint64_t serial,
                    struct semaphore_state *out)
{
	struct semaphore *s;

	lock(t);
	s = find(t, name);
	CHECK(s != NULL && s->puts_coming > 0);
	s->puts_coming--;
	if (serial >= s->serial) {
		s->serial = serial;
		s->permits = permits;
	}
	if (!takes_place(s))
		t->put_count--;
	serve(t, s);
	if (out != NULL)
		*out = (struct semaphore_state){ name, s->permits, s->held, s->waiting };
	drop_if_idle(t, s);
	unlock(t);
}

void semaphores_each(struct semaphores *t, struct text after, semaphores_each_fn *fn, void *ctx)
{
	const struct name_node *node;
	bool                    is_wanted = true;

	lock(t);
	while (is_wanted && (node = name_tree_after(&t->names, after)) != NULL) {
		const struct semaphore *s = (const struct semaphore *)(const void *)node;

		after = node->name;
		is_wanted = fn(ctx, &(struct semaphore_state){ node->name, s->permits, s->held,
		                                               s->waiting });
	}
	unlock(t);
}

/* --- building it again --- */

void semaphores_hold(struct semaphores *t, uint64_t job, uint32_t ticket)
{
	struct claim *c;

	lock(t);
	CHECK(!t->is_started);
	c = claim_find(t, job, ticket);
	if (c != NULL && !c->is_held)
		hold(c->of, c);
	unlock(t);
}

enum gd_err semaphores_start(struct semaphores *t, struct gd_error *why)
{
	struct name_node *node;
	enum gd_err       rc = GD_OK;

	lock(t);
	CHECK(!t->is_started);
	t->is_started = true;
	node = name_tree_after(&t->names, (struct text){ 0 });
	for (; node != NULL && rc == GD_OK; node = name_tree_after(&t->names, node->name)) {
		struct semaphore *s = (struct semaphore *)(void *)node;

		if (line_sort(s))
			serve(t, s);
		else
			rc = gd_fail(why, GD_NOMEM, "%u who wait for a semaphore",
			             (unsigned)s->waiting);
	}
	unlock(t);
	return rc;
}

/* --- life --- */

enum gd_err semaphores_open(semaphores_grant_fn *grant, void *ctx, struct semaphores **out,
                            struct gd_error *why)
{
	struct semaphores *t = calloc(1, sizeof *t);

	if (t == NULL || (t->claims = calloc(CLAIMS_ROOM_MIN, sizeof *t->claims)) == NULL) {
		free(t);
		return gd_fail(why, GD_NOMEM, "no memory for the semaphores");
	}
	if (getrandom(&t->names.random, sizeof t->names.random, 0) !=
	    (ssize_t)sizeof t->names.random) {
		int sys = errno;

		free(t->claims);
		free(t);
		return gd_fail_sys(why, sys, "semaphores: no random bytes");
	}
	t->names.random |= 1; /* any but 0 */
	t->claim_room = CLAIMS_ROOM_MIN;
	t->grant = grant;
	t->ctx = ctx;
	CHECK(pthread_mutex_init(&t->lock, NULL) == 0);
	*out = t;
	return GD_OK;
}

void semaphores_close(struct semaphores *t)
{
	struct name_node *node;

	for (uint32_t i = 0; i < t->claim_room; i++)
		while (t->claims[i] != NULL)
			claim_free(t, t->claims[i]);
	while ((node = t->names.root) != NULL) {
		name_tree_remove(&t->names, node);
		free(node);
	}
	free(t->claims);
	CHECK(pthread_mutex_destroy(&t->lock) == 0);
	free(t);
}
