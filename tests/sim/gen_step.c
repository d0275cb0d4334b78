/* Steps of random jobs: what has no branches, and what binds handles. */
#include "tests/sim/gen_inside.h"

#include <string.h>

void gen_number(struct scope s)
{
	if (s.has_attempt && one_in(s, 3))
		buf_add_text(s.g->b, "\"${attempt}\"");
	else if (s.has_n && one_in(s, 2))
		buf_addf(s.g->b, "\"${n + %u}\"", pick(s, 3));
	else
		buf_addf(s.g->b, "%u", pick(s, 5));
}

/* Few different ones, and multiples of half a second, so that deadlines often coincide. */
void gen_duration(struct scope s)
{
	static const char *const SOME[] = { "0", "0", "1",    "1",      "1",         "2",
		                            "2", "2", "3",    "0.5",    "1.5",       "-1",
		                            "4", "2", "null", "\"1s\"", "\"500ms\"", "1" };
	static const char *const OF_N[] = { "n", "n + 1", "n - 1", "n / 2", "3 - n" };

	if (s.has_n && one_in(s, 3))
		buf_addf(s.g->b, "\"${%s}\"", OF_N[pick(s, sizeof OF_N / sizeof OF_N[0])]);
	else
		buf_add_text(s.g->b, SOME[pick(s, sizeof SOME / sizeof SOME[0])]);
}

/* Few different times, so that they coincide with each other and with the ends of sleeps. */
static void write_moment(struct scope s)
{
	if (one_in(s, 3))
		buf_addf(s.g->b, "\"${now + %u}\"", pick(s, 4));
	else
		buf_addf(s.g->b, "%u.%u", GEN_EPOCH + pick(s, 20), one_in(s, 3) ? 5u : 0u);
}

void gen_sleep(struct scope s)
{
	size_t at = s.g->b->bytes;

	if (s.g->has_wall && one_in(s, 2)) {
		buf_add_text(s.g->b, "\"sleep_until\":");
		write_moment(s);
		return;
	}
	do {
		s.g->b->bytes = at;
		buf_add_text(s.g->b, "\"sleep\":");
		gen_duration(s);
	} while (memcmp(s.g->b->at + s.g->b->bytes - 4, "null", 4) == 0);
	if (one_in(s, 2)) {
		buf_add_text(s.g->b, ",\"result\":");
		gen_number(s);
	}
}

void gen_event(struct scope s)
{
	buf_addf(s.g->b, "\"event\":\"" GEN_EVENT "%u\"", pick(s, GEN_EVENTS));
}

void gen_yield(struct scope s)
{
	if (!s.can_yield) {
		gen_sleep(s);
		return;
	}
	if (s.g->has_wall && one_in(s, 2))
		buf_addf(s.g->b, "\"yield\":\"y%u at ${now - %u}\"", ++s.g->last_name, GEN_EPOCH);
	else if (s.has_n)
		buf_addf(s.g->b, "\"yield\":\"y%u ${n}\"", ++s.g->last_name);
	else
		buf_addf(s.g->b, "\"yield\":\"y%u\"", ++s.g->last_name);
}

void gen_value(struct scope s)
{
	if (s.has_attempt && one_in(s, 2))
		buf_addf(s.g->b, "\"value\":\"${1 // (attempt // %u)}\"", 1 + pick(s, 3));
	else if (s.has_error && one_in(s, 2))
		buf_add_text(s.g->b, "\"value\":\"${error.type}\"");
	else if (s.has_n && one_in(s, 2))
		buf_add_text(s.g->b, "\"value\":\"${10 // n}\"");
	else if (s.is_guarded)
		gen_sleep(s); /* a `try` over constants is refused */
	else
		buf_addf(s.g->b, "\"value\":%u", pick(s, 9));
}

void gen_raise(struct scope s)
{
	static const char *const TYPES[] = {
		"A", "A", "A", "B", "B", "ValueError", "TimeoutError", "CancelledError"
	};
	const char *type = TYPES[pick(s, sizeof TYPES / sizeof TYPES[0])];

	if (!s.is_guarded && !one_in(s, 4))
		gen_yield(s);
	else if (s.has_error && one_in(s, 2))
		buf_add_text(s.g->b, one_in(s, 2) ? "\"raise\":null" : "\"raise\":\"${error}\"");
	else if (one_in(s, 2))
		buf_addf(s.g->b, "\"raise\":\"%s\"", type);
	else
		buf_addf(s.g->b, "\"raise\":{\"type\":\"%s\",\"message\":\"r%u\"}", type,
		         ++s.g->last_name);
}

