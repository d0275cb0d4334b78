#include "daemon/value/sayable.h"

#include "daemon/value/limits.h"

/* JSON of a number is at most this many times longer than the one byte that is counted for it; of a
 * byte of text, six times. */
#define LONGEST_FACTOR 24

struct walk {
	size_t      left; /* of the bytes allowed; every node and byte of text is one at least */
	const char *type;
	const char *why;
};

static bool refuse(struct walk *w, const char *type, const char *why)
{
	w->type = type;
	w->why = why;
	return false;
}

static bool spend(struct walk *w, size_t bytes)
{
	if (bytes > w->left)
		return refuse(w, "LimitError", "is larger than 1 MiB");
	w->left -= bytes;
	return true;
}

static bool check(struct walk *w, struct value v, uint32_t depth)
{
	if (!value_is_obj(v))
		return spend(w, 1);
	if (value_is_type(v, VALUE_T_TEXT))
		return spend(w, value_text(v)->bytes + 2);
	if (value_is_type(v, VALUE_T_BIGINT))
		return spend(w, 1);
	if (!value_is_type(v, VALUE_T_LIST) && !value_is_type(v, VALUE_T_DICT))
		return refuse(w, "TypeError", "holds a task handle");
	if (depth == 0)
		return refuse(w, "LimitError", "has lists and objects nested too deep");
	if (!spend(w, 2))
		return false;
	if (value_is_type(v, VALUE_T_LIST)) {
		for (uint32_t i = 0; i < value_list(v)->count; i++)
			if (!check(w, value_list(v)->at[i], depth - 1))
				return false;
		return true;
	}
	for (uint32_t i = 0; i < value_dict(v)->count; i++)
		if (!check(w, value_dict(v)->at[i].key, depth - 1) ||
		    !check(w, value_dict(v)->at[i].value, depth - 1))
			return false;
	return true;
}

/* What may be larger than it looks is written to know. */
static bool fits(struct value v)
{
	struct buf json;
	bool       is_ok;

	buf_init(&json, JOB_RESULT_BYTES_MAX);
	value_write_json(&json, v);
	is_ok = json.failed != GD_LIMIT;
	buf_close(&json);
	return is_ok;
}

const char *value_unsayable(struct value v, size_t *bytes, const char **why)
{
	struct walk w = { .left = JOB_RESULT_BYTES_MAX };
	bool        is_data;

	*bytes = 0;
	if (!value_is_obj(v))
		return NULL;
	is_data = check(&w, v, VALUE_DEPTH_MAX);
	*bytes = JOB_RESULT_BYTES_MAX - w.left;
	if (is_data && *bytes > JOB_RESULT_BYTES_MAX / LONGEST_FACTOR && !fits(v))
		(void)refuse(&w, "LimitError", "is larger than 1 MiB");
	*why = w.why;
	return w.type;
}
