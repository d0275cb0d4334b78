#include "daemon/load/header.h"
#include "daemon/load/yields.h"

#include <stdlib.h>
#include <string.h>

#define MEMBERS(json, key, item) json_object_foreach ((json_t *)(uintptr_t)(json), key, item)

/* --- the simple ones --- */

static void read_version(struct loader *l, const struct place *at, const json_t *json)
{
	if (!json_is_integer(json) || json_integer_value(json) != 1)
		loader_problem(l, at, "", "\"gatherd\" is 1 in this version");
}

static void read_title(struct loader *l, const struct place *at, const json_t *json)
{
	if (json_is_string(json))
		l->b.program->title = build_text(&l->b, json_string_value(json));
	else
		loader_problem(l, at, "", "\"title\" is text, not %s", loader_type_name(json));
}

static void read_loop(struct loader *l, const struct place *at, const json_t *json)
{
	l->b.program->loop = load_value(&l->b.heap, json);
	value_make_immortal(&l->b.heap, l->b.program->loop);
	constant_check(l, at, json, SLOT_LOOP, l->b.program->loop);
}

static void read_events(struct loader *l, const struct place *at, const json_t *json)
{
	const char *text = json_string_value(json);

	if (text != NULL && strcmp(text, "job") == 0)
		l->b.program->only_job_events = true;
	else if (text == NULL || strcmp(text, "all") != 0)
		loader_problem(l, at, "", "\"events\" is \"all\" or \"job\"");
}

/* --- args --- */

static void read_args(struct loader *l, const struct place *at, const json_t *json)
{
	struct program *p = l->b.program;
	size_t          count = json_object_size(json);
	const char     *name;
	json_t         *item;
	uint32_t        index = 0;

	if (!json_is_object(json)) {
		loader_problem(l, at, "at the root \"args\" declares the job's own",
		               "\"args\" is an object of names and defaults, not %s",
		               loader_type_name(json));
		return;
	}
	p->arg_names = calloc(count + 1, sizeof *p->arg_names);
	p->arg_defaults = calloc(count + 1, sizeof *p->arg_defaults);
	if (p->arg_names == NULL || p->arg_defaults == NULL) {
		l->b.failed = true;
		return;
	}
	MEMBERS (json, name, item) {
		struct place arg = place_member(at, name, index);

		if (!name_is_valid(name))
			loader_problem(l, &arg, "", "not a name: \"%s\"", CLIPPED(name));
		p->arg_names[index] = build_text(&l->b, name);
		p->arg_defaults[index] = load_value(&l->b.heap, item);
		value_make_immortal(&l->b.heap, p->arg_defaults[index]);
		p->job_arg_count = ++index;
	}
}

/* A parameter is one of the first slots, filled from outside. */
static void bind_param(struct loader *l, const char *name)
{
	scope_bind(l, name, slots_take(l, 1));
	l->draft->capture_count++;
}

void header_bind_args(struct loader *l)
{
	const struct program *p = l->b.program;

	/* The texts live as long as the program, and so longer than the table of names. */
	for (uint32_t i = 0; i < p->job_arg_count && !loader_failed(l); i++)
		bind_param(l, value_text(p->arg_names[i])->at);
}

/* --- defs --- */

static void read_params(struct loader *l, struct def *def, const struct place *at,
                        const json_t *json)
{
	size_t count = json_array_size(json);

	if (!json_is_array(json)) {
		loader_problem(l, at, "", "\"params\" is an array of names, not %s",
		               loader_type_name(json));
		return;
	}
	def->params = json;
	for (size_t i = 0; i < count; i++) {
		struct place param = place_element(at, (uint32_t)i);
		const char  *name = loader_name(l, &param, json_array_get(json, i));

		if (name == NULL)
			continue;
		if (json_object_get(def->position, name) != NULL)
			loader_problem(l, &param, "", "two parameters named \"%s\"", CLIPPED(name));
		else if (json_object_set_new(def->position, name, json_integer((json_int_t)i)) != 0)
			l->b.failed = true;
	}
}

