#include "daemon/runner/link.h"

#include "proto/base/check.h"
#include "daemon/open_files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_BYTES (64u << 10)
#define LOG_BYTES_MAX (1 << 20) /* then it begins anew with the next runner */

struct runner_link {
	int                fd;
	struct buf         in, out;
	size_t             sent, taken; /* of `out` and `in` */
	struct run_message last;        /* given out by runner_link_next() */
	char               refused[WIRE_WORDS_MAX];
	bool               is_malformed;
	bool               no_memory;
};

/* --- starting one --- */

static enum gd_err prepare_log(const char *state_dir, char *path, size_t room, struct gd_error *why)
{
	struct stat st;
	int         chars = snprintf(path, room, "%s/runner", state_dir);

	if (chars < 0 || (size_t)chars + sizeof "/log" > room)
		return gd_fail(why, GD_LIMIT, "the path of the state directory is too long");
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return gd_fail_sys(why, errno, "cannot make %s", path);
	memcpy(path + chars, "/log", sizeof "/log");
	if (stat(path, &st) == 0 && st.st_size > LOG_BYTES_MAX)
		(void)unlink(path);
	return GD_OK;
}

/* 0 or errno. The child has our log for stdout and stderr, nothing for stdin, and no other. */
static int spawn_detached(char *const *argv, const char *log)
{
	static char *const         nothing[] = { NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t          attr;
	sigset_t                   none;
	pid_t                      pid;
	int                        failed, status = 0;

	if ((failed = posix_spawn_file_actions_init(&files)) != 0)
		return failed;
	if ((failed = posix_spawnattr_init(&attr)) != 0)
		goto destroy_files;
	(void)sigemptyset(&none);
	if ((failed = posix_spawnattr_setflags(&attr,
	                                       POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK)) == 0 &&
	    (failed = posix_spawnattr_setsigmask(&attr, &none)) == 0 &&
	    (failed = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)) == 0 &&
	    (failed = posix_spawn_file_actions_addopen(&files, 1, log,
	                                               O_WRONLY | O_CREAT | O_APPEND, 0600)) == 0 &&
	    (failed = posix_spawn_file_actions_adddup2(&files, 1, 2)) == 0 &&
	    (failed = posix_spawn_file_actions_addclosefrom_np(&files, 3)) == 0)
		failed = posix_spawn(&pid, argv[0], &files, &attr, argv, nothing);
	(void)posix_spawnattr_destroy(&attr);
	if (failed == 0 && waitpid(pid, &status, 0) == pid && status != 0)
		failed = ECHILD; /* it said why in its log */
destroy_files:
	(void)posix_spawn_file_actions_destroy(&files);
	return failed;
}

enum gd_err runner_spawn(const struct runner_spawn *how, struct gd_error *why)
{
	const struct rlimit limit = open_files_at_start();
	char                files[24];
	const char         *optional[][2] = { { "--socket", how->socket },
		                              { "--cgroup", how->cgroup },
		                              { "--credentials", how->credentials },
		                              { "--open-files", files } };
	const char         *argv[16] = { how->program, "--detach", "--state-dir", how->state_dir };
	int                 count = 4;
	char                log[4096];
	int                 failed;
	enum gd_err         rc = prepare_log(how->state_dir, log, sizeof log, why);

	if (rc != GD_OK)
		return rc;
	(void)snprintf(files, sizeof files, "%llu", (unsigned long long)limit.rlim_cur);
	for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++) {
		if (optional[i][1] == NULL)
			continue;
		argv[count++] = optional[i][0];
		argv[count++] = optional[i][1];
	}
	failed = spawn_detached((char *const *)(uintptr_t)argv, log);
	return failed == 0 ? GD_OK : gd_fail_sys(why, failed, "cannot start %s", how->program);
}

/* --- the connection --- */

static enum gd_err queue(struct runner_link *l, const struct run_message *m, struct gd_error *why)
{
	size_t      before = l->out.bytes;
	enum gd_err rc;

