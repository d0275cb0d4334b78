/*
 * gatherctl - the command line client of gatherd. One table of commands; each in a file of its
 * own.
 */
#include "client/client.h"

#include <stdlib.h>
#include <string.h>

#define OPTIONS_EVERYWHERE OPTION_HELP
#define OPERANDS_MAX UINT32_MAX /* what the kernel lets through */

static const struct command commands[] = {
	{ "run", "JOB", "hand in a job, show its events, print its result",
	  "JOB is JSON text, the name of a file, or - for standard input.\n"
	  "Exit code: 0 completed, 1 failed, 4 cancelled. Ctrl-C cancels the job; a second one\n"
	  "stops watching. When the daemon goes away, the stream goes on where it was once it is back.",
	  OPTIONS_REACH | OPTIONS_JOB | OPTION_ARG | OPTION_TIMEOUT | OPTION_EXIT_CODE |
	          OPTION_JSON | OPTION_JSONL,
	  1, 1, false, cmd_run },
	{ "run", "-- CMD [ARG...]", "run a command as a job, show what it prints",
	  "The command runs as a job in the present directory, with PATH, HOME, LANG, LC_* and TERM\n"
	  "as they are here; other variables only where --env names them. No shell reads it.\n"
	  "Ctrl-C stops it; a second one stops watching. With --json one document about its end,\n"
	  "with --jsonl the events of the job, in the place of its output.\n"
	  "Exit code: as above; with --exit-code its own, 124 after --timeout, 127 for a program that\n"
	  "is not there, 126 for one that cannot be run.",
	  OPTIONS_REACH | OPTIONS_JOB | OPTIONS_EXEC | OPTION_EXIT_CODE | OPTION_JSON |
	          OPTION_JSONL,
	  1, OPERANDS_MAX, true, cmd_run },
	{ "submit", "JOB", "hand in a job, print its id",
	  "JOB is JSON text, the name of a file, or - for standard input.",
	  OPTIONS_REACH | OPTIONS_JOB | OPTION_ARG | OPTION_JSON, 1, 1, false, cmd_submit },
	{ "submit", "-- CMD [ARG...]", "hand in a command as a job, print its id",
	  "The job is as that of gatherctl run -- CMD.",
	  OPTIONS_REACH | OPTIONS_JOB | OPTIONS_EXEC | OPTION_JSON, 1, OPERANDS_MAX, true,
	  cmd_submit },
	{ "validate", "JOB", "say what is wrong with a job (exit 2), or nothing", NULL,
	  OPTIONS_REACH | OPTION_ARG | OPTION_JSON, 1, 1, false, cmd_validate },
	{ "get", "ID", "show a job", NULL, OPTIONS_REACH | OPTION_SPEC | OPTION_JSON, 1, 1, false,
	  cmd_get },
	{ "list", "", "list jobs, newest first", "Without --limit the first 20.",
	  OPTIONS_REACH | OPTION_STATUS | OPTION_LABEL | OPTION_TITLE | OPTION_LIMIT |
	          OPTION_AFTER | OPTION_OLDEST | OPTION_PARENT | OPTION_CHILDREN | OPTION_JSON |
	          OPTION_JSONL,
	  0, 0, false, cmd_list },
	{ "wait", "ID...", "wait for jobs to end",
	  "Exit code: 0 all completed, 1 one failed, 4 one was cancelled, 124 timeout.",
	  OPTIONS_REACH | OPTION_ANY | OPTION_TIMEOUT | OPTION_JSON | OPTION_JSONL, 1, 100, false,
	  cmd_wait },
	{ "result", "ID", "print the whole result of a job",
	  "A failed job's error goes to standard error, with exit code 1.",
	  OPTIONS_REACH | OPTION_PATH | OPTION_JSON, 1, 1, false, cmd_result },
	{ "log", "ID", "print what the commands of a job printed",
	  "stdout goes to stdout, stderr to stderr; a line on stderr tells where another command\n"
	  "goes on. With --follow until the job is over. A terminal gets colours, but no other\n"
	  "control characters.",
	  OPTIONS_REACH | OPTION_ADDRESS | OPTION_STREAM | OPTION_FOLLOW | OPTION_TAIL |
	          OPTION_PREFIX | OPTION_JSONL,
	  1, 1, false, cmd_log },
	{ "signal", "ID EVENT [VALUE]", "tell a job that an event has happened",
	  "VALUE is JSON if it reads as JSON, else text; null without one. The job need not wait for\n"
	  "the event yet. With --key the same signal counts once, however often it is sent.",
	  OPTIONS_REACH | OPTION_KEY | OPTION_TEXT | OPTION_JSON, 2, 3, false, cmd_signal },
	{ "cancel", "ID...", "cancel jobs", NULL, OPTIONS_REACH | OPTION_REASON | OPTION_JSON, 1,
	  100, false, cmd_cancel },
	{ "events", "[ID]", "print the events of one job, or of all",
	  "With --follow it goes on; of one job, until it is over.",
	  OPTIONS_REACH | OPTION_AFTER | OPTION_LIMIT | OPTION_KIND | OPTION_FOLLOW | OPTION_JSONL,
	  0, 1, false, cmd_events },
	{ "stack", "ID", "show what a running job waits for", NULL,
	  OPTIONS_REACH | OPTION_JSON | OPTION_JSONL, 1, 1, false, cmd_stack },
	{ "explain", "ID", "say why a job is not running, or not done", NULL,
	  OPTIONS_REACH | OPTION_JSON, 1, 1, false, cmd_explain },
	{ "resume", "ID", "let a command that was interrupted and held go on",
	  "It runs again; with --fail its job sees an InterruptedError instead. Without --path every\n"
	  "such command of the job.",
	  OPTIONS_REACH | OPTION_ADDRESS | OPTION_FAIL | OPTION_JSON, 1, 1, false, cmd_resume },
	{ "pool", "[set NAME PERMITS]", "list pools of processes, or say how many one may run",
	  "0 pauses it: what runs goes on. \"usual\" is what every pool has that nobody has put: the\n"
	  "number of processors.",
	  OPTIONS_REACH | OPTION_JSON | OPTION_JSONL, 0, 3, false, cmd_pool },
	{ "semaphore", "[set NAME PERMITS]", "list semaphores, or set the permits of one",
	  "0 permits pause it. 1 is what every semaphore has that nobody has put.",
	  OPTIONS_REACH | OPTION_JSON | OPTION_JSONL, 0, 3, false, cmd_semaphore },
	{ "delete", "ID...", "forget jobs that are over", NULL, OPTIONS_REACH, 1, 100, false,
	  cmd_delete },
	{ "backup", "FILE", "copy the daemon's database into a new file, while it is in use",
	  "The copy is one moment, and checked; FILE appears when it is whole. To restore it, put it\n"
	  "in the place of gatherd.db while no daemon runs; see README.md.",
	  OPTIONS_REACH, 1, 1, false, cmd_backup },
	{ "fsck", "[DIR]", "check the state directory of a daemon that does not run",
	  "Reads only. Exit code: 0 clean, 1 there are problems, 75 a daemon has it.\n"
	  "Without DIR the one that gatherd itself would use.",
	  0, 0, 1, false, cmd_fsck },
	{ "ping", "", "see whether the daemon answers", NULL, OPTIONS_REACH | OPTION_JSON, 0, 0,
	  false, cmd_ping },
	{ "info", "", "show what the daemon has to do", NULL, OPTIONS_REACH | OPTION_JSON, 0, 0,
	  false, cmd_info },
	{ "token", "new ID", "make a token for TCP, print it once",
	  "Adds a line with its SHA-256 to the daemon's list of tokens; needs no daemon.",
	  OPTION_ROLE | OPTION_TOKEN_FILE | OPTION_EXPIRES | OPTION_EXEC, 2, 2, false, cmd_token },
};
#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void print_help(FILE *out)
{
	(void)fputs("usage: gatherctl [option...] COMMAND [option...] [operand...]\n\n", out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		(void)fprintf(out, "  %-9s %-19s %s\n", commands[i].name, commands[i].operands,
		              commands[i].summary);
	(void)fputs("\nOptions before the command:\n", out);
	options_print_help(out, OPTIONS_REACH | OPTIONS_EVERYWHERE | OPTION_VERSION);
	(void)fputs(
		"\nExit codes: 0 done, 1 failed, 2 usage or a job that is not valid, 3 no daemon,\n"
		"4 cancelled, 124 timeout. gatherctl COMMAND --help says more.\n",
		out);
}

static void print_form(const struct command *c)
{
	const char *space = c->operands[0] == '\0' ? "" : " ";

	if (c->is_for_command) /* options end at the "--" */
		printf("usage: gatherctl %s [option...] %s\n\n", c->name, c->operands);
	else
		printf("usage: gatherctl %s%s%s [option...]\n\n", c->name, space, c->operands);
	printf("%s.\n", c->summary);
	if (c->details != NULL)
		puts(c->details);
	putchar('\n');
	options_print_help(stdout, c->options | OPTIONS_EVERYWHERE);
}

/* Every form that the command `name` has. */
static void print_command_help(const char *name)
{
	bool is_first = true;

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		if (!is_first)
			putchar('\n');
		is_first = false;
		print_form(&commands[i]);
	}
}

