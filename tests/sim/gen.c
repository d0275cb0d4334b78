#include "tests/sim/gen.h"

#define DEPTH_MAX 4

/* Source: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators",
 * OOPSLA 2014 (SplitMix64). */
uint64_t rng_next(struct rng *r)
{
	uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)(rng_next(r) % n);
}

/* What a node may use of its surroundings. */
struct scope {
	struct rng *r;
	uint32_t    depth;
	uint32_t    handles; /* t0 .. are visible handles */
	bool        has_n;   /* a number */
};

static void node(struct buf *b, struct scope s);

static void number(struct buf *b, struct scope s)
{
	if (s.has_n && rng_below(s.r, 2) == 0)
		buf_addf(b, "\"${n + %u}\"", rng_below(s.r, 3));
	else
		buf_addf(b, "%u", rng_below(s.r, 5));
}

static void sleep_node(struct buf *b, struct scope s)
{
	buf_add_text(b, "{\"sleep\":");
	number(b, s);
	buf_add_text(b, ",\"result\":");
	number(b, s);
	buf_add_byte(b, '}');
}

static void branch_list(struct buf *b, struct scope s)
{
	uint32_t count = rng_below(s.r, 4);
	bool     is_object = rng_below(s.r, 3) == 0;

	buf_add_byte(b, is_object ? '{' : '[');
	for (uint32_t i = 0; i < count; i++) {
		if (i > 0)
			buf_add_byte(b, ',');
		if (is_object)
			buf_addf(b, "\"b%u\":", i);
		if (s.handles > 0 && rng_below(s.r, 3) == 0)
			buf_addf(b, "{\"await\":\"${t%u}\"}", rng_below(s.r, s.handles));
		else
			node(b, s);
	}
	buf_add_byte(b, is_object ? '}' : ']');
}

static void comprehension(struct buf *b, struct scope s)
{
	s.has_n = true;
	node(b, s);
	buf_addf(b, ",\"for\":\"n\",\"in\":\"${range(%u)}\"", rng_below(s.r, 5));
	if (rng_below(s.r, 3) == 0)
		buf_addf(b, ",\"limit\":%u", 1 + rng_below(s.r, 3));
}

static void join_node(struct buf *b, struct scope s)
{
	bool is_gather = rng_below(s.r, 2) == 0;

	buf_addf(b, "{\"%s\":", is_gather ? "gather" : "as_completed");
	if (rng_below(s.r, 2) == 0)
		branch_list(b, s);
	else
		comprehension(b, s);
	if (is_gather && rng_below(s.r, 2) == 0)
		buf_add_text(b, ",\"return_exceptions\":true");
	if (!is_gather && rng_below(s.r, 4) == 0)
		buf_addf(b, ",\"timeout\":%u", rng_below(s.r, 4));
	if (!is_gather && rng_below(s.r, 2) == 0)
		buf_addf(
			b,
			",\"as\":\"c%u\",\"do\":[{\"yield\":\"${c%u}\"},{\"value\":\"${c%u.result}\"}]",
			s.depth, s.depth, s.depth);
	buf_add_byte(b, '}');
}

static void loop_node(struct buf *b, struct scope s)
{
	s.has_n = true;
	buf_add_text(b, "{\"do\":");
	node(b, s);
	buf_addf(b, ",\"for\":\"n\",\"in\":\"${range(%u)}\"}", rng_below(s.r, 4));
}

static void sequence(struct buf *b, struct scope s)
{
	uint32_t count = 1 + rng_below(s.r, 4);

	buf_add_byte(b, '[');
	for (uint32_t i = 0; i < count; i++) {
		uint32_t what = rng_below(s.r, 6);

		if (i > 0)
			buf_add_byte(b, ',');
		if (what == 0) {
			struct scope inner = s;

			inner.depth++; /* its names are of another coroutine, and must not look the same */
			buf_add_text(b, "{\"create_task\":");
			node(b, inner);
			buf_addf(b, ",\"as\":\"t%u\"}", s.handles++);
		} else if (what == 1 && s.handles > 0) {
			buf_addf(b, "{\"await\":\"${t%u}\"}", rng_below(s.r, s.handles));
		} else if (what == 2 && s.handles > 0) {
			buf_addf(b, "{\"cancel\":\"${t%u}\",\"message\":\"m%u\"}",
			         rng_below(s.r, s.handles), rng_below(s.r, 9));
		} else {
			node(b, s);
		}
	}
	/* A handle cannot be a result. */
	buf_add_text(b, ",{\"value\":1}]");
}

static void node(struct buf *b, struct scope s)
{
	if (s.depth++ >= DEPTH_MAX) {
		sleep_node(b, s);
		return;
	}
	switch (rng_below(s.r, 10)) {
	case 0:
	case 1:
		sleep_node(b, s);
		return;
	case 2:
		buf_add_text(b, "{\"yield\":");
		number(b, s);
		buf_add_byte(b, '}');
		return;
	case 3:
		if (s.has_n) {
			buf_add_text(b, "{\"value\":\"${10 // n}\"}");
			return;
		}
		buf_add_text(b, "{\"sleep\":0}");
		return;
	case 4:
		loop_node(b, s);
		return;
	case 5:
	case 6:
		sequence(b, s);
		return;
	case 7:
		buf_add_text(b, "{\"call\":\"f\",\"args\":[");
		number(b, s);
		buf_add_text(b, "]}");
		return;
	default:
		join_node(b, s);
	}
}

void gen_job(struct buf *b, struct rng *r)
{
	struct scope s = { .r = r };

	buf_add_text(b, "{\"def\":{\"f\":{\"params\":[\"n\"],\"do\":[{\"sleep\":\"${n}\"},"
	                "{\"sleep\":0},{\"return\":\"${n * 2}\"}]}},\"do\":");
	sequence(b, s);
	buf_add_byte(b, '}');
}
