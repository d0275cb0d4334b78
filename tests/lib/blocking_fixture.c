#include "tests/lib/blocking_fixture.h"

#include "daemon/load/load.h"

#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* --- texts --- */

/* `text` with `to` for each `from`; the caller frees it. */
static char *replaced(const char *text, const char *from, const char *to)
{
	struct buf  b = { 0 };
	const char *at;

	while ((at = strstr(text, from)) != NULL) {
		buf_add(&b, text, (size_t)(at - text));
		buf_add_text(&b, to);
		text = at + strlen(from);
	}
	buf_add_text(&b, text);
	buf_add_byte(&b, '\0');
	assert_int_equal(b.failed, GD_OK);
	return b.at;
}

const char *blocking_path(const struct blocking_scene *s, const char *path, char room[256])
{
	char *full = replaced(path, "~", s->home);

	assert_true(snprintf(room, 256, "%s", full) < 256);
	free(full);
	return room;
}

void blocking_make(const struct blocking_scene *s, const char *path, const void *at, size_t bytes)
{
	char room[256];
	int fd = open(blocking_path(s, path, room), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, at, bytes), bytes);
	(void)close(fd);
}

void blocking_link(const struct blocking_scene *s, const char *path, const char *target)
{
	char from[256], to[256];

	assert_int_equal(symlink(blocking_path(s, target, to), blocking_path(s, path, from)), 0);
}

/* --- the scene --- */

static int open_scene(struct blocking_scene *s)
{
	char              in[80], out[80], secret[80];
	const char *const reads[] = { in }, *const writes[] = { out };
	struct blocking_options options = { reads, 1, writes, 1, NULL, 0 };

	(void)snprintf(s->home, sizeof s->home, "%s", "/tmp/gatherd-blocking-XXXXXX");
	if (mkdtemp(s->home) == NULL)
		return -1;
	(void)snprintf(in, sizeof in, "%s/in", s->home);
	(void)snprintf(out, sizeof out, "%s/out", s->home);
	(void)snprintf(secret, sizeof secret, "%s/secret", s->home);
	if (mkdir(in, 0755) != 0 || mkdir(out, 0755) != 0 || mkdir(secret, 0755) != 0)
		return -1;
	return blocking_config_open(&options, &s->config, NULL) == GD_OK ? 0 : -1;
}

int blocking_setup(void **state)
{
	struct blocking_scene *s = calloc(1, sizeof *s);

	*state = s;
	return s == NULL ? -1 : open_scene(s);
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

int blocking_teardown(void **state)
{
	struct blocking_scene *s = *state;
	int                    failed = nftw(s->home, drop, 16, FTW_DEPTH | FTW_PHYS);

	blocking_config_close(s->config);
	free(s);
	return failed;
}

/* --- calls --- */

static void write_outcome(struct buf *b, const struct blocking_outcome *out)
{
	struct value number;

	if (out->type == NULL) {
		value_write_json(b, out->result);
		return;
	}
	buf_add_text(b, out->type);
	if (!value_is_none(out->data)) {
		number = value_dict_get(out->data, "errno", 5);
		buf_addf(b, "(%s)", value_text(number)->at);
	}
	buf_addf(b, ": %s", out->message);
}

char *blocking_call(const struct blocking_scene *s, const char *function, const char *args)
{
	char                   *text = replaced(args, "~", s->home);
	json_t                 *json = json_loads(text, 0, NULL);
	struct value_heap       h = { 0 };
	struct value            dict;
	struct blocking_outcome out;
	struct buf              b = { 0 };
	char                   *said;

	assert_non_null(json);
	dict = load_value(&h, json);
	blocking_run(s->config, function, dict, &h, NULL, &out);
	write_outcome(&b, &out);
	buf_add_byte(&b, '\0');
	assert_int_equal(b.failed, GD_OK);
	said = replaced(b.at, s->home, "~");
	value_release(&h, out.result);
	value_release(&h, out.data);
	value_release(&h, dict);
	assert_int_equal(h.bytes, 0);
	buf_close(&b);
	json_decref(json);
	free(text);
	return said;
}

void blocking_expect(const struct blocking_scene *s, const char *function, const char *args,
                     const char *expected)
{
	char *said = blocking_call(s, function, args);

	assert_string_equal(said, expected);
	free(said);
}
