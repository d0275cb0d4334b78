#include "daemon/run/loop_names.h"

#include "daemon/run/name_tree.h"
#include "daemon/run/pool.h"
#include "proto/base/check.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct loop_name {
	struct name_node node; /* first */
	uint32_t         index;
	bool             is_durable;
	char             at[]; /* the name */
};

struct loop_names {
	pthread_mutex_t  lock; /* of all that follows */
	struct name_tree tree;
	uint32_t         count;
};

enum gd_err loop_names_open(struct loop_names **out, struct gd_error *why)
{
	struct loop_names *t = calloc(1, sizeof *t);

	if (t == NULL)
		return gd_fail(why, GD_NOMEM, "names of loops: %zu bytes", sizeof *t);
	/* Bounded by LOOP_NAMES_MAX: how deep it can be made does not matter. */
	t->tree.random = 1;
	CHECK(pthread_mutex_init(&t->lock, NULL) == 0);
	*out = t;
	return GD_OK;
}

void loop_names_close(struct loop_names *t)
{
	if (t == NULL)
		return;
	while (t->tree.root != NULL) {
		struct name_node *node = t->tree.root;

		name_tree_remove(&t->tree, node);
		free(node);
	}
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct loop_name *find(const struct loop_names *t, struct text name)
{
	return (struct loop_name *)(void *)name_tree_find(&t->tree, name);
}

static struct loop_name *add(struct loop_names *t, struct text name, uint32_t index,
                             struct gd_error *why)
{
	struct loop_name *n = calloc(1, sizeof *n + name.bytes + 1);

	_Static_assert(offsetof(struct loop_name, node) == 0, "a name begins with its node");
	if (n == NULL) {
		(void)gd_fail(why, GD_NOMEM, "no memory for the name of a loop");
		return NULL;
	}
	memcpy(n->at, name.at, name.bytes);
	n->node.name = (struct text){ n->at, name.bytes };
	n->index = index;
	name_tree_add(&t->tree, &n->node);
	t->count++;
	return n;
}

enum gd_err loop_names_add(struct loop_names *t, struct text name, uint32_t index,
                           struct gd_error *why)
{
	struct loop_name *n = add(t, name, index, why);

	if (n == NULL)
		return GD_NOMEM;
	n->is_durable = true;
	return GD_OK;
}

/* Those that mean each of `count` loops now. */
static uint32_t least_named(const struct loop_names *t, uint32_t count)
{
	uint32_t          names[POOL_LOOPS_MAX] = { 0 };
	uint32_t          least = 0;
	struct name_node *node = name_tree_after(&t->tree, (struct text){ "", 0 });

	for (; node != NULL; node = name_tree_after(&t->tree, node->name))
		names[((struct loop_name *)(void *)node)->index % count]++;
	for (uint32_t i = 1; i < count; i++)
		if (names[i] < names[least])
			least = i;
	return least;
}

enum gd_err loop_names_use(struct loop_names *t, struct text name, uint32_t count, uint32_t *index,
                           struct gd_error *why)
{
	struct loop_name *n;
	enum gd_err       rc = GD_OK;

	CHECK(count >= 1 && count <= POOL_LOOPS_MAX);
	CHECK(pthread_mutex_lock(&t->lock) == 0);
	n = find(t, name);
	if (n == NULL && t->count >= LOOP_NAMES_MAX)
		rc = gd_fail(why, GD_LIMIT, "loops have %u names already, and no more are kept",
		             LOOP_NAMES_MAX);
	else if (n == NULL && (n = add(t, name, least_named(t, count), why)) == NULL)
		rc = GD_NOMEM;
	if (rc == GD_OK)
		*index = n->index % count;
	CHECK(pthread_mutex_unlock(&t->lock) == 0);
	return rc;
}

/* --- what is stored --- */

/* In the arena of its group. */
struct note {
	struct outbox_item item;
	struct text        name;
};

static void release_note(struct loop *l, struct outbox_item *item, enum gd_err outcome)
{
	const struct note *note = (struct note *)(void *)item;
	struct loop_names *t = l->pool->names;

	_Static_assert(offsetof(struct note, item) == 0, "a note begins with its item");
	if (outcome != GD_OK)
		return;
	CHECK(pthread_mutex_lock(&t->lock) == 0);
	find(t, note->name)->is_durable = true;
	CHECK(pthread_mutex_unlock(&t->lock) == 0);
}

void loop_names_note(struct loop *l, struct text name)
{
	struct loop_names      *t = l->pool->names;
	const struct loop_name *n;
	struct store_group     *g;
	struct record          *r;
	struct note            *note;

	CHECK(pthread_mutex_lock(&t->lock) == 0);
	n = find(t, name);
	CHECK(n != NULL);
	if (n->is_durable)
		n = NULL;
	CHECK(pthread_mutex_unlock(&t->lock) == 0);
	if (n == NULL)
		return;
	g = loop_group(l);
	r = g == NULL ? NULL : store_group_add(g, RECORD_LOOP, 0);
	note = g == NULL ? NULL : arena_alloc(&g->arena, sizeof *note);
	if (r == NULL || note == NULL)
		pool_die("loop.no_memory", NULL);
	/* It stays where it is, and as it is, to the end of the process. */
	*note = (struct note){ .item.release = release_note, .name = n->node.name };
	r->u.loop.name = n->node.name;
	r->u.loop.index = n->index;
	outbox_add(g->outbox, &note->item);
}
