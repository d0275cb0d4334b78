/*
 * What older engines have done with a journal, done again by the engine of today.
 *
 * tests/golden/journals has a file for each case:
 *
 *	# what it shows
 *	start 0.5                    optional: the job begins so many seconds after the epoch
 *	spec {"sleep": 3}            a line that begins with a space goes on with it
 *	at 1 cancel enough           what came from outside, for people: cancel [MESSAGE],
 *	at 2 grant 1                 grant TICKET, now, signal {event, value, key}; seconds after
 *	                             the epoch
 *	journal
 *	01010040...                  the same as it was stored (store/journal.h), in hexadecimal
 *	transcript
 *	1 +0.000000000 job.started   ordinal, logical time, event, path, name and data
 *
 * `test_journals --make FILE...` writes the part from `journal` on for a new case. What stands there
 * is never written again: an engine that takes another way cannot replay what is on the disk.
 */
#include "daemon/load/load.h"
#include "daemon/store/journal.h"
#include "tests/sim/sim.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define INPUTS_MAX 16
#define INPUT_BYTES_MAX 128
#define CASES_MAX 256

struct input {
	unsigned char at[INPUT_BYTES_MAX];
	size_t        bytes;
};

/* One file. Zeroed, then filled by read_golden(); close_golden() in any case. */
struct golden {
	const char  *path;
	struct buf   head; /* as it stands, up to `journal` */
	struct buf   spec;
	gd_nsec      start;
	struct input acts[INPUTS_MAX]; /* the `at` lines, encoded */
	uint32_t     act_count;
	struct input inputs[INPUTS_MAX]; /* the journal */
	uint32_t     input_count;
	struct buf   transcript;
	bool         is_made; /* there is a transcript */
};

/* How a journal is fed: at once, as by a start, or as by a loop that looks at its clock often and
 * does little in each turn. */
enum pace { PACE_RECOVERY, PACE_LOOP };

/* --- the file --- */

static gd_nsec moment_of(const char *seconds, char **rest)
{
	return SIM_EPOCH + (gd_nsec)(strtod(seconds, rest) * 1e9 + 0.5);
}

static void encode_act(const struct engine_in *in, struct input *to)
{
	struct buf b = { 0 };

	journal_encode(&b, in);
	assert_true(b.bytes <= sizeof to->at);
	memcpy(to->at, b.at, b.bytes);
	to->bytes = b.bytes;
	buf_close(&b);
}

static struct value value_of_json(struct value_heap *heap, const char *text)
{
	json_t      *json = json_loads(text, 0, NULL);
	struct value v;

	assert_non_null(json);
	v = load_value(heap, json);
	json_decref(json);
	return v;
}

static void read_act(struct golden *g, const char *line)
{
	struct engine_in  in = { .message = VALUE_NULL };
	struct value_heap heap = { 0 };
	char             *word;

	assert_true(g->act_count < INPUTS_MAX);
	in.time = moment_of(line, &word);
	if (strncmp(word, " cancel", 7) == 0) {
		in.kind = ENGINE_CANCEL;
		if (word[7] == ' ')
			in.message = value_text_new(&heap, word + 8, strlen(word + 8));
	} else if (strncmp(word, " grant ", 7) == 0) {
		in.kind = ENGINE_GRANT;
		in.ticket = (uint32_t)strtoul(word + 7, NULL, 10);
	} else if (strncmp(word, " signal ", 8) == 0) {
		in.kind = ENGINE_SIGNAL;
		in.message = value_of_json(&heap, word + 8);
	} else {
		assert_string_equal(word, " now");
		in.kind = ENGINE_NOW;
	}
	encode_act(&in, &g->acts[g->act_count++]);
	value_release(&heap, in.message);
}

