/* json(), b64encode(), b64decode() */
#include "daemon/expr/fn.h"

#include "daemon/value/bytes.h"
#include "daemon/value/limits.h"

struct value expr_fn_json(struct expr_run *r, const struct value *args, uint32_t count)
{
	struct buf b = { .cap = EXPR_RESULT_BYTES_MAX };

	(void)count;
	if (!expr_charge_data(r, args[0], "become JSON"))
		return VALUE_NONE;
	value_write_json(&b, args[0]);
	return expr_text_of_buf(r, &b);
}

static const struct vtext *text_of(struct expr_run *r, struct value v, const char *name)
{
	if (!value_is_type(v, VALUE_T_TEXT)) {
		if (!expr_refuse_handle(r, v, "be text"))
			expr_raise_type(r, "%s() argument must be str, not '%s'", name,
			                value_type_name(v));
		return NULL;
	}
	return expr_charge(r, value_text(v)->bytes) ? value_text(v) : NULL;
}

struct value expr_fn_b64encode(struct expr_run *r, const struct value *args, uint32_t count)
{
	const struct vtext *text = text_of(r, args[0], "b64encode");
	struct buf          b = { .cap = EXPR_RESULT_BYTES_MAX };

	(void)count;
	if (text == NULL)
		return VALUE_NONE;
	bytes_code(&b, text->at, text->bytes);
	return expr_text_of_buf(r, &b);
}

struct value expr_fn_b64decode(struct expr_run *r, const struct value *args, uint32_t count)
{
	const struct vtext *text = text_of(r, args[0], "b64decode");
	struct buf          b = { .cap = EXPR_RESULT_BYTES_MAX };
	char                shown[EXPR_SHOWN_BYTES + 8];

	(void)count;
	if (text == NULL)
		return VALUE_NONE;
	if (!bytes_decode(&b, text)) {
		buf_close(&b);
		return expr_raise(r, "ValueError", "not base64: %s", expr_show(args[0], shown));
	}
	if (b.failed == GD_OK && !bytes_are_text(b.at, b.bytes)) {
		buf_close(&b);
		return expr_raise(r, "ValueError", "what %s decodes to is not UTF-8 text",
		                  expr_show(args[0], shown));
	}
	return expr_text_of_buf(r, &b);
}
