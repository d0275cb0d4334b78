#include "daemon/run/semaphores.h"

#include "daemon/run/claims.h"
#include "daemon/run/name_tree.h"
#include "proto/base/check.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct semaphore {
	struct name_node      node; /* first */
	uint32_t              permits;
	bool                  is_put;      /* it has a number of its own */
	uint32_t              puts_coming; /* begun, not durable yet */
	uint64_t              serial;      /* of the put that counts */
	gd_nsec               latest;      /* the highest `time` it was told */
	struct claim_line     held;        /* in the order of the grants */
	struct priority_lines waiting;
	char                  text[]; /* the name, NUL behind it */
};

struct semaphores {
	pthread_mutex_t      lock; /* guards all below */
	struct name_tree     names;
	struct claims        claims;
	uint32_t             usual;     /* permits of a name that nobody put */
	uint32_t             put_count; /* of SEMAPHORES_PUT_MAX places */
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

/* --- semaphores by name --- */

static bool takes_place(const struct semaphore *s)
{
	return s->is_put || s->puts_coming != 0;
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
	s->permits = t->usual;
	s->latest = INT64_MIN;
	name_tree_add(&t->names, &s->node);
	return s;
}

static void drop_if_idle(struct semaphores *t, struct semaphore *s)
{
	if (s->held.count != 0 || s->waiting.count != 0 || takes_place(s))
		return;
	name_tree_remove(&t->names, &s->node);
	free(s);
}

static struct semaphore_state state_of(const struct semaphore *s)
{
	return (struct semaphore_state){ s->node.name, s->permits, s->held.count,
		                         s->waiting.count };
}

static void hold(struct claim *c, gd_nsec since)
{
	c->is_held = true;
	c->since = since;
	claim_line_add(&c->of->held, c);
}

static bool is_free(const struct semaphores *t, const struct semaphore *s)
{
	return t->is_started && s->held.count < s->permits;
}

static void let_in(struct semaphores *t, struct claim *c)
{
	hold(c, c->of->latest);
	t->grant(t->ctx, c->job, c->ticket, c->of->latest);
}

/* Grants what is free to who stands in front. */
static void serve(struct semaphores *t, struct semaphore *s)
{
	struct claim *c;

	while (is_free(t, s) && (c = priority_lines_first(&s->waiting)) != NULL) {
		priority_lines_remove(&s->waiting, c);
		let_in(t, c);
	}
}

/* --- asking and giving back --- */

/* Into the line, or past it where a permit is free: nobody waits there. False: no memory. */
static bool stand_in_line(struct semaphores *t, struct claim *c, gd_nsec time)
{
	struct semaphore *s = c->of;

	c->since = time;
	if (!is_free(t, s) && !priority_lines_add(&s->waiting, c))
		return false;
	if (time > s->latest)
		s->latest = time;
	if (is_free(t, s))
		let_in(t, c);
	return true;
}

static enum gd_err acquire(struct semaphores *t, uint64_t job, uint32_t ticket, struct text name,
                           int priority, gd_nsec time)
{
	struct claim *c = claims_add(&t->claims, job, ticket);

	if (c == NULL)
		return GD_NOMEM;
	c->priority = (int8_t)priority;
	if ((c->of = find_or_add(t, name)) != NULL && stand_in_line(t, c, time))
		return GD_OK;
	if (c->of != NULL)
		drop_if_idle(t, c->of);
	claims_remove(&t->claims, c);
	return GD_NOMEM;
}

enum gd_err semaphores_acquire(struct semaphores *t, uint64_t job, uint32_t ticket,
                               struct text name, int priority, gd_nsec time)
{
	enum gd_err rc;

