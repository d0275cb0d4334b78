#include "daemon/profile/profile_table.h"

#include "daemon/profile/profile_key.h"
#include "proto/base/check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct profile_table {
	atomic_uint     refs;
	struct arena    texts;
	struct profile *at[PROFILES_MAX]; /* owned */
	uint32_t        count;
};

enum gd_err profile_table_new(struct profile_table **out, struct gd_error *why)
{
	struct profile_table *t = calloc(1, sizeof *t);

	if (t == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for profiles");
	atomic_init(&t->refs, 1);
	*out = t;
	return GD_OK;
}

struct profile_table *profile_table_retain(struct profile_table *t)
{
	(void)atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

static void free_profile(struct profile *p)
{
	for (uint32_t i = 0; i < p->arg_count; i++)
		rule_close(&p->args[i]);
	for (uint32_t i = 0; i < p->env_count; i++)
		rule_close(&p->env[i].rule);
	rule_close(&p->rest);
	free(p);
}

void profile_table_release(struct profile_table *t)
{
	if (t == NULL || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (uint32_t i = 0; i < t->count; i++)
		free_profile(t->at[i]);
	arena_close(&t->texts);
	free(t);
}

/* --- filling --- */

static bool is_name(const char *name)
{
	size_t chars = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	                            "_.-");

	return chars >= 1 && chars <= PROFILE_NAME_BYTES_MAX && name[chars] == '\0';
}

static enum gd_err add(struct profile_table *t, const char *name, int line, struct profile **out,
                       struct gd_error *why)
{
	struct profile *p;

	if (!is_name(name))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "the name of a profile is 1 to %u letters, digits, '.', '_' or '-'",
		               PROFILE_NAME_BYTES_MAX);
	if (t->count == PROFILES_MAX)
		return gd_fail(why, GD_LIMIT, "more than %u profiles", PROFILES_MAX);
	if ((p = calloc(1, sizeof *p)) == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for a profile");
	profile_preset(p);
	p->line = line;
	t->at[t->count++] = p;
	p->name = arena_copy(&t->texts, name, strlen(name));
	*out = p;
	return p->name == NULL ? gd_fail(why, GD_NOMEM, "no memory for a profile") : GD_OK;
}

enum gd_err profile_table_set(struct profile_table *t, const char *name, const char *key,
                              const char *value, int line, struct gd_error *why)
{
	struct profile *p = t->count == 0 ? NULL : t->at[t->count - 1];
	enum gd_err     rc = GD_OK;

	if (p == NULL || strcmp(p->name, name) != 0) {
		if (profile_table_find(t, name) != NULL)
			return gd_fail(why, GD_INVALID_PARAMS, "there are two sections [exec %s]",
			               name);
		rc = add(t, name, line, &p, why);
	}
	return rc == GD_OK ? profile_key_set(p, key, value, line, &t->texts, why) : rc;
}

static enum gd_err with_name(const struct profile *p, const struct gd_error *inner,
                             struct gd_error *why)
{
	return gd_fail(why, inner->code, "[exec %s]: %.190s", p->name, inner->text);
}

enum gd_err profile_table_finish(struct profile_table *t, int *line, struct gd_error *why)
{
	struct gd_error inner = { 0 };

	for (uint32_t i = 0; i < t->count; i++) {
		*line = t->at[i]->line;
		if (profile_finish(t->at[i], &inner) != GD_OK)
			return with_name(t->at[i], &inner, why);
	}
	return GD_OK;
}

enum gd_err profile_table_trust(const struct profile_table *t, int *line, struct gd_error *why)
{
	struct gd_error inner = { 0 };

	for (uint32_t i = 0; i < t->count; i++) {
		if (profile_trust(t->at[i], line, &inner) != GD_OK)
			return with_name(t->at[i], &inner, why);
	}
	return GD_OK;
}

/* --- looking --- */

uint32_t profile_table_count(const struct profile_table *t)
{
	return t->count;
}

const struct profile *profile_table_at(const struct profile_table *t, uint32_t index)
{
	CHECK(index < t->count);
	return t->at[index];
}

const struct profile *profile_table_find(const struct profile_table *t, const char *name)
{
	for (uint32_t i = 0; i < t->count; i++) {
		if (strcmp(t->at[i]->name, name) == 0)
			return t->at[i];
	}
	return NULL;
}

/* --- the book --- */

struct profile_book {
	pthread_mutex_t       lock;  /* held for one look or a swap */
	struct profile_table *table; /* a reference */
};

enum gd_err profile_book_open(struct profile_book **out, struct gd_error *why)
{
	struct profile_book *b = calloc(1, sizeof *b);
	enum gd_err          rc;

	if (b == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for profiles");
	if ((rc = profile_table_new(&b->table, why)) != GD_OK) {
		free(b);
		return rc;
	}
	(void)pthread_mutex_init(&b->lock, NULL);
	*out = b;
	return GD_OK;
}

void profile_book_close(struct profile_book *b)
{
	if (b == NULL)
		return;
	(void)pthread_mutex_destroy(&b->lock);
	profile_table_release(b->table);
	free(b);
}

void profile_book_put(struct profile_book *b, struct profile_table *t)
{
	struct profile_table *old;

	pthread_mutex_lock(&b->lock);
	old = b->table;
	b->table = profile_table_retain(t);
	pthread_mutex_unlock(&b->lock);
	profile_table_release(old);
}

struct profile_table *profile_book_take(struct profile_book *b)
{
	struct profile_table *t;

	pthread_mutex_lock(&b->lock);
	t = profile_table_retain(b->table);
	pthread_mutex_unlock(&b->lock);
	return t;
}
