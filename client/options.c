#include "client/options.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum option_kind {
	OPTION_IS_FLAG,
	OPTION_IS_TEXT, /* UTF-8 */
	OPTION_IS_FILE,
	OPTION_IS_SECONDS,
	OPTION_IS_COUNT,
	OPTION_IS_INTEGER,
	OPTION_IS_PAIR, /* name=value, collected in an object */
	OPTION_IS_LIST  /* collected in a list */
};

struct option_row {
	uint64_t         bit;
	enum option_kind kind;
	size_t           offset; /* of the member of struct options; unused for a flag */
	char             letter; /* 0: none */
	const char      *name;
	const char      *operand;
	const char      *help;
};

#define AT(member) offsetof(struct options, member)

static const struct option_row rows[] = {
	{ OPTION_ARG, OPTION_IS_PAIR, AT(args), 0, "arg", "NAME=VALUE",
	  "an argument of the job; JSON if it reads as JSON, else text" },
	{ OPTION_TITLE, OPTION_IS_TEXT, AT(title), 0, "title", "TEXT", "title of the job" },
	{ OPTION_LABEL, OPTION_IS_LIST, AT(labels), 0, "label", "TEXT", "label of the job" },
	{ OPTION_KEY, OPTION_IS_TEXT, AT(key), 0, "key", "TEXT",
	  "idempotency key (default: a random one)" },
	{ OPTION_RETAIN, OPTION_IS_TEXT, AT(retain), 0, "retain", "DURATION",
	  "how long the job is kept after its end, e.g. 90, 1h30m or 30d" },
	{ OPTION_PRIORITY, OPTION_IS_INTEGER, AT(priority), 0, "priority", "N",
	  "from -10 to 10: among commands that wait for a pool, higher goes first" },
	{ OPTION_START_AT, OPTION_IS_TEXT, AT(start_at), 0, "start-at", "TIME",
	  "not before, e.g. 2030-01-31T09:00:00Z" },
	{ OPTION_CWD, OPTION_IS_TEXT, AT(cwd), 0, "cwd", "DIR",
	  "where it runs (default: the present directory)" },
	{ OPTION_ENV, OPTION_IS_LIST, AT(env), 0, "env", "NAME[=VALUE]",
	  "a variable for it, as it is here unless a value is given; NAME=secret:X\n"
	  "                           has the runner fill in its secret X" },
	{ OPTION_ENV_ALL, OPTION_IS_FLAG, 0, 0, "env-all", NULL,
	  "every variable that is set here; they are stored with the job" },
	{ OPTION_STDIN, OPTION_IS_FLAG, 0, 0, "stdin", NULL,
	  "read standard input to its end and give it to the command" },
	{ OPTION_TIME_LIMIT, OPTION_IS_TEXT, AT(time_limit), 0, "timeout", "DURATION",
	  "stop it that long after it began, e.g. 90, 20m or 1h30m" },
	{ OPTION_GRACE, OPTION_IS_TEXT, AT(grace), 0, "grace", "DURATION",
	  "between TERM and KILL when it is stopped (default 10s)" },
	{ OPTION_RETRY, OPTION_IS_COUNT, AT(retry), 0, "retry", "N",
	  "run it up to N times until it succeeds" },
	{ OPTION_DELAY, OPTION_IS_TEXT, AT(delay), 0, "delay", "DURATION",
	  "with --retry: the pause before the next time" },
	{ OPTION_POOL, OPTION_IS_TEXT, AT(pool), 0, "pool", "NAME",
	  "the pool of processes that it waits for" },
	{ OPTION_PROFILE, OPTION_IS_TEXT, AT(profile), 0, "profile", "NAME",
	  "run the program of that profile of the daemon with these arguments" },
	{ OPTION_ON_INTERRUPT, OPTION_IS_TEXT, AT(on_interrupt), 0, "on-interrupt", "WHAT",
	  "fail, retry or hold, when nobody can know how it ended" },
	{ OPTION_PRINT_SPEC, OPTION_IS_FLAG, 0, 0, "print-spec", NULL,
	  "print the job instead of handing it in" },
	{ OPTION_EXIT_CODE, OPTION_IS_FLAG, 0, 0, "exit-code", NULL,
	  "end with the exit code of the command that failed; 128 + N for signal N" },
	{ OPTION_FAIL, OPTION_IS_FLAG, 0, 0, "fail", NULL,
	  "let it fail (InterruptedError), instead of running it again" },
	{ OPTION_ADDRESS, OPTION_IS_TEXT, AT(path), 0, "path", "ADDRESS",
	  "only the command there, e.g. /do/1" },
	{ OPTION_STREAM, OPTION_IS_TEXT, AT(stream), 0, "stream", "NAME",
	  "stdout or stderr; both if nothing is said" },
	{ OPTION_TAIL, OPTION_IS_COUNT, AT(tail), 'n', "tail", "N",
	  "only the last N lines of the command that began last, and what comes" },
	{ OPTION_PREFIX, OPTION_IS_FLAG, 0, 0, "prefix", NULL,
	  "begin each line with the address of its command" },
	{ OPTION_STATUS, OPTION_IS_LIST, AT(statuses), 0, "status", "NAME",
	  "queued, running, completed, failed or cancelled; may be repeated" },
	{ OPTION_KIND, OPTION_IS_LIST, AT(kinds), 0, "kind", "NAME",
	  "only events of this kind, e.g. yield; may be repeated" },
	{ OPTION_AFTER, OPTION_IS_COUNT, AT(after), 0, "after", "N", "start behind this number" },
	{ OPTION_LIMIT, OPTION_IS_COUNT, AT(limit), 0, "limit", "N", "at most so many rows" },
	{ OPTION_PARENT, OPTION_IS_COUNT, AT(parent), 0, "parent", "ID",
	  "only the jobs that this one made with create_task and a loop" },
	{ OPTION_CHILDREN, OPTION_IS_FLAG, 0, 0, "children", NULL,
	  "with those that other jobs made" },
	{ OPTION_OLDEST, OPTION_IS_FLAG, 0, 0, "oldest-first", NULL, "in the order of submission" },
	{ OPTION_FOLLOW, OPTION_IS_FLAG, 0, 'f', "follow", NULL, "go on with what comes" },
	{ OPTION_ANY, OPTION_IS_FLAG, 0, 0, "any", NULL, "the first job that ends is enough" },
	{ OPTION_PATH, OPTION_IS_TEXT, AT(path), 0, "path", "seq:N", "the data of that event" },
	{ OPTION_REASON, OPTION_IS_TEXT, AT(reason), 0, "reason", "TEXT", "what the job is told" },
	{ OPTION_SPEC, OPTION_IS_FLAG, 0, 0, "spec", NULL, "show spec and arguments as well" },
	{ OPTION_TIMEOUT, OPTION_IS_SECONDS, AT(timeout), 0, "timeout", "SECONDS",
	  "stop waiting then (exit 124); the job goes on" },
	{ OPTION_JSON, OPTION_IS_FLAG, 0, 0, "json", NULL, "print one JSON document" },
	{ OPTION_JSONL, OPTION_IS_FLAG, 0, 0, "jsonl", NULL, "print one JSON line for each row" },
	{ OPTION_TEXT, OPTION_IS_FLAG, 0, 0, "text", NULL,
	  "VALUE is text, whatever it looks like" },
	{ OPTION_ROLE, OPTION_IS_TEXT, AT(role), 0, "role", "ROLE",
	  "viewer, submitter, operator or admin" },
	{ OPTION_EXEC, OPTION_IS_LIST, AT(profiles), 0, "exec", "NAME",
	  "may use this exec profile, or all with '*'; may be repeated" },
	{ OPTION_EXPIRES, OPTION_IS_TEXT, AT(expires), 0, "expires", "TIME",
	  "refused from then on, e.g. 2030-01-31T09:00:00Z" },
	{ OPTION_SOCKET, OPTION_IS_FILE, AT(socket), 0, "socket", "PATH",
	  "Unix socket of the daemon (also GATHERD_SOCKET)" },
	{ OPTION_CONNECT, OPTION_IS_TEXT, AT(connect), 0, "connect", "HOST:PORT",
	  "use TCP instead" },
	{ OPTION_TOKEN_FILE, OPTION_IS_FILE, AT(token_file), 0, "token-file", "FILE",
	  "holds the token for TCP (also GATHERD_TOKEN_FILE);\n"
	  "                           with \"token\": the daemon's list, which gets a line" },
	{ OPTION_RECONNECT, OPTION_IS_SECONDS, AT(reconnect), 0, "reconnect", "SECONDS",
	  "look so long for a daemon that went away (default 30)" },
	{ OPTION_HELP, OPTION_IS_FLAG, 0, 0, "help", NULL, "print this" },
	{ OPTION_VERSION, OPTION_IS_FLAG, 0, 0, "version", NULL, "print the version" },
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

enum gd_err options_open(struct options *o, uint32_t words, struct gd_error *why)
{
	*o = (struct options){ .reconnect = 30 };
	o->operands = calloc((size_t)words + 1, sizeof *o->operands);
	o->args = json_object();
	o->labels = json_array();
	o->statuses = json_array();
	o->kinds = json_array();
	o->profiles = json_array();
	o->env = json_array();
	if (o->operands != NULL && o->args != NULL && o->labels != NULL && o->statuses != NULL &&
	    o->kinds != NULL && o->profiles != NULL && o->env != NULL)
		return GD_OK;
	options_close(o);
	return gd_fail(why, GD_NOMEM, "out of memory");
}

void options_close(struct options *o)
{
	free(o->operands);
	json_decref(o->args);
	json_decref(o->labels);
	json_decref(o->statuses);
	json_decref(o->kinds);
	json_decref(o->profiles);
	json_decref(o->env);
	*o = (struct options){ .reconnect = 0 };
}

bool options_has(const struct options *o, uint64_t bits)
{
	return (o->given & bits) != 0;
}

/* The option that a word such as "--name", "--name=value" or "-n" begins with, rather one of
 * `allowed`. */
static const struct option_row *find_row(const char *word, uint64_t allowed)
{
	const struct option_row *found = NULL;
	bool                     is_long = word[1] == '-';
	size_t                   bytes = is_long ? strcspn(word + 2, "=") : 0;

	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct option_row *row = &rows[i];
		bool                     is_it =
                        is_long ? strlen(row->name) == bytes &&
                                          memcmp(row->name, word + 2, bytes) == 0
						    : row->letter != 0 && row->letter == word[1] && word[2] == '\0';

		if (is_it && (found == NULL || (allowed & row->bit) != 0))
			found = row;
	}
	return found;
}