/* `has_end`: there is a "--" behind the name. */
static const struct command *find_command(const char *name, bool has_end)
{
	const struct command *found = NULL;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0 &&
		    (found == NULL || commands[i].is_for_command == has_end))
			found = &commands[i];
	return found;
}

static int usage(const char *text)
{
	(void)fprintf(stderr, "gatherctl: %s; see gatherctl --help\n", text);
	return CLIENT_USAGE;
}

/* Takes the command line behind the "--" at words[end], where the options that were read have to
 * end. */
static int take_command_line(struct options *o, char **words, uint32_t count, uint32_t end,
                             uint32_t used)
{
	if (used < end)
		return usage("either a JOB, or a command behind \"--\"");
	o->is_command = true;
	for (uint32_t i = end + 1; i < count; i++)
		o->operands[o->operand_count++] = words[i];
	return CLIENT_DONE;
}

/* Reads the words behind the command's name, then obeys. */
static int run_command(const struct command *c, struct options *o, char **words, uint32_t count,
                       uint32_t end)
{
	struct gd_error why = { .code = GD_OK };
	uint64_t        reach = o->given & ~OPTIONS_EVERYWHERE & ~c->options;
	uint32_t        used;

	if (options_parse(o, words, count, c->options | OPTIONS_EVERYWHERE, c->is_for_command,
	                  &used, &why) != GD_OK)
		return usage(why.text);
	if (options_has(o, OPTION_HELP)) {
		print_command_help(c->name);
		return CLIENT_DONE;
	}
	if (reach != 0)
		return usage("this command needs no daemon, so no way to one");
	if (c->is_for_command && take_command_line(o, words, count, end, used) != CLIENT_DONE)
		return CLIENT_USAGE;
	if (o->operand_count < c->operands_min)
		return usage("an operand is missing");
	if (o->operand_count > c->operands_max)
		return usage("too many operands");
	return c->run(o);
}

