#include "daemon/load/header.h"
#include "daemon/load/yields.h"

#include <stdlib.h>
#include <string.h>

/* Arrays and objects inside each other; stops at the limit. */
static bool is_too_deep(const json_t *json, uint32_t left)
{
	const char *key;
	json_t     *item;
	size_t      i;

	if (!json_is_array(json) && !json_is_object(json))
		return false;
	if (left == 0)
		return true;
	json_array_foreach (json, i, item) {
		if (is_too_deep(item, left - 1))
			return true;
	}
	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		if (is_too_deep(item, left - 1))
			return true;
	}
	return false;
}

static void load_root(struct loader *l, const json_t *spec)
{
	struct place at = { 0 };
	struct draft d;

	if (!json_is_array(spec) && !json_is_object(spec)) {
		loader_problem(l, &at, "", "a job is an object or an array of nodes, not %s",
		               loader_type_name(spec));
		return;
	}
	if (is_too_deep(spec, SPEC_DEPTH_MAX)) {
		loader_problem(l, &at, "", "deeper than %d arrays and objects in each other",
		               SPEC_DEPTH_MAX);
		return;
	}
	l->has_undo = spec_has_undo(spec);
	mentions_read(&l->mentions, &l->names, spec, l->has_undo);
	if (loader_failed(l))
		return;
	draft_begin(l, &d, build_code(&l->b), NULL);
	if (json_is_object(spec))
		header_read(l, &at, spec);
	header_bind_args(l);
	draft_end(l, &d, &at, load_body(l, &d, &at, spec));
	header_load_defs(l, &at);
}

static enum gd_err finish(struct loader *l, struct program **out, struct gd_error *why)
{
	struct load_problems *problems = l->problems.out;

	if (loader_failed(l))
		return gd_fail(why, GD_NOMEM, "no memory to load a spec");
	if (problems->count > 0)
		return gd_fail(why, GD_INVALID_SPEC, "%s (at \"%s\")", problems->at[0].message,
		               CLIPPED(problems->at[0].pointer));
	return program_builder_finish(&l->b, out, why);
}

static enum gd_err load(const json_t *spec, bool knows_no_children, struct program **out,
                        struct load_problems *problems, struct gd_error *why)
{
	struct loader l = { .hint_work = NEAREST_WORK, .knows_no_children = knows_no_children };
	enum gd_err   rc;

	*problems = (struct load_problems){ 0 };
	rc = program_builder_init(&l.b, why);
	if (rc != GD_OK)
		return rc;
	names_init(&l.names);
	problem_list_init(&l.problems, problems);
	loader_scope_init(&l);
	l.def_index = json_object();
	if (l.def_index == NULL)
		l.b.failed = true;
	if (!loader_failed(&l))
		load_root(&l, spec);
	rc = finish(&l, out, why);

	header_close(&l);
	json_decref(l.def_index);
	names_close(&l.names);
	mentions_close(&l.mentions);
	program_builder_close(&l.b);
	return rc;
}

enum gd_err load_program(const json_t *spec, struct program **out, struct load_problems *problems,
                         struct gd_error *why)
{
	return load(spec, false, out, problems, why);
}

enum gd_err load_program_old(const json_t *spec, struct program **out,
                             struct load_problems *problems, struct gd_error *why)
{
	return load(spec, true, out, problems, why);
}
