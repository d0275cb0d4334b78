/* Calls that leave the engine: what they share, and http. */
#include "daemon/load/loader.h"

#include <string.h>

/* --- parts that both have --- */

enum exec_interrupt load_outcall_interrupt(struct loader *l, const struct place *at,
                                           const struct parts *p, enum exec_interrupt usual)
{
	const char  *then;
	struct place place;

	if (p->at[KEY_ON_INTERRUPT] == NULL)
		return usual;
	place = place_part(at, p, KEY_ON_INTERRUPT);
	then = constant_choice(l, &place, p->at[KEY_ON_INTERRUPT],
	                       key_info_of(KEY_ON_INTERRUPT)->choices);
	if (then == NULL || strcmp(then, "fail") == 0)
		return EXEC_INTERRUPT_FAIL;
	return strcmp(then, "retry") == 0 ? EXEC_INTERRUPT_RETRY : EXEC_INTERRUPT_HOLD;
}

static void load_part(struct loader *l, const struct place *at, uint32_t outcall, uint32_t part,
                      const char *name, uint32_t x)
{
	build_outcall_part(&l->b, outcall, part, loader_text(l, name, at->node), x);
}

void emit_outcall(struct loader *l, const struct place *at, uint32_t outcall, struct target to)
{
	uint32_t mark = l->draft->top;

	(void)emit(l, at, OP_OUTCALL, to.slot, outcall, slots_take(l, 1), PROGRAM_NONE);
	slots_give_back(l, mark);
}

/* --- http --- */

void check_texts(struct loader *l, const struct place *at, const json_t *json)
{
	const char *name;
	json_t     *item;
	uint32_t    index = 0;

	if (!json_is_object(json)) {
		loader_problem(l, at, "", "\"%s\" is an object of names and text, not %s", at->key,
		               loader_type_name(json));
		return;
	}
	json_object_foreach ((json_t *)(uintptr_t)json, name, item) {
		struct place place = place_member(at, name, index++);

		if (*name == '\0')
			loader_problem(l, &place, "", "an empty name in \"%s\"", at->key);
		(void)loader_slot(l, &place, item, SLOT_TEXT);
	}
}

/* One part of a request that has parts. */
static uint32_t load_request_part(struct loader *l, const struct place *at, const struct members *m,
                                  uint32_t member)
{
	struct place place;

	if (member != REQUEST_HEADERS && member != REQUEST_QUERY)
		return load_member(l, at, m, SLOT_REQUEST, member);
	place = place_of_member(at, m, SLOT_REQUEST, member);
	check_texts(l, &place, m->at[member]);
	return loader_slot(l, &place, m->at[member], SLOT_VALUE);
}

static uint32_t load_request(struct loader *l, const struct place *at, const json_t *json,
                             struct outcall made)
{
	uint32_t                  count, outcall, part = 0;
	const struct member_info *info = slot_members(SLOT_REQUEST, &count);
	struct members            m;

	load_members(l, at, json, SLOT_REQUEST, "an HTTP request", &m);
	if (m.at[REQUEST_URL] == NULL)
		loader_problem(l, at, "", "an HTTP request needs \"url\"");
	if (m.at[REQUEST_JSON] != NULL && m.at[REQUEST_BODY] != NULL)
		loader_problem(l, at, "\"json\" writes the body itself",
		               "\"json\" and \"body\" in one request");
	for (uint32_t i = 0; i < REQUEST_MEMBERS; i++)
		made.arg_count += m.at[i] != NULL;
	outcall = build_outcall(&l->b, made);
	for (uint32_t i = 0; i < REQUEST_MEMBERS; i++)
		if (m.at[i] != NULL)
			load_part(l, at, outcall, part++, info[i].name,
			          load_request_part(l, at, &m, i));
	return outcall;
}

void load_http(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	struct place   place = place_operand(at, p), flag;
	struct outcall made = { .kind = OUTCALL_HTTP, .node = at->node, .checks = true };
	uint32_t       outcall;

	made.interrupt = (uint8_t)load_outcall_interrupt(l, at, p, EXEC_INTERRUPT_BY_METHOD);
	if (p->at[KEY_CHECK] != NULL) {
		flag = place_part(at, p, KEY_CHECK);
		made.checks = constant_bool(l, &flag, p->at[KEY_CHECK]);
	}
	if (json_is_object(p->operand)) {
		outcall = load_request(l, &place, p->operand, made);
	} else {
		made.arg_count = 1;
		made.is_bare = true;
		outcall = build_outcall(&l->b, made);
		load_part(l, at, outcall, 0, "url", loader_slot(l, &place, p->operand, SLOT_URL));
	}
	emit_outcall(l, at, outcall, to);
}
