/*
 * names.h - which names are visible at a place, and the slots they have.
 *
 * Bindings stack up as the compiler walks into scopes and fall away as it leaves them. A binding
 * belongs to one code: a branch does not see its maker's bindings but captures of them, which are
 * bindings of its own. So a name is visible where its newest binding belongs to the running code.
 *
 * Ownership: texts are borrowed from the spec, which outlives the table. Cost: find and bind O(1),
 * leaving a scope O(bindings in it). Threads: none.
 */
#ifndef GATHERD_LOAD_NAMES_H
#define GATHERD_LOAD_NAMES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BINDING_NONE UINT32_MAX

struct binding {
	uint32_t symbol;
	uint32_t outer; /* the binding of the same name that this one hides */
	uint32_t code;
	uint32_t slot;
	uint32_t source;  /* of a capture: the maker's binding; else BINDING_NONE */
	bool     is_used; /* of a capture: something reads it */
};

struct names {
	json_t        *symbols; /* owned: name -> index in `symbol` (jansson's tables are seeded) */
	struct symbol *symbol;  /* owned */
	struct binding *binding; /* owned */
	uint32_t        symbol_count, symbol_room, binding_count, binding_room;
	uint32_t        offers_left; /* how much more may be compared to find hints */
	bool            failed;
};

void names_init(struct names *n);
void names_close(struct names *n);

/* The newest binding of a name, of whichever code; BINDING_NONE when there is none. */
uint32_t    names_find(const struct names *n, const char *name, size_t bytes);
/* Binds a name, hiding an older binding; returns its index. `name` is borrowed. */
uint32_t    names_bind(struct names *n, const char *name, struct binding binding);
/* Forgets all but the first `count` bindings. */
void        names_leave(struct names *n, uint32_t count);
const char *names_text(const struct names *n, uint32_t binding);
/* The nearest of all names bound now; NULL when none is near. */
const char *names_nearest(struct names *n, const char *name, size_t bytes);

/* Whether `text` can be a name: [A-Za-z_][A-Za-z0-9_]* and no word of the expressions. */
bool name_is_valid(const char *text);

#endif
