#include "daemon/config.h"

#include "daemon/config_file.h"
#include "daemon/config_key.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_USER "gatherd"
#define SYSTEM_STATE_DIR "/var/lib/gatherd"
#define SYSTEM_SOCKET "/run/gatherd/gatherd.sock"
#define SOCKET_NAME "gatherd.sock"

/* --- where we run --- */

/* A daemon of the system, not of a person: systemd gave it folders, or its user says so. */
static bool is_system(void)
{
	const struct passwd *user;

	if (getenv("STATE_DIRECTORY") != NULL || getenv("RUNTIME_DIRECTORY") != NULL)
		return true;
	if (geteuid() == 0)
		return true;
	user = getpwuid(geteuid());
	return user != NULL && strcmp(user->pw_name, SYSTEM_USER) == 0;
}

/* The folder that `variable` names, without further ones behind a colon; only absolute ones count,
 * as the XDG base directory specification wants. False when there is none. */
static bool folder_of(const char *variable, const char **folder, int *chars)
{
	const char *text = getenv(variable);

	if (text == NULL || text[0] != '/')
		return false;
	*folder = text;
	*chars = (int)strcspn(text, ":");
	return true;
}

GD_PRINTF(4, 5)
static enum gd_err put_path(char *out, size_t room, struct gd_error *why, const char *fmt, ...)
{
	va_list args;
	int     need;

	va_start(args, fmt);
	need = vsnprintf(out, room, fmt, args);
	va_end(args);
	if (need < 0 || (size_t)need >= room)
		return gd_fail(why, GD_INVALID_PARAMS,
		               "%.100s... is too long for a path of %zu bytes", out, room - 1);
	return GD_OK;
}

static enum gd_err preset_state_dir(struct config *c, struct gd_error *why)
{
	const char *folder;
	int         chars;

	if (folder_of("STATE_DIRECTORY", &folder, &chars))
		return put_path(c->state_dir, sizeof c->state_dir, why, "%.*s", chars, folder);
	if (is_system())
		return put_path(c->state_dir, sizeof c->state_dir, why, "%s", SYSTEM_STATE_DIR);
	if (folder_of("XDG_STATE_HOME", &folder, &chars))
		return put_path(c->state_dir, sizeof c->state_dir, why, "%.*s/gatherd", chars,
		                folder);
	if (folder_of("HOME", &folder, &chars))
		return put_path(c->state_dir, sizeof c->state_dir, why, "%.*s/.local/state/gatherd",
		                chars, folder);
	return gd_fail(why, GD_INVALID_PARAMS,
	               "neither HOME nor XDG_STATE_HOME is set: say --state-dir");
}

/* Never below /tmp, where somebody else could have been first. */
static enum gd_err preset_socket(struct config *c, struct gd_error *why)
{
	const char *folder;
	int         chars;

	if (folder_of("RUNTIME_DIRECTORY", &folder, &chars))
		return put_path(c->socket, sizeof c->socket, why, "%.*s/" SOCKET_NAME, chars,
		                folder);
	if (is_system())
		return put_path(c->socket, sizeof c->socket, why, "%s", SYSTEM_SOCKET);
	if (folder_of("XDG_RUNTIME_DIR", &folder, &chars))
		return put_path(c->socket, sizeof c->socket, why, "%.*s/" SOCKET_NAME, chars,
		                folder);
	return put_path(c->socket, sizeof c->socket, why, "%s/" SOCKET_NAME, c->state_dir);
}

static enum gd_err preset_paths(struct config *c, struct gd_error *why)
{
	const char *folder;
	int         chars;
	enum gd_err rc = GD_OK;

	if (c->state_dir[0] == '\0')
		rc = preset_state_dir(c, why);
	if (rc == GD_OK && c->socket[0] == '\0')
		rc = preset_socket(c, why);
	/* systemd's, for what LoadCredential= gave us to pass on. */
	if (rc == GD_OK && c->credentials[0] == '\0' &&
	    folder_of("CREDENTIALS_DIRECTORY", &folder, &chars))
		rc = put_path(c->credentials, sizeof c->credentials, why, "%.*s", chars, folder);
	c->socket_mode = is_system() ? 0660 : 0600;
	return rc;
}

/* --- what only the whole can show --- */

