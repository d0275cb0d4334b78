#include "client/exec_job.h"

#include "proto/base/buf.h"
#include "proto/base64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAEMONS_OWN "GATHERD_" /* variables that no job may set */

extern char **environ;

/* --- texts --- */

/* The text that the daemon reads as `bytes` of `text`; NULL when it is not UTF-8. */
static json_t *literal(const char *text, size_t bytes)
{
	struct buf  b = { .cap = 0 };
	const char *end = text + bytes, *marker;
	json_t     *made;

	while ((marker = memmem(text, (size_t)(end - text), "${", 2)) != NULL) {
		buf_add(&b, text, (size_t)(marker - text));
		buf_add_text(&b, "$${");
		text = marker + 2;
	}
	buf_add(&b, text, (size_t)(end - text));
	made = b.failed == GD_OK ? json_stringn(b.bytes == 0 ? "" : b.at, b.bytes) : NULL;
	buf_close(&b);
	return made;
}

static json_t *literal_text(const char *text)
{
	return literal(text, strlen(text));
}

/* A number is one of seconds; what else a length is, the daemon decides. */
static json_t *length(const char *text)
{
	json_t *number = json_loads(text, JSON_DECODE_ANY, NULL);

	if (json_is_number(number))
		return number;
	json_decref(number);
	return literal_text(text);
}

/* `value` is taken. */
static enum gd_err put(json_t *object, const char *name, json_t *value, struct gd_error *why)
{
	if (json_object_set_new(object, name, value) == 0)
		return GD_OK;
	return gd_fail(why, GD_NOMEM, "out of memory");
}

/* --- the command line --- */

static enum gd_err make_argv(const struct options *o, json_t **argv, struct gd_error *why)
{
	*argv = json_array();
	for (uint32_t i = 0; i < o->operand_count; i++)
		if (json_array_append_new(*argv, literal_text(o->operands[i])) != 0)
			return gd_fail(why, GD_INVALID_PARAMS,
			               i == 0 ? "the name of the program is not UTF-8"
			                      : "argument %u is not UTF-8",
			               (unsigned)i);
	return GD_OK;
}

static bool is_plain_word(const char *word)
{
	static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_-+=.,/:@%^";

	return word[0] != '\0' && word[strspn(word, PLAIN)] == '\0';
}

/* As it could be given to a shell. */
static void write_word(struct buf *b, const char *word)
{
	if (is_plain_word(word)) {
		buf_add_text(b, word);
		return;
	}
	buf_add_byte(b, '\'');
	for (; *word != '\0'; word++)
		if (*word == '\'')
			buf_add_text(b, "'\\''");
		else
			buf_add_byte(b, *word);
	buf_add_byte(b, '\'');
}

/* The command line, cut at the end of a character. A title is never scanned for "${". */
static json_t *make_title(const struct options *o)
{
	struct buf b = { .cap = 0 };
	json_t    *title;

	if (o->title != NULL)
		return json_string(o->title);
	for (uint32_t i = 0; i < o->operand_count; i++) {
		if (i > 0)
			buf_add_byte(&b, ' ');
		write_word(&b, o->operands[i]);
	}
	if (b.failed == GD_OK && b.bytes > EXEC_JOB_TITLE_BYTES_MAX) {
		b.bytes = EXEC_JOB_TITLE_BYTES_MAX - 3;
		while (b.bytes > 0 && ((unsigned char)b.at[b.bytes] & 0xc0) == 0x80)
			b.bytes--;
		buf_add_text(&b, "...");
	}
	title = b.failed == GD_OK ? json_stringn(b.at, b.bytes) : NULL;
	buf_close(&b);
	return title;
}

/* --- where and with what --- */

static enum gd_err put_cwd(const struct options *o, json_t *spec, struct gd_error *why)
{
	struct buf b = { .cap = 0 };
	bool       is_absolute = o->cwd != NULL && o->cwd[0] == '/';
	char      *here = NULL;
	json_t    *cwd;