static enum gd_err set_text(const char **to, const struct option_row *row, const char *text,
                            struct gd_error *why)
{
	json_t *same = json_string(text);

	if (same == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "--%s: not UTF-8", row->name);
	json_decref(same);
	*to = text;
	return GD_OK;
}

static enum gd_err set_seconds(double *to, const struct option_row *row, const char *text,
                               struct gd_error *why)
{
	char  *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !isfinite(seconds) || seconds < 0 || seconds > 1e9)
		return gd_fail(why, GD_INVALID_PARAMS, "--%s needs a number of seconds, not \"%s\"",
		               row->name, text);
	*to = seconds;
	return GD_OK;
}

static enum gd_err set_number(json_int_t *to, const struct option_row *row, const char *text,
                              struct gd_error *why)
{
	char     *end;
	long long number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 ||
	    (row->kind == OPTION_IS_COUNT && number < 0))
		return gd_fail(why, GD_INVALID_PARAMS, "--%s needs a whole number, not \"%s\"",
		               row->name, text);
	*to = number;
	return GD_OK;
}

static enum gd_err set_pair(json_t *to, const struct option_row *row, const char *text,
                            struct gd_error *why)
{
	const char *equals = strchr(text, '=');
	json_t     *value;

	if (equals == NULL || equals == text)
		return gd_fail(why, GD_INVALID_PARAMS, "--%s needs NAME=VALUE, not \"%s\"",
		               row->name, text);
	value = json_loads(equals + 1, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	if (value == NULL)
		value = json_string(equals + 1);
	if (value == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "--%s: the value is not UTF-8", row->name);
	if (json_object_setn_new(to, text, (size_t)(equals - text), value) != 0)
		return gd_fail(why, GD_INVALID_PARAMS, "--%s: the name is not UTF-8", row->name);
	return GD_OK;
}

static enum gd_err set_value(struct options *o, const struct option_row *row, const char *text,
                             struct gd_error *why)
{
	void *to = (char *)o + row->offset;

