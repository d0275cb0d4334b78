/* The modifier `retry`: its options are evaluated once, then each failure asks whether to go on. */
#include "daemon/expr/duration.h"
#include "daemon/expr/run.h"
#include "daemon/engine/ops.h"
#include "daemon/value/sip_hash.h"

#include <math.h>

/* The options as a list of values, in this order. */
enum {
	OPTION_ATTEMPTS,
	OPTION_DELAY,
	OPTION_BACKOFF,
	OPTION_MAX_DELAY,
	OPTION_JITTER,
	OPTION_COUNT
};

static bool read_attempts(struct running *r, uint32_t x, struct value *out)
{
	if (!eval(r, x, out))
		return false;
	if (value_type(*out) == VALUE_T_INT && value_as_int(*out) >= 1)
		return true;
	value_release(&r->e->heap, *out);
	(void)raise_text(r, "ValueError", "\"attempts\" wants a whole number of at least 1");
	return false;
}

/* In nanoseconds; null stays null. `missing`: what it is when not given. */
static bool read_pause(struct running *r, uint32_t x, struct value missing, struct value *out)
{
	struct expr_error why;
	gd_nsec           length;
	bool              is_ok;

	*out = missing;
	if (x == PROGRAM_NONE)
		return true;
	if (!eval(r, x, out))
		return false;
	if (value_is_null(*out))
		return true;
	is_ok = duration_of_value(*out, &length, &why);
	value_release(&r->e->heap, *out);
	if (!is_ok) {
		(void)raise_text(r, why.type, "%s", why.message);
		return false;
	}
	*out = value_int(&r->e->heap, length > 0 ? length : 0);
	return true;
}

static bool read_backoff(struct running *r, uint32_t x, struct value *out)
{
	double factor = NAN;

	*out = value_float(1);
	if (x == PROGRAM_NONE)
		return true;
	if (!eval(r, x, out))
		return false;
	if (value_type(*out) == VALUE_T_INT)
		factor = (double)value_as_int(*out);
	else if (value_is_float(*out))
		factor = value_as_float(*out);
	value_release(&r->e->heap, *out);
	if (!(factor >= 0)) {
		(void)raise_text(r, "ValueError", "\"backoff\" wants a number of at least 0");
		return false;
	}
	*out = value_float(factor);
	return true;
}

static bool read_jitter(struct running *r, uint32_t x, struct value *out)
{
	*out = value_bool(false);
	if (x == PROGRAM_NONE)
		return true;
	if (!eval(r, x, out))
		return false;
	if (value_type(*out) == VALUE_T_BOOL)
		return true;
	value_release(&r->e->heap, *out);
	(void)raise_text(r, "TypeError", "\"jitter\" wants true or false");
	return false;
}

static bool read_option(struct running *r, const struct retry *spec, int option, struct value *out)
{
	switch (option) {
	case OPTION_ATTEMPTS:
		return read_attempts(r, spec->attempts, out);
	case OPTION_DELAY:
		return read_pause(r, spec->delay, value_int(&r->e->heap, 0), out);
	case OPTION_BACKOFF:
		return read_backoff(r, spec->backoff, out);
	case OPTION_MAX_DELAY:
		return read_pause(r, spec->max_delay, VALUE_NULL, out);
	default:
		return read_jitter(r, spec->jitter, out);
	}
}

enum step op_retry_begin(struct running *r, const struct op *op)
{
	const struct retry *spec = &r->j->program->retries[op->a];
	struct value        options = value_list_new(&r->e->heap, OPTION_COUNT), v;

	for (int i = 0; i < OPTION_COUNT; i++) {
		if (!read_option(r, spec, i, &v)) {
			value_release(&r->e->heap, options);
			return STEP_RAISED;
		}
		options = value_list_append(&r->e->heap, options, v);
	}
	slot_set(r, op->dst, options);
	return STEP_NEXT;
}

/* --- after a failure --- */

static bool is_retried(const struct program *p, const struct retry *spec, struct value exc)
{
	if (spec->on_count == 0)
		return exception_is_ordinary(exc);
	for (uint32_t i = 0; i < spec->on_count; i++)
		if (exception_is(exc, value_text(p->retry_on[spec->first_on + i])->at))
			return true;
	return false;
}

/* Uniform in [0, 1), from the job, the address and the attempt alone, so that a replay draws the
 * same. */
static double draw(struct running *r, int64_t attempt)
{
	struct buf *b = &r->e->scratch;

	buf_clear(b);
	buf_add_u64(b, r->j->id);
	buf_add_byte(b, ' ');
	address_write(b, r->j, r->t);
	buf_add_byte(b, ' ');
	buf_add_i64(b, attempt);
	if (b->failed != GD_OK) {
		r->e->heap.failed = true;
		return 0;
	}
	return (double)(sip_hash(0, b->at, b->bytes) >> 11) / 9007199254740992.0;
}

static double at_most(double pause, double limit)
{
	return pause < limit ? pause : limit;
}

/* min(max_delay, delay * backoff ** (attempt - 1)), with jitter uniform between 0 and that; in
 * nanoseconds. */
static gd_nsec pause_after(struct running *r, const struct value *options, int64_t attempt)
{
	double pause = (double)value_as_int(options[OPTION_DELAY]);

	if (pause > 0)
		pause *= pow(value_as_float(options[OPTION_BACKOFF]), (double)(attempt - 1));
	if (!value_is_null(options[OPTION_MAX_DELAY]))
		pause = at_most(pause, (double)value_as_int(options[OPTION_MAX_DELAY]));
	if (value_is_true(options[OPTION_JITTER]))
		pause *= draw(r, attempt);
	return pause >= (double)GD_NSEC_NEVER ? GD_NSEC_NEVER : (gd_nsec)pause;
}

enum step op_retry(struct running *r, const struct op *op)
{
	const struct program *p = r->j->program;
	const struct value   *slots = r->t->top->slots;
	const struct value   *options = value_list(slots[op->dst])->at;
	int64_t               attempt = value_as_int(slots[op->c]);
	gd_nsec               due;

	if (attempt >= value_as_int(options[OPTION_ATTEMPTS]) ||
	    !is_retried(p, &p->retries[op->a], slots[op->b + 1]))
		return op_leave(r, op);
	if (__builtin_add_overflow(r->j->now, pause_after(r, options, attempt), &due))
		due = GD_NSEC_NEVER;
	slot_set(r, op->b + 1, VALUE_NONE);
	return sleep_until(r, due, VALUE_NONE);
}

enum step op_retry_resume(struct running *r, const struct op *op)
{
	(void)op;
	r->t->result = VALUE_NONE; /* the pause gave null */
	return STEP_NEXT;
}