static bool is_loopback(const struct config_listen *l)
{
	if (l->address.any.sa_family == AF_INET)
		return ntohl(l->address.in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(&l->address.in6.sin6_addr) != 0;
}

static enum gd_err check_whole(const struct config *c, struct gd_error *why)
{
	for (uint32_t i = 0; i < c->listen_count; i++) {
		if (!is_loopback(&c->listen[i]))
			return gd_fail(
				why, GD_INVALID_PARAMS,
				"listen: %s is not a loopback address, and this version has no TLS: "
				"listen on 127.0.0.1 and let ssh or a proxy carry it further",
				c->listen[i].text);
	}
	if (c->listen_count > 0 && c->token_file[0] == '\0')
		return gd_fail(
			why, GD_INVALID_PARAMS,
			"listen: %s needs a token-file: over TCP nobody is known without a token",
			c->listen[0].text);
	return GD_OK;
}

/* --- the whole --- */

/* Everything that no flag gave: presets, then the file, then what depends on where we run. */
static enum gd_err fill(struct config *c, struct profile_table *profiles, struct gd_error *why)
{
	enum gd_err rc = GD_OK;

	for (uint32_t i = 0; i < config_key_count(); i++) {
		if ((c->given >> i & 1) == 0)
			config_key_preset(c, config_key_at(i));
	}
	if (c->file[0] != '\0')
		rc = config_file_read(c, profiles, why);
	if (rc == GD_OK)
		rc = preset_paths(c, why);
	if (rc == GD_OK)
		rc = check_whole(c, why);
	return rc;
}

/* Whoever can change the program of a profile can run what he likes. */
static enum gd_err check_programs(const struct config *c, const struct profile_table *profiles,
                                  struct gd_error *why)
{
	struct gd_error inner = { 0 };
	int             line = 0;
	enum gd_err     rc = profile_table_trust(profiles, &line, &inner);

	if (rc == GD_OK)
		return GD_OK;
	return gd_fail(why, rc, "%.80s:%d: %.150s", c->file, line, inner.text);
}

/* fill(), and the profiles that are in the file, for the caller to put into force. */
static enum gd_err fill_all(struct config *c, bool checks_programs, struct profile_table **out,
                            struct gd_error *why)
{
	enum gd_err rc = profile_table_new(out, why);

	if (rc != GD_OK)
		return rc;
	rc = fill(c, *out, why);
	if (rc == GD_OK && checks_programs)
		rc = check_programs(c, *out, why);
	if (rc != GD_OK)
		profile_table_release(*out);
	return rc;
}

/* --- flags --- */

struct flags {
	char **words;
	int    count;
	int    next;
	bool   is_check;
	bool   is_fsck;
};

static void print_help(FILE *out)
{
	char left[40];

	(void)fprintf(
		out,
		"Usage: gatherd [--config FILE] [OPTION]...\n"
		"Runs coroutines that are handed to it as data, to the end, whatever happens.\n\n"
		"  --config FILE               read keys from FILE; flags win over it\n"
		"  --check-config              say whether the daemon could start with this\n"
		"  --accept-rollback           take a database that is older than the one that was here\n"
		"  --fsck                      read the state directory of a daemon that does not run,\n"
		"                              say what is in it (exit 1: something is wrong)\n"
		"  --schema                    print a JSON Schema of jobs, for editors\n"
		"  --version, --help\n\n"
		"Each of these is also a key of the file, below [" CONFIG_SECTION "]. Sections\n"
		"[" PROFILE_SECTION " NAME] say what jobs may execute; see gatherd.conf.\n");
	for (uint32_t i = 0; i < config_key_count(); i++) {
		const struct config_key *k = config_key_at(i);

		(void)snprintf(left, sizeof left, "--%s%s%s", k->name, k->value == NULL ? "" : " ",
		               k->value == NULL ? "" : k->value);
		(void)fprintf(out, "  %-27s %s", left, k->help);
		if (k->type == CONFIG_NUMBER && k->preset != 0)
			(void)fprintf(out, " (%u to %u, %u)", k->min, k->max, k->preset);
		else if (k->type == CONFIG_NUMBER)
			(void)fprintf(out, " (%u to %u, %s)", k->min, k->max, k->usual);
		(void)fputs(k->is_reloadable ? " *\n" : "\n", out);
	}
	(void)fputs("\n* SIGHUP reads these again from the file.\n", out);
}

/* The value of a flag: behind its '=', or the next word. */
static const char *value_of(struct flags *f, const char *equals)
{
	if (equals != NULL)
		return equals + 1;
	return f->next < f->count ? f->words[f->next++] : NULL;
}

static enum gd_err take_key(struct config *c, struct flags *f, const char *word, int index,
                            const char *equals, struct gd_error *why)
{
	const struct config_key *k = config_key_at((uint32_t)index);
	const char              *value;
	struct gd_error          inner = { 0 };

	if (k->type == CONFIG_YES && equals == NULL)
		value = "yes";
	else
		value = value_of(f, equals);
	if (value == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "%s needs a value", word);
	if (config_key_set(c, k, value, &inner) != GD_OK)
		return gd_fail(why, GD_INVALID_PARAMS, "--%s: %.200s", k->name, inner.text);
	c->given |= UINT64_C(1) << index;
	return GD_OK;
}

static enum gd_err take_file(struct config *c, struct flags *f, const char *equals,
                             struct gd_error *why)
{
	const char *value = value_of(f, equals);

	if (value == NULL || value[0] == '\0')
		return gd_fail(why, GD_INVALID_PARAMS, "--config needs a file");
	return put_path(c->file, sizeof c->file, why, "%s", value);
}

static enum gd_err take_flag(struct config *c, struct flags *f, struct gd_error *why)
{
	const char *word = f->words[f->next++];
	const char *equals = strchr(word, '=');
	size_t      chars = equals == NULL ? strlen(word) : (size_t)(equals - word);
	int         index;

	if (strncmp(word, "--", 2) != 0)
		return gd_fail(why, GD_INVALID_PARAMS, "%.80s: only options are known here", word);
	if (chars == strlen("--config") && strncmp(word, "--config", chars) == 0)
		return take_file(c, f, equals, why);
	if (strcmp(word, "--check-config") == 0) {
		f->is_check = true;
		return GD_OK;
	}
	if (strcmp(word, "--fsck") == 0) {
		f->is_fsck = true;
		return GD_OK;
	}
	if (strcmp(word, "--accept-rollback") == 0) {
		c->accepts_rollback = true;
		return GD_OK;
	}
	index = config_key_find(word + 2, chars - 2);
	if (index < 0)
		return gd_fail(why, GD_INVALID_PARAMS, "%.80s: there is no such option", word);
	return take_key(c, f, word, index, equals, why);
}

static bool has_word(int argc, char **argv, const char *word)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], word) == 0)
			return true;
	}
	return false;
}