	run_message_put(&l->out, m);
	rc = l->out.failed;
	if (rc == GD_OK && l->out.bytes - before - sizeof(uint32_t) > RUN_FRAME_BYTES_MAX)
		rc = GD_LIMIT;
	if (rc == GD_OK)
		return GD_OK;
	l->out.failed = GD_OK;
	l->out.bytes = before;
	return gd_fail(why, rc,
	               rc == GD_LIMIT ? "too much for the runner"
	                              : "no memory for a message to the runner");
}

static enum gd_err connect_to(const char *socket_path, int *out, struct gd_error *why)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int                fd, failed;

	if (strlen(socket_path) >= sizeof to.sun_path)
		return gd_fail(why, GD_LIMIT, "the path of the runner's socket is too long: %s",
		               socket_path);
	(void)snprintf(to.sun_path, sizeof to.sun_path, "%s", socket_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return gd_fail_sys(why, errno, "socket");
	if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0) {
		failed = errno;
		(void)close(fd);
		return failed == ENOENT || failed == ECONNREFUSED || failed == EAGAIN
		               ? gd_fail(why, GD_UNAVAILABLE, "no gatherd-runner at %s",
		                         socket_path)
		               : gd_fail_sys(why, failed, "runner at %s", socket_path);
	}
	*out = fd;
	return GD_OK;
}

enum gd_err runner_link_open(const char *socket_path, struct runner_link **out,
                             struct gd_error *why)
{
	struct runner_link *l = calloc(1, sizeof *l);
	enum gd_err         rc;

	if (l == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for the runner's connection");
	buf_init(&l->out, RUNNER_LINK_UNSENT_MAX);
	buf_init(&l->in, 0);
	l->fd = -1;
	if ((rc = connect_to(socket_path, &l->fd, why)) == GD_OK)
		rc = queue(l, &(struct run_message){ .kind = RUN_HELLO, .version = WIRE_VERSION },
		           why);
	if (rc == GD_OK)
		rc = runner_link_flush(l, why);
	if (rc != GD_OK) {
		runner_link_close(l);
		return rc;
	}
	*out = l;
	return GD_OK;
}

void runner_link_close(struct runner_link *l)
{
	if (l == NULL)
		return;
	run_message_close(&l->last);
	if (l->fd >= 0)
		(void)close(l->fd);
	buf_close(&l->in);
	buf_close(&l->out);
	free(l);
}

int runner_link_fd(const struct runner_link *l)
{
	return l->fd;
}

bool runner_link_wants_to_write(const struct runner_link *l)
{
	return l->out.bytes > l->sent;
}

enum gd_err runner_link_flush(struct runner_link *l, struct gd_error *why)
{
	while (runner_link_wants_to_write(l)) {
		ssize_t done = send(l->fd, l->out.at + l->sent, l->out.bytes - l->sent,
		                    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN)
			break;
		if (done < 0)
			return gd_fail(why, GD_UNAVAILABLE, "gatherd-runner is gone");
		l->sent += (size_t)done;
	}
	if (l->sent == l->out.bytes) {
		buf_clear(&l->out);
		l->sent = 0;
	} else if (l->sent > l->out.bytes / 2) {
		memmove(l->out.at, l->out.at + l->sent, l->out.bytes - l->sent);
		l->out.bytes -= l->sent;
		l->sent = 0;
	}
	return GD_OK;
}

/* --- what it says --- */

/* Room at the end of `in`; what was taken leaves it. */
static char *room_to_read(struct runner_link *l)
{
	if (l->taken > 0) {
		memmove(l->in.at, l->in.at + l->taken, l->in.bytes - l->taken);
		l->in.bytes -= l->taken;
		l->taken = 0;
	}
	return buf_reserve(&l->in, READ_BYTES);
}

enum gd_err runner_link_read(struct runner_link *l, struct gd_error *why)
{
	char   *to;
	ssize_t got;

