#include "daemon/load/names.h"

#include "daemon/load/nearest.h"
#include "proto/base/check.h"

#include <stdlib.h>
#include <string.h>

/* All hints for names of one spec together compare this many, so that a spec full of problems
 * costs no more than a good one. */
#define OFFERS_MAX 200000

struct symbol {
	const char *name;
	uint32_t    newest; /* binding */
};

void names_init(struct names *n)
{
	*n = (struct names){ .symbols = json_object(), .offers_left = OFFERS_MAX };
	n->failed = n->symbols == NULL;
}

void names_close(struct names *n)
{
	json_decref(n->symbols);
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

uint32_t names_find(const struct names *n, const char *name, size_t bytes)
{
	const json_t *index = json_object_getn(n->symbols, name, bytes);

	return index == NULL ? BINDING_NONE : n->symbol[json_integer_value(index)].newest;
}

static uint32_t symbol_of(struct names *n, const char *name)
{
	const json_t  *index = json_object_get(n->symbols, name);
	struct symbol *symbol;

	if (index != NULL)
		return (uint32_t)json_integer_value(index);
	symbol = grown(n, n->symbol, &n->symbol_room, n->symbol_count, sizeof *symbol);
	if (symbol == NULL)
		return BINDING_NONE;
	n->symbol = symbol;
	if (json_object_set_new(n->symbols, name, json_integer(n->symbol_count)) != 0) {
		n->failed = true;
		return BINDING_NONE;
	}
	symbol[n->symbol_count] = (struct symbol){ name, BINDING_NONE };
	return n->symbol_count++;
}

uint32_t names_bind(struct names *n, const char *name, struct binding binding)
{
	uint32_t        symbol = symbol_of(n, name);
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

void names_leave(struct names *n, uint32_t count)
{
	while (n->binding_count > count) {
		const struct binding *last = &n->binding[--n->binding_count];

		n->symbol[last->symbol].newest = last->outer;
	}
}

const char *names_text(const struct names *n, uint32_t binding)
{
	return n->symbol[n->binding[binding].symbol].name;
}

const char *names_nearest(struct names *n, const char *name, size_t bytes)
{
	struct nearest near;

	nearest_init(&near, name, bytes);
	for (uint32_t i = n->binding_count; i > 0 && n->offers_left > 0; i--, n->offers_left--)
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
