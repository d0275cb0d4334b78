#include "daemon/value/value.h"
#include "proto/base/check.h"

static struct value copy_list(struct value_heap *h, const struct vlist *list)
{
	struct value out = value_list_new(h, list->count);

	for (uint32_t i = 0; i < list->count; i++)
		out = value_list_append(h, out, value_copy(h, list->at[i]));
	return out;
}

static struct value copy_dict(struct value_heap *h, const struct vdict *dict)
{
	struct value out = value_dict_new(h, dict->count);

	for (uint32_t i = 0; i < dict->count; i++)
		out = value_dict_put(h, out, value_copy(h, dict->at[i].key),
		                     value_copy(h, dict->at[i].value));
	return out;
}

struct value value_copy(struct value_heap *h, struct value v)
{
	if (value_is_type(v, VALUE_T_TEXT))
		return value_text_new(h, value_text(v)->at, value_text(v)->bytes);
	if (value_is_type(v, VALUE_T_LIST))
		return copy_list(h, value_list(v));
	if (value_is_type(v, VALUE_T_DICT))
		return copy_dict(h, value_dict(v));
	if (value_is_type(v, VALUE_T_BIGINT))
		return value_int(h, value_as_int(v));
	CHECK(!value_is_obj(v));
	return v;
}
