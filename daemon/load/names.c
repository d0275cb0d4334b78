#include "daemon/load/names.h"

#include "daemon/value/sip_hash.h"
#include "daemon/load/nearest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_CELLS 64

struct symbol {
	const char *text;
	uint32_t    bytes;
	uint32_t    hash;
	uint32_t    newest; /* binding */
	uint32_t    mark;
};

/* Nobody sees it, so one for each thread is enough: to ask the kernel costs more than a small job.
 * It has always given this much since it came up; without it nothing is loaded. */
static bool get_seed(struct names *n)
{
	static _Thread_local uint64_t seed;
	static _Thread_local bool     has_seed;

	if (!has_seed)
		has_seed = getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed;
	n->seed = seed;
	return has_seed;
}

void names_init(struct names *n)
{
	*n = (struct names){ .cell_count = FIRST_CELLS };
	n->cell = calloc(FIRST_CELLS, sizeof *n->cell);
	n->failed = n->cell == NULL || !get_seed(n);
}

void names_close(struct names *n)
{
	free(n->cell);
	free(n->symbol);
	free(n->binding);
}

static void *grown(struct names *n, void *at, uint32_t *room, uint32_t count, size_t bytes)
{
	uint32_t wanted = *room == 0 ? 16 : *room * 2;
	void    *moved;

	if (n->failed || count < *room)
		return n->failed ? NULL : at;
	moved = realloc(at, wanted * bytes);
	if (moved == NULL) {
		n->failed = true;
		return NULL;
	}
	*room = wanted;
	return moved;
}

/* --- symbols --- */

/* The cell of a word, or the free one where it belongs. */
static uint32_t cell_of(const struct names *n, const char *word, size_t bytes, uint32_t hash)
{
	uint32_t mask = n->cell_count - 1;
	uint32_t cell = hash & mask;

	for (; n->cell[cell] != 0; cell = (cell + 1) & mask) {
		const struct symbol *s = &n->symbol[n->cell[cell] - 1];

		if (s->hash == hash && s->bytes == bytes && memcmp(s->text, word, bytes) == 0)
			break;
	}
	return cell;
}

static void place_all(struct names *n, uint32_t *cells, uint32_t count)
{
	for (uint32_t i = 0; i < n->symbol_count; i++) {
		uint32_t cell = n->symbol[i].hash & (count - 1);

		while (cells[cell] != 0)
			cell = (cell + 1) & (count - 1);
		cells[cell] = i + 1;
	}
}

/* Keeps at least half of the cells free. */
static void make_room(struct names *n)
{
	uint32_t  count = n->cell_count * 2;
	uint32_t *cells;

	if (n->symbol_count < n->cell_count / 2)
		return;
	cells = calloc(count, sizeof *cells);
	if (cells == NULL) {
		n->failed = true;
		return;
	}
	place_all(n, cells, count);
	free(n->cell);
	n->cell = cells;
	n->cell_count = count;
}

uint32_t names_symbol(struct names *n, const char *word, size_t bytes)
{
	uint32_t       hash, cell;
	struct symbol *symbols;

	if (n->failed)
		return BINDING_NONE;
	make_room(n);
	symbols = grown(n, n->symbol, &n->symbol_room, n->symbol_count, sizeof *symbols);
	if (symbols == NULL)
		return BINDING_NONE;
	n->symbol = symbols;
	hash = (uint32_t)sip_hash(n->seed, word, bytes);
	cell = cell_of(n, word, bytes, hash);
	if (n->cell[cell] == 0) {
		symbols[n->symbol_count] = (struct symbol){ .text = word,
			                                    .bytes = (uint32_t)bytes,
			                                    .hash = hash,
			                                    .newest = BINDING_NONE,
			                                    .mark = BINDING_NONE };
		n->cell[cell] = ++n->symbol_count;
	}
	return n->cell[cell] - 1;
}

/* BINDING_NONE when there is no such symbol. */
static uint32_t symbol_find(const struct names *n, const char *word, size_t bytes)
{
	uint32_t hash = (uint32_t)sip_hash(n->seed, word, bytes);

	/* 0 - 1 is BINDING_NONE. */
	return n->failed ? BINDING_NONE : n->cell[cell_of(n, word, bytes, hash)] - 1;
}

void names_set_mark(struct names *n, uint32_t symbol, uint32_t mark)
{
	n->symbol[symbol].mark = mark;
}

uint32_t names_mark(const struct names *n, const char *name)
{
	uint32_t symbol = symbol_find(n, name, strlen(name));

	return symbol == BINDING_NONE ? BINDING_NONE : n->symbol[symbol].mark;
}

/* --- bindings --- */

uint32_t names_newest(const struct names *n, uint32_t symbol)
{
	return n->symbol[symbol].newest;
}

uint32_t names_find(const struct names *n, const char *name, size_t bytes)
{
	uint32_t symbol = symbol_find(n, name, bytes);

	return symbol == BINDING_NONE ? BINDING_NONE : n->symbol[symbol].newest;
}

uint32_t names_bind_again(struct names *n, uint32_t symbol, struct binding binding)
{
	struct binding *at = grown(n, n->binding, &n->binding_room, n->binding_count, sizeof *at);

	if (at == NULL || symbol == BINDING_NONE)
		return BINDING_NONE;
	n->binding = at;
	binding.symbol = symbol;
	binding.outer = n->symbol[symbol].newest;
	at[n->binding_count] = binding;
	n->symbol[symbol].newest = n->binding_count;
	return n->binding_count++;
}

uint32_t names_bind(struct names *n, const char *name, struct binding binding)
{
	uint32_t symbol = names_symbol(n, name, strlen(name));

	/* A word that was only mentioned so far may stand in the middle of a text. */
	if (symbol != BINDING_NONE)
		n->symbol[symbol].text = name;
	return names_bind_again(n, symbol, binding);
}

void names_leave(struct names *n, uint32_t count)
{
	while (n->binding_count > count) {
		const struct binding *last = &n->binding[--n->binding_count];

		n->symbol[last->symbol].newest = last->outer;
	}
}

const char *names_text(const struct names *n, uint32_t binding)
{
	return n->symbol[n->binding[binding].symbol].text;
}

const char *names_nearest(const struct names *n, const char *name, size_t bytes, uint32_t *work)
{
	struct nearest near;

	nearest_init(&near, name, bytes, work);
	for (uint32_t i = n->binding_count; i > 0 && *work > 0; i--)
		if (names_text(n, i - 1)[0] != ' ')
			nearest_offer(&near, names_text(n, i - 1));
	return near.best;
}

bool name_is_valid(const char *text)
{
	static const char *const WORDS[] = { "and",  "or",    "not",  "in",    "if",
		                             "else", "for",   "true", "false", "null",
		                             "True", "False", "None" };
	static const char        FIRST[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char        OTHER[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	if (*text == '\0' || strchr(FIRST, *text) == NULL || text[strspn(text, OTHER)] != '\0')
		return false;
	for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++)
		if (strcmp(WORDS[i], text) == 0)
			return false;
	return true;
}
