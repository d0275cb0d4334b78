/* Commands of random jobs: those that the simulator plays (played.h). */
#include "tests/sim/gen_inside.h"

#include <string.h>

static void write_text(struct scope s, const char *text)
{
	buf_addf(s.g->b, ",\"%s\"", text);
}

/* Multiples of half a second, as all that random jobs wait for. */
static void write_seconds(struct scope s)
{
	static const char *const SOME[] = { "0", "0.5", "1", "1", "2", "3", "1.5", "4" };

	write_text(s, SOME[pick(s, sizeof SOME / sizeof SOME[0])]);
}

static void write_words(struct scope s)
{
	if (s.has_n && one_in(s, 2))
		write_text(s, "n is ${n}");
	else if (one_in(s, 2))
		buf_addf(s.g->b, ",\"w%u\"", ++s.g->last_name);
}

static void write_program(struct scope s)
{
	static const char *const PROGRAMS[] = { "sleep", "sleep", "sleep", "ok",
		                                "ok",    "fail",  "deaf",  "tidy",
		                                "tidy",  "gone",  "flaky", "missing" };
	const char              *program = PROGRAMS[pick(s, sizeof PROGRAMS / sizeof PROGRAMS[0])];

	buf_addf(s.g->b, "\"exec\":[\"%s\"", program);
	if (strcmp(program, "fail") == 0)
		buf_addf(s.g->b, ",\"%u\"", 1 + pick(s, 3));
	else if (strcmp(program, "flaky") == 0)
		buf_addf(s.g->b, ",\"%u\"", pick(s, 4));
	if (strcmp(program, "ok") != 0 && strcmp(program, "fail") != 0 &&
	    strcmp(program, "missing") != 0)
		write_seconds(s);
	if (strcmp(program, "tidy") == 0)
		write_seconds(s);
	if (strcmp(program, "ok") == 0 || strcmp(program, "fail") == 0)
		write_words(s);
	buf_add_byte(s.g->b, ']');
}

static void write_options(struct scope s)
{
	static const char *const INTERRUPTS[] = { "fail", "retry", "retry", "hold" };

	if (one_in(s, 2))
		buf_addf(s.g->b, ",\"grace\":%u", pick(s, 4));
	if (one_in(s, 4))
		buf_addf(s.g->b, ",\"pool\":\"pool%u\"", pick(s, 2));
	if (one_in(s, 2))
		buf_addf(s.g->b, ",\"on_interrupt\":\"%s\"", INTERRUPTS[pick(s, 4)]);
	if (one_in(s, 3))
		buf_add_text(s.g->b, ",\"check\":false");
	if (one_in(s, 3)) {
		buf_add_text(s.g->b, ",\"timeout\":");
		gen_duration(s);
	}
}

void gen_exec(struct scope s)
{
	write_program(s);
	write_options(s);
}

/* "sleep 2" on a thread, or a request for sleep/2. At the root "args" would be the job's own. */
void gen_outcall(struct scope s)
{
	static const char *const PROGRAMS[] = { "sleep", "sleep", "sleep", "ok",
		                                "fail",  "gone",  "flaky", "missing" };
	static const char *const INTERRUPTS[] = { "fail", "retry", "hold" };
	const char              *program = PROGRAMS[pick(s, sizeof PROGRAMS / sizeof PROGRAMS[0])];
	bool                     is_http = one_in(s, 2), is_write = !is_http && one_in(s, 3);
	char                     between = is_http ? '/' : ' ';

	if (is_http)
		buf_addf(s.g->b, "\"http\":\"http://test/%s", program);
	else
		buf_addf(s.g->b, "\"do\":{\"to_thread\":\"%s\",\"args\":[\"%s",
		         is_write ? "write_file" : "stat", program);
	if (strcmp(program, "fail") == 0)
		buf_addf(s.g->b, "%c%u", between, 404 + pick(s, 3));
	else if (strcmp(program, "flaky") == 0)
		buf_addf(s.g->b, "%c%u", between, pick(s, 4));
	if (strcmp(program, "ok") != 0 && strcmp(program, "fail") != 0 &&
	    strcmp(program, "missing") != 0)
		buf_addf(s.g->b, "%c%.1f", between, 0.5 * pick(s, 7));
	buf_addf(s.g->b, "%cw%u\"%s", between, ++s.g->last_name,
	         is_http    ? ""
	         : is_write ? ",\"x\"]"
	                    : "]");
	if (one_in(s, 2))
		buf_addf(s.g->b, ",\"on_interrupt\":\"%s\"", INTERRUPTS[pick(s, 3)]);
	if (is_http && one_in(s, 3))
		buf_add_text(s.g->b, ",\"check\":false");
	if (!is_http)
		buf_add_byte(s.g->b, '}');
}

void gen_lines(struct scope s)
{
	static const char *const STEPS[] = { "0", "0", "0.5", "1", "2" };

	if (one_in(s, 5)) {
		write_program(s);
	} else {
		buf_addf(s.g->b, "\"exec\":[\"lines\",\"%u\"", pick(s, 9));
		write_text(s, STEPS[pick(s, sizeof STEPS / sizeof STEPS[0])]);
		buf_add_byte(s.g->b, ']');
	}
	buf_add_text(s.g->b, ",\"yield\":\"lines\"");
	write_options(s);
}
