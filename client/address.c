#include "client/address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_SOCKET "/run/gatherd/gatherd.sock"

static enum gd_err set_socket(struct address *a, const char *path, struct gd_error *why)
{
	int bytes = snprintf(a->socket, sizeof a->socket, "%s", path);

	if (bytes < 0 || (size_t)bytes >= sizeof a->socket)
		return gd_fail(why, GD_INVALID_PARAMS, "a socket's path has at most %zu bytes: %s",
		               sizeof a->socket - 1, path);
	return GD_OK;
}

/* True when `name` below the directory in `variable` is a path that fits; it then stands in
 * `out`. */
static bool join_variable(char *out, size_t room, const char *variable, const char *name)
{
	const char *dir = getenv(variable);
	int         bytes;

	if (dir == NULL || dir[0] != '/')
		return false;
	bytes = snprintf(out, room, "%s/%s", dir, name);
	return bytes > 0 && (size_t)bytes < room;
}

static void set_usual_socket(struct address *a)
{
	static const char *const places[][2] = {
		{ "XDG_RUNTIME_DIR", "gatherd.sock" },
		{ "XDG_STATE_HOME", "gatherd/gatherd.sock" },
		{ "HOME", ".local/state/gatherd/gatherd.sock" },
	};

	if (geteuid() != 0)
		for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
			if (join_variable(a->socket, sizeof a->socket, places[i][0],
			                  places[i][1]) &&
			    access(a->socket, F_OK) == 0)
				return;
	memcpy(a->socket, SYSTEM_SOCKET, sizeof SYSTEM_SOCKET);
}

static enum gd_err set_tcp(struct address *a, const char *text, struct gd_error *why)
{
	const char *colon = strrchr(text, ':');
	size_t      bytes;

	if (colon == NULL || colon == text || colon[1] == '\0')
		return gd_fail(why, GD_INVALID_PARAMS, "--connect needs HOST:PORT, not \"%s\"",
		               text);
	bytes = (size_t)(colon - text);
	if (text[0] == '[' && colon[-1] == ']') { /* [::1]:4710 */
		text++;
		bytes -= 2;
	}
	if (bytes == 0 || bytes >= sizeof a->host || strlen(colon + 1) >= sizeof a->port)
		return gd_fail(why, GD_INVALID_PARAMS, "--connect: no such host or port");
	memcpy(a->host, text, bytes);
	a->host[bytes] = '\0';
	memcpy(a->port, colon + 1, strlen(colon + 1) + 1);
	a->is_tcp = true;
	return GD_OK;
}

static enum gd_err read_token(struct address *a, const char *path, struct gd_error *why)
{
	FILE *in = fopen(path, "re");
	bool  is_read;

	if (in == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "token file %s: %s", path, strerror(errno));
	is_read = fscanf(in, "%255s", a->token) == 1;
	(void)fclose(in);
	if (!is_read)
		return gd_fail(why, GD_UNAUTHORIZED, "token file %s holds no token", path);
	return GD_OK;
}

enum gd_err address_find(struct address *a, const struct options *o, struct gd_error *why)
{
	const char *token_file =
		o->token_file != NULL ? o->token_file : getenv("GATHERD_TOKEN_FILE");
	const char *path = o->socket != NULL ? o->socket : getenv("GATHERD_SOCKET");
	enum gd_err rc;

	*a = (struct address){ .is_tcp = false };
	if (o->connect != NULL && o->socket != NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "--socket and --connect exclude each other");
	if (o->token_file != NULL && o->connect == NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "--token-file belongs to --connect");
	if (o->connect != NULL) {
		rc = set_tcp(a, o->connect, why);
		if (rc == GD_OK && token_file != NULL)
			rc = read_token(a, token_file, why);
		return rc;
	}
	if (path != NULL && path[0] != '\0')
		return set_socket(a, path, why);
	set_usual_socket(a);
	return GD_OK;
}

void address_write(const struct address *a, char *out, size_t room)
{
	if (a->is_tcp)
		(void)snprintf(out, room, "%s:%s", a->host, a->port);
	else
		(void)snprintf(out, room, "%s", a->socket);
}
