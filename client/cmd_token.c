#include "client/client.h"
#include "proto/base/moment.h"
#include "proto/token.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static enum gd_err append_line(const char *path, struct buf *line, struct gd_error *why)
{
	int         fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	enum gd_err rc = GD_OK;
	ssize_t     written;

	if (fd < 0)
		return gd_fail_sys(why, errno, "%s", path);
	buf_add_byte(line, '\n');
	/* One write: two of us at the same time do not mix their lines. */
	written = write(fd, line->at, line->bytes);
	if (written < 0)
		rc = gd_fail_sys(why, errno, "%s", path);
	else if ((size_t)written != line->bytes)
		rc = gd_fail(why, GD_SYS, "%s: no room", path);
	if (rc == GD_OK && fsync(fd) != 0 && errno != EINVAL) /* EINVAL: no plain file */
		rc = gd_fail_sys(why, errno, "%s", path);
	close(fd);
	return rc;
}

/* Prints one and adds its line to the list. */
static enum gd_err make(const struct options *o, const struct token_entry *as, struct gd_error *why)
{
	struct buf  token = { .cap = 0 }, line = { .cap = 0 };
	enum gd_err rc = token_create(as, &token, &line, why);

	if (rc == GD_OK)
		rc = append_line(o->token_file, &line, why);
	if (rc == GD_OK)
		printf("%.*s\n", (int)token.bytes, token.at);
	buf_close(&token);
	buf_close(&line);
	return rc;
}

/* An id that is too long is refused with the others, by token_create(). */
static enum gd_err read_options(const struct options *o, struct token_entry *as,
                                struct gd_error *why)
{
	const json_t *name;
	size_t        i;

	*as = (struct token_entry){ .expires = GD_NSEC_NEVER };
	if (strlen(o->operands[1]) <= TOKEN_ID_CHARS_MAX)
		memcpy(as->id, o->operands[1], strlen(o->operands[1]));
	if (strcmp(o->operands[0], "new") != 0)
		return gd_fail(why, GD_INVALID_PARAMS, "token: \"new\" is all there is, not \"%s\"",
		               o->operands[0]);
	if (o->role == NULL || !token_role_parse(o->role, &as->role))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "--role is needed: viewer, submitter, operator or admin");
	if (o->token_file == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "--token-file is needed: the daemon's list");
	if (o->expires != NULL && !moment_read(o->expires, &as->expires))
		return gd_fail(why, GD_INVALID_PARAMS,
		               "--expires needs a time such as 2030-01-31T09:00:00Z");
	json_array_foreach (o->profiles, i, name)
		if (!token_exec_add(as->exec, json_string_value(name)))
			return gd_fail(why, GD_INVALID_PARAMS,
			               "--exec %.40s: no name of a profile, or one too many",
			               json_string_value(name));
	return GD_OK;
}

int cmd_token(const struct options *o)
{
	struct gd_error    why = { .code = GD_OK };
	struct token_entry as;
	enum gd_err        rc = read_options(o, &as, &why);

	if (rc == GD_OK)
		rc = make(o, &as, &why);
	if (rc == GD_OK)
		return CLIENT_DONE;
	(void)client_fail(NULL, rc, &why);
	return rc == GD_INVALID_PARAMS ? CLIENT_USAGE : CLIENT_FAILED;
}
