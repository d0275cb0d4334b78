#include "daemon/runner/table.h"

#include "daemon/runner/command.h"
#include "proto/base/sum.h"

#include <string.h>

static size_t bucket_of_ref(const struct run_ref *ref)
{
	uint64_t sum = gd_sum(GD_SUM_START, &ref->job, sizeof ref->job);

	sum = gd_sum(sum, &ref->exec, sizeof ref->exec);
	return (size_t)(gd_sum(sum, &ref->attempt, sizeof ref->attempt) % TABLE_BUCKETS);
}

static size_t bucket_of_pid(pid_t pid)
{
	return (size_t)pid % TABLE_BUCKETS;
}

static size_t bucket_of_key(const char *key)
{
	return (size_t)(gd_sum(GD_SUM_START, key, strlen(key)) % TABLE_BUCKETS);
}

void table_add(struct table *t, struct command *c)
{
	struct command **ref = &t->by_ref[bucket_of_ref(&c->state.ref)];
	struct command **pid = &t->by_pid[bucket_of_pid(c->state.pid)];
	struct command **key = &t->by_key[bucket_of_key(c->key)];

	c->next_by_ref = *ref;
	c->next_by_key = *key;
	*ref = *key = c;
	if (c->state.pid != 0) { /* it was started */
		c->next_by_pid = *pid;
		*pid = c;
	}
	t->count++;
}

void table_remove(struct table *t, struct command *c)
{
	struct command **at = &t->by_ref[bucket_of_ref(&c->state.ref)];

	for (; *at != NULL; at = &(*at)->next_by_ref) {
		if (*at == c) {
			*at = c->next_by_ref;
			t->count--;
			break;
		}
	}
	for (at = &t->by_pid[bucket_of_pid(c->state.pid)]; *at != NULL; at = &(*at)->next_by_pid) {
		if (*at == c) {
			*at = c->next_by_pid;
			break;
		}
	}
	for (at = &t->by_key[bucket_of_key(c->key)]; *at != NULL; at = &(*at)->next_by_key) {
		if (*at == c) {
			*at = c->next_by_key;
			break;
		}
	}
}

struct command *table_by_ref(const struct table *t, const struct run_ref *ref)
{
	struct command *c = t->by_ref[bucket_of_ref(ref)];

	while (c != NULL && !run_ref_equal(&c->state.ref, ref))
		c = c->next_by_ref;
	return c;
}

struct command *table_by_pid(const struct table *t, pid_t pid)
{
	struct command *c = t->by_pid[bucket_of_pid(pid)];

	while (c != NULL && (c->state.pid != pid || c->is_reaped))
		c = c->next_by_pid;
	return c;
}

/* The newest is first: a number that was used again is its. */
struct command *table_by_session(const struct table *t, pid_t session)
{
	struct command *c = t->by_pid[bucket_of_pid(session)];

	while (c != NULL && c->state.pid != session)
		c = c->next_by_pid;
	return c;
}

struct command *table_by_key(const struct table *t, const char *key)
{
	struct command *c = t->by_key[bucket_of_key(key)];

	while (c != NULL && strcmp(c->key, key) != 0)
		c = c->next_by_key;
	return c;
}

void table_each(struct table *t, void (*visit)(struct command *c, void *ctx), void *ctx)
{
	for (size_t i = 0; i < TABLE_BUCKETS; i++) {
		struct command *next;

		for (struct command *c = t->by_ref[i]; c != NULL; c = next) {
			next = c->next_by_ref;
			visit(c, ctx);
		}
	}
}
