/* Commands: exec, and async_for over the lines of one. */
#include "daemon/value/limits.h"
#include "daemon/load/load.h"
#include "daemon/load/loader.h"

#include <string.h>

#define RESERVED "GATHERD_" /* variables that the daemon gives to every command */
#define SECRET "secret:"
#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

/* Of a profile, of a secret. */
static bool is_name(const char *text, size_t bytes_max)
{
	size_t bytes = strspn(text, NAME_CHARS);

	return bytes >= 1 && bytes <= bytes_max && text[bytes] == '\0';
}

/* --- arguments and variables --- */

static void refuse_long(struct loader *l, const struct place *at, const json_t *json)
{
	if (json_string_length(json) > EXEC_ARG_BYTES_MAX)
		loader_problem(l, at, "give it through \"stdin\" or a file",
		               "a text of more than %d bytes, which no command takes",
		               EXEC_ARG_BYTES_MAX);
}

/* With a profile, the program is the profile's. */
static void load_argv(struct loader *l, const struct place *at, const json_t *json, uint32_t exec,
                      bool has_profile)
{
	size_t count = json_array_size(json);

	if (!json_is_array(json))
		loader_problem(l, at, "write [\"ls\", \"-l\"]: no shell reads it",
		               "\"exec\" is an array of arguments, never %s",
		               json_is_string(json) ? "a string" : loader_type_name(json));
	else if (count == 0 && !has_profile)
		loader_problem(l, at, "", "\"exec\" without a program");
	for (size_t i = 0; i < count; i++) {
		struct place  place = place_element(at, (uint32_t)i);
		const json_t *arg = json_array_get(json, i);

		refuse_long(l, &place, arg);
		build_exec_arg(&l->b, exec, (uint32_t)i,
		               loader_slot(l, &place, arg,
		                           i == 0 && !has_profile ? SLOT_PATH : SLOT_TEXT));
	}
}

/* A name with a = would be another variable. */
static void check_name(struct loader *l, const struct place *at, const char *name)
{
	if (*name == '\0')
		loader_problem(l, at, "", "an empty name in \"env\"");
	else if (strchr(name, '=') != NULL)
		loader_problem(l, at, "", "no name of a variable: \"%s\"", CLIPPED(name));
	else if (strncmp(name, RESERVED, strlen(RESERVED)) == 0)
		loader_problem(l, at, "",
		               "\"%s\": names that begin with " RESERVED " are the daemon's",
		               CLIPPED(name));
}

/* A value that is exactly secret:NAME is a constant {secret: NAME}: whatever is worked out later, like
 * what another command has printed, is text and reaches no secret. PROGRAM_NONE after a problem. */
static uint32_t load_secret(struct loader *l, const struct place *at, const char *name)
{
	struct value_heap *h = &l->b.heap;
	struct value       secret = value_dict_new(h, 1);

	if (is_name(name, EXEC_SECRET_BYTES_MAX) && *name != '.') {
		secret = value_dict_put(h, secret, value_text_new(h, "secret", strlen("secret")),
		                        value_text_new(h, name, strlen(name)));
		return loader_const(l, secret, at->node);
	}
	value_release(h, secret);
	if (text_has_expression(name))
		loader_problem(l, at, "choose between whole variables, or whole commands",
		               "the name of a secret is constant: \"%s\"", CLIPPED(name));
	else
		loader_problem(l, at, "letters, digits, '.', '_' and '-', no '.' first",
		               "no name of a secret: \"%s\"", CLIPPED(name));
	return PROGRAM_NONE;
}

static uint32_t load_variable(struct loader *l, const struct place *at, const json_t *json)
{
	const char *text = json_string_value(json);

	refuse_long(l, at, json);
	if (text != NULL && strncmp(text, SECRET, strlen(SECRET)) == 0)
		return load_secret(l, at, text + strlen(SECRET));
	return loader_slot(l, at, json, SLOT_TEXT);
}

static void load_env(struct loader *l, const struct place *at, const json_t *json, uint32_t exec)
{
	const char *name;
	json_t     *item;
	uint32_t    index = 0;

	if (!json_is_object(json)) {
		loader_problem(l, at, "", "\"env\" is an object of names and text, not %s",
		               loader_type_name(json));
		return;
	}
	json_object_foreach ((json_t *)(uintptr_t)json, name, item) {
		struct place place = place_member(at, name, index);

		check_name(l, &place, name);
		build_exec_env(&l->b, exec, index++, loader_text(l, name, at->node),
		               load_variable(l, &place, item));
	}
}

/* --- options --- */

/* NULL where it is not given, or after a problem. */
static const char *choice(struct loader *l, const struct place *at, const struct parts *p,
                          enum key_id key)
{
	struct place place;

