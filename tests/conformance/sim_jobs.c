/*
 * sim_jobs - makes random jobs, and runs them in the simulator.
 *
 *	sim_jobs make FIRST COUNT	prints the job of each seed, one a line
 *	sim_jobs run			reads jobs, one a line; prints what asyncio_run.py prints
 *
 * A line is the moment at which the job is cancelled from outside, in milliseconds, or -1; a tab; the
 * job. That moment is never one at which something else happens.
 */
#include "tests/sim/gen.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make(uint64_t first, uint64_t count)
{
	struct buf spec = { 0 };

	for (uint64_t seed = first; seed < first + count; seed++) {
		struct rng r = { seed };

		buf_clear(&spec);
		gen_job(&spec, &r);
		printf("%d\t%.*s\n",
		       rng_below(&r, 2) == 0 ? (int)rng_below(&r, 6) * 1000 + 500 : -1,
		       (int)spec.bytes, spec.at);
	}
	buf_close(&spec);
}

static void write_output(struct sim *s, const struct engine_out *o)
{
	struct buf   b = { 0 };
	struct value type;

	buf_addf(&b, "%" PRId64 " ", (o->time - SIM_EPOCH) / GD_NSEC_PER_MSEC);
	(void)s;
	if (o->kind == ENGINE_YIELD || o->kind == ENGINE_JOB_COMPLETED) {
		buf_add_text(&b, o->kind == ENGINE_YIELD ? "yield " : "completed ");
		value_write_json(&b, o->data);
	} else if (o->kind == ENGINE_JOB_FAILED || o->kind == ENGINE_JOB_CANCELLED) {
		type = value_dict_get(o->data, "type", 4);
		buf_addf(&b, "failed %s", value_text(type)->at);
	} else {
		buf_close(&b);
		return;
	}
	printf("%.*s\n", (int)b.bytes, b.at);
	buf_close(&b);
}

static void run(void)
{
	char  *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		struct sim *s = sim_open();
		char       *spec = strchr(line, '\t');
		int         cancel_at = atoi(line);
		uint64_t    job;

		s->on_output = write_output;
		job = sim_submit(s, spec);
		if (cancel_at >= 0) {
			sim_advance(s, cancel_at * GD_NSEC_PER_MSEC);
			sim_cancel(s, job, "");
		}
		sim_run_until_idle(s);
		printf("\n");
		sim_close(s);
	}
	free(line);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "make") == 0)
		make(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	else if (argc == 2 && strcmp(argv[1], "run") == 0)
		run();
	else
		return 2;
	return 0;
}
