/*
 * names.h - which names are visible at a place, and the slots they have.
 *
 * Bindings stack up as the compiler walks into scopes and fall away as it leaves them. A binding
 * belongs to one code: a branch does not see its maker's bindings but captures of them, which are
 * bindings of its own. So a name is visible where its newest binding belongs to the running code.
 * Every word that may be a name is a symbol, a number, so that it is hashed once.
 *
 * A name that begins with a blank is one of the compiler's own: no spec can say it.
 *
 * Ownership: texts are borrowed from the spec, which outlives the table. Cost: find and bind O(1),
 * leaving a scope O(bindings in it); the hash is seeded, so that nobody can prepare words that
 * collide. Threads: none.
 */
#ifndef GATHERD_LOAD_NAMES_H
#define GATHERD_LOAD_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BINDING_NONE UINT32_MAX

struct binding {
	uint32_t symbol;
	uint32_t outer; /* the binding of the same name that this one hides */
	uint32_t code;
	uint32_t slot;
	uint32_t source;   /* of a capture: the maker's binding; else BINDING_NONE */
	bool     is_used;  /* something reads it */
	bool     is_fixed; /* nothing may assign it: whoever binds that name hides it */
};

struct names {
	struct symbol  *symbol;  /* owned */
	uint32_t       *cell;    /* owned: hash table, index of a symbol + 1 */
	struct binding *binding; /* owned */
	uint32_t        symbol_count, symbol_room, cell_count, binding_count, binding_room;
	uint64_t        seed;
	bool            failed;
};

void names_init(struct names *n);
void names_close(struct names *n);

/* The symbol of a word, new if need be; BINDING_NONE when memory ends. */
uint32_t    names_symbol(struct names *n, const char *word, size_t bytes);
/* The newest binding of a symbol, of whichever code; BINDING_NONE when there is none. */
uint32_t    names_newest(const struct names *n, uint32_t symbol);
/* The same by its text. */
uint32_t    names_find(const struct names *n, const char *name, size_t bytes);
/* Binds a name, hiding an older binding; returns its index. `name` is borrowed. */
uint32_t    names_bind(struct names *n, const char *name, struct binding binding);
/* The same for a name that is bound already. */
uint32_t    names_bind_again(struct names *n, uint32_t symbol, struct binding binding);
/* Forgets all but the first `count` bindings. */
void        names_leave(struct names *n, uint32_t count);
const char *names_text(const struct names *n, uint32_t binding);
/* The nearest of all names bound now; NULL when none is near. */
const char *names_nearest(const struct names *n, const char *name, size_t bytes, uint32_t *work);

/* Marks a symbol with a number of the caller's, and asks for the mark; BINDING_NONE before. */
void     names_set_mark(struct names *n, uint32_t symbol, uint32_t mark);
uint32_t names_mark(const struct names *n, const char *name);

/* Whether `text` can be a name: [A-Za-z_][A-Za-z0-9_]* and no word of the expressions. */
bool name_is_valid(const char *text);

#endif
