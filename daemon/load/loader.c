#include "daemon/load/loader.h"

#include <stdio.h>

struct place place_member(const struct place *up, const char *key, uint32_t index)
{
	return (struct place){ .up = up, .key = key, .index = index, .node = up->node };
}

struct place place_element(const struct place *up, uint32_t index)
{
	return (struct place){ .up = up, .key = NULL, .index = index, .node = up->node };
}

struct place place_part(const struct place *up, const struct parts *parts, enum key_id key)
{
	return place_member(up, key_info_of(key)->name, parts->index[key]);
}

struct place place_operand(const struct place *up, const struct parts *parts)
{
	return place_member(up, parts->op->name, parts->operand_index);
}

void place_add_node(struct loader *l, struct place *at, const char *op)
{
	char        digits[12];
	const char *key = at->key;

	if (at->up == NULL) {
		at->node = build_node(&l->b, PROGRAM_NONE, "", op);
		return;
	}
	if (key == NULL) {
		(void)snprintf(digits, sizeof digits, "%u", at->index);
		key = digits;
	}
	at->node = build_node(&l->b, at->up->node, key, op);
}

bool loader_failed(const struct loader *l)
{
	return program_builder_failed(&l->b) || l->names.failed || l->mentions.failed ||
	       l->problems.failed;
}
