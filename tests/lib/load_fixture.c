#include "tests/lib/load_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What of an op stands in its text. */
#define DST 1u
#define READS_B 2u /* a slot */
#define READS_C 4u /* a slot */
#define TEXT_C 8u  /* a constant text */
#define JUMPS 16u

static const struct {
	const char *name;
	unsigned    shown;
} OPS[] = {
	[OP_EVAL] = { "eval", DST },
	[OP_JUMP] = { "jump", JUMPS },
	[OP_JUMP_UNLESS] = { "unless", JUMPS },
	[OP_SLEEP] = { "sleep", DST },
	[OP_SLEEP_UNTIL] = { "until", DST },
	[OP_ITER] = { "iter", DST },
	[OP_NEXT] = { "next", DST | READS_B | JUMPS },
	[OP_LIST_NEW] = { "list", DST },
	[OP_APPEND] = { "append", DST | READS_B },
	[OP_JOIN] = { "join", DST },
	[OP_JOIN_NEXT] = { "joinnext", DST | READS_B | JUMPS },
	[OP_JOIN_RESULT] = { "joinresult", DST | READS_B | JUMPS },
	[OP_CREATE_TASK] = { "task", DST },
	[OP_AWAIT] = { "await", DST | READS_C },
	[OP_CANCEL] = { "cancel", DST },
	[OP_CALL] = { "call", DST },
	[OP_YIELD] = { "yield", DST },
	[OP_RETURN] = { "return", 0 },
	[OP_END] = { "end", DST },
	[OP_RAISE] = { "raise", 0 },
	[OP_RERAISE] = { "reraise", READS_B },
	[OP_EXCEPT] = { "except", DST | READS_B | TEXT_C | JUMPS },
	[OP_NORMAL] = { "normal", DST },
	[OP_LEAVE] = { "leave", READS_B },
	[OP_TIMEOUT] = { "timeout", DST },
	[OP_TIMEOUT_END] = { "timeout_end", DST | READS_B },
	[OP_RETRY_BEGIN] = { "retry_begin", DST },
	[OP_RETRY] = { "retry", DST | READS_B | READS_C },
	[OP_UNDO_OPEN] = { "undo_open", DST | READS_B },
	[OP_UNDO_ADD] = { "undo_add", READS_B },
	[OP_UNDO_CLOSE] = { "undo_close", DST | READS_B },
	[OP_WITH] = { "with", DST },
	[OP_WITH_END] = { "with_end", DST | READS_B },
	[OP_GEN_NEW] = { "gen", DST },
	[OP_GEN_NEXT] = { "gennext", DST | READS_B | JUMPS },
	[OP_GEN_CLOSE] = { "genclose", READS_B },
	[OP_WAIT] = { "wait", DST },
	[OP_MATCH_TEXT] = { "match", DST },
	[OP_CASE] = { "case", READS_B | TEXT_C | JUMPS },
};

struct program *load_spec(const char *text)
{
	struct load_problems problems;
	struct program      *program = NULL;
	struct gd_error      why = { 0 };
	json_error_t         error;
	json_t              *spec = json_loads(text, JSON_REJECT_DUPLICATES, &error);

	if (spec == NULL)
		fail_msg("%s at %d of %s", error.text, error.position, text);
	if (load_program(spec, &program, &problems, &why) != GD_OK)
		fail_msg("%s: %s", text, why.text);
	load_problems_close(&problems);
	json_decref(spec);
	return program;
}

