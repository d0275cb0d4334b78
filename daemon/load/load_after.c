#include "daemon/load/load_after.h"

#include <stdlib.h>
#include <string.h>

/* Names of a circle that a message shows. */
#define SHOWN_MAX 8

/* --- reading --- */

/* The list of one branch, and where it stands. */
static void find_list(struct after_node *n, const json_t *branch)
{
	const char *key;
	json_t     *item;
	uint32_t    index = 0;

	n->json = json_object_get(branch, "after");
	if (n->json == NULL)
		return;
	json_object_foreach ((json_t *)(uintptr_t)branch, key, item) {
		if (strcmp(key, "after") == 0)
			n->index = index;
		index++;
	}
}

static void refuse_sibling(struct loader *l, const struct after_graph *g, const struct place *at,
                           const char *name)
{
	struct nearest near;
	char           hint[PROBLEM_HINT_CHARS] = "";

	if (problem_is_wanted(&l->problems, at)) {
		nearest_init(&near, name, strlen(name), &l->hint_work);
		for (uint32_t i = 0; i < g->count && l->hint_work > 0; i++)
			nearest_offer(&near, g->node[i].name);
		hint_did_you_mean(hint, near.best);
	}
	loader_problem(l, at, hint, "no sibling \"%s\"", CLIPPED(name));
}

/* The sibling that one element of the list names; PROGRAM_NONE after a problem. `left` of a node
 * says for which branch it was named last. */
static uint32_t read_sibling(struct loader *l, const struct after_graph *g, const struct place *at,
                             const json_t *json, const json_t *index, uint32_t branch)
{
	const char   *name = json_string_value(json);
	const json_t *found = json_object_get(index, name);
	uint32_t      sibling;

	if (name == NULL) {
		loader_problem(l, at, "", "\"after\" names siblings by text, not by %s",
		               loader_type_name(json));
		return PROGRAM_NONE;
	}
	if (found == NULL) {
		refuse_sibling(l, g, at, name);
		return PROGRAM_NONE;
	}
	sibling = (uint32_t)json_integer_value(found);
	if (g->node[sibling].left == branch + 1) {
		loader_problem(l, at, "", "\"%s\" is named twice", CLIPPED(name));
		return PROGRAM_NONE;
	}
	g->node[sibling].left = branch + 1;
	return sibling;
}

static void read_list(struct loader *l, const struct after_graph *g, const struct place *branch_at,
                      uint32_t branch, const json_t *index)
{
	struct after_node *n = &g->node[branch];
	struct place       at = place_member(branch_at, "after", n->index);
	size_t             count = json_array_size(n->json);

	if (!json_is_array(n->json)) {
		loader_problem(l, &at, "", "\"after\" is an array of names of siblings, not %s",
		               loader_type_name(n->json));
		return;
	}
	n->first = build_afters(&l->b, (uint32_t)count);
	for (size_t i = 0; i < count && !loader_failed(l); i++) {
		struct place place = place_element(&at, (uint32_t)i);
		uint32_t     sibling =
			read_sibling(l, g, &place, json_array_get(n->json, i), index, branch);
		struct after *after = &l->b.program->afters[n->first + n->count];

		if (sibling == PROGRAM_NONE)
			continue;
		after->branch = sibling;
		g->node[sibling].dependent_count++;
		n->count++;
	}
}

/* --- who waits --- */

static void read_dependents(struct loader *l, const struct after_graph *g)
{
	const struct program *p = l->b.program;
	uint32_t              total = 0, at;

	for (uint32_t i = 0; i < g->count; i++)
		total += g->node[i].dependent_count;
	at = build_dependents(&l->b, total);
	for (uint32_t i = 0; i < g->count; i++) {
		g->node[i].first_dependent = at;
		at += g->node[i].dependent_count;
		g->node[i].left = 0;
	}
	for (uint32_t i = 0; i < g->count && !loader_failed(l); i++) {
		for (uint32_t k = 0; k < g->node[i].count; k++) {
			struct after_node *of = &g->node[p->afters[g->node[i].first + k].branch];

			p->dependents[of->first_dependent + of->left++] = i;
		}
	}
}

/* --- circles --- */

/* Marks as done, with `left` 0, every branch that can come to run; returns how many. `queue` has
 * room for all of them. */
static uint32_t run_all(const struct program *p, const struct after_graph *g, uint32_t *queue)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < g->count; i++) {
		g->node[i].left = g->node[i].count;
		if (g->node[i].left == 0)
			queue[count++] = i;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct after_node *n = &g->node[queue[i]];

		for (uint32_t k = 0; k < n->dependent_count; k++) {
			uint32_t dependent = p->dependents[n->first_dependent + k];

			if (--g->node[dependent].left == 0)
				queue[count++] = dependent;
		}
	}
	return count;
}

/* A sibling for which a branch waits in vain. */
static uint32_t blocker(const struct program *p, const struct after_graph *g, uint32_t branch)
{
	const struct after_node *n = &g->node[branch];

	for (uint32_t k = 0; k < n->count; k++) {
		uint32_t sibling = p->afters[n->first + k].branch;

		if (g->node[sibling].left > 0)
			return sibling;
	}
	return branch; /* not reached: it would not wait in vain */
}