	if (o->profile != NULL && o->cwd == NULL)
		return GD_OK;
	if (!is_absolute && (here = get_current_dir_name()) == NULL)
		return gd_fail_sys(why, errno, "the present directory");
	if (here != NULL)
		buf_add_text(&b, here);
	if (here != NULL && o->cwd != NULL && strcmp(here, "/") != 0)
		buf_add_byte(&b, '/');
	if (o->cwd != NULL)
		buf_add_text(&b, o->cwd);
	free(here);
	cwd = b.failed == GD_OK ? literal(b.at, b.bytes) : NULL;
	buf_close(&b);
	if (cwd == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "the name of the directory is not UTF-8");
	return put(spec, "cwd", cwd, why);
}

/* `bytes` of `name`, with `value`. */
static enum gd_err put_variable(json_t *env, const char *name, size_t bytes, const char *value,
                                struct gd_error *why)
{
	if (json_object_setn_new(env, name, bytes, literal_text(value)) == 0)
		return GD_OK;
	return gd_fail(why, GD_INVALID_PARAMS, "the variable %.*s is not UTF-8", (int)bytes, name);
}

static bool is_taken_along(const char *name, size_t bytes)
{
	static const char *const NAMES[] = { "PATH", "HOME", "LANG", "TERM" };

	for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
		if (strlen(NAMES[i]) == bytes && memcmp(NAMES[i], name, bytes) == 0)
			return true;
	return bytes > 3 && memcmp(name, "LC_", 3) == 0;
}

/* Of what is set here: all of it, or what every command needs. */
static enum gd_err put_surroundings(const struct options *o, json_t *env, struct gd_error *why)
{
	bool takes_all = options_has(o, OPTION_ENV_ALL);

	for (char **at = environ; at != NULL && *at != NULL; at++) {
		const char *equals = strchr(*at, '=');
		size_t      bytes = equals == NULL ? 0 : (size_t)(equals - *at);
		bool        is_own = strncmp(*at, DAEMONS_OWN, strlen(DAEMONS_OWN)) == 0;
		enum gd_err rc;

		if (bytes == 0 || is_own || !(takes_all || is_taken_along(*at, bytes)))
			continue;
		rc = put_variable(env, *at, bytes, equals + 1, why);
		if (rc != GD_OK)
			return rc;
	}
	return GD_OK;
}

/* One --env. */
static enum gd_err put_named(json_t *env, const char *word, struct gd_error *why)
{
	size_t      bytes = strcspn(word, "=");
	const char *value = word[bytes] == '=' ? word + bytes + 1 : getenv(word);

	if (bytes == 0)
		return gd_fail(why, GD_INVALID_PARAMS, "--env needs NAME or NAME=VALUE, not \"%s\"",
		               word);
	if (value == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "--env: %s is not set here", word);
	return put_variable(env, word, bytes, value, why);
}

static enum gd_err fill_env(const struct options *o, json_t *env, struct gd_error *why)
{
	enum gd_err   rc = GD_OK;
	size_t        i;
	const json_t *word;

	if (o->profile == NULL || options_has(o, OPTION_ENV_ALL))
		rc = put_surroundings(o, env, why);
	json_array_foreach (o->env, i, word)
		if (rc == GD_OK)
			rc = put_named(env, json_string_value(word), why);
	return rc;
}

static enum gd_err put_env(const struct options *o, json_t *spec, struct gd_error *why)
{
	json_t     *env = json_object();
	enum gd_err rc = fill_env(o, env, why);

	if (rc == GD_OK && json_object_size(env) > 0)
		return put(spec, "env", env, why);
	json_decref(env);
	return rc;
}

/* --- options --- */

/* Not again after an interruption: of that --on-interrupt decides. */
static enum gd_err put_retry(const struct options *o, json_t *spec, struct gd_error *why)
{
	if (o->delay != NULL && !options_has(o, OPTION_RETRY))
		return gd_fail(why, GD_INVALID_PARAMS, "--delay belongs to --retry");
	if (!options_has(o, OPTION_RETRY))
		return GD_OK;
	return put(spec, "retry",
	           json_pack("{s:I, s:o*, s:[s, s]}", "attempts", o->retry, "delay",
	                     o->delay == NULL ? NULL : length(o->delay), "on", "ExecError",
	                     "TimeoutError"),
	           why);
}

