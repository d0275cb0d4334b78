/* Operations of one step: sleep, sleep_until, event, value, set, return. */
#include "daemon/load/loader.h"

void load_sleep(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	uint32_t duration = loader_operand(l, at, p);

	(void)emit(l, at, OP_SLEEP, to.slot, duration, loader_part(l, at, p, KEY_RESULT),
	           PROGRAM_NONE);
}

void load_sleep_until(struct loader *l, const struct place *at, const struct parts *p,
                      struct target to)
{
	(void)emit(l, at, OP_SLEEP_UNTIL, to.slot, loader_operand(l, at, p), PROGRAM_NONE,
	           PROGRAM_NONE);
}

void load_event(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	(void)emit(l, at, OP_EVENT, to.slot, loader_operand(l, at, p), PROGRAM_NONE, PROGRAM_NONE);
}

void load_value_op(struct loader *l, const struct place *at, const struct parts *p,
                   struct target to)
{
	(void)emit(l, at, OP_EVAL, to.slot, loader_operand(l, at, p), PROGRAM_NONE, PROGRAM_NONE);
}

void load_return(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct place place = place_operand(at, p);

	if (l->draft->is_concurrent)
		loader_problem(l, &place, "its value is what its last step gives",
		               "\"return\" in a concurrent branch");
	else if (l->draft->is_generator && !json_is_null(p->operand))
		loader_problem(l, &place, "write {\"return\": null}",
		               "\"return\" with a value in a def that yields");
	(void)emit(l, at, OP_RETURN, to.slot, loader_operand(l, at, p), PROGRAM_NONE, PROGRAM_NONE);
}

/* --- set --- */

/* All values first: several take slots in a row. A new name keeps its slot of them; the values for
 * names that exist are copied over afterwards. */
static void set_several(struct loader *l, const struct place *at, const struct place *set,
                        const json_t *json)
{
	const char *name;
	json_t     *item;
	uint32_t    index = 0, slot;
	uint32_t    first = slots_take(l, (uint32_t)json_object_size(json));

	json_object_foreach ((json_t *)(uintptr_t)json, name, item) {
		struct place place = place_member(set, name, index);
		uint32_t     x = loader_slot(l, &place, item, SLOT_VALUE);

		(void)emit(l, at, OP_EVAL, first + index++, x, PROGRAM_NONE, PROGRAM_NONE);
	}
	index = 0;
	json_object_foreach ((json_t *)(uintptr_t)json, name, item) {
		struct place place = place_member(set, name, index);

		if (name_is_valid(name)) {
			enum name_state state = scope_resolve(l, &place, name, &slot);

			if (state == NAME_BOUND)
				emit_copy(l, at, slot, first + index);
			else if (state == NAME_NEW)
				scope_bind(l, name, first + index);
		}
		index++;
	}
}

static void set_one(struct loader *l, const struct place *at, const struct place *set,
                    const json_t *json)
{
	const char     *name;
	json_t         *item;
	uint32_t        slot, x;
	enum name_state state;

	json_object_foreach ((json_t *)(uintptr_t)json, name, item) {
		struct place place = place_member(set, name, 0);

		x = loader_slot(l, &place, item, SLOT_VALUE);
		state = scope_resolve(l, &place, name, &slot);
		if (state != NAME_BOUND)
			slot = slots_take(l, 1);
		(void)emit(l, at, OP_EVAL, slot, x, PROGRAM_NONE, PROGRAM_NONE);
		if (state == NAME_NEW)
			scope_bind(l, name, slot);
	}
}

void load_set(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct place place = place_operand(at, p);
	const char  *name;
	json_t      *item;
	uint32_t     index = 0;

	if (!json_is_object(p->operand) || json_object_size(p->operand) == 0) {
		loader_problem(l, &place, "write {\"set\": {\"name\": value}}",
		               "\"set\" wants an object of names and values");
		return;
	}
	json_object_foreach ((json_t *)(uintptr_t)p->operand, name, item) {
		struct place member = place_member(&place, name, index++);

		if (!name_is_valid(name))
			loader_problem(l, &member, "", "not a name: \"%s\"", CLIPPED(name));
	}
	if (index == 1)
		set_one(l, at, &place, p->operand);
	else
		set_several(l, at, &place, p->operand);
	if (to.is_wanted)
		emit_null(l, at, to.slot);
}