	CHECK(priority >= -JOB_PRIORITY_MAX && priority <= JOB_PRIORITY_MAX);
	lock(t);
	rc = acquire(t, job, ticket, name, priority, time);
	unlock(t);
	return rc;
}

static void give_up(struct semaphores *t, struct claim *c, gd_nsec time)
{
	struct semaphore *s = c->of;

	if (c->is_held)
		claim_line_remove(&s->held, c);
	else
		priority_lines_remove(&s->waiting, c);
	claims_remove(&t->claims, c);
	if (time > s->latest)
		s->latest = time;
	serve(t, s);
	drop_if_idle(t, s);
}

void semaphores_release(struct semaphores *t, uint64_t job, uint32_t ticket, gd_nsec time)
{
	struct claim *c;

	lock(t);
	c = claims_find(&t->claims, job, ticket);
	if (c != NULL)
		give_up(t, c, time);
	unlock(t);
}

void semaphores_forget(struct semaphores *t, uint64_t job, gd_nsec time)
{
	lock(t);
	for (uint32_t i = 0; i < t->claims.room; i++) {
		for (struct claim *c = t->claims.at[i], *next; c != NULL; c = next) {
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
		             "%u names have a number of permits of their own, and no more may",
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
		s->is_put = permits != SEMAPHORE_PERMITS_USUAL;
		s->permits = s->is_put ? permits : t->usual;
	}
	if (!takes_place(s))
		t->put_count--;
	serve(t, s);
	if (out != NULL)
		*out = state_of(s);
	if (out != NULL)
		out->name = name;
	drop_if_idle(t, s);
	unlock(t);
}

void semaphores_each(struct semaphores *t, struct text after, semaphores_each_fn *fn, void *ctx)
{
	const struct name_node *node;
	bool                    is_wanted = true;

	lock(t);
	while (is_wanted && (node = name_tree_after(&t->names, after)) != NULL) {
		struct semaphore_state state =
			state_of((const struct semaphore *)(const void *)node);

		after = node->name;
		is_wanted = fn(ctx, &state);
	}
	unlock(t);
}

/* --- who holds, who waits --- */

static struct semaphore_claim view_of(const struct claim *c)
{
	return (struct semaphore_claim){ c->job, c->ticket, c->priority, c->is_held, c->since };
}

bool semaphores_who(struct semaphores *t, struct text name, semaphores_who_fn *fn, void *ctx)
{
	const struct semaphore *s;
	const struct claim     *c;
	bool                    is_wanted = true;

	lock(t);
	s = find(t, name);
	for (c = s == NULL ? NULL : s->held.first; is_wanted && c != NULL; c = c->next) {
		struct semaphore_claim view = view_of(c);

		is_wanted = fn(ctx, &view);
	}
	for (c = s == NULL ? NULL : priority_lines_first(&s->waiting); is_wanted && c != NULL;
	     c = priority_lines_next(&s->waiting, c)) {
		struct semaphore_claim view = view_of(c);

		is_wanted = fn(ctx, &view);
	}
	unlock(t);
	return s != NULL;
}

bool semaphores_place(struct semaphores *t, uint64_t job, uint32_t ticket,
                      struct semaphore_place *out)
{
	const struct claim *c;

	lock(t);
	if ((c = claims_find(&t->claims, job, ticket)) != NULL) {
		*out = (struct semaphore_place){ .claim = view_of(c), .state = state_of(c->of) };
		out->state.name = (struct text){ 0 }; /* it may go with its last claim */
		if (!c->is_held)
			out->before = priority_lines_before(&c->of->waiting, c,
			                                    SEMAPHORES_BEFORE_MAX, &out->is_more);
	}
	unlock(t);
	return c != NULL;
}

uint32_t semaphores_usual(const struct semaphores *t)
{
	return t->usual;
}

/* --- building it again --- */

void semaphores_hold(struct semaphores *t, uint64_t job, uint32_t ticket, gd_nsec time)
{
	struct claim *c;

	lock(t);
	CHECK(!t->is_started);
	c = claims_find(&t->claims, job, ticket);
	if (c != NULL && !c->is_held) {
		priority_lines_remove(&c->of->waiting, c);
		hold(c, time);
	}
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

		/* Claims came job by job. */
		if (claim_line_sort(&s->held) && priority_lines_sort(&s->waiting))
			serve(t, s);
		else
			rc = gd_fail(why, GD_NOMEM, "%u who wait for a permit",
			             (unsigned)s->waiting.count);
	}
	unlock(t);
	return rc;
}

/* --- life --- */

enum gd_err semaphores_open(uint32_t usual, semaphores_grant_fn *grant, void *ctx,
                            struct semaphores **out, struct gd_error *why)
{
	struct semaphores *t = calloc(1, sizeof *t);

	if (t == NULL || !claims_init(&t->claims)) {
		free(t);
		return gd_fail(why, GD_NOMEM, "no memory for the semaphores");
	}
	if (getrandom(&t->names.random, sizeof t->names.random, 0) !=
	    (ssize_t)sizeof t->names.random) {
		int sys = errno;

		claims_close(&t->claims);
		free(t);
		return gd_fail_sys(why, sys, "semaphores: no random bytes");
	}
	t->names.random |= 1; /* any but 0 */
	t->usual = usual;
	t->grant = grant;
	t->ctx = ctx;
	CHECK(pthread_mutex_init(&t->lock, NULL) == 0);
	*out = t;
	return GD_OK;
}

void semaphores_close(struct semaphores *t)
{
	struct name_node *node;

	while ((node = t->names.root) != NULL) {
		name_tree_remove(&t->names, node);
		priority_lines_close(&((struct semaphore *)(void *)node)->waiting);
		free(node);
	}
	claims_close(&t->claims);
	CHECK(pthread_mutex_destroy(&t->lock) == 0);
	free(t);
}
