/* `match`. */
#include "daemon/load/loader.h"

#include <string.h>

#define OTHERWISE "_"

/*	  unless text equals the literal go on below
 *	  the node
 *	  jump done
 */
static uint32_t load_case(struct loader *l, struct place *at, const json_t *json, struct target to,
                          uint32_t text, uint32_t done)
{
	uint32_t other =
		emit(l, at, OP_CASE, 0, PROGRAM_NONE, text, loader_text(l, at->key, at->node));

	load_scoped_node(l, at, json, to);
	done = emit_jump(l, at, done);
	emit_land(l, other);
	return done;
}

void load_match(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	const json_t *json = p->at[KEY_CASE];
	uint32_t      x = loader_operand(l, at, p);
	uint32_t      text = slots_take(l, 1);
	uint32_t      done = PROGRAM_NONE, index = 0, other = PROGRAM_NONE;
	struct place  cases = *at;
	const char   *key;
	json_t       *item;

	if (json != NULL)
		cases = place_part(at, p, KEY_CASE);
	if (json_object_size(json) == 0) {
		loader_problem(l, &cases, "write {\"literal\": node, \"_\": node}",
		               json == NULL ? "\"match\" needs \"case\""
		                            : "\"case\" is an object of literals and nodes");
		return;
	}
	place_add_node(l, &cases, NULL);
	(void)emit(l, at, OP_MATCH_TEXT, text, x, PROGRAM_NONE, PROGRAM_NONE);
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		struct place place = place_member(&cases, key, index);

		if (strcmp(key, OTHERWISE) == 0)
			other = index;
		else
			done = load_case(l, &place, item, to, text, done);
		index++;
	}
	if (other != PROGRAM_NONE) {
		struct place place = place_member(&cases, OTHERWISE, other);

		load_scoped_node(l, &place, json_object_get(json, OTHERWISE), to);
	} else if (to.is_wanted) {
		emit_null(l, at, to.slot);
	}
	emit_land_all(l, done);
}