/* From any branch that waits in vain to one of a circle, the first of it in the document. `seen` has
 * room for a mark of every branch. */
static uint32_t find_circle(const struct program *p, const struct after_graph *g, uint32_t from,
                            uint32_t *seen)
{
	uint32_t first, at = from;

	memset(seen, 0, g->count * sizeof *seen);
	for (; seen[at] == 0; at = blocker(p, g, at))
		seen[at] = 1;
	first = at;
	for (uint32_t next = blocker(p, g, at); next != at; next = blocker(p, g, next))
		if (next < first)
			first = next;
	return first;
}

static void refuse_circle(struct loader *l, const struct after_graph *g, const struct place *at,
                          uint32_t first)
{
	struct place branch = place_member(at, g->node[first].name, first);
	struct place after = place_member(&branch, "after", g->node[first].index);
	struct buf   text = { 0 };
	uint32_t     next = first, shown = 0;

	do {
		buf_addf(&text, "%s, ", CLIPPED(g->node[next].name));
		next = blocker(l->b.program, g, next);
	} while (next != first && ++shown < SHOWN_MAX);
	if (next == first)
		buf_add_text(&text, CLIPPED(g->node[first].name));
	else
		buf_add_text(&text, "...");
	buf_add_byte(&text, '\0');
	if (text.failed != GD_OK)
		l->b.failed = true;
	else
		loader_problem(l, &after, "", "\"after\" goes in a circle: %s", text.at);
	buf_close(&text);
}

static void check_circles(struct loader *l, const struct after_graph *g, const struct place *at)
{
	const struct program *p = l->b.program;
	uint32_t             *queue = calloc(g->count, sizeof *queue);
	uint32_t              from = 0;

	if (queue == NULL)
		l->b.failed = true;
	else if (run_all(p, g, queue) < g->count) {
		while (g->node[from].left == 0)
			from++;
		refuse_circle(l, g, at, find_circle(p, g, from, queue));
	}
	free(queue);
}

/* --- all of it --- */

/* name -> index of the branch; NULL when memory ends. */
static json_t *index_names(const struct after_graph *g)
{
	json_t *index = json_object();

	for (uint32_t i = 0; i < g->count && index != NULL; i++) {
		if (json_object_set_new(index, g->node[i].name, json_integer(i)) != 0) {
			json_decref(index);
			return NULL;
		}
	}
	return index;
}

static bool has_list(const json_t *json)
{
	const char *key;
	json_t     *item;

	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		if (json_object_get(item, "after") != NULL)
			return true;
	}
	return false;
}

bool after_open(struct after_graph *g, struct loader *l, const struct place *at, const json_t *json)
{
	const char *key;
	json_t     *item, *index;
	uint32_t    i = 0;

	*g = (struct after_graph){ 0 };
	if (!has_list(json))
		return false;
	g->node = calloc(json_object_size(json), sizeof *g->node);
	if (g->node == NULL) {
		l->b.failed = true;
		return false;
	}
	g->count = (uint32_t)json_object_size(json);
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		g->node[i].name = key;
		find_list(&g->node[i++], item);
	}
	index = index_names(g);
	if (index == NULL)
		l->b.failed = true;
	for (i = 0; i < g->count && !loader_failed(l); i++) {
		struct place branch = place_member(at, g->node[i].name, i);

		if (g->node[i].json != NULL)
			read_list(l, g, &branch, i, index);
	}
	json_decref(index);
	if (!loader_failed(l))
		read_dependents(l, g);
	if (!loader_failed(l))
		check_circles(l, g, at);
	return true;
}

void after_close(struct after_graph *g)
{
	free(g->node);
}

/* --- one branch --- */

void after_fill(const struct after_graph *g, struct branch *b)
{
	const struct after_node *n = &g->node[g->branch];

	b->first_after = n->first;
	b->after_count = n->count;
	b->first_dependent = n->first_dependent;
	b->dependent_count = n->dependent_count;
}

void after_bind(const struct after_graph *g, struct loader *l, const struct draft *d,
                const json_t *body)
{
	const struct after_node *n = &g->node[g->branch];
	struct mention_range     words = mentions_in(&l->mentions, body);

	for (uint32_t i = words.from; n->count > 0 && i < words.to; i++)
		names_set_mark(&l->names, l->mentions.symbol[i], d->code);
	for (uint32_t k = 0; k < n->count && !loader_failed(l); k++) {
		struct after *after = &l->b.program->afters[n->first + k];
		const char   *name = g->node[after->branch].name;

		if (name_is_valid(name) && names_mark(&l->names, name) == d->code) {
			after->slot = slots_take(l, 1);
			scope_bind(l, name, after->slot);
		}
	}
}

void after_settle(const struct after_graph *g, struct loader *l, const struct draft *d)
{
	const struct after_node *n = &g->node[g->branch];
	/* They were bound in this order, right behind the captures. */
	uint32_t                 binding = d->first_binding + d->capture_count;

	for (uint32_t k = 0; k < n->count && !loader_failed(l); k++) {
		struct after *after = &l->b.program->afters[n->first + k];

		if (after->slot != PROGRAM_NONE && !l->names.binding[binding++].is_used)
			after->slot = PROGRAM_NONE;
	}
}
