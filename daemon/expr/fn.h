/*
 * fn.h - the closed set of functions that expressions may call.
 *
 * load/ looks names up here once; code holds the index. Arguments are borrowed, results are new
 * references (see run.h). `default` is an instruction of its own and has no function here:
 * its first argument may raise.
 */
#ifndef GATHERD_EXPR_FN_H
#define GATHERD_EXPR_FN_H

#include "daemon/expr/run.h"

#define EXPR_ARGS_ANY 255

struct expr_fn {
	const char *name;
	uint8_t     least; /* arguments */
	uint8_t     most;  /* EXPR_ARGS_ANY: no limit */
	struct value (*call)(struct expr_run *r, const struct value *args, uint32_t count);
};

extern const struct expr_fn EXPR_FNS[];
extern const uint32_t       EXPR_FN_COUNT;

#define EXPR_FN_DECLARE(name) \
	struct value expr_fn_##name(struct expr_run *r, const struct value *args, uint32_t count)

/* fn_number.c */
EXPR_FN_DECLARE(int);
EXPR_FN_DECLARE(float);
EXPR_FN_DECLARE(bool);
EXPR_FN_DECLARE(abs);
EXPR_FN_DECLARE(round);
/* fn_list.c */
EXPR_FN_DECLARE(len);
EXPR_FN_DECLARE(range);
EXPR_FN_DECLARE(sorted);
EXPR_FN_DECLARE(reversed);
EXPR_FN_DECLARE(keys);
EXPR_FN_DECLARE(values);
EXPR_FN_DECLARE(items);
EXPR_FN_DECLARE(zip);
EXPR_FN_DECLARE(enumerate);
/* fn_fold.c */
EXPR_FN_DECLARE(min);
EXPR_FN_DECLARE(max);
EXPR_FN_DECLARE(sum);
EXPR_FN_DECLARE(any);
EXPR_FN_DECLARE(all);
/* fn_text.c */
EXPR_FN_DECLARE(str);
EXPR_FN_DECLARE(join);
EXPR_FN_DECLARE(split);
EXPR_FN_DECLARE(strip);
EXPR_FN_DECLARE(replace);
EXPR_FN_DECLARE(startswith);
EXPR_FN_DECLARE(endswith);
EXPR_FN_DECLARE(type);
/* fn_case.c */
EXPR_FN_DECLARE(lower);
EXPR_FN_DECLARE(upper);
/* fn_codec.c */
EXPR_FN_DECLARE(json);
EXPR_FN_DECLARE(b64encode);
EXPR_FN_DECLARE(b64decode);
/* fn_parse_json.c */
EXPR_FN_DECLARE(parse_json);
/* fn_time.c */
EXPR_FN_DECLARE(format_time);
EXPR_FN_DECLARE(parse_time);

/* The range of one to three arguments, lazy; more than RANGE_ELEMENTS_MAX is a LimitError. */
struct value expr_lazy_range(struct expr_run *r, const struct value *args, uint32_t count);
/* A white space character as str.strip() knows them, at `at`: its length in bytes, else 0. */
size_t       expr_space_at(const char *at, const char *end);
/* The code point at `at`, which is valid UTF-8, and its length. */
uint32_t     expr_point_at(const char *at, size_t *bytes);
/* A code point as UTF-8; its length. */
size_t       expr_put_char(char out[4], uint32_t point);

#endif
