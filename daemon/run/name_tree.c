#include "daemon/run/name_tree.h"

#include "proto/base/check.h"

#include <string.h>

static int compare(struct text a, struct text b)
{
	int order = memcmp(a.at, b.at, a.bytes < b.bytes ? a.bytes : b.bytes);

	return order != 0 ? order : (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

/* xorshift64* (Vigna, 2016). */
static uint32_t next_priority(struct name_tree *t)
{
	t->random ^= t->random >> 12;
	t->random ^= t->random << 25;
	t->random ^= t->random >> 27;
	return (uint32_t)(t->random * UINT64_C(0x2545f4914f6cdd1d) >> 32);
}

struct name_node *name_tree_find(const struct name_tree *t, struct text name)
{
	struct name_node *at = t->root;

	while (at != NULL) {
		int order = compare(name, at->name);

		if (order == 0)
			return at;
		at = order < 0 ? at->left : at->right;
	}
	return NULL;
}

void name_tree_add(struct name_tree *t, struct name_node *node)
{
	struct name_node **link = &t->root;
	struct name_node **less = &node->left;
	struct name_node **more = &node->right;
	struct name_node  *below;

	CHECK(t->random != 0);
	node->priority = next_priority(t);
	while (*link != NULL && (*link)->priority >= node->priority)
		link = compare(node->name, (*link)->name) < 0 ? &(*link)->left : &(*link)->right;
	below = *link;
	*link = node;
	while (below != NULL) { /* what was there is split around the new node */
		int order = compare(below->name, node->name);

		CHECK(order != 0);
		if (order < 0) {
			*less = below;
			less = &below->right;
		} else {
			*more = below;
			more = &below->left;
		}
		below = order < 0 ? *less : *more;
	}
	*less = NULL;
	*more = NULL;
}

void name_tree_remove(struct name_tree *t, struct name_node *node)
{
	struct name_node **link = &t->root;
	struct name_node  *left = node->left;
	struct name_node  *right = node->right;

	while (*link != node) {
		CHECK(*link != NULL);
		link = compare(node->name, (*link)->name) < 0 ? &(*link)->left : &(*link)->right;
	}
	while (left != NULL && right != NULL) {
		if (left->priority >= right->priority) {
			*link = left;
			link = &left->right;
			left = left->right;
		} else {
			*link = right;
			link = &right->left;
			right = right->left;
		}
	}
	*link = left != NULL ? left : right;
}

struct name_node *name_tree_after(const struct name_tree *t, struct text name)
{
	struct name_node *at = t->root;
	struct name_node *found = NULL;

	while (at != NULL) {
		if (name.at == NULL || compare(name, at->name) < 0) {
			found = at;
			at = at->left;
		} else {
			at = at->right;
		}
	}
	return found;
}
