#include "daemon/expr/fn.h"

/* clang-format off */
#define FN(name, least, most) { #name, least, most, expr_fn_##name }
/* clang-format on */

const struct expr_fn EXPR_FNS[] = {
	FN(len, 1, 1),
	FN(str, 1, 1),
	FN(int, 1, 1),
	FN(float, 1, 1),
	FN(bool, 1, 1),
	FN(min, 1, EXPR_ARGS_ANY),
	FN(max, 1, EXPR_ARGS_ANY),
	FN(sum, 1, 2),
	FN(abs, 1, 1),
	FN(round, 1, 2),
	FN(sorted, 1, 1),
	FN(reversed, 1, 1),
	FN(keys, 1, 1),
	FN(values, 1, 1),
	FN(items, 1, 1),
	FN(range, 1, 3),
	FN(zip, 0, EXPR_ARGS_ANY),
	FN(enumerate, 1, 2),
	FN(any, 1, 1),
	FN(all, 1, 1),
	FN(join, 2, 2),
	FN(split, 1, 2),
	FN(strip, 1, 2),
	FN(lower, 1, 1),
	FN(upper, 1, 1),
	FN(replace, 3, 3),
	FN(startswith, 2, 2),
	FN(endswith, 2, 2),
	FN(json, 1, 1),
	FN(parse_json, 1, 1),
	FN(type, 1, 1),
	FN(b64encode, 1, 1),
	FN(b64decode, 1, 1),
	FN(format_time, 1, 1),
	FN(parse_time, 1, 1),
};

const uint32_t EXPR_FN_COUNT = sizeof EXPR_FNS / sizeof EXPR_FNS[0];
