#include "daemon/runner/environment.h"

#include "proto/base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN_BYTES_MAX (1u << 20)

static bool names(const char *variable, const char *name)
{
	size_t chars = strlen(name);

	return strncmp(variable, name, chars) == 0 && variable[chars] == '=';
}

/* The file's bytes without a newline at the end. 0 or errno. */
static int add_secret(struct buf *b, int dir_fd, const char *name)
{
	char  *to;
	size_t bytes = 0;
	int    fd, failed = 0;

	if (dir_fd < 0 || name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
		return ENOENT;
	if ((to = buf_reserve(b, RUN_SECRET_BYTES_MAX + 1)) == NULL)
		return ENOMEM;
	if ((fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return errno;
	while (bytes <= RUN_SECRET_BYTES_MAX) {
		ssize_t got = read(fd, to + bytes, RUN_SECRET_BYTES_MAX + 1 - bytes);

		if (got < 0)
			failed = errno;
		if (got <= 0)
			break;
		bytes += (size_t)got;
	}
	(void)close(fd);
	if (failed != 0)
		return failed;
	if (bytes > RUN_SECRET_BYTES_MAX)
		return E2BIG;
	if (bytes > 0 && to[bytes - 1] == '\n')
		bytes--;
	if (memchr(to, '\0', bytes) != NULL)
		return EINVAL;
	b->bytes += bytes;
	return 0;
}

/* NAME=VALUE of each, one NUL behind the other. 0 or errno. */
static int write_own(struct buf *b, const struct run_start *start, int dir_fd)
{
	int failed = 0;

	buf_addf(b, RUN_KEY_VARIABLE "=%s", start->key);
	buf_add_byte(b, '\0');
	for (const char *const *at = start->secrets; at != NULL && *at != NULL; at++) {
		const char *equals = strchr(*at, '=');

		if (equals == NULL || equals == *at)
			return EINVAL;
		buf_add(b, *at, (size_t)(equals - *at) + 1);
		if ((failed = add_secret(b, dir_fd, equals + 1)) != 0)
			return failed;
		buf_add_byte(b, '\0');
	}
	return b->failed == GD_OK ? 0 : ENOMEM;
}

static size_t count_of(const char *const *list)
{
	size_t count = 0;

	while (list != NULL && list[count] != NULL)
		count++;
	return count;
}

static bool is_secret(const struct run_start *start, const char *variable)
{
	size_t name = strcspn(variable, "=") + 1;

	for (const char *const *at = start->secrets; at != NULL && *at != NULL; at++) {
		if (strncmp(*at, variable, name) == 0)
			return true;
	}
	return false;
}

enum run_stage environment_build(struct environment *e, const struct run_start *start,
                                 int secrets_dir_fd, int *failed)
{
	struct buf b;
	size_t     count = 0;
	size_t     most = count_of(start->env) + count_of(start->secrets) + 2;

	*e = (struct environment){ 0 };
	/* Memory that grew would leave copies of a secret behind, so all of it is taken first. */
	buf_init(&b, OWN_BYTES_MAX);
	if (start->secrets != NULL && start->secrets[0] != NULL)
		(void)buf_reserve(&b, OWN_BYTES_MAX);
	*failed = write_own(&b, start, secrets_dir_fd);
	e->own = b.at;
	e->own_bytes = b.bytes;
	e->list = calloc(most, sizeof *e->list);
	if (e->list == NULL && *failed == 0)
		*failed = ENOMEM;
	if (*failed != 0) {
		e->own_bytes = b.room; /* a part of a secret may be behind what counts */
		environment_close(e);
		return *failed == ENOMEM ? RUN_STAGE_LIMIT : RUN_STAGE_SECRET;
	}
	for (char *at = b.at; at < b.at + b.bytes; at += strlen(at) + 1)
		e->list[count++] = at;
	for (const char *const *at = start->env; at != NULL && *at != NULL; at++) {
		if (!names(*at, RUN_KEY_VARIABLE) && !is_secret(start, *at))
			e->list[count++] = (char *)(uintptr_t)*at;
	}
	return RUN_STAGE_NONE;
}

void environment_close(struct environment *e)
{
	if (e->own != NULL)
		explicit_bzero(e->own, e->own_bytes);
	free(e->own);
	free(e->list);
	*e = (struct environment){ 0 };
}
