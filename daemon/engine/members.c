/* The names of the members that the engine itself gives to objects, made once. */
#include "daemon/engine/coro.h"

static const char *const NAMES[MEMBER_COUNT] = {
	[MEMBER_DATA] = "data",   [MEMBER_DONE] = "done",       [MEMBER_EXCEPTIONS] = "exceptions",
	[MEMBER_INDEX] = "index", [MEMBER_MESSAGE] = "message", [MEMBER_NAME] = "name",
	[MEMBER_PATH] = "path",   [MEMBER_PENDING] = "pending", [MEMBER_RESULT] = "result",
	[MEMBER_TYPE] = "type",
};

bool members_open(struct engine *e)
{
	for (int i = 0; i < MEMBER_COUNT; i++) {
		e->members[i] = value_text_new(&e->heap, NAMES[i], strlen(NAMES[i]));
		value_make_immortal(&e->heap, e->members[i]);
	}
	return !e->heap.failed;
}

void members_close(struct engine *e)
{
	for (int i = 0; i < MEMBER_COUNT; i++)
		value_destroy_immortal(e->members[i]);
}

struct value member_put(struct engine *e, struct value dict, enum member member, struct value v)
{
	return value_dict_put(&e->heap, dict, e->members[member], v);
}
