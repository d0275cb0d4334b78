/* The arguments of one submission, against the args that the program's header names. */
#include "daemon/load/loader.h"

#include <string.h>

static void refuse_unknown(struct problem_list *list, const struct program *p,
                           const struct place *at, uint32_t *work)
{
	struct nearest near;
	char           hint[PROBLEM_HINT_CHARS];

	nearest_init(&near, at->key, strlen(at->key), work);
	for (uint32_t i = 0; i < p->job_arg_count; i++)
		nearest_offer(&near, value_text(p->arg_names[i])->at);
	hint_did_you_mean(hint, near.best);
	problem_add(list, at, "", hint, "the job has no arg \"%s\"", CLIPPED(at->key));
}

/* They come in document order, so that the search ends when the list is full. */
static void check_names(struct problem_list *list, const struct program *p, const json_t *args,
                        json_t *known)
{
	struct place root = { 0 };
	const char  *key;
	json_t      *item;
	uint32_t     index = 0, work = NEAREST_WORK;

	json_object_foreach ((json_t *)(uintptr_t)args, key, item) {
		struct place at = place_member(&root, key, index++);

		if (json_object_get(known, key) != NULL)
			continue;
		if (list->seen == SPEC_PROBLEMS_MAX) {
			list->out->is_cut = true;
			return;
		}
		refuse_unknown(list, p, &at, &work);
	}
}

static json_t *known_args(const struct program *p)
{
	json_t *known = json_object();

	for (uint32_t i = 0; i < p->job_arg_count && known != NULL; i++) {
		if (json_object_set_new(known, value_text(p->arg_names[i])->at, json_true()) != 0) {
			json_decref(known);
			return NULL;
		}
	}
	return known;
}

static enum gd_err check_args(const struct program *p, const json_t *args,
                              struct load_problems *problems, struct gd_error *why)
{
	struct problem_list list;
	struct place        root = { 0 };
	json_t             *known;

	problem_list_init(&list, problems);
	if (!json_is_object(args)) {
		problem_add(&list, &root, "", "",
		            "\"args\" is an object of names and values, not %s",
		            loader_type_name(args));
	} else {
		known = known_args(p);
		if (known == NULL)
			return gd_fail(why, GD_NOMEM, "no memory to check args");
		check_names(&list, p, args, known);
		json_decref(known);
	}
	if (list.failed)
		return gd_fail(why, GD_NOMEM, "no memory for problems");
	if (problems->count > 0)
		return gd_fail(why, GD_INVALID_SPEC, "%s", problems->at[0].message);
	return GD_OK;
}

enum gd_err load_args(struct value_heap *h, const struct program *p, const json_t *args,
                      struct value *out, struct load_problems *problems, struct gd_error *why)
{
	enum gd_err rc;

	*problems = (struct load_problems){ 0 };
	if (args != NULL) {
		rc = check_args(p, args, problems, why);
		if (rc != GD_OK)
			return rc;
	}
	for (uint32_t i = 0; i < p->job_arg_count; i++) {
		const json_t *given = json_object_get(args, value_text(p->arg_names[i])->at);

		out[i] = given == NULL ? value_retain(p->arg_defaults[i]) : load_value(h, given);
		if (value_is_none(out[i])) {
			while (i > 0)
				value_release(h, out[--i]);
			return gd_fail(why, GD_NOMEM, "no memory for args");
		}
	}
	return GD_OK;
}
