/* Combinators of random jobs, and their branches. */
#include "tests/sim/gen_inside.h"

static void write_branch(struct scope s)
{
	if (s.handles > 0 && one_in(s, 4))
		gen_await(s);
	else if (one_in(s, 3))
		gen_sequence(of_branch(s));
	else
		gen_node(of_branch(s));
}

static void write_list(struct scope s, uint32_t least)
{
	uint32_t count = least + pick(s, 4 - least);

	buf_add_byte(s.g->b, '[');
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0)
			buf_add_byte(s.g->b, ',');
		write_branch(s);
	}
	buf_add_byte(s.g->b, ']');
}

/* Branch number `i` of those named from b<first> on, behind one or two of its siblings. All look in
 * the same direction, so there is no cycle. */
static void write_dependent(struct scope s, uint32_t first, uint32_t i, uint32_t count,
                            bool looks_back)
{
	uint32_t    room = looks_back ? i : count - 1 - i;
	uint32_t    base = first + (looks_back ? 0 : i + 1);
	uint32_t    other = pick(s, room);
	struct buf *b = s.g->b;
	bool        has_timeout = one_in(s, 3);

	buf_add_text(b, "{\"do\":[");
	gen_node(inside(of_branch(s), 1));
	buf_addf(b, ",{\"value\":[\"${b%u}\"]}],\"after\":[\"b%u\"", base + other, base + other);
	if (room > 1 && one_in(s, 2))
		buf_addf(b, ",\"b%u\"", base + (other + 1) % room);
	buf_add_byte(b, ']');
	if (has_timeout) {
		buf_add_text(b, ",\"timeout\":");
		gen_duration(s);
	}
	buf_add_byte(b, '}');
}

static void write_object(struct scope s, uint32_t least)
{
	uint32_t count = least + pick(s, 4 - least);
	uint32_t first = s.g->last_name + 1;
	bool     has_after = one_in(s, 2);
	bool     looks_back = !one_in(s, 3);

	s.g->last_name += count;
	buf_add_byte(s.g->b, '{');
	for (uint32_t i = 0; i < count; i++) {
		bool can_depend = looks_back ? i > 0 : i + 1 < count;

		buf_addf(s.g->b, "%s\"b%u\":", i > 0 ? "," : "", first + i);
		if (has_after && can_depend && one_in(s, 2))
			write_dependent(s, first, i, count, looks_back);
		else
			write_branch(s);
	}
	buf_add_byte(s.g->b, '}');
}

static void write_limit(struct scope s, uint32_t often)
{
	if (one_in(s, often))
		buf_addf(s.g->b, ",\"limit\":%u", 1 + pick(s, 2));
}

static void write_comprehension(struct scope s, uint32_t least)
{
	s.has_n = true;
	gen_node(of_branch(s));
	buf_addf(s.g->b, ",\"for\":\"n\",\"in\":\"${range(%u)}\"", least + pick(s, 4));
	write_limit(s, 3);
}

static void write_branches(struct scope s, const char *op, uint32_t least)
{
	uint32_t kind = pick(s, 3);

	buf_addf(s.g->b, "\"%s\":", op);
	if (kind == 0) {
		write_comprehension(s, least);
		return;
	}
	if (kind == 1)
		write_list(s, least);
	else
		write_object(s, least);
	write_limit(s, 6);
}

void gen_gather(struct scope s)
{
	write_branches(s, "gather", 0);
	if (one_in(s, 3))
		buf_add_text(s.g->b, ",\"return_exceptions\":true");
}

void gen_completions(struct scope s)
{
	write_branches(s, "as_completed", 0);
	if (one_in(s, 4)) {
		buf_add_text(s.g->b, ",\"timeout\":");
		gen_duration(s);
	}
}

void gen_as_completed(struct scope s)
{
	gen_completions(s);
	if (one_in(s, 2))
		gen_consumer(s, true);
}

void gen_task_group(struct scope s)
{
	write_branches(s, "task_group", one_in(s, 8) ? 0 : 1);
}

void gen_race(struct scope s)
{
	if (one_in(s, 20)) {
		buf_add_text(s.g->b, "\"race\":");
		write_comprehension(s, 0);
	} else {
		write_branches(s, "race", 1);
	}
	if (one_in(s, 3))
		buf_add_text(s.g->b, ",\"until\":\"success\"");
}

void gen_shield(struct scope s)
{
	buf_add_text(s.g->b, "\"shield\":");
	write_branch(s);
}