static int run_words(struct options *o, char **words, uint32_t count)
{
	struct gd_error       why = { .code = GD_OK };
	const struct command *c;
	uint32_t              used, end;

	if (options_parse(o, words, count, OPTIONS_REACH | OPTIONS_EVERYWHERE | OPTION_VERSION,
	                  true, &used, &why) != GD_OK)
		return usage(why.text);
	if (options_has(o, OPTION_VERSION)) {
		puts("gatherctl " PACKAGE_VERSION);
		return CLIENT_DONE;
	}
	if (options_has(o, OPTION_HELP)) {
		print_help(stdout);
		return CLIENT_DONE;
	}
	if (used == count) {
		print_help(stderr);
		return CLIENT_USAGE;
	}
	c = find_command(words[used], false);
	if (c == NULL)
		return usage("no such command");
	words += used + 1;
	count -= used + 1;
	end = options_find_end(words, count);
	if (end < count)
		c = find_command(c->name, true);
	return run_command(c, o, words, count, end);
}

int main(int argc, char **argv)
{
	struct gd_error why = { .code = GD_OK };
	struct options  o;
	uint32_t        count = argc > 0 ? (uint32_t)argc - 1 : 0;
	int             exit_code;

	if (options_open(&o, count, &why) != GD_OK)
		return usage(why.text);
	exit_code = run_words(&o, argv + 1, count);
	options_close(&o);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		(void)fputs("gatherctl: cannot write to standard output\n", stderr);
		return exit_code == CLIENT_DONE ? CLIENT_FAILED : exit_code;
	}
	return exit_code;
}