static void read_input(struct golden *g, const char *line)
{
	struct input *to;

	assert_true(g->input_count < INPUTS_MAX);
	to = &g->inputs[g->input_count++];
	for (; line[0] != '\0'; line += 2) {
		const char digits[3] = { line[0], line[1], '\0' };

		assert_true(to->bytes < sizeof to->at);
		to->at[to->bytes++] = (unsigned char)strtoul(digits, NULL, 16);
	}
}

static void read_head(struct golden *g, const char *line)
{
	buf_add_text(&g->head, line);
	buf_add_byte(&g->head, '\n');
	if (strncmp(line, "start ", 6) == 0)
		g->start = moment_of(line + 6, NULL);
	else if (strncmp(line, "spec ", 5) == 0)
		buf_add_text(&g->spec, line + 5);
	else if (line[0] == ' ')
		buf_add_text(&g->spec, line);
	else if (strncmp(line, "at ", 3) == 0)
		read_act(g, line + 3);
	else if (line[0] != '#')
		fail_msg("%s: what is this: %s", g->path, line);
}

static void read_golden(struct golden *g, const char *path)
{
	enum { HEAD, JOURNAL, TRANSCRIPT } part = HEAD;
	FILE  *file = fopen(path, "r");
	char  *line = NULL;
	size_t room = 0;

	if (file == NULL)
		fail_msg("%s: cannot be read", path);
	g->path = path;
	g->start = SIM_EPOCH;
	while (getline(&line, &room, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (part == HEAD && strcmp(line, "journal") == 0) {
			part = JOURNAL;
		} else if (part == JOURNAL && strcmp(line, "transcript") == 0) {
			part = TRANSCRIPT;
			g->is_made = true;
		} else if (part == HEAD) {
			read_head(g, line);
		} else if (part == JOURNAL) {
			read_input(g, line);
		} else {
			buf_add_text(&g->transcript, line);
			buf_add_byte(&g->transcript, '\n');
		}
	}
	buf_add_byte(&g->spec, '\0');
	free(line);
	(void)fclose(file);
}

static void close_golden(struct golden *g)
{
	buf_close(&g->head);
	buf_close(&g->spec);
	buf_close(&g->transcript);
}

/* --- the replay --- */

/* An engine with one job, and what it says. */
struct player {
	struct engine     *engine;
	struct engine_outs outs;
	struct buf        *said;
	enum pace          pace;
	gd_nsec            now;
};

static void write_out(struct buf *b, const struct engine_outs *outs, const struct engine_out *o)
{
	const gd_nsec after = o->time - SIM_EPOCH;

	if (o->ordinal != 0)
		buf_addf(b, "%u ", (unsigned)o->ordinal);
	else
		buf_add_text(b, "- ");
	buf_addf(b, "+%lld.%09lld %s", (long long)(after / GD_NSEC_PER_SEC),
	         (long long)(after % GD_NSEC_PER_SEC), sim_out_name(o->kind));
	if (o->ticket != 0)
		buf_addf(b, " ticket %u", (unsigned)o->ticket);
	if (o->path != PROGRAM_NONE) {
		buf_add_text(b, " path ");
		buf_add(b, outs->paths.at + o->path, o->path_bytes);
	}
	if (!value_is_none(o->name)) {
		buf_add_text(b, " name ");
		value_write_json(b, o->name);
	}
	if (!value_is_none(o->data)) {
		buf_add_byte(b, ' ');
		value_write_json(b, o->data);
	}
	buf_add_byte(b, '\n');
}

static void step(struct player *p, const struct engine_in *in)
{
	struct gd_error why;

	assert_int_equal(engine_step(p->engine, in, &p->outs, &why), GD_OK);
	for (uint32_t i = 0; i < p->outs.count; i++)
		write_out(p->said, &p->outs, &p->outs.at[i]);
	engine_outs_clear(p->engine, &p->outs);
}

/* All that is due by now. False: a job wants to know the time, which holds up every timer. */
static bool catch_up(struct player *p)
{
	struct engine_job_info info = { 0 };

	do {
		step(p, &(struct engine_in){ .kind = ENGINE_TIME, .time = p->now });
		(void)engine_job_info(p->engine, 1, &info);
	} while (engine_is_behind(p->engine) && !info.wants_now);
	return !info.wants_now;
}

/* A loop would stop at each deadline on the way, and sometimes in between. */
static void advance(struct player *p, gd_nsec to)
{
	while (p->now < to) {
		gd_nsec next = p->now + (to - p->now) / 3 + 1, due;

		if (engine_next_due(p->engine, &due) && due > p->now && due < next)
			next = due;
		p->now = next;
		(void)catch_up(p);
	}
}

static void run_to_the_end(struct player *p)
{
	bool    goes_on = catch_up(p);
	gd_nsec due;

	while (goes_on && engine_next_due(p->engine, &due) && due != GD_NSEC_NEVER) {
		if (due > p->now)
			p->now = due;
		goes_on = catch_up(p);
	}
}

static struct program *compile(const struct golden *g)
{
	struct load_problems problems = { 0 };
	json_t              *json = json_loads(g->spec.at, JSON_REJECT_DUPLICATES, NULL);
	struct program      *program = NULL;
	struct gd_error      why;

	if (json == NULL)
		fail_msg("%s: the spec is not JSON", g->path);
	/* All of these are of engines that knew no children. */
	if (load_program_old(json, &program, &problems, &why) != GD_OK)
		fail_msg("%s: %s at %s", g->path,
		         problems.count != 0 ? problems.at[0].message : why.text,
		         problems.count != 0 ? problems.at[0].pointer : "");
	json_decref(json);
	return program;
}

static void start(struct player *p, const struct golden *g)
{
	struct load_problems problems = { 0 };
	struct program      *program = compile(g);
	struct value         args[8];

	assert_true(program->job_arg_count <= 8);
	assert_int_equal(load_args(engine_heap(p->engine), program, NULL, args, &problems, NULL),
	                 GD_OK);
	step(p, &(struct engine_in){ .kind = ENGINE_START,
	                             .time = g->start < SIM_EPOCH ? g->start : SIM_EPOCH,
	                             .job = 1,
	                             .program = program,
	                             .args = args,
	                             .title = VALUE_NULL,
	                             .start_at = g->start });
	for (uint32_t i = 0; i < program->job_arg_count; i++)
		value_release(engine_heap(p->engine), args[i]);
	program_release(program);
}

static void feed(struct player *p, const struct golden *g, const struct input *input)
{
	struct engine_in in = { 0 };

	/* From memory of exactly its size, so that a sanitizer sees what is read behind it. */
	void *bytes = malloc(input->bytes);

	assert_non_null(bytes);
	memcpy(bytes, input->at, input->bytes);
	if (journal_decode(engine_heap(p->engine), bytes, input->bytes, &in, NULL) != GD_OK)
		fail_msg("%s: an input of the journal cannot be read any more", g->path);
	free(bytes);
	in.job = 1;
	if (p->pace == PACE_LOOP)
		advance(p, in.time);
	step(p, &in);
	value_release(engine_heap(p->engine), in.message);
	if (in.time > p->now)
		p->now = in.time;
}

static void play(const struct golden *g, const struct input *inputs, uint32_t count, enum pace pace,
                 struct buf *said)
{
	struct player p = { .said = said, .pace = pace, .now = SIM_EPOCH };

	assert_int_equal(engine_open(&p.engine, NULL), GD_OK);
	engine_set_budget(p.engine, pace == PACE_LOOP ? 3 : UINT32_MAX);
	start(&p, g);
	for (uint32_t i = 0; i < count; i++)
		feed(&p, g, &inputs[i]);
	run_to_the_end(&p);
	engine_outs_close(p.engine, &p.outs);
	engine_close(p.engine);
	buf_add_byte(said, '\0');
	said->bytes--;
}

/* --- the tests --- */

static size_t line_bytes(const char *at)
{
	return strcspn(at, "\n");
}

static void expect_said(const struct golden *g, const struct buf *said, const char *how)
{
	const char *want = g->transcript.at, *got = said->at;

	for (unsigned number = 1; *want != '\0' || *got != '\0'; number++) {
		const size_t a = line_bytes(want), b = line_bytes(got);

		if (a != b || memcmp(want, got, a) != 0)
			fail_msg("%s, %s: line %u of the transcript\nwas: %.*s\nis:  %.*s", g->path,
			         how, number, (int)a, want, (int)b, got);
		want += a + (want[a] != '\0');
		got += b + (got[b] != '\0');
	}
}

static void the_engine_takes_the_same_way(void **state)
{
	static const char *const ways[] = { "replayed at once", "as a loop does it" };

	for (enum pace pace = PACE_RECOVERY; pace <= PACE_LOOP; pace++) {
		struct golden g = { 0 };
		struct buf    said = { 0 };

		read_golden(&g, *state);
		buf_add_byte(&g.transcript, '\0');
		assert_true(g.is_made);
		play(&g, g.inputs, g.input_count, pace, &said);
		expect_said(&g, &said, ways[pace]);
		buf_close(&said);
		close_golden(&g);
	}
}

/* --- a new case --- */

static int make(const char *path)
{
	struct golden g = { 0 };
	struct buf    said = { 0 };
	FILE         *file;

	read_golden(&g, path);
	if (g.is_made) {
		(void)fprintf(stderr, "%s: is made already, and stays as it is\n", path);
		close_golden(&g);
		return 1;
	}
	play(&g, g.acts, g.act_count, PACE_RECOVERY, &said);
	file = fopen(path, "w");
	assert_non_null(file);
	(void)fprintf(file, "%.*sjournal\n", (int)g.head.bytes, g.head.at);
	for (uint32_t i = 0; i < g.act_count; i++) {
		for (size_t k = 0; k < g.acts[i].bytes; k++)
			(void)fprintf(file, "%02x", g.acts[i].at[k]);
		(void)fputc('\n', file);
	}
	(void)fprintf(file, "transcript\n%s", said.at);
	assert_int_equal(fclose(file), 0);
	buf_close(&said);
	close_golden(&g);
	return 0;
}

/* --- one test for each file --- */

static int is_case(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot != NULL && strcmp(dot, ".journal") == 0;
}

static int run_all(const char *directory)
{
	struct dirent   **found;
	struct CMUnitTest tests[CASES_MAX];
	int               count = scandir(directory, &found, is_case, alphasort);
	int               failures;

	if (count <= 0 || count > CASES_MAX) {
		(void)fprintf(stderr, "%s: %d journals\n", directory, count);
		return 1;
	}
	for (int i = 0; i < count; i++) {
		char *path = NULL;

		if (asprintf(&path, "%s/%s", directory, found[i]->d_name) < 0)
			return 1;
		tests[i] = (struct CMUnitTest){ .name = found[i]->d_name,
			                        .test_func = the_engine_takes_the_same_way,
			                        .initial_state = path };
	}
	failures = _cmocka_run_group_tests("journals", tests, (size_t)count, NULL, NULL);
	for (int i = 0; i < count; i++) {
		free(tests[i].initial_state);
		free(found[i]);
	}
	free(found);
	return failures;
}

int main(int argc, char **argv)
{
	const char *source = getenv("srcdir");
	char        directory[4096];
	int         failures = 0;

	if (argc > 1 && strcmp(argv[1], "--make") == 0) {
		for (int i = 2; i < argc; i++)
			failures += make(argv[i]);
		return failures != 0;
	}
	(void)snprintf(directory, sizeof directory, "%s/tests/golden/journals",
	               source == NULL ? "." : source);
	return run_all(directory);
}
