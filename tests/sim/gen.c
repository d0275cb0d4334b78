#include "tests/sim/gen.h"

#include "tests/sim/gen_inside.h"

#include <stdlib.h>

#define DEPTH_MAX 5
#define BLOCKS_MAX 17
#define NODES_MAX 24

struct seeds seeds_asked(uint64_t count)
{
	const char  *seed = getenv("SEED"), *seeds = getenv("SEEDS");
	struct seeds s = { .first = seed != NULL ? strtoull(seed, NULL, 10) : 1 };

	if (seeds != NULL)
		count = strtoull(seeds, NULL, 10);
	else if (seed != NULL)
		count = 1;
	s.end = s.first + count;
	return s;
}

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

bool has_room(struct scope s, uint32_t blocks)
{
	return s.depth < DEPTH_MAX && s.blocks + blocks <= BLOCKS_MAX && s.g->nodes_left > 0;
}

struct scope inside(struct scope s, uint32_t blocks)
{
	s.depth++;
	s.blocks += blocks;
	return s;
}

struct scope of_branch(struct scope s)
{
	s.depth++;
	s.blocks = 0;
	s.has_error = false;
	s.is_concurrent = true;
	s.is_generator = false;
	s.can_yield = s.can_yield && !s.is_in_def;
	return s;
}

/* How often which operation is written, and how many Python blocks it opens. */
static const struct choice {
	uint32_t weight;
	uint32_t blocks;
	bool     is_leaf;
	bool     owns_timeout; /* `timeout` is its own option */
	void (*write)(struct scope s);
} CHOICES[] = {
	{ 14, 0, true, false, gen_sleep },       { 12, 0, true, false, gen_yield },
	{ 4, 0, true, false, gen_value },        { 6, 0, true, false, gen_raise },
	{ 1, 0, true, false, gen_return },       { 3, 0, true, false, gen_call },
	{ 12, 0, false, false, gen_block },      { 4, 1, false, false, gen_for },
	{ 3, 1, false, false, gen_while },       { 3, 0, false, false, gen_match },
	{ 16, 3, false, false, gen_try },        { 7, 2, false, false, gen_async_for },
	{ 5, 0, false, false, gen_shield },      { 7, 0, false, false, gen_gather },
	{ 5, 1, false, true, gen_as_completed }, { 8, 0, false, false, gen_task_group },
	{ 7, 0, false, false, gen_race },        { 16, 0, true, true, gen_exec },
	{ 10, 0, true, false, gen_outcall },     { 16, 0, true, false, gen_event },
};

static bool may_choose(struct scope s, const struct choice *c)
{
	if ((c->write == gen_exec || c->write == gen_outcall) && !s.g->has_commands)
		return false;
	if (c->write == gen_event && !s.g->has_events)
		return false;
	return c->is_leaf || has_room(s, c->blocks);
}

static const struct choice *choose(struct scope s)
{
	const size_t count = sizeof CHOICES / sizeof CHOICES[0];
	uint32_t     sum = 0, at;

	for (size_t i = 0; i < count; i++)
		if (may_choose(s, &CHOICES[i]))
			sum += CHOICES[i].weight;
	at = pick(s, sum);
	for (size_t i = 0; i < count; i++) {
		if (!may_choose(s, &CHOICES[i]))
			continue;
		if (at < CHOICES[i].weight)
			return &CHOICES[i];
		at -= CHOICES[i].weight;
	}
	return CHOICES;
}

/* --- what stands around an operation --- */

static void write_retry(struct scope s)
{
	struct buf *b = s.g->b;

	if (one_in(s, 3)) {
		buf_addf(b, ",\"retry\":%u", 1 + pick(s, 3));
		return;
	}
	buf_addf(b, ",\"retry\":{\"attempts\":%u", 1 + pick(s, 4));
	if (one_in(s, 2))
		buf_addf(b, ",\"delay\":%u", pick(s, 3));
	if (one_in(s, 3))
		buf_add_text(b, ",\"backoff\":2");
	if (one_in(s, 4))
		buf_add_text(b, ",\"max_delay\":\"2s\"");
	if (one_in(s, 3)) {
		buf_add_text(b, ",\"timeout\":");
		gen_duration(s);
	}
	if (one_in(s, 4))
		buf_add_text(b, one_in(s, 2)
		                        ? ",\"on\":[\"A\",\"TimeoutError\"]"
		                        : ",\"on\":[\"CancelledError\",\"ZeroDivisionError\"]");
	buf_add_byte(b, '}');
}

static void write_undo(struct scope s)
{
	buf_add_text(s.g->b, ",\"undo\":");
	s = of_branch(s);
	s.depth += 2;
	if (one_in(s, 2)) {
		gen_node(s);
		return;
	}
	buf_add_byte(s.g->b, '[');
	gen_node(s);
	buf_add_byte(s.g->b, ',');
	gen_node(s);
	buf_add_byte(s.g->b, ']');
}

