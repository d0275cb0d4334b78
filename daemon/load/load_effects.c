/* to_thread, http, event: what they may be. Checked to the end, and not in this version. */
#include "daemon/load/loader.h"

#include <string.h>

static void refuse(struct loader *l, const struct place *at, const struct parts *p)
{
	struct place place = place_operand(at, p);

	loader_problem(l, &place, "", "\"%s\" is not in this version", p->op->name);
}

/* --- parts that several have --- */

static void check_flag(struct loader *l, const struct place *at, const struct parts *p,
                       enum key_id key)
{
	struct place place;

	if (p->at[key] == NULL)
		return;
	place = place_part(at, p, key);
	(void)constant_bool(l, &place, p->at[key]);
}

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

/* --- http --- */

static void check_request(struct loader *l, const struct place *at, const json_t *json)
{
	static const uint32_t TEXTS[] = { REQUEST_HEADERS, REQUEST_QUERY };
	static const uint32_t VALUES[] = { REQUEST_URL, REQUEST_METHOD, REQUEST_JSON, REQUEST_BODY,
		                           REQUEST_TIMEOUT };
	struct members        m;

	load_members(l, at, json, SLOT_REQUEST, "an HTTP request", &m);
	if (m.at[REQUEST_URL] == NULL)
		loader_problem(l, at, "", "an HTTP request needs \"url\"");
	if (m.at[REQUEST_JSON] != NULL && m.at[REQUEST_BODY] != NULL)
		loader_problem(l, at, "\"json\" writes the body itself",
		               "\"json\" and \"body\" in one request");
	for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++)
		(void)load_member(l, at, &m, SLOT_REQUEST, VALUES[i]);
	for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
		struct place place;

		if (m.at[TEXTS[i]] == NULL)
			continue;
		place = place_of_member(at, &m, SLOT_REQUEST, TEXTS[i]);
		check_texts(l, &place, m.at[TEXTS[i]]);
	}
}

void check_http(struct loader *l, const struct place *at, const struct parts *p)
{
	struct place place = place_operand(at, p);

	if (json_is_object(p->operand))
		check_request(l, &place, p->operand);
	else
		(void)loader_slot(l, &place, p->operand, SLOT_URL);
	check_flag(l, at, p, KEY_CHECK);
	refuse(l, at, p);
}

/* --- to_thread, event --- */

void check_to_thread(struct loader *l, const struct place *at, const struct parts *p)
{
	struct place  place = place_operand(at, p);
	const json_t *args = p->at[KEY_ARGS];

	(void)constant_choice(l, &place, p->operand, p->op->choices);
	if (args != NULL) {
		struct place args_at = place_part(at, p, KEY_ARGS);

		if (json_is_array(args) || json_is_object(args))
			(void)loader_slot(l, &args_at, args, SLOT_VALUE);
		else
			loader_problem(l, &args_at, "", "\"args\" is an array or an object, not %s",
			               loader_type_name(args));
	}
	refuse(l, at, p);
}

void check_event(struct loader *l, const struct place *at, const struct parts *p)
{
	(void)loader_operand(l, at, p);
	refuse(l, at, p);
}
