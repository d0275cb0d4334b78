/*
 * sim_jobs - makes random jobs, and runs them in the simulator.
 *
 *	sim_jobs make FIRST COUNT	prints the job of each seed, one a line
 *	sim_jobs commands FIRST COUNT	the same, of jobs with commands (tests/sim/played.h)
 *	sim_jobs events FIRST COUNT	the same, of jobs with events, which are all signalled
 *	sim_jobs speed FIRST COUNT	prints the simulated seconds for each of CPU, generating and
 *					compiling the jobs included
 *	sim_jobs run			reads jobs, one a line; prints what asyncio_run.py prints
 *
 * A line: the moments in milliseconds at which the job is cancelled from outside, with a message
 * where there is one, or an event of it is signalled with a value ("500=go:7,1500:enough"; empty or
 * -1: never); a tab; the job. They are in their order, and a random moment is never one at which
 * something else happens. A job that the loader refuses prints "0 refused" and
 * the problems; one that waits for nothing, and has not ended, "TIME stuck".
 */
#include "tests/sim/gen.h"
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CANCEL_STEP 500 /* ms; what random jobs sleep are multiples of it */

/* None, one or two. After the first the job sleeps from there on: the second is off that, too. */
static void make_cancels(struct rng *r)
{
	uint32_t count = rng_below(r, 2) == 0 ? 0 : 1 + rng_below(r, 2);
	uint32_t at = rng_below(r, 10) * CANCEL_STEP;

	if (count > 0)
		printf("%u%s", at + CANCEL_STEP / 2, rng_below(r, 2) == 0 ? ":enough" : "");
	if (count > 1)
		printf(",%u", at + rng_below(r, 6) * CANCEL_STEP + CANCEL_STEP * 3 / 4);
}

/* Each event once or twice, and a cancel. Whoever a signal wakes sleeps from there on: all are off each
 * other. */
static void make_signals(struct rng *r)
{
	uint32_t at = 0, kept_for = rng_below(r, 9);

	for (uint32_t i = 0; i < 2 * GEN_EVENTS; i++) {
		at += rng_below(r, 4) * CANCEL_STEP;
		if (i == kept_for)
			printf("%u%s,", at + 28 * i + 7, rng_below(r, 2) == 0 ? ":enough" : "");
		if (i >= GEN_EVENTS || rng_below(r, 2) == 0)
			printf("%u=" GEN_EVENT "%u:%u,", at + 28 * i + 14,
			       i < GEN_EVENTS ? rng_below(r, GEN_EVENTS) : i - GEN_EVENTS,
			       rng_below(r, 5));
	}
	printf("-1");
}

static void make(uint64_t first, uint64_t count, void (*gen)(struct buf *b, struct rng *r),
                 void (*make_moments)(struct rng *r))
{
	struct buf spec = { 0 };

	for (uint64_t seed = first; seed < first + count; seed++) {
		struct rng r = { seed };

		buf_clear(&spec);
		gen(&spec, &r);
		make_moments(&r);
		printf("\t%.*s\n", (int)spec.bytes, spec.at);
	}
	buf_close(&spec);
}

static const char *word_of(enum engine_out_kind kind)
{
	if (kind == ENGINE_YIELD)
		return "yield";
	if (kind == ENGINE_JOB_COMPLETED)
		return "completed";
	return kind == ENGINE_JOB_FAILED || kind == ENGINE_JOB_CANCELLED ? "failed" : NULL;
}

static void write_output(struct sim *s, const struct engine_out *o)
{
	const char *word = word_of(o->kind);
	struct buf  b = { 0 };

	if (word == NULL)
		return;
	buf_addf(&b, "%" PRId64 " %s ", (o->time - s->start) / GD_NSEC_PER_MSEC, word);
	value_write_json(&b, o->data);
	printf("%.*s\n", (int)b.bytes, b.at);
	buf_close(&b);
}

/* What happens at each moment of "500=go:7,1500:enough", which it takes apart. */
static void act_on_the_way(struct sim *s, uint64_t job, char *moments)
{
	for (char *at = strtok(moments, ","); at != NULL; at = strtok(NULL, ",")) {
		char   *event;
		int64_t moment = strtoll(at, &event, 10);
		char   *words = strchr(at, ':');

		if (moment < 0)
			continue;
		if (words != NULL)
			*words++ = '\0';
		sim_advance(s, s->start + moment * GD_NSEC_PER_MSEC - s->now);
		if (*event == '=')
			(void)sim_signal(s, job, event + 1, words != NULL ? words : "null", NULL);
		else
			sim_cancel(s, job, words != NULL ? words : "");
	}
}

/* One job after the other on one engine: to open one costs more than to run a job. */
static void run_line(struct sim **sim, char *line)
{
	struct load_problems   problems = { 0 };
	struct buf             text = { 0 };
	struct sim            *s = *sim;
	char                  *spec = strchr(line, '\t');
	uint64_t               job = 0;
	struct engine_job_info info;

	if (spec != NULL) {
		*spec++ = '\0';
		s->on_output = write_output;
		job = sim_try_submit(s, spec, &problems);
	}
	if (job != 0) {
		act_on_the_way(s, job, line);
		sim_run_until_idle(s);
		if (engine_job_info(s->engine, job, &info))
			printf("%" PRId64 " stuck \"\"\n",
			       (info.now - s->start) / GD_NSEC_PER_MSEC);
	} else {
		load_problems_write_json(&text, &problems);
		printf("0 refused %.*s\n", (int)text.bytes, text.at);
	}
	printf("\n");
	(void)fflush(stdout); /* what was done stays, should the next one crash */
	buf_close(&text);
	load_problems_close(&problems);
	if (!sim_start_over(s)) {
		sim_close(s);
		*sim = sim_open();
	}
}

static void run(void)
{
	char       *line = NULL;
	size_t      room = 0;
	struct sim *s = sim_open();

	while (getline(&line, &room, stdin) > 0)
		run_line(&s, line);
	sim_close(s);
	free(line);
}

/* How much time passes in the simulator while the processor works for a second. */
static void speed(uint64_t first, uint64_t count)
{
	struct buf  spec = { 0 };
	struct sim *s = sim_open();
	double      simulated = 0, worked;
	clock_t     begin = clock();

	for (uint64_t seed = first; seed < first + count; seed++) {
		struct rng r = { seed };

		buf_clear(&spec);
		gen_job(&spec, &r);
		buf_add_byte(&spec, '\0');
		(void)sim_submit(s, spec.at);
		sim_run_until_idle(s);
		simulated += (double)(s->now - s->start) / 1e9;
		if (!sim_start_over(s))
			abort(); /* a random job ends */
	}
	worked = (double)(clock() - begin) / CLOCKS_PER_SEC;
	printf("%.0f\n", simulated / worked);
	sim_close(s);
	buf_close(&spec);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "make") == 0)
		make(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), gen_job,
		     make_cancels);
	else if (argc == 4 && strcmp(argv[1], "commands") == 0)
		make(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10),
		     gen_job_with_commands, make_cancels);
	else if (argc == 4 && strcmp(argv[1], "events") == 0)
		make(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), gen_job_with_events,
		     make_signals);
	else if (argc == 2 && strcmp(argv[1], "run") == 0)
		run();
	else if (argc == 4 && strcmp(argv[1], "speed") == 0)
		speed(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	else
		return 2;
	return 0;
}
