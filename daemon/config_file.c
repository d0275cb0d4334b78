#include "daemon/config_file.h"

#include "daemon/config_key.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>

struct source {
	struct config        *config;
	struct profile_table *profiles; /* borrowed */
	FILE                 *file;
	int                   line;  /* the one read last, from 1 */
	uint64_t              said;  /* bits of the keys that came so far */
	struct gd_error       fault; /* the first one */
	int                   fault_line;
};

static void source_fault(struct source *s, const char *text)
{
	if (s->fault.code != GD_OK)
		return;
	(void)gd_fail(&s->fault, GD_INVALID_PARAMS, "%s", text);
	s->fault_line = s->line;
}

/* The name of the profile whose section it is; NULL: another one. */
static const char *profile_of(const char *section)
{
	size_t chars = strlen(PROFILE_SECTION);

	if (strncmp(section, PROFILE_SECTION, chars) != 0 || strchr(" \t", section[chars]) == NULL)
		return NULL;
	return section + chars + strspn(section + chars, " \t");
}

static int take_profile_key(struct source *s, const char *profile, const char *name,
                            const char *value)
{
	struct gd_error why = { 0 };
	char            words[sizeof why.text];

	if (profile_table_set(s->profiles, profile, name, value, s->line, &why) == GD_OK)
		return 1;
	(void)snprintf(words, sizeof words, "[" PROFILE_SECTION " %.40s]: %.190s", profile,
	               why.text);
	source_fault(s, words);
	return 0;
}

/* For ini_parse_stream(), like fgets(). A line that does not fit would come in parts. */
static char *read_line(char *line, int room, void *stream)
{
	struct source *s = stream;
	size_t         bytes;

	if (s->fault.code != GD_OK || fgets(line, room, s->file) == NULL)
		return NULL;
	s->line++;
	bytes = strlen(line);
	if (bytes == (size_t)room - 1 && line[bytes - 1] != '\n') {
		source_fault(s, "a line that is too long");
		return NULL;
	}
	return line;
}

/* For ini_parse_stream(): one key. Zero is an error. */
static int take_pair(void *ctx, const char *section, const char *name, const char *value)
{
	struct source  *s = ctx;
	int             index = config_key_find(name, strlen(name));
	uint64_t        bit = index < 0 ? 0 : UINT64_C(1) << index;
	struct gd_error why = { 0 };
	char            words[sizeof why.text];

	if (profile_of(section) != NULL)
		return take_profile_key(s, profile_of(section), name, value);
	if (strcmp(section, CONFIG_SECTION) != 0) {
		source_fault(s, "keys belong below [" CONFIG_SECTION "] or [" PROFILE_SECTION
		                " NAME]");
		return 0;
	}
	if (index < 0) {
		(void)snprintf(words, sizeof words, "%.60s: there is no such key", name);
		source_fault(s, words);
		return 0;
	}
	if ((s->said & bit) != 0 && !config_key_is_list(config_key_at((uint32_t)index))) {
		(void)snprintf(words, sizeof words, "%s: said twice", name);
		source_fault(s, words);
		return 0;
	}
	s->said |= bit;
	if ((s->config->given & bit) != 0)
		return 1; /* a flag wins */
	if (config_key_set(s->config, config_key_at((uint32_t)index), value, &why) != GD_OK) {
		(void)snprintf(words, sizeof words, "%s: %.200s", name, why.text);
		source_fault(s, words);
		return 0;
	}
	return 1;
}

static enum gd_err parse_file(struct source *s, struct gd_error *why)
{
	const char *path = s->config->file;
	int         first_bad = ini_parse_stream(read_line, s, take_pair, s);
	int         line = 0;

	if (ferror(s->file) != 0)
		return gd_fail_sys(why, EIO, "%.150s", path);
	if (s->fault.code != GD_OK && (first_bad <= 0 || s->fault_line <= first_bad))
		return gd_fail(why, GD_INVALID_PARAMS, "%.100s:%d: %.130s", path, s->fault_line,
		               s->fault.text);
	if (first_bad > 0)
		return gd_fail(why, GD_INVALID_PARAMS,
		               "%.100s:%d: neither [section] nor key = value", path, first_bad);
	if (first_bad < 0)
		return gd_fail(why, GD_NOMEM, "%.100s: no memory to read it", path);
	if (profile_table_finish(s->profiles, &line, &s->fault) != GD_OK)
		return gd_fail(why, GD_INVALID_PARAMS, "%.100s:%d: %.130s", path, line,
		               s->fault.text);
	return GD_OK;
}

enum gd_err config_file_read(struct config *c, struct profile_table *profiles, struct gd_error *why)
{
	struct source s = { .config = c, .profiles = profiles, .file = fopen(c->file, "re") };
	enum gd_err   rc;

	if (s.file == NULL)
		return gd_fail_sys(why, errno, "%.150s", c->file);
	rc = parse_file(&s, why);
	(void)fclose(s.file);
	return rc;
}
