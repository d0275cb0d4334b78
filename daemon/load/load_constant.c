/* What can be said of a constant before it runs. */
#include "daemon/expr/duration.h"
#include "daemon/expr/fn.h"
#include "daemon/load/loader.h"
#include "daemon/value/bytes.h"
#include "proto/base/check.h"

#include <stdio.h>
#include <string.h>

#define LABEL_BYTES_MAX 200

const char *loader_type_name(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "text";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		break;
	}
	return "null";
}

bool text_has_expression(const char *text)
{
	for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at, '$')) {
		if (at[1] == '{')
			return true;
		at += at[1] == '$' && at[2] == '{' ? 3 : 1;
	}
	return false;
}

/* How a message calls what stands at a place: "timeout", or "argument 2" in an array. */
static const char *called(const struct place *at, char room[CLIPPED_CHARS + 2])
{
	char name[CLIPPED_CHARS];

	if (at->key == NULL)
		(void)snprintf(room, CLIPPED_CHARS + 2, "element %u", at->index);
	else
		(void)snprintf(room, CLIPPED_CHARS + 2, "\"%s\"", clip(name, at->key));
	return room;
}
#define CALLED(at) called(at, (char[CLIPPED_CHARS + 2]){ 0 })

/* --- numbers and times --- */

static void check_count(struct loader *l, const struct place *at, const json_t *json,
                        struct value v)
{
	(void)json;
	if (value_type(v) != VALUE_T_INT || value_as_int(v) < 1)
		loader_problem(l, at, "", "%s wants an integer from 1", CALLED(at));
}

static void check_size(struct loader *l, const struct place *at, const json_t *json, struct value v)
{
	(void)json;
	if (value_type(v) != VALUE_T_INT || value_as_int(v) < 0)
		loader_problem(l, at, "", "%s wants an integer from 0", CALLED(at));
}

static void check_factor(struct loader *l, const struct place *at, const json_t *json,
                         struct value v)
{
	bool is_good = (value_type(v) == VALUE_T_INT && value_as_int(v) >= 0) ||
	               (value_type(v) == VALUE_T_FLOAT && value_as_float(v) >= 0);

	(void)json;
	if (!is_good)
		loader_problem(l, at, "", "%s wants a number from 0", CALLED(at));
}

static void check_duration(struct loader *l, const struct place *at, struct value v, bool from_zero)
{
	struct expr_error why;
	gd_nsec           length;

	if (!duration_of_value(v, &length, &why))
		loader_problem(l, at,
		               "write a number of seconds, or text like \"250ms\" or \"1h30m\"",
		               "%s", why.message);
	else if (from_zero && length < 0)
		loader_problem(l, at, "", "%s wants a duration from 0", CALLED(at));
}

static void check_length(struct loader *l, const struct place *at, const json_t *json,
                         struct value v)
{
	(void)json;
	check_duration(l, at, v, false);
}

static void check_pause(struct loader *l, const struct place *at, const json_t *json,
                        struct value v)
{
	(void)json;
	check_duration(l, at, v, true);
}

static void check_timeout(struct loader *l, const struct place *at, const json_t *json,
                          struct value v)
{
	if (value_type(v) != VALUE_T_NULL)
		check_length(l, at, json, v);
}

static void check_moment(struct loader *l, const struct place *at, const json_t *json,
                         struct value v)
{
	struct expr_error why;
	gd_nsec           time;

	(void)json;
	if (!time_of_value(v, &time, &why))
		loader_problem(l, at, "write \"2030-01-31T08:00:00Z\", or seconds since the epoch",
		               "%s", why.message);
}

/* --- texts --- */

static void check_condition(struct loader *l, const struct place *at, const json_t *json,
                            struct value v)
{
	(void)v;
	if (json_is_string(json) && !text_has_expression(json_string_value(json)))
		loader_problem(l, at, "", "%s wants an expression: write \"${...}\"", CALLED(at));
}

/* The text of a constant, or NULL after a problem. */
static const struct vtext *check_text(struct loader *l, const struct place *at, const json_t *json,
                                      struct value v)
{
	if (value_is_type(v, VALUE_T_TEXT))
		return value_text(v);
	loader_problem(l, at, "", "%s wants text, not %s", CALLED(at), loader_type_name(json));
	return NULL;
}