static void write_op(struct buf *b, const struct program *p, const struct code *c,
                     const struct op *op)
{
	unsigned shown = OPS[op->kind].shown;

	buf_add_text(b, OPS[op->kind].name);
	if ((shown & DST) != 0) {
		assert_true(op->dst < c->slot_count);
		buf_addf(b, " %u", op->dst);
	}
	if ((shown & READS_B) != 0 && op->b != PROGRAM_NONE) {
		assert_true(op->b < c->slot_count);
		buf_addf(b, " <%u", op->b);
	}
	if ((shown & READS_C) != 0) {
		assert_true(op->c < c->slot_count);
		buf_addf(b, " ~%u", op->c);
	}
	if ((shown & TEXT_C) != 0)
		buf_addf(b, " %s", value_text(p->exprs[op->c].constant)->at);
	if ((shown & JUMPS) != 0) {
		assert_true(op->a >= c->first_op && op->a < c->first_op + c->op_count);
		buf_addf(b, " >%u", op->a - c->first_op);
	}
	if ((op->flags & OP_OF_GENERATOR) != 0)
		buf_add_text(b, " out");
	if (op->handler != PROGRAM_NONE)
		buf_addf(b, " @%u", op->handler);
}

void load_expect_code(const struct program *p, uint32_t code, const char *expected)
{
	struct buf         b = { 0 };
	const struct code *c = &p->codes[code];

	assert_true(code < p->code_count);
	for (uint32_t i = 0; i < c->op_count; i++) {
		if (i > 0)
			buf_add_text(&b, " | ");
		write_op(&b, p, c, &p->ops[c->first_op + i]);
	}
	buf_addf(&b, " [%u slots, %u captured]", c->slot_count, c->capture_count);
	buf_add_byte(&b, '\0');
	assert_string_equal(b.at, expected);
	buf_close(&b);
}

void load_expect_body(const char *text, const char *expected)
{
	struct program *p = load_spec(text);

	load_expect_code(p, 0, expected);
	program_release(p);
}

void load_expect_handlers(const struct program *p, const char *expected)
{
	struct buf b = { 0 };

	for (uint32_t i = 0; i < p->handler_count; i++) {
		const struct handler *h = &p->handlers[i];
		const struct code    *c = &p->codes[h->code];

		assert_true(h->landing >= c->first_op && h->landing < c->first_op + c->op_count);
		assert_true(h->pair + 1 < c->slot_count);
		assert_true(h->outer == PROGRAM_NONE || h->outer < i);
		buf_addf(&b, "%s%u %s %u >%u", i == 0 ? "" : ", ", i,
		         h->kind == HANDLER_EXCEPT ? "except" : "finally", h->pair,
		         h->landing - c->first_op);
		if (h->outer != PROGRAM_NONE)
			buf_addf(&b, " in %u", h->outer);
	}
	buf_add_byte(&b, '\0');
	assert_string_equal(b.at, expected);
	buf_close(&b);
}

void load_expect_pointer(const struct program *p, uint32_t node, const char *expected)
{
	struct buf b = { 0 };

	program_write_pointer(&b, p, node);
	buf_add_byte(&b, '\0');
	assert_string_equal(b.at, expected);
	buf_close(&b);
}

void load_problems_of(const json_t *spec, struct buf *b)
{
	struct load_problems problems;
	struct program      *program = NULL;
	struct gd_error      why;
	enum gd_err          rc = load_program(spec, &program, &problems, &why);

	if (rc == GD_OK) {
		assert_int_equal(problems.count, 0);
		program_release(program);
		buf_add_text(b, "ok\n");
	} else {
		assert_int_equal(rc, GD_INVALID_SPEC);
		assert_true(problems.count > 0);
	}
	for (uint32_t i = 0; i < problems.count; i++) {
		const struct load_problem *p = &problems.at[i];

		buf_addf(b, "%s: %s", p->pointer, p->message);
		if (p->hint != NULL)
			buf_addf(b, "; %s", p->hint);
		buf_add_byte(b, '\n');
	}
	if (problems.is_cut)
		buf_add_text(b, "and more\n");
	load_problems_close(&problems);
}

void load_expect_problems(const char *text, const char *expected)
{
	struct buf   b = { 0 };
	json_error_t error;
	json_t      *spec = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

	if (spec == NULL)
		fail_msg("%s at %d of %s", error.text, error.position, text);
	load_problems_of(spec, &b);
	json_decref(spec);
	buf_add_byte(&b, '\0');
	assert_int_equal(b.failed, GD_OK);
	assert_string_equal(b.at, expected);
	buf_close(&b);
}
