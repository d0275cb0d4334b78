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
	OPTION_IS_PAIR, /* name=value, collected in an object */
	OPTION_IS_LIST  /* collected in a list */
};

struct option_row {
	enum option_bit  bit;
	enum option_kind kind;
	size_t           offset; /* of the member of struct options; unused for a flag */
	const char      *name;
	const char      *operand;
	const char      *help;
};

#define AT(member) offsetof(struct options, member)

static const struct option_row rows[] = {
	{ OPTION_ARG, OPTION_IS_PAIR, AT(args), "arg", "NAME=VALUE",
	  "an argument of the job; JSON if it reads as JSON, else text" },
	{ OPTION_TITLE, OPTION_IS_TEXT, AT(title), "title", "TEXT", "title of the job" },
	{ OPTION_LABEL, OPTION_IS_LIST, AT(labels), "label", "TEXT", "label of the job" },
	{ OPTION_KEY, OPTION_IS_TEXT, AT(key), "key", "TEXT",
	  "idempotency key (default: a random one)" },
	{ OPTION_RETAIN, OPTION_IS_TEXT, AT(retain), "retain", "DURATION",
	  "how long the job is kept after its end, e.g. 90, 1h30m or 30d" },
	{ OPTION_STATUS, OPTION_IS_LIST, AT(statuses), "status", "NAME",
	  "queued, running, completed, failed or cancelled; may be repeated" },
	{ OPTION_KIND, OPTION_IS_LIST, AT(kinds), "kind", "NAME",
	  "only events of this kind, e.g. yield; may be repeated" },
	{ OPTION_AFTER, OPTION_IS_COUNT, AT(after), "after", "N", "start behind this number" },
	{ OPTION_LIMIT, OPTION_IS_COUNT, AT(limit), "limit", "N", "at most so many rows" },
	{ OPTION_OLDEST, OPTION_IS_FLAG, 0, "oldest-first", NULL, "in the order of submission" },
	{ OPTION_FOLLOW, OPTION_IS_FLAG, 0, "follow", NULL, "go on with new events" },
	{ OPTION_ANY, OPTION_IS_FLAG, 0, "any", NULL, "the first job that ends is enough" },
	{ OPTION_PATH, OPTION_IS_TEXT, AT(path), "path", "seq:N", "the data of that event" },
	{ OPTION_REASON, OPTION_IS_TEXT, AT(reason), "reason", "TEXT", "what the job is told" },
	{ OPTION_SPEC, OPTION_IS_FLAG, 0, "spec", NULL, "show spec and arguments as well" },
	{ OPTION_TIMEOUT, OPTION_IS_SECONDS, AT(timeout), "timeout", "SECONDS",
	  "stop waiting then (exit 124); the job goes on" },
	{ OPTION_JSON, OPTION_IS_FLAG, 0, "json", NULL, "print one JSON document" },
	{ OPTION_JSONL, OPTION_IS_FLAG, 0, "jsonl", NULL, "print one JSON line for each row" },
	{ OPTION_ROLE, OPTION_IS_TEXT, AT(role), "role", "ROLE",
	  "viewer, submitter, operator or admin" },
	{ OPTION_EXEC, OPTION_IS_LIST, AT(profiles), "exec", "NAME",
	  "may use this exec profile, or all with '*'; may be repeated" },
	{ OPTION_EXPIRES, OPTION_IS_TEXT, AT(expires), "expires", "TIME",
	  "refused from then on, e.g. 2030-01-31T09:00:00Z" },
	{ OPTION_SOCKET, OPTION_IS_FILE, AT(socket), "socket", "PATH",
	  "Unix socket of the daemon (also GATHERD_SOCKET)" },
	{ OPTION_CONNECT, OPTION_IS_TEXT, AT(connect), "connect", "HOST:PORT", "use TCP instead" },
	{ OPTION_TOKEN_FILE, OPTION_IS_FILE, AT(token_file), "token-file", "FILE",
	  "holds the token for TCP (also GATHERD_TOKEN_FILE);\n"
	  "                           with \"token\": the daemon's list, which gets a line" },
	{ OPTION_RECONNECT, OPTION_IS_SECONDS, AT(reconnect), "reconnect", "SECONDS",
	  "look so long for a daemon that went away (default 30)" },
	{ OPTION_HELP, OPTION_IS_FLAG, 0, "help", NULL, "print this" },
	{ OPTION_VERSION, OPTION_IS_FLAG, 0, "version", NULL, "print the version" },
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
	if (o->operands != NULL && o->args != NULL && o->labels != NULL && o->statuses != NULL &&
	    o->kinds != NULL && o->profiles != NULL)
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
	*o = (struct options){ .reconnect = 0 };
}

bool options_has(const struct options *o, enum option_bit bit)
{
	return (o->given & (unsigned)bit) != 0;
}

static const struct option_row *find_row(const char *name, size_t bytes)
{
	for (size_t i = 0; i < ROW_COUNT; i++)
		if (strlen(rows[i].name) == bytes && memcmp(rows[i].name, name, bytes) == 0)
			return &rows[i];
	return NULL;
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

static enum gd_err set_count(json_int_t *to, const struct option_row *row, const char *text,
                             struct gd_error *why)
{
	char     *end;
	long long count;

	errno = 0;
	count = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || count < 0)
		return gd_fail(why, GD_INVALID_PARAMS, "--%s needs a whole number, not \"%s\"",
		               row->name, text);
	*to = count;
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
		return set_count(to, row, text, why);
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
                                unsigned allowed, struct gd_error *why)
{
	const char              *name = words[*i] + 2;
	const char              *equals = strchr(name, '=');
	size_t                   bytes = equals == NULL ? strlen(name) : (size_t)(equals - name);
	const struct option_row *row = find_row(name, bytes);
	const char              *text = equals == NULL ? NULL : equals + 1;

	if (row == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "no such option: --%.*s", (int)bytes, name);
	if ((allowed & (unsigned)row->bit) == 0)
		return gd_fail(why, GD_INVALID_PARAMS, "--%s does not belong here", row->name);
	if (row->kind == OPTION_IS_FLAG && text != NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "--%s takes no value", row->name);
	if (row->kind != OPTION_IS_FLAG && text == NULL) {
		if (*i + 1 >= count)
			return gd_fail(why, GD_INVALID_PARAMS, "--%s needs %s", row->name,
			               row->operand);
		text = words[++*i];
	}
	o->given |= (unsigned)row->bit;
	return set_value(o, row, text, why);
}

enum gd_err options_parse(struct options *o, char **words, uint32_t count, unsigned allowed,
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
		if (is_plain || words[i][0] != '-' || words[i][1] == '\0') {
			if (stops_at_operand)
				break;
			o->operands[o->operand_count++] = words[i];
			continue;
		}
		if (words[i][1] != '-')
			return gd_fail(why, GD_INVALID_PARAMS, "no such option: %s", words[i]);
		rc = parse_option(o, words, count, &i, allowed, why);
		if (rc != GD_OK)
			return rc;
	}
	*used = i;
	return GD_OK;
}

void options_print_help(FILE *out, unsigned allowed)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		char left[40];

		if ((allowed & (unsigned)rows[i].bit) == 0)
			continue;
		(void)snprintf(left, sizeof left, "--%s%s%s", rows[i].name,
		               rows[i].operand == NULL ? "" : " ",
		               rows[i].operand == NULL ? "" : rows[i].operand);
		(void)fprintf(out, "  %-24s %s\n", left, rows[i].help);
	}
}