	switch (row->kind) {
	case OPTION_IS_FLAG:
		return GD_OK;
	case OPTION_IS_TEXT:
		return set_text(to, row, text, why);
	case OPTION_IS_FILE:
		*(const char **)to = text;
		return GD_OK;
	case OPTION_IS_SECONDS:
		return set_seconds(to, row, text, why);
	case OPTION_IS_COUNT:
	case OPTION_IS_INTEGER:
		return set_number(to, row, text, why);
	case OPTION_IS_PAIR:
		return set_pair(*(json_t **)to, row, text, why);
	case OPTION_IS_LIST:
		if (json_array_append_new(*(json_t **)to, json_string(text)) != 0)
			return gd_fail(why, GD_INVALID_PARAMS, "--%s: not UTF-8", row->name);
		return GD_OK;
	}
	return GD_OK;
}

/* One option at words[*i], and its operand where it has one. */
static enum gd_err parse_option(struct options *o, char **words, uint32_t count, uint32_t *i,
                                uint64_t allowed, struct gd_error *why)
{
	const char              *word = words[*i];
	const char              *equals = word[1] == '-' ? strchr(word, '=') : NULL;
	size_t                   bytes = equals == NULL ? strlen(word) : (size_t)(equals - word);
	const struct option_row *row = find_row(word, allowed);
	const char              *text = equals == NULL ? NULL : equals + 1;

	if (row == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "no such option: %.*s", (int)bytes, word);
	if ((allowed & row->bit) == 0)
		return gd_fail(why, GD_INVALID_PARAMS, "--%s does not belong here", row->name);
	if (row->kind == OPTION_IS_FLAG && text != NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "--%s takes no value", row->name);
	if (row->kind != OPTION_IS_FLAG && text == NULL) {
		if (*i + 1 >= count)
			return gd_fail(why, GD_INVALID_PARAMS, "--%s needs %s", row->name,
			               row->operand);
		text = words[++*i];
	}
	o->given |= row->bit;
	return set_value(o, row, text, why);
}

static bool is_operand(const char *word)
{
	return word[0] != '-' || word[1] == '\0';
}

uint32_t options_find_end(char **words, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct option_row *row;

		if (strcmp(words[i], "--") == 0)
			return i;
		if (is_operand(words[i]))
			continue;
		row = find_row(words[i], UINT64_MAX);
		if (row != NULL && row->kind != OPTION_IS_FLAG && strchr(words[i], '=') == NULL)
			i++;
	}
	return count;
}