static enum config_action refuse(FILE *err, const char *text, int code, int *exit_code)
{
	(void)fprintf(err, "gatherd: %s\n", text);
	if (code == CONFIG_EXIT_USAGE)
		(void)fputs("gatherd --help lists the options\n", err);
	*exit_code = code;
	return CONFIG_END;
}

enum config_action config_load(struct config *c, int argc, char **argv, FILE *out, FILE *err,
                               int *exit_code)
{
	struct flags          f = { .words = argv, .count = argc, .next = 1 };
	struct profile_table *profiles;
	struct gd_error       why = { 0 };

	*c = (struct config){ 0 };
	*exit_code = 0;
	if (has_word(argc, argv, "--help")) {
		print_help(out);
		return CONFIG_END;
	}
	if (has_word(argc, argv, "--version")) {
		(void)fputs("gatherd " PACKAGE_VERSION "\n", out);
		return CONFIG_END;
	}
	if (has_word(argc, argv, "--schema"))
		return CONFIG_SCHEMA;
	if (profile_book_open(&c->profiles, &why) != GD_OK)
		return refuse(err, why.text, CONFIG_EXIT_CONFIG, exit_code);
	while (f.next < f.count) {
		if (take_flag(c, &f, &why) != GD_OK)
			return refuse(err, why.text, CONFIG_EXIT_USAGE, exit_code);
	}
	if (fill_all(c, !f.is_fsck, &profiles, &why) != GD_OK)
		return refuse(err, why.text, CONFIG_EXIT_CONFIG, exit_code);
	profile_book_put(c->profiles, profiles);
	profile_table_release(profiles);
	if (f.is_fsck)
		return CONFIG_FSCK;
	return f.is_check ? CONFIG_CHECK : CONFIG_RUN;
}

void config_close(struct config *c)
{
	profile_book_close(c->profiles);
	c->profiles = NULL;
}

/* --- reload --- */

enum gd_err config_reload(struct config *c, struct gd_error *why)
{
	struct config         fresh = *c;
	struct profile_table *profiles;
	enum gd_err           rc = fill_all(&fresh, true, &profiles, why);

	if (rc != GD_OK)
		return rc;
	profile_book_put(c->profiles, profiles);
	log_info("config.profiles", "count=%u", (unsigned)profile_table_count(profiles));
	profile_table_release(profiles);
	for (uint32_t i = 0; i < config_key_count(); i++) {
		const struct config_key *k = config_key_at(i);

		if (config_key_is_equal(c, &fresh, k))
			continue;
		if (k->is_reloadable) {
			config_key_copy(c, &fresh, k);
			log_info("config.changed", "key=%s", k->name);
		} else {
			log_warn("config.needs_restart", "key=%s", k->name);
		}
	}
	log_set_level((enum log_level)atomic_load(&c->log_level));
	return GD_OK;
}
