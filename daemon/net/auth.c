#include "daemon/net/auth.h"

#include "proto/base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define AUTH_NOBODY 65534u /* what the kernel shows for a user that has no number here */
#define AUTH_LINE_BYTES_MAX 1024

/* --- scopes --- */

static const struct {
	enum auth_scope scope;
	const char     *name;
} scope_names[] = {
	{ AUTH_SUBMIT, "submit" },           { AUTH_OBSERVE_OWN, "observe:own" },
	{ AUTH_OBSERVE_ANY, "observe:any" }, { AUTH_CANCEL_OWN, "cancel:own" },
	{ AUTH_CANCEL_ANY, "cancel:any" },   { AUTH_ADMIN, "admin" },
	{ AUTH_EXEC_ANY, "exec:*" },         { AUTH_EXEC_RAW, "exec:raw" },
};
#define SCOPE_COUNT (sizeof scope_names / sizeof scope_names[0])

_Static_assert(AUTH_SCOPES_ALL == (1u << SCOPE_COUNT) - 1, "every scope has a name");

bool principal_may(const struct principal *p, unsigned scopes)
{
	return (p->scopes & scopes) == scopes;
}

/* "any" includes "own", so that a method needs to ask for one of them only. */
unsigned auth_role_scopes(enum token_role role)
{
	switch (role) {
	case TOKEN_VIEWER:
		return AUTH_OBSERVE_OWN | AUTH_OBSERVE_ANY;
	case TOKEN_SUBMITTER:
		return AUTH_SUBMIT | AUTH_OBSERVE_OWN | AUTH_CANCEL_OWN;
	case TOKEN_OPERATOR:
		return AUTH_OBSERVE_OWN | AUTH_OBSERVE_ANY | AUTH_CANCEL_OWN | AUTH_CANCEL_ANY;
	case TOKEN_ADMIN:
		return AUTH_SCOPES_ALL & ~(unsigned)AUTH_EXEC_RAW;
	}
	CHECK_NEVER("auth: unknown role");
}

void auth_list_scopes(struct buf *b, unsigned scopes)
{
	const char *comma = "";

	for (size_t i = 0; i < SCOPE_COUNT; i++) {
		if ((scopes & scope_names[i].scope) == 0)
			continue;
		buf_addf(b, "%s\"%s\"", comma, scope_names[i].name);
		comma = ",";
	}
}

void auth_write_scopes(struct buf *b, unsigned scopes)
{
	buf_add_byte(b, '[');
	auth_list_scopes(b, scopes);
	buf_add_byte(b, ']');
}

/* --- peers on the Unix socket --- */

enum gd_err auth_of_uid(uid_t uid, uid_t self, struct principal *out, struct gd_error *why)
{
	bool is_ours = uid == 0 || uid == self;

	*out = (struct principal){ 0 };
	if (uid == AUTH_NOBODY || uid == (uid_t)-1)
		return gd_fail(why, GD_UNAUTHORIZED, "your user id is not known here");
	(void)snprintf(out->name, sizeof out->name, "uid:%ju", (uintmax_t)uid);
	out->role = is_ours ? TOKEN_ADMIN : TOKEN_SUBMITTER;
	out->scopes = auth_role_scopes(out->role);
	if (uid == self)
		out->scopes |= AUTH_EXEC_RAW;
	out->expires = GD_NSEC_NEVER;
	return GD_OK;
}

enum gd_err auth_of_peer(int fd, struct principal *out, struct gd_error *why)
{
	struct ucred peer;
	socklen_t    bytes = sizeof peer;

	*out = (struct principal){ 0 };
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0)
		return gd_fail_sys(why, errno, "who is at the other end");
	return auth_of_uid(peer.uid, geteuid(), out, why);
}

/* --- tokens --- */

/* Never changes once it is read. */
struct token_table {
	struct token_entry *at; /* owned */
	uint32_t            count;
	uint32_t            room;
};

struct auth {
	char              *file; /* owned; NULL: none */
	pthread_mutex_t    lock;
	struct token_table tokens;     /* under lock: held for one look, a search or a swap */
	_Atomic uint64_t   generation; /* counts what `tokens` has been */
};

static const struct token_entry *find(const struct token_table *t, const char *id)
{
	for (uint32_t i = 0; i < t->count; i++) {
		if (strcmp(t->at[i].id, id) == 0)
			return &t->at[i];
	}
	return NULL;
}

static enum gd_err add_entry(struct token_table *t, const char *line, struct gd_error *why)
{
	struct token_entry  entry;
	struct token_entry *at;
	uint32_t            room = t->room == 0 ? 16 : 2 * t->room;
	enum gd_err         rc = token_line_read(line, &entry, why);

	if (rc != GD_OK)
		return rc;
	if (find(t, entry.id) != NULL)
		return gd_fail(why, GD_INVALID_PARAMS, "the id %s is there twice", entry.id);
	if (t->count == AUTH_TOKENS_MAX)
		return gd_fail(why, GD_LIMIT, "more than %u tokens", AUTH_TOKENS_MAX);
	if (t->count == t->room) {
		at = realloc(t->at, room * sizeof *at);
		if (at == NULL)
			return gd_fail(why, GD_NOMEM, "no memory for %u tokens", room);
		t->at = at;
		t->room = room;
	}
	t->at[t->count++] = entry;
	return GD_OK;
}

static enum gd_err read_lines(const char *path, FILE *file, struct token_table *t,
                              struct gd_error *why)
{
	char            line[AUTH_LINE_BYTES_MAX];
	uint32_t        number = 0;
	struct gd_error inner = { 0 };