	if (p->at[key] == NULL)
		return NULL;
	place = place_part(at, p, key);
	return constant_choice(l, &place, p->at[key], key_info_of(key)->choices);
}

static bool is_choice(const char *chosen, const char *word)
{
	return chosen != NULL && strcmp(chosen, word) == 0;
}

static bool is_checked(struct loader *l, const struct place *at, const struct parts *p)
{
	struct place place;

	if (p->at[KEY_CHECK] == NULL)
		return true;
	place = place_part(at, p, KEY_CHECK);
	return constant_bool(l, &place, p->at[KEY_CHECK]);
}

static uint8_t load_flags(struct loader *l, const struct place *at, const struct parts *p,
                          bool gives_lines)
{
	const char *out = choice(l, at, p, KEY_STDOUT), *err = choice(l, at, p, KEY_STDERR);
	unsigned    flags = is_checked(l, at, p) ? EXEC_CHECKS : 0;

	(void)choice(l, at, p, KEY_YIELD);
	if (is_choice(out, "DEVNULL")) {
		struct place place = place_part(at, p, KEY_STDOUT);

		flags |= EXEC_DROPS_OUT;
		if (p->at[KEY_YIELD] != NULL)
			loader_problem(l, &place, "",
			               "\"yield\" gives lines that \"stdout\" throws away");
	}
	if (is_choice(err, "DEVNULL"))
		flags |= EXEC_DROPS_ERR;
	if (is_choice(err, "STDOUT"))
		flags |= EXEC_MERGES_ERR;
	return (uint8_t)(flags | (gives_lines ? EXEC_GIVES_LINES : 0));
}

static enum exec_interrupt load_interrupt(struct loader *l, const struct place *at,
                                          const struct parts *p)
{
	const char *then = choice(l, at, p, KEY_ON_INTERRUPT);

	if (is_choice(then, "retry"))
		return EXEC_INTERRUPT_RETRY;
	return is_choice(then, "hold") ? EXEC_INTERRUPT_HOLD : EXEC_INTERRUPT_FAIL;
}

/* x of the name; PROGRAM_NONE where none is given, or after a problem. */
static uint32_t load_profile(struct loader *l, const struct place *at, const struct parts *p)
{
	const json_t *json = p->at[KEY_PROFILE];
	const char   *name = json_string_value(json);
	struct place  place;

	if (json == NULL)
		return PROGRAM_NONE;
	place = place_part(at, p, KEY_PROFILE);
	if (name == NULL)
		loader_problem(l, &place, "", "\"profile\" is the name of an exec profile, not %s",
		               loader_type_name(json));
	else if (!is_name(name, EXEC_PROFILE_BYTES_MAX))
		loader_problem(l, &place, "1 to 32 letters, digits, '.', '_' or '-'",
		               "no name of an exec profile: \"%s\"", CLIPPED(name));
	else
		return loader_text(l, name, at->node);
	return PROGRAM_NONE;
}

uint32_t load_command(struct loader *l, const struct place *at, const struct parts *p,
                      bool gives_lines)
{
	struct place  argv = place_operand(at, p), env;
	const json_t *vars = p->at[KEY_ENV];
	uint32_t      exec;
	struct exec   made = { .arg_count = (uint32_t)json_array_size(p->operand),
		               .env_count = (uint32_t)json_object_size(vars),
		               .input = loader_part(l, at, p, KEY_STDIN),
		               .cwd = loader_part(l, at, p, KEY_CWD),
		               .timeout = loader_part(l, at, p, KEY_TIMEOUT),
		               .grace = loader_part(l, at, p, KEY_GRACE),
		               .pool = loader_part(l, at, p, KEY_POOL),
		               .profile = load_profile(l, at, p),
		               .node = at->node,
		               .interrupt = (uint8_t)load_interrupt(l, at, p),
		               .flags = load_flags(l, at, p, gives_lines) };

	exec = build_exec(&l->b, made);
	load_argv(l, &argv, p->operand, exec, p->at[KEY_PROFILE] != NULL);
	if (vars != NULL) {
		env = place_part(at, p, KEY_ENV);
		load_env(l, &env, vars, exec);
	}
	return exec;
}

void load_exec(struct loader *l, const struct place *at, const struct parts *p, struct target to)
{
	uint32_t mark = l->draft->top;
	uint32_t exec = load_command(l, at, p, false);
	uint32_t command = slots_take(l, 1);

	if (p->at[KEY_YIELD] != NULL) {
		struct place place = place_part(at, p, KEY_YIELD);

		loader_problem(l, &place, "write {\"async_for\": {\"exec\": ...}, \"do\": ...}",
		               "an \"exec\" that yields is for \"async_for\"");
	}
	(void)emit(l, at, OP_EXEC, to.slot, exec, command, PROGRAM_NONE);
	slots_give_back(l, mark);
}