void gen_return(struct scope s)
{
	if (s.is_concurrent) {
		gen_sleep(s);
	} else if (s.is_generator) {
		buf_add_text(s.g->b, "\"return\":null");
	} else {
		buf_add_text(s.g->b, "\"return\":");
		gen_number(s);
	}
}

void gen_call(struct scope s)
{
	/* A def calls f only: no def calls itself. */
	bool is_k = !s.is_in_def && !one_in(s, 3);

	s.g->uses_k = s.g->uses_k || is_k;
	s.g->uses_f = s.g->uses_f || !is_k;
	buf_addf(s.g->b, "\"call\":\"%s\",\"args\":[", is_k ? "k" : "f");
	gen_number(s);
	buf_add_byte(s.g->b, ']');
}

/* --- steps of a sequence --- */

static void write_handle(struct scope s)
{
	buf_addf(s.g->b, "\"${t%u}\"", pick(s, s.handles));
}

static void write_handles(struct scope s)
{
	uint32_t count = 1 + pick(s, 3);

	buf_add_byte(s.g->b, '[');
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0)
			buf_add_byte(s.g->b, ',');
		write_handle(s);
	}
	buf_add_byte(s.g->b, ']');
}

void gen_await(struct scope s)
{
	buf_add_text(s.g->b, "{\"await\":");
	if (one_in(s, 8))
		write_handles(s);
	else
		write_handle(s);
	buf_add_byte(s.g->b, '}');
}

/* Mostly in a `try`: what it awaits may have been cancelled, which must not end every job. */
static void write_safe_await(struct scope s)
{
	struct buf *b = s.g->b;

	if (one_in(s, 3) || s.blocks > 12) {
		gen_await(s);
		return;
	}
	buf_add_text(b, "{\"try\":");
	gen_await(s);
	buf_addf(b, ",\"except\":{\"%s\":", one_in(s, 2) ? "CancelledError" : "*");
	buf_add_text(b, s.can_yield ? "{\"yield\":\"${error}\"}" : "{\"sleep\":0}");
	if (one_in(s, 2))
		buf_add_text(b, ",\"A\":{\"sleep\":1}");
	buf_add_byte(b, '}');
	if (one_in(s, 3)) {
		buf_add_text(b, ",\"timeout\":");
		gen_duration(s);
	}
	buf_add_byte(b, '}');
}

static void write_cancel(struct scope s)
{
	buf_add_text(s.g->b, "{\"cancel\":");
	if (one_in(s, 5))
		write_handles(s);
	else
		write_handle(s);
	if (one_in(s, 2))
		buf_addf(s.g->b, ",\"message\":\"m%u\"", ++s.g->last_name);
	buf_add_byte(s.g->b, '}');
}

static void write_wait(struct scope s)
{
	static const char *const MODES[] = { "ALL_COMPLETED", "FIRST_COMPLETED",
		                             "FIRST_EXCEPTION" };
	struct buf              *b = s.g->b;
	uint32_t                 name = ++s.g->last_name;

	buf_add_text(b, "{\"wait\":");
	write_handles(s);
	if (!one_in(s, 4))
		buf_addf(b, ",\"return_when\":\"%s\"", MODES[pick(s, 3)]);
	if (one_in(s, 2)) {
		buf_add_text(b, ",\"timeout\":");
		gen_duration(s);
	}
	buf_addf(b, ",\"as\":\"w%u\"},{\"%s\":[\"${len(w%u.done)}\",\"${len(w%u.pending)}\"]}",
	         name, s.can_yield ? "yield" : "value", name, name);
}

static void write_task(struct scope *s)
{
	buf_add_text(s->g->b, "{\"create_task\":");
	if (one_in(*s, 2))
		gen_node(of_branch(*s));
	else
		gen_sequence(of_branch(*s));
	buf_addf(s->g->b, ",\"as\":\"t%u\"}", s->handles++);
}

static void write_step(struct scope *s)
{
	uint32_t what = pick(*s, 12);

	if (what < 3 && has_room(*s, 0))
		write_task(s);
	else if (what < 5 && s->handles > 0)
		write_safe_await(*s);
	else if (what < 7 && s->handles > 0)
		write_cancel(*s);
	else if (what == 7 && s->handles > 0)
		write_wait(*s);
	else
		gen_node(*s);
}

void gen_sequence(struct scope s)
{
	uint32_t count = (s.depth == 0 ? 4 : 1) + pick(s, 4);

	s.depth++;
	buf_add_byte(s.g->b, '[');
	for (uint32_t i = 0; i < count; i++) {
		write_step(&s);
		buf_add_byte(s.g->b, ',');
	}
	/* A handle cannot be a result. */
	buf_addf(s.g->b, "{\"value\":%u}]", pick(s, 9));
}