static void check_plain_text(struct loader *l, const struct place *at, const json_t *json,
                             struct value v)
{
	(void)check_text(l, at, json, v);
}

static void check_label(struct loader *l, const struct place *at, const json_t *json,
                        struct value v)
{
	const struct vtext *text = check_text(l, at, json, v);

	if (text != NULL && (text->bytes == 0 || text->bytes > LABEL_BYTES_MAX))
		loader_problem(l, at, "", "%s wants text of 1 to %d bytes", CALLED(at),
		               LABEL_BYTES_MAX);
}

static void check_path(struct loader *l, const struct place *at, const json_t *json, struct value v)
{
	const struct vtext *text = check_text(l, at, json, v);

	if (text != NULL && text->bytes == 0)
		loader_problem(l, at, "", "%s is empty", CALLED(at));
}

/* A token of RFC 9110, section 5.6.2. */
static void check_method(struct loader *l, const struct place *at, const json_t *json,
                         struct value v)
{
	static const char   OTHERS[] = "!#$%&'*+-.^_`|~0123456789"
				       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	const struct vtext *text = check_text(l, at, json, v);

	if (text != NULL && (text->bytes == 0 || strspn(text->at, OTHERS) != text->bytes))
		loader_problem(l, at, "write \"GET\", \"POST\", ...", "no HTTP method: \"%s\"",
		               CLIPPED(text->at));
}

static void check_url(struct loader *l, const struct place *at, const json_t *json, struct value v)
{
	const struct vtext *text = check_text(l, at, json, v);
	size_t              scheme;

	if (text == NULL)
		return;
	scheme = strncmp(text->at, "http://", 7) == 0 ? 7 : 8;
	if (scheme == 8 && strncmp(text->at, "https://", 8) != 0)
		loader_problem(l, at, "", "no http:// or https:// URL: \"%s\"", CLIPPED(text->at));
	else if (strcspn(text->at + scheme, "/?#") == 0)
		loader_problem(l, at, "", "a URL without a host: \"%s\"", CLIPPED(text->at));
}

static void check_base64(struct loader *l, const struct place *at, const struct vtext *text)
{
	struct buf bytes = { 0 };

	if (!bytes_decode(&bytes, text))
		loader_problem(l, at, "four characters for three bytes, = at the end",
		               "%s is not base64: \"%s\"", CALLED(at), CLIPPED(text->at));
	if (bytes.failed != GD_OK)
		l->b.failed = true;
	buf_close(&bytes);
}

static void check_bytes(struct loader *l, const struct place *at, const json_t *json,
                        struct value v)
{
	const struct vtext *coded = bytes_coded(v);

	if (coded != NULL)
		check_base64(l, at, coded);
	else if (value_type(v) != VALUE_T_TEXT)
		loader_problem(l, at, "", "%s wants text or {\"base64\": text}, not %s", CALLED(at),
		               loader_type_name(json));
}

static void check_input(struct loader *l, const struct place *at, const json_t *json,
                        struct value v)
{
	const struct vtext *coded = bytes_coded(v);

	if (coded != NULL)
		check_base64(l, at, coded);
	else if (value_type(v) != VALUE_T_NULL && value_type(v) != VALUE_T_TEXT)
		loader_problem(l, at, "", "%s wants text, {\"base64\": text} or null, not %s",
		               CALLED(at), loader_type_name(json));
}

/* --- others --- */

static void check_items(struct loader *l, const struct place *at, const json_t *json,
                        struct value v)
{
	if (!value_is_type(v, VALUE_T_LIST) && !value_is_type(v, VALUE_T_DICT) &&
	    !value_is_type(v, VALUE_T_RANGE))
		loader_problem(l, at, "", "\"in\" wants a list or an object, not %s",
		               loader_type_name(json));
}

bool constant_is_loop(struct value v)
{
	if (value_is_type(v, VALUE_T_TEXT))
		return value_text(v)->bytes > 0 && value_text(v)->bytes <= LOOP_NAME_BYTES_MAX;
	return value_type(v) == VALUE_T_INT && value_as_int(v) >= 0;
}