static void refuse_def_key(struct loader *l, const struct place *at, const char *key)
{
	struct nearest near;
	char           hint[PROBLEM_HINT_CHARS];

	nearest_init(&near, key, strlen(key), &l->hint_work);
	nearest_offer(&near, "params");
	nearest_offer(&near, "do");
	hint_did_you_mean(hint, near.best);
	loader_problem(l, at, hint, "\"%s\" is not a key of a def", CLIPPED(key));
}

static void read_def(struct loader *l, struct def *def, const json_t *json)
{
	const char *key;
	json_t     *item;
	uint32_t    index = 0;

	if (!json_is_object(json)) {
		loader_problem(l, &def->at, "write {\"params\": [...], \"do\": ...}",
		               "a def is an object, not %s", loader_type_name(json));
		return;
	}
	MEMBERS (json, key, item) {
		struct place at = place_member(&def->at, key, index++);

		if (strcmp(key, "params") == 0)
			read_params(l, def, &at, item);
		else if (strcmp(key, "do") == 0)
			def->body = item;
		else
			refuse_def_key(l, &at, key);
	}
	if (def->body == NULL)
		loader_problem(l, &def->at, "", "a def needs \"do\"");
	else
		def->is_generator = node_yields(def->body);
}

static void read_defs(struct loader *l, const struct place *at, const json_t *json)
{
	const char *name;
	json_t     *item;
	uint32_t    index = 0;

	if (!json_is_object(json)) {
		loader_problem(l, at, "", "\"def\" is an object of defs, not %s",
		               loader_type_name(json));
		return;
	}
	l->defs_at = *at;
	l->defs = calloc(json_object_size(json) + 1, sizeof *l->defs);
	if (l->defs == NULL) {
		l->b.failed = true;
		return;
	}
	MEMBERS (json, name, item) {
		struct def *def = &l->defs[l->def_count++];

		*def = (struct def){ .name = name,
			             .position = json_object(),
			             .code = build_code(&l->b),
			             .at = place_member(&l->defs_at, name, index) };
		if (json_object_set_new(l->def_index, name, json_integer(index++)) != 0)
			l->b.failed = true;
		if (!name_is_valid(name))
			loader_problem(l, &def->at, "", "not a name: \"%s\"", CLIPPED(name));
		read_def(l, def, item);
	}
}

static void load_def(struct loader *l, struct def *def)
{
	size_t       count = json_array_size(def->params);
	struct place body;
	struct draft d;

	place_add_node(l, &def->at, NULL);
	body = place_member(&def->at, "do", 0);
	draft_begin(l, &d, def->code, NULL);
	d.is_generator = def->is_generator;
	for (size_t i = 0; i < count; i++) {
		const char *name = json_string_value(json_array_get(def->params, i));

		bind_param(l, name == NULL ? "" : name);
	}
	if (l->has_undo) {
		undo_bind(l, slots_take(l, 1));
		d.capture_count++;
	}
	draft_end(l, &d, &body, load_body(l, &d, &body, def->body));
}

void header_load_defs(struct loader *l, const struct place *at)
{
	if (l->def_count == 0)
		return;
	l->defs_at.up = at;
	place_add_node(l, &l->defs_at, NULL);
	l->is_in_def = true;
	for (uint32_t i = 0; i < l->def_count; i++)
		if (l->defs[i].body != NULL)
			load_def(l, &l->defs[i]);
	l->is_in_def = false;
}

void header_close(struct loader *l)
{
	for (uint32_t i = 0; i < l->def_count; i++)
		json_decref(l->defs[i].position);
	free(l->defs);
}

/* --- all of it --- */

void header_read(struct loader *l, const struct place *at, const json_t *root)
{
	static const struct {
		const char *key;
		void (*read)(struct loader *l, const struct place *at, const json_t *json);
	} READERS[] = {
		{ "gatherd", read_version }, { "title", read_title }, { "loop", read_loop },
		{ "events", read_events },   { "args", read_args },   { "def", read_defs },
	};
	const char *key;
	json_t     *item;
	uint32_t    index = 0;

	MEMBERS (root, key, item) {
		struct place member = place_member(at, key, index++);

		for (size_t i = 0; i < sizeof READERS / sizeof READERS[0]; i++)
			if (strcmp(READERS[i].key, key) == 0)
				READERS[i].read(l, &member, item);
	}
}
