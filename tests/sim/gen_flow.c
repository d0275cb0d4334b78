/* Blocks of random jobs: loops, handlers, match, generators. */
#include "tests/sim/gen_inside.h"

void gen_block(struct scope s)
{
	buf_add_text(s.g->b, "\"do\":");
	gen_sequence(s);
}

void gen_for(struct scope s)
{
	s.has_n = true;
	buf_add_text(s.g->b, "\"do\":");
	gen_node(s);
	buf_addf(s.g->b, ",\"for\":\"n\",\"in\":\"${range(%u)}\"", pick(s, 4));
}

void gen_while(struct scope s)
{
	struct buf *b = s.g->b;
	uint32_t    name = ++s.g->last_name;

	buf_addf(b, "\"do\":[{\"set\":{\"i%u\":0}},{\"do\":[", name);
	gen_node(s);
	buf_addf(b, ",{\"set\":{\"i%u\":\"${i%u + 1}\"}}],\"while\":\"${i%u < %u}\"}]", name, name,
	         name, 1 + pick(s, 3));
}

void gen_match(struct scope s)
{
	struct buf *b = s.g->b;

	buf_add_text(b, "\"match\":");
	gen_number(s);
	buf_addf(b, ",\"case\":{\"%u\":", pick(s, 3));
	gen_node(s);
	if (one_in(s, 2)) {
		buf_add_text(b, ",\"3\":");
		gen_node(s);
	}
	if (one_in(s, 2)) {
		buf_add_text(b, ",\"_\":");
		gen_node(s);
	}
	buf_add_byte(b, '}');
}

/* --- try --- */

static void write_handler(struct scope s, const char *type)
{
	struct buf *b = s.g->b;

	s.has_error = true;
	buf_addf(b, "\"%s\":", type);
	if (one_in(s, 4)) { /* refuses a cancel, or takes an error for good */
		gen_node(s);
		return;
	}
	buf_add_byte(b, '[');
	buf_add_text(b, s.can_yield ? "{\"yield\":\"${error}\"}," : "{\"sleep\":0},");
	gen_node(s);
	if (one_in(s, 3))
		buf_add_text(b, ",{\"raise\":null}");
	buf_add_byte(b, ']');
}

static void write_handlers(struct scope s)
{
	static const char *const TYPES[] = {
		"*", "CancelledError", "A", "TimeoutError", "ExceptionGroup", "GeneratorExit"
	};
	/* A set of them; GeneratorExit is rare, for catching it mostly breaks its generator. */
	uint32_t set = 1 + pick(s, 31);
	bool     is_first = true;

	if (s.is_generator && one_in(s, 12))
		set |= 32;
	if (one_in(s, 2))
		set &= set - 1; /* one fewer */
	if (set == 0)
		set = one_in(s, 2) ? 1 : 2;
	buf_add_text(s.g->b, ",\"except\":{");
	for (uint32_t i = 0; i < 6; i++) {
		if ((set >> i & 1) == 0)
			continue;
		if (!is_first)
			buf_add_byte(s.g->b, ',');
		is_first = false;
		write_handler(s, TYPES[i]);
	}
	buf_add_byte(s.g->b, '}');
}

static void write_finally(struct scope s)
{
	struct buf *b = s.g->b;

	buf_add_text(b, ",\"finally\":[");
	gen_node(s);
	if (s.can_yield && !(s.is_generator && !one_in(s, 6)))
		buf_addf(b, ",{\"yield\":\"f%u\"}", ++s.g->last_name);
	else
		buf_add_text(b, ",{\"sleep\":1}");
	buf_add_byte(b, ']');
}

void gen_try(struct scope s)
{
	bool         has_finally = one_in(s, 2);
	struct scope body = s;

	body.is_guarded = true;
	buf_add_text(s.g->b, "\"try\":");
	if (one_in(s, 2))
		gen_sequence(body);
	else
		gen_node(body);
	if (!has_finally || one_in(s, 2))
		write_handlers(s);
	if (has_finally)
		write_finally(s);
}

/* --- async_for --- */

void gen_consumer(struct scope s, bool is_completion)
{
	struct buf *b = s.g->b;
	uint32_t    name = ++s.g->last_name;

	buf_addf(b, ",\"as\":\"c%u\",\"do\":[", name);
	if (s.can_yield)
		buf_addf(b, "{\"yield\":\"${c%u}\"},", name);
	gen_node(s);
	buf_addf(b, ",{\"value\":\"${c%u%s}\"}]", name, is_completion ? ".result" : "");
}

void gen_async_for(struct scope s)
{
	bool is_completion = s.is_in_def || one_in(s, 4);
	bool is_h = one_in(s, 3); /* which goes over g itself */

	buf_add_text(s.g->b, "\"async_for\":{");
	if (s.g->has_commands && one_in(s, 2)) {
		is_completion = false;
		gen_lines(s);
	} else if (is_completion) {
		gen_completions(s);
	} else {
		s.g->uses_g = true;
		s.g->uses_h = s.g->uses_h || is_h;
		buf_addf(s.g->b, "\"call\":\"%s\",\"args\":[", is_h ? "h" : "g");
		gen_number(s);
		buf_add_byte(s.g->b, ']');
	}
	buf_add_byte(s.g->b, '}');
	if (!one_in(s, 4))
		gen_consumer(s, is_completion);
}