	run_message_close(&l->last);
	if (l->is_malformed)
		return gd_fail(why, GD_INVALID_REQUEST, "gatherd-runner said something malformed");
	if (l->refused[0] != '\0')
		return gd_fail(why, GD_UNAVAILABLE, "%s", l->refused);
	if (l->no_memory || (to = room_to_read(l)) == NULL)
		return gd_fail(why, GD_NOMEM, "no memory for what gatherd-runner says");
	do
		got = recv(l->fd, to, READ_BYTES, MSG_DONTWAIT);
	while (got < 0 && errno == EINTR);
	if (got > 0)
		l->in.bytes += (size_t)got;
	else if (got == 0 || errno != EAGAIN)
		return gd_fail(why, GD_UNAVAILABLE, "gatherd-runner is gone");
	return runner_link_flush(l, why);
}

bool runner_link_next(struct runner_link *l, struct run_message *out)
{
	size_t          used;
	enum wire_found found;

	run_message_close(&l->last);
	if (l->is_malformed || l->refused[0] != '\0')
		return false;
	found = run_message_get(l->in.at + l->taken, l->in.bytes - l->taken, &l->last, &used);
	l->no_memory = found == WIRE_NOMEM;
	l->is_malformed = found == WIRE_BAD;
	if (found != WIRE_MESSAGE)
		return false;
	l->taken += used;
	*out = l->last;
	if (out->kind == RUN_REFUSED) {
		(void)snprintf(l->refused, sizeof l->refused, "%s",
		               out->words[0] == '\0' ? "gatherd-runner refuses us" : out->words);
		return false;
	}
	if (out->kind < RUN_WELCOME) { /* that is ours to say */
		l->is_malformed = true;
		return false;
	}
	return true;
}

/* --- what it is asked for --- */

static size_t count_of(const char *const *list)
{
	size_t count = 0;

	while (list != NULL && list[count] != NULL)
		count++;
	return count;
}

enum gd_err runner_link_start(struct runner_link *l, const struct run_start *start,
                              struct gd_error *why)
{
	if (start->input_bytes > RUN_FRAME_BYTES_MAX)
		return gd_fail(why, GD_LIMIT, "stdin of a command: %zu bytes", start->input_bytes);
	if (count_of(start->argv) > RUN_TEXTS_MAX || count_of(start->env) > RUN_TEXTS_MAX ||
	    count_of(start->secrets) > RUN_TEXTS_MAX || start->rlimit_count > RUN_RLIMITS_MAX)
		return gd_fail(why, GD_LIMIT, "too many arguments, variables or limits");
	if (start->keep[RUN_STDOUT] > RUN_KEEP_MAX || start->keep[RUN_STDERR] > RUN_KEEP_MAX)
		return gd_fail(why, GD_LIMIT, "too much output to keep");
	CHECK(start->key[0] != '\0' && strlen(start->key) <= RUN_KEY_BYTES_MAX);
	return queue(l,
	             &(struct run_message){ .kind = RUN_START, .ref = start->ref, .start = *start },
	             why);
}

enum gd_err runner_link_signal(struct runner_link *l, const struct run_ref *ref, int number,
                               struct gd_error *why)
{
	return queue(l, &(struct run_message){ .kind = RUN_SIGNAL, .ref = *ref, .signal = number },
	             why);
}

enum gd_err runner_link_terminate(struct runner_link *l, const struct run_ref *ref, gd_nsec grace,
                                  struct gd_error *why)
{
	return queue(l, &(struct run_message){ .kind = RUN_TERMINATE, .ref = *ref, .grace = grace },
	             why);
}

enum gd_err runner_link_ack(struct runner_link *l, const struct run_ref *ref, struct gd_error *why)
{
	return queue(l, &(struct run_message){ .kind = RUN_ACK, .ref = *ref }, why);
}

enum gd_err runner_link_watch(struct runner_link *l, const struct run_ref *ref, bool is_on,
                              struct gd_error *why)
{
	return queue(l, &(struct run_message){ .kind = RUN_WATCH, .ref = *ref, .is_on = is_on },
	             why);
}

enum gd_err runner_link_taken(struct runner_link *l, const struct run_ref *ref,
                              const uint64_t bytes[RUN_STREAMS], struct gd_error *why)
{
	return queue(l,
	             &(struct run_message){ .kind = RUN_TAKEN,
	                                    .ref = *ref,
	                                    .bytes = { bytes[RUN_STDOUT], bytes[RUN_STDERR] } },
	             why);
}

enum gd_err runner_link_list(struct runner_link *l, struct gd_error *why)
{
	return queue(l, &(struct run_message){ .kind = RUN_LIST }, why);
}
