#include "daemon/load/load.h"

#include "daemon/expr/duration.h"
#include "proto/base/check.h"

static struct value load_list(struct value_heap *h, const json_t *json)
{
	size_t       count = json_array_size(json);
	struct value list = value_list_new(h, (uint32_t)count);

	for (size_t i = 0; i < count && !value_is_none(list); i++) {
		struct value item = load_value(h, json_array_get(json, i));

		if (value_is_none(item)) {
			value_release(h, list);
			return VALUE_NONE;
		}
		list = value_list_append(h, list, item);
	}
	return list;
}

static struct value load_dict(struct value_heap *h, const json_t *json)
{
	struct value dict = value_dict_new(h, (uint32_t)json_object_size(json));
	const char  *key;
	json_t      *item;

	json_object_foreach ((json_t *)(uintptr_t)json, key, item) {
		struct value v = value_is_none(dict) ? VALUE_NONE : load_value(h, item);

		if (value_is_none(v)) {
			value_release(h, dict);
			return VALUE_NONE;
		}
		dict = value_dict_put(h, dict, value_text_new(h, key, strlen(key)), v);
	}
	return dict;
}

/* Recurses as deep as the JSON, which whoever parsed it has bounded. */
struct value load_value(struct value_heap *h, const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return load_dict(h, json);
	case JSON_ARRAY:
		return load_list(h, json);
	case JSON_STRING:
		return value_text_new(h, json_string_value(json), json_string_length(json));
	case JSON_INTEGER:
		return value_int(h, json_integer_value(json));
	case JSON_REAL:
		return value_float(json_real_value(json));
	case JSON_TRUE:
		return value_bool(true);
	case JSON_FALSE:
		return value_bool(false);
	case JSON_NULL:
		return VALUE_NULL;
	}
	CHECK_NEVER("load_value: unknown JSON type");
}

enum gd_err load_duration(struct value_heap *h, const json_t *json, gd_nsec *out,
                          struct gd_error *why)
{
	struct expr_error error;
	struct value      v;
	bool              is_good;

	if (!json_is_number(json) && !json_is_string(json))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "a duration is seconds or text such as \"7d\"");
	v = load_value(h, json);
	is_good = duration_of_value(v, out, &error);
	value_release(h, v);
	return is_good ? GD_OK : gd_fail(why, GD_INVALID_PARAMS, "%s", error.message);
}