static enum gd_err put_options(const struct options *o, json_t *spec, struct gd_error *why)
{
	const struct {
		const char *name;
		const char *text;
		json_t *(*make)(const char *text);
	} members[] = {
		{ "timeout", o->time_limit, length },
		{ "grace", o->grace, length },
		{ "pool", o->pool, literal_text },
		{ "on_interrupt", o->on_interrupt, json_string },
		{ "profile", o->profile, json_string },
	};

	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		enum gd_err rc;

		if (members[i].text == NULL)
			continue;
		rc = put(spec, members[i].name, members[i].make(members[i].text), why);
		if (rc != GD_OK)
			return rc;
	}
	return put_retry(o, spec, why);
}

/* `argv` is taken. Members in the order in which one would write them. */
static enum gd_err fill_spec(const struct options *o, json_t *spec, json_t *argv,
                             struct gd_error *why)
{
	bool        has_input = options_has(o, OPTION_STDIN);
	enum gd_err rc = put(spec, "title", make_title(o), why);

	if (rc == GD_OK && has_input)
		rc = put(spec, "args", json_pack("{s:n}", EXEC_JOB_ARGUMENT), why);
	if (rc == GD_OK)
		rc = put(spec, "exec", json_incref(argv), why);
	json_decref(argv);
	if (rc == GD_OK && has_input)
		rc = put(spec, "stdin", json_string("${" EXEC_JOB_ARGUMENT "}"), why);
	if (rc == GD_OK)
		rc = put_cwd(o, spec, why);
	if (rc == GD_OK)
		rc = put_env(o, spec, why);
	return rc == GD_OK ? put_options(o, spec, why) : rc;
}

enum gd_err exec_job_make(const struct options *o, json_t **spec, struct gd_error *why)
{
	json_t     *argv = NULL;
	enum gd_err rc = make_argv(o, &argv, why);

	if (rc != GD_OK) {
		json_decref(argv);
		return rc;
	}
	*spec = json_object();
	rc = fill_spec(o, *spec, argv, why);
	if (rc != GD_OK) {
		json_decref(*spec);
		*spec = NULL;
	}
	return rc;
}

/* --- standard input --- */

static enum gd_err read_all(int fd, struct buf *b, struct gd_error *why)
{
	for (;;) {
		const size_t room = 16 * 1024;
		char        *to = buf_reserve(b, room);
		ssize_t      got;

		if (to == NULL)
			return gd_fail(why, GD_NOMEM, "out of memory");
		got = read(fd, to, room);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return gd_fail_sys(why, errno, "standard input");
		if (got == 0)
			return GD_OK;
		b->bytes += (size_t)got;
		if (b->bytes > EXEC_JOB_INPUT_MAX)
			return gd_fail(why, GD_LIMIT,
			               "standard input has more than %u bytes; give the command a "
			               "file",
			               EXEC_JOB_INPUT_MAX);
	}
}

static json_t *make_input(const struct buf *in)
{
	const char *at = in->bytes == 0 ? "" : in->at;
	struct buf  coded = { .cap = 0 };
	json_t     *input = NULL;

	if (memchr(at, '\0', in->bytes) == NULL)
		input = json_stringn(at, in->bytes);
	if (input != NULL)
		return input;
	base64_write(&coded, at, in->bytes);
	if (coded.failed == GD_OK)
		input = json_pack("{s:s#}", "base64", coded.at, (int)coded.bytes);
	buf_close(&coded);
	return input;
}

enum gd_err exec_job_read_input(int fd, json_t **input, struct gd_error *why)
{
	struct buf  in = { .cap = 0 };
	enum gd_err rc = read_all(fd, &in, why);

	if (rc == GD_OK && (*input = make_input(&in)) == NULL)
		rc = gd_fail(why, GD_NOMEM, "out of memory");
	buf_close(&in);
	return rc;
}
