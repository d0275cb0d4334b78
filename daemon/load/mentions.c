#include "daemon/load/mentions.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CELLS 64

/* --- the row --- */

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static void add_symbol(struct mentions *m, uint32_t word)
{
	if (m->count == m->room) {
		uint32_t  room = m->room == 0 ? 64 : m->room * 2;
		uint32_t *symbol = realloc(m->symbol, room * sizeof *symbol);

		if (symbol == NULL) {
			m->failed = true;
			return;
		}
		m->symbol = symbol;
		m->room = room;
	}
	m->symbol[m->count++] = word;
}

/* That a word is no name (a text inside an expression, a function) is not looked into: a name too
 * many stays unused, and draft_end() drops it or lets it cost no more than a slot. */
static void read_text(struct mentions *m, struct names *n, const char *text)
{
	const char *at = strstr(text, "${");

	while (at != NULL && *at != '\0' && !m->failed) {
		const char *first = at;

		while (is_word(*at))
			at++;
		if (at == first)
			at++;
		else if (first[-1] != '.' && !(*first >= '0' && *first <= '9'))
			add_symbol(m, names_symbol(n, first, (size_t)(at - first)));
	}
}

/* Whether a node with such a key opens a scope of undos in another, registers in one or passes it
 * on. */
static bool needs_undo(const char *key)
{
	return strcmp(key, "undo") == 0 || strcmp(key, "call") == 0 || strcmp(key, "try") == 0 ||
	       strcmp(key, "retry") == 0;
}

/* --- ranges by their place --- */

static uint32_t cell_of(const struct mentions *m, const json_t *at)
{
	uint32_t mask = m->cell_count - 1;
	/* The address, without its low bits, times 2 ** 64 / the golden ratio. */
	uint64_t hash = ((uintptr_t)at >> 4) * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t cell = (uint32_t)(hash >> 32) & mask;

	while (m->cell[cell].at != NULL && m->cell[cell].at != at)
		cell = (cell + 1) & mask;
	return cell;
}

static void make_room(struct mentions *m)
{
	struct mention_range *old = m->cell;
	uint32_t              count = m->cell_count;

	if (m->range_count < count / 2)
		return;
	m->cell_count = count == 0 ? FIRST_CELLS : count * 2;
	m->cell = calloc(m->cell_count, sizeof *m->cell);
	if (m->cell == NULL) {
		m->cell = old;
		m->cell_count = count;
		m->failed = true;
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		if (old[i].at != NULL)
			m->cell[cell_of(m, old[i].at)] = old[i];
	free(old);
}

static void add_range(struct mentions *m, const json_t *at, uint32_t from)
{
	struct mention_range range = { at, from, m->count };

	if (from == m->count)
		return; /* finding nothing says the same */
	make_room(m);
	if (m->failed)
		return;
	m->cell[cell_of(m, at)] = range;
	m->range_count++;
}

static void read_json(struct mentions *m, struct names *n, const json_t *json)
{
	uint32_t    from = m->count;
	const char *key;
	json_t     *item;
	size_t      i;

	if (json_is_string(json)) {
		read_text(m, n, json_string_value(json));
		return;
	}
	json_array_foreach (json, i, item)
		read_json(m, n, item);
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		if (m->undo != BINDING_NONE && needs_undo(key))
			add_symbol(m, m->undo);
		read_json(m, n, item);
	}
	add_range(m, json, from);
}

void mentions_read(struct mentions *m, struct names *n, const json_t *spec, bool has_undo)
{
	m->undo = has_undo ? names_symbol(n, UNDO_NAME, strlen(UNDO_NAME)) : BINDING_NONE;
	read_json(m, n, spec);
}

void mentions_close(struct mentions *m)
{
	free(m->symbol);
	free(m->cell);
}

struct mention_range mentions_in(const struct mentions *m, const json_t *json)
{
	struct mention_range none = { json, 0, 0 };
	uint32_t             cell = m->cell_count == 0 ? 0 : cell_of(m, json);

	return m->cell_count == 0 || m->cell[cell].at == NULL ? none : m->cell[cell];
}