static void check_loop(struct loader *l, const struct place *at, const json_t *json, struct value v)
{
	(void)json;
	if (!constant_is_loop(v) && !(l->knows_no_children && value_is_type(v, VALUE_T_TEXT)))
		loader_problem(
			l, at, "",
			"\"loop\" is the name of an event loop, 1 to %d bytes, or its number",
			LOOP_NAME_BYTES_MAX);
}

static void check_handles(struct loader *l, const struct place *at, const json_t *json,
                          struct value v)
{
	(void)json;
	(void)v;
	loader_problem(l, at, "bind one with \"as\" beside \"create_task\"",
	               "%s wants handles of tasks, and a constant holds none", CALLED(at));
}

static void check_any(struct loader *l, const struct place *at, const json_t *json, struct value v)
{
	(void)l;
	(void)at;
	(void)json;
	(void)v;
}

typedef void constant_check_fn(struct loader *l, const struct place *at, const json_t *json,
                               struct value v);

/* Of those that are value positions. */
static constant_check_fn *const CHECKS[] = {
	[SLOT_BYTES] = check_bytes,         [SLOT_SIZE] = check_size,
	[SLOT_CONDITION] = check_condition, [SLOT_COUNT] = check_count,
	[SLOT_DURATION] = check_length,     [SLOT_FACTOR] = check_factor,
	[SLOT_HANDLES] = check_handles,     [SLOT_INPUT] = check_input,
	[SLOT_ITEMS] = check_items,         [SLOT_LABEL] = check_label,
	[SLOT_LOOP] = check_loop,           [SLOT_METHOD] = check_method,
	[SLOT_MOMENT] = check_moment,       [SLOT_PATH] = check_path,
	[SLOT_PAUSE] = check_pause,         [SLOT_TEXT] = check_plain_text,
	[SLOT_TIMEOUT] = check_timeout,     [SLOT_URL] = check_url,
	[SLOT_VALUE] = check_any,
};

void constant_check(struct loader *l, const struct place *at, const json_t *json,
                    enum slot_kind kind, struct value v)
{
	CHECK((size_t)kind < sizeof CHECKS / sizeof CHECKS[0] && CHECKS[kind] != NULL);
	CHECKS[kind](l, at, json, v);
}

/* --- constants that are no values --- */

bool constant_bool(struct loader *l, const struct place *at, const json_t *json)
{
	if (!json_is_boolean(json))
		loader_problem(l, at, "", "%s is true or false", CALLED(at));
	return json_is_true(json);
}

/* "fail", "retry" or "hold" */
static void list_choices(struct buf *b, const char *const *choices)
{
	for (size_t i = 0; choices[i] != NULL; i++) {
		if (i > 0)
			buf_add_text(b, choices[i + 1] == NULL ? " or " : ", ");
		buf_addf(b, "\"%s\"", choices[i]);
	}
}

const char *constant_choice(struct loader *l, const struct place *at, const json_t *json,
                            const char *const *choices)
{
	const char    *text = json_string_value(json);
	struct buf     list = { 0 };
	struct nearest near;
	char           hint[PROBLEM_HINT_CHARS] = "";

	for (size_t i = 0; choices[i] != NULL && text != NULL; i++)
		if (strcmp(choices[i], text) == 0)
			return choices[i];
	if (text != NULL) {
		nearest_init(&near, text, strlen(text), &l->hint_work);
		choices_offer(&near, choices);
		hint_did_you_mean(hint, near.best);
	}
	list_choices(&list, choices);
	if (list.failed != GD_OK)
		l->b.failed = true;
	else if (text == NULL)
		loader_problem(l, at, hint, "%s is %.*s, not %s", CALLED(at), (int)list.bytes,
		               list.at, loader_type_name(json));
	else
		loader_problem(l, at, hint, "%s is %.*s, not \"%s\"", CALLED(at), (int)list.bytes,
		               list.at, CLIPPED(text));
	buf_close(&list);
	return NULL;
}

const char *loader_name(struct loader *l, const struct place *at, const json_t *json)
{
	if (!json_is_string(json)) {
		loader_problem(l, at, "", "a name is text, not %s", loader_type_name(json));
		return NULL;
	}
	if (!name_is_valid(json_string_value(json))) {
		loader_problem(l, at,
		               "letters, digits and _, no digit first, and no word of expressions",
		               "not a name: \"%s\"", CLIPPED(json_string_value(json)));
		return NULL;
	}
	return json_string_value(json);
}