enum gd_err options_parse(struct options *o, char **words, uint32_t count, uint64_t allowed,
                          bool stops_at_operand, uint32_t *used, struct gd_error *why)
{
	bool     is_plain = false; /* behind "--" */
	uint32_t i;

	for (i = 0; i < count; i++) {
		enum gd_err rc;

		if (!is_plain && strcmp(words[i], "--") == 0) {
			is_plain = true;
			continue;
		}
		if (is_plain || is_operand(words[i])) {
			if (stops_at_operand)
				break;
			o->operands[o->operand_count++] = words[i];
			continue;
		}
		rc = parse_option(o, words, count, &i, allowed, why);
		if (rc != GD_OK)
			return rc;
	}
	*used = i;
	return GD_OK;
}

void options_print_help(FILE *out, uint64_t allowed)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		char short_form[8] = "", left[48];

		if ((allowed & rows[i].bit) == 0)
			continue;
		if (rows[i].letter != 0)
			(void)snprintf(short_form, sizeof short_form, "-%c, ", rows[i].letter);
		(void)snprintf(left, sizeof left, "%s--%s%s%s", short_form, rows[i].name,
		               rows[i].operand == NULL ? "" : " ",
		               rows[i].operand == NULL ? "" : rows[i].operand);
		(void)fprintf(out, "  %-24s %s\n", left, rows[i].help);
	}
}
