/* Objects of options in one slot: `retry`, the parts of an HTTP request, an exception. */
#include "daemon/load/loader.h"

#include <string.h>

static void refuse_member(struct loader *l, const struct place *at, enum slot_kind kind,
                          const char *what)
{
	struct nearest near;
	char           hint[PROBLEM_HINT_CHARS] = "";

	if (problem_is_wanted(&l->problems, at)) {
		nearest_init(&near, at->key, strlen(at->key), &l->hint_work);
		slot_offer_members(&near, kind);
		hint_did_you_mean(hint, near.best);
	}
	loader_problem(l, at, hint, "\"%s\" is not a part of %s", CLIPPED(at->key), what);
}

void load_members(struct loader *l, const struct place *at, const json_t *json, enum slot_kind kind,
                  const char *what, struct members *m)
{
	const char *key;
	json_t     *item;
	uint32_t    index = 0, count;

	*m = (struct members){ 0 };
	(void)slot_members(kind, &count);
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		uint32_t member = slot_member_find(kind, key);

		if (member < count) {
			m->at[member] = item;
			m->index[member] = index;
		} else {
			struct place wrong = place_member(at, key, index);

			refuse_member(l, &wrong, kind, what);
		}
		index++;
	}
}

struct place place_of_member(const struct place *up, const struct members *m, enum slot_kind kind,
                             uint32_t member)
{
	uint32_t count;

	return place_member(up, slot_members(kind, &count)[member].name, m->index[member]);
}

uint32_t load_member(struct loader *l, const struct place *at, const struct members *m,
                     enum slot_kind kind, uint32_t member)
{
	struct place place;
	uint32_t     count;

	if (m->at[member] == NULL)
		return PROGRAM_NONE;
	place = place_of_member(at, m, kind, member);
	return loader_slot(l, &place, m->at[member], slot_members(kind, &count)[member].slot);
}
