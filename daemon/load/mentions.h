/*
 * mentions.h - which words the expressions of every part of a spec hold.
 *
 * A branch captures the names of its maker that its text mentions, and must know them before it is
 * compiled. Branches stand in branches; so the text is read once, into one row of symbols in the
 * order of the document, and every array and object has its stretch of that row.
 *
 * In a job with undos some nodes also need the scope that is open there. Its slot is a name of the
 * compiler's own, and those nodes mention it by what they are.
 *
 * Ownership: the spec is borrowed and must not change. Cost: reading is linear in the spec, finding
 * O(1). Threads: none.
 */
#ifndef GATHERD_LOAD_MENTIONS_H
#define GATHERD_LOAD_MENTIONS_H

#include "daemon/load/names.h"

#include <jansson.h>

struct mention_range {
	const json_t *at;
	uint32_t      from, to; /* in `symbol` */
};

struct mentions {
	uint32_t             *symbol; /* owned */
	struct mention_range *cell;   /* owned: hash table; `at` is NULL in a free one */
	uint32_t              count, room, range_count, cell_count;
	uint32_t              undo; /* symbol of UNDO_NAME; BINDING_NONE in a job without undos */
	bool                  failed;
};

#define UNDO_NAME " undo"

/* All zero is empty; once for a spec. Memory that ends shows in `failed`. */
void mentions_read(struct mentions *m, struct names *n, const json_t *spec, bool has_undo);
void mentions_close(struct mentions *m);
/* Those in an array or object of the spec; an empty range for anything else. */
struct mention_range mentions_in(const struct mentions *m, const json_t *json);

#endif
