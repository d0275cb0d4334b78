/* `retry`: the operation again, after a pause, until it succeeds or the attempts are used up. */
#include "daemon/load/loader.h"

#include <string.h>

/* The types that are retried, or a problem. */
static void read_types(struct loader *l, const struct place *at, const json_t *json, uint32_t retry)
{
	size_t count = json_array_size(json);

	if (count == 0) {
		loader_problem(l, at, "", "\"on\" is an array of types of exceptions, not %s",
		               json_is_array(json) ? "an empty one" : loader_type_name(json));
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct place  place = place_element(at, (uint32_t)i);
		const json_t *type = json_array_get(json, i);

		if (!json_is_string(type))
			loader_problem(l, &place, "", "the type of an exception is text, not %s",
			               loader_type_name(type));
		else if (json_string_length(type) == 0 ||
		         text_has_expression(json_string_value(type)))
			loader_problem(l, &place, "write \"TimeoutError\"",
			               "no type of an exception: \"%s\"",
			               CLIPPED(json_string_value(type)));
		else if (retry != PROGRAM_NONE)
			build_retry_on(&l->b, retry, json_string_value(type));
	}
}

/* The options of an object; `*timeout` is the one of each attempt. */
static uint32_t read_options(struct loader *l, const struct place *at, const json_t *json,
                             uint32_t *timeout)
{
	struct members m;
	struct retry   r;
	uint32_t       retry;

	load_members(l, at, json, SLOT_RETRY, "\"retry\"", &m);
	if (m.at[RETRY_ATTEMPTS] == NULL)
		loader_problem(l, at, "how many runs in all, the first one included",
		               "\"retry\" needs \"attempts\"");
	r.attempts = load_member(l, at, &m, SLOT_RETRY, RETRY_ATTEMPTS);
	r.delay = load_member(l, at, &m, SLOT_RETRY, RETRY_DELAY);
	r.backoff = load_member(l, at, &m, SLOT_RETRY, RETRY_BACKOFF);
	r.max_delay = load_member(l, at, &m, SLOT_RETRY, RETRY_MAX_DELAY);
	r.jitter = load_member(l, at, &m, SLOT_RETRY, RETRY_JITTER);
	*timeout = load_member(l, at, &m, SLOT_RETRY, RETRY_TIMEOUT);
	retry = build_retry(&l->b, r);
	if (m.at[RETRY_ON] != NULL) {
		struct place on = place_of_member(at, &m, SLOT_RETRY, RETRY_ON);

		read_types(l, &on, m.at[RETRY_ON], retry);
	}
	return retry;
}

/* `"retry": 3`, or an expression that gives the number. */
static uint32_t read_count(struct loader *l, const struct place *at, const json_t *json)
{
	struct retry r = { .delay = PROGRAM_NONE,
		           .backoff = PROGRAM_NONE,
		           .max_delay = PROGRAM_NONE,
		           .jitter = PROGRAM_NONE };

	r.attempts = loader_slot(l, at, json, SLOT_COUNT);
	return build_retry(&l->b, r);
}

/* One attempt: around the operation its own timeout, and around that its scope of undos, which have
 * all the time they need. */
static void load_attempt(struct loader *l, const struct place *at, const struct parts *p,
                         struct target to, uint32_t timeout)
{
	struct timeout_scope t = { 0 };
	struct undo_scope    u = { 0 };

	if (l->has_undo)
		u = undo_open(l, at);
	if (timeout != PROGRAM_NONE)
		t = timeout_open(l, at, timeout);
	load_op(l, at, p, to);
	if (timeout != PROGRAM_NONE)
		timeout_close(l, at, &t);
	if (l->has_undo)
		undo_close(l, at, &u);
}

/*	  options, the timeout of an attempt
 *	R: attempt += 1
 *	  EXCEPT(pair): the attempt
 *	  jump done
 *	  pause, or raise it again
 *	  jump R
 *	done:
 */
void load_retry(struct loader *l, const struct place *at, const struct parts *p, struct target to,
                uint32_t attempt)
{
	struct place      place = place_part(at, p, KEY_RETRY);
	const json_t     *json = p->at[KEY_RETRY];
	uint32_t          options = slots_take(l, 1);
	uint32_t          timeout = PROGRAM_NONE, retry, again, done;
	struct scope_mark scope;
	struct cover      cover;

	if (json_is_object(json))
		retry = read_options(l, &place, json, &timeout);
	else
		retry = read_count(l, &place, json);
	(void)emit(l, at, OP_RETRY_BEGIN, options, retry, PROGRAM_NONE, PROGRAM_NONE);
	if (timeout != PROGRAM_NONE) {
		uint32_t slot = slots_take(l, 1);

		(void)emit(l, at, OP_EVAL, slot, timeout, PROGRAM_NONE, PROGRAM_NONE);
		timeout = expr_build_slot(&l->b.exprs, slot, at->node);
	}
	again = l->draft->op_count;
	emit_count(l, at, attempt);
	scope = scope_open(l);
	scope_bind_fixed(l, "attempt", attempt);
	cover = cover_begin(l, HANDLER_EXCEPT);
	load_attempt(l, at, p, to, timeout);
	cover_end(l, &cover);
	done = emit_jump(l, at, PROGRAM_NONE);
	cover_land(l, &cover);
	(void)emit(l, at, OP_RETRY, options, retry, cover.pair, attempt);
	(void)emit(l, at, OP_JUMP, 0, again, PROGRAM_NONE, PROGRAM_NONE);
	emit_land_all(l, done);
	scope_close(l, scope);
}