void gen_node(struct scope s)
{
	struct buf          *b = s.g->b;
	const struct choice *c;
	struct scope         in = s;
	bool                 has_timeout = one_in(s, s.is_guarded ? 4 : 12) && has_room(s, 1);
	bool                 has_retry = one_in(s, 12) && has_room(s, 5);
	bool                 has_undo = one_in(s, 12) && has_room(s, 0);
	bool                 has_if = s.has_n && one_in(s, 12);

	in.blocks += (has_timeout ? 1u : 0u) + (has_retry ? 4u : 0u);
	in.has_attempt = s.has_attempt || has_retry;
	if (s.g->nodes_left > 0)
		s.g->nodes_left--;
	c = choose(in);
	buf_add_byte(b, '{');
	c->write(inside(in, c->blocks));
	if (has_timeout && !c->owns_timeout) {
		buf_add_text(b, ",\"timeout\":");
		gen_duration(s);
	}
	if (s.g->has_semaphores && one_in(s, 8))
		buf_addf(b, ",\"with\":\"door%u\"", pick(s, 3));
	if (has_retry)
		write_retry(s);
	if (has_undo)
		write_undo(s);
	if (has_if) {
		buf_addf(b, ",\"if\":\"${n %s %u}\"", one_in(s, 2) ? "<" : ">", pick(s, 3));
		if (one_in(s, 3)) {
			buf_add_text(b, ",\"else\":");
			gen_node(s);
		}
	}
	buf_add_byte(b, '}');
}

/* --- the job --- */

static void write_params(struct scope s, const char *name)
{
	if (s.g->b->at[s.g->b->bytes - 1] != '{')
		buf_add_byte(s.g->b, ',');
	buf_addf(s.g->b, "\"%s\":{\"params\":[\"n\"],\"do\":", name);
}

static void write_generators(struct scope s)
{
	struct gen *g = s.g;

	s.is_generator = s.can_yield = true;
	write_params(s, "g");
	g->nodes_left = NODES_MAX / 3;
	buf_add_byte(g->b, '[');
	gen_node(s);
	buf_addf(g->b, ",{\"yield\":\"g%u ${n}\"},", ++g->last_name);
	gen_node(s);
	buf_add_text(g->b, "]}");
	if (!g->uses_h)
		return;
	write_params(s, "h");
	g->nodes_left = NODES_MAX / 6;
	buf_add_text(g->b, "{\"async_for\":{\"call\":\"g\",\"args\":[1]},\"as\":\"x\",\"do\":["
	                   "{\"yield\":[\"h\",\"${x}\"]},");
	gen_node(inside(s, 2));
	buf_add_text(g->b, "]}}");
}

/* Those that are called: g is a generator, h goes over g, k is anything, f sleeps and is called by
 * the others. */
static void write_defs(struct scope s)
{
	struct gen *g = s.g;

	s.is_in_def = s.has_n = true;
	s.depth = 2;
	if (g->uses_g)
		write_generators(s);
	s.can_yield = false;
	if (g->uses_k) {
		write_params(s, "k");
		g->nodes_left = NODES_MAX / 4;
		gen_sequence(s);
		buf_add_byte(g->b, '}');
	}
	if (g->uses_f) {
		write_params(s, "f");
		buf_add_text(g->b,
		             "[{\"sleep\":\"${n}\"},{\"sleep\":0},{\"return\":\"${n * 2}\"}]}");
	}
}

static void write_job(struct gen *g)
{
	struct scope s = { .g = g, .can_yield = true };

	buf_add_text(g->b, "{\"do\":");
	gen_sequence(s);
	buf_add_text(g->b, ",\"def\":{");
	write_defs(s);
	buf_add_text(g->b, "}}");
}

void gen_job(struct buf *b, struct rng *r)
{
	write_job(&(struct gen){ .b = b, .r = r, .nodes_left = NODES_MAX });
}

void gen_job_with_semaphores(struct buf *b, struct rng *r)
{
	write_job(&(struct gen){ .b = b, .r = r, .nodes_left = NODES_MAX, .has_semaphores = true });
}

void gen_job_with_wall(struct buf *b, struct rng *r)
{
	write_job(&(struct gen){ .b = b, .r = r, .nodes_left = NODES_MAX, .has_wall = true });
}

void gen_job_with_commands(struct buf *b, struct rng *r)
{
	write_job(&(struct gen){ .b = b, .r = r, .nodes_left = NODES_MAX, .has_commands = true });
}

void gen_job_with_events(struct buf *b, struct rng *r)
{
	write_job(&(struct gen){ .b = b, .r = r, .nodes_left = NODES_MAX, .has_events = true });
}