	while (fgets(line, sizeof line, file) != NULL) {
		size_t blanks = strspn(line, " \t\r\n");

		number++;
		if (line[blanks] == '\0' || line[blanks] == '#') {
			while (strchr(line, '\n') == NULL && fgets(line, sizeof line, file) != NULL)
				continue; /* the rest of a long comment */
			continue;
		}
		if (add_entry(t, line, &inner) != GD_OK)
			return gd_fail(why, inner.code, "%.120s:%u: %.100s", path, number,
			               inner.text);
	}
	return ferror(file) != 0 ? gd_fail_sys(why, EIO, "%.150s", path) : GD_OK;
}

/* Whoever can write the file can let anybody in, and whoever can read it learns who may come. */
static enum gd_err check_mode(const char *path, int fd, struct gd_error *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return gd_fail_sys(why, errno, "%.150s", path);
	if (!S_ISREG(st.st_mode))
		return gd_fail(why, GD_FORBIDDEN, "%.150s is not a plain file", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return gd_fail(why, GD_FORBIDDEN,
		               "%.120s belongs to user %ju, not to root or to us", path,
		               (uintmax_t)st.st_uid);
	if ((st.st_mode & 077) != 0)
		return gd_fail(why, GD_FORBIDDEN, "%.150s is open to others (mode %03o): chmod 600",
		               path, (unsigned)(st.st_mode & 0777));
	return GD_OK;
}

static enum gd_err read_tokens(const char *path, struct token_table *out, struct gd_error *why)
{
	struct token_table t = { 0 };
	int                fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	FILE              *file;
	enum gd_err        rc;

	if (fd < 0)
		return gd_fail_sys(why, errno, "%.150s", path);
	rc = check_mode(path, fd, why);
	if (rc != GD_OK) {
		(void)close(fd);
		return rc;
	}
	file = fdopen(fd, "r");
	if (file == NULL) {
		(void)close(fd);
		return gd_fail(why, GD_NOMEM, "no memory to read %.150s", path);
	}
	rc = read_lines(path, file, &t, why);
	(void)fclose(file);
	if (rc == GD_OK)
		*out = t;
	else
		free(t.at);
	return rc;
}

enum gd_err auth_reload(struct auth *a, struct gd_error *why)
{
	struct token_table fresh = { 0 };
	struct token_table old;
	enum gd_err        rc;

	if (a->file == NULL)
		return GD_OK;
	rc = read_tokens(a->file, &fresh, why);
	if (rc != GD_OK)
		return rc;
	pthread_mutex_lock(&a->lock);
	old = a->tokens;
	a->tokens = fresh;
	atomic_fetch_add(&a->generation, 1);
	pthread_mutex_unlock(&a->lock);
	free(old.at);
	return GD_OK;
}

enum gd_err auth_open(const char *token_file, struct auth **out, struct gd_error *why)
{
	struct auth *a = calloc(1, sizeof *a);
	enum gd_err  rc;

	if (a == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for the tokens");
	if (token_file != NULL && token_file[0] != '\0') {
		a->file = strdup(token_file);
		if (a->file == NULL) {
			free(a);
			return gd_fail(why, GD_NOMEM, "no memory for the tokens");
		}
	}
	(void)pthread_mutex_init(&a->lock, NULL);
	rc = auth_reload(a, why);
	if (rc != GD_OK)
		auth_close(a);
	else
		*out = a;
	return rc;
}

void auth_close(struct auth *a)
{
	(void)pthread_mutex_destroy(&a->lock);
	free(a->tokens.at);
	free(a->file);
	free(a);
}

/* True when the file has this token, still; then `entry` is its line. Comparing takes as long for a
 * wrong secret as for a wrong id. */
static bool look_up(struct auth *a, const char *id, const uint8_t digest[TOKEN_DIGEST_BYTES],
                    struct token_entry *entry, uint64_t *generation)
{
	static const struct token_entry none = { .id = "" };
	const struct token_entry       *found;
	bool                            is_there;

	pthread_mutex_lock(&a->lock);
	found = find(&a->tokens, id);
	is_there = found != NULL;
	*entry = is_there ? *found : none;
	*generation = atomic_load(&a->generation);
	pthread_mutex_unlock(&a->lock);
	return CRYPTO_memcmp(entry->digest, digest, TOKEN_DIGEST_BYTES) == 0 && is_there;
}

static void take_rights(struct principal *p, const struct token_entry *entry)
{
	p->role = entry->role;
	p->scopes = auth_role_scopes(entry->role);
	memcpy(p->exec, entry->exec, sizeof p->exec);
}

enum gd_err auth_of_token(struct auth *a, const char *token, gd_nsec now, struct principal *out,
                          struct gd_error *why)
{
	struct token_entry shown;
	struct token_entry entry;
	uint64_t           generation;

	*out = (struct principal){ 0 };
	if (!token_read(token, &shown) ||
	    !look_up(a, shown.id, shown.digest, &entry, &generation) || now >= entry.expires)
		return gd_fail(why, GD_UNAUTHORIZED, "this token is not accepted");
	(void)snprintf(out->name, sizeof out->name, "token:%s", entry.id);
	take_rights(out, &entry);
	out->is_token = true;
	memcpy(out->digest, entry.digest, sizeof out->digest);
	out->expires = entry.expires;
	out->generation = generation;
	return GD_OK;
}

bool auth_still(struct auth *a, struct principal *p, gd_nsec now)
{
	struct token_entry entry;

	if (!p->is_token)
		return true;
	if (now >= p->expires)
		return false;
	if (atomic_load(&a->generation) == p->generation)
		return true;
	if (!look_up(a, p->name + strlen("token:"), p->digest, &entry, &p->generation) ||
	    now >= entry.expires)
		return false;
	take_rights(p, &entry);
	p->expires = entry.expires;
	return true;
}
