/*
 * name_tree.h - things by name, in the order of the names' bytes.
 *
 * A treap: ordered by name, and a heap by priorities that nobody outside can guess, so that no
 * choice of names makes it deep. Nodes are intrusive; whoever adds one keeps it, and its name, in
 * place until it is removed. All zero but for a seed is an empty tree.
 *
 * Cost: O(log n) expected for everything. Threads: none.
 * Source: R. Seidel, C. R. Aragon, "Randomized Search Trees", Algorithmica 16, 1996.
 */
#ifndef GATHERD_RUN_NAME_TREE_H
#define GATHERD_RUN_NAME_TREE_H

#include "daemon/store/store.h"

struct name_node {
	struct name_node *left, *right;
	struct text       name;
	uint32_t          priority;
};

struct name_tree {
	struct name_node *root;
	uint64_t          random; /* state of the priorities; seeded by the owner, not 0 */
};

struct name_node *name_tree_find(const struct name_tree *t, struct text name); /* NULL: none */
void name_tree_add(struct name_tree *t, struct name_node *node); /* its name is not there yet */
void name_tree_remove(struct name_tree *t, struct name_node *node);
/* The first one behind `name` (NULL: the very first), whether that is there or not. */
struct name_node *name_tree_after(const struct name_tree *t, struct text name);

#endif
