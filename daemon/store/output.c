#include "daemon/store/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUNNER_DIR "runner"
#define BLOCK_BYTES 4096u
#define FIRST_ROOM 256u

static const char *const endings[OUTPUT_STREAMS] = { "out", "err" };

/* --- names --- */

void output_name(const struct output_ref *ref, int stream, char out[OUTPUT_NAME_BYTES])
{
	(void)snprintf(out, OUTPUT_NAME_BYTES, "%" PRIu64 "-%" PRIu32 "-%" PRIu32 ".%s", ref->job,
	               ref->ticket, ref->attempt, endings[stream]);
}

bool output_parse(const char *name, struct output_ref *out)
{
	char again[OUTPUT_NAME_BYTES];

	*out = (struct output_ref){ 0 };
	if (sscanf(name, "%" SCNu64 "-%" SCNu32 "-%" SCNu32 ".", &out->job, &out->ticket,
	           &out->attempt) != 3)
		return false;
	for (int i = 0; i < OUTPUT_STREAMS; i++) {
		output_name(out, i, again);
		if (strcmp(name, again) == 0)
			return true;
	}
	return false;
}

static uint64_t weight(const struct stat *st)
{
	uint64_t bytes = (uint64_t)st->st_blocks * 512;

	return bytes < BLOCK_BYTES ? BLOCK_BYTES : bytes;
}

static gd_nsec time_of(const struct stat *st)
{
	return st->st_mtim.tv_sec * GD_NSEC_PER_SEC + st->st_mtim.tv_nsec;
}

/* --- files --- */

static int open_dir(int at_fd, const char *name)
{
	return openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* DIR/output, made when it is not there; -1 and errno. */
static int dir_to_keep_in(struct output *o)
{
	int fd;

	(void)pthread_mutex_lock(&o->lock);
	if (o->fd < 0 && mkdirat(o->state_fd, OUTPUT_DIR, 0700) != 0 && errno != EEXIST)
		fd = -1;
	else
		fd = o->fd = o->fd >= 0 ? o->fd : open_dir(o->state_fd, OUTPUT_DIR);
	(void)pthread_mutex_unlock(&o->lock);
	return fd;
}

/* 0 or errno; *bytes: of what was not here before. */
static int keep_stream(struct output *o, int fd, const char *name, gd_nsec ended, uint64_t *bytes)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		                           { .tv_sec = ended / GD_NSEC_PER_SEC,
		                             .tv_nsec = ended % GD_NSEC_PER_SEC } };
	char                  from[sizeof RUNNER_DIR + OUTPUT_NAME_BYTES];
	struct stat           st;

	(void)snprintf(from, sizeof from, RUNNER_DIR "/%s", name);
	if (linkat(o->state_fd, from, fd, name, 0) != 0)
		return errno == EEXIST || errno == ENOENT ? 0 : errno; /* ENOENT: not a byte */
	if (utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW) != 0 ||
	    fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	*bytes += weight(&st);
	return 0;
}

static void add_bytes(struct output *o, uint64_t bytes)
{
	(void)pthread_mutex_lock(&o->lock);
	o->bytes += bytes;
	o->fresh += bytes;
	if (output_has_work(o))
		output_wake(o);
	(void)pthread_mutex_unlock(&o->lock);
}

enum gd_err output_keep(struct output *o, const struct output_ref *ref, gd_nsec ended,
                        struct gd_error *why)
{
	char     name[OUTPUT_NAME_BYTES];
	uint64_t bytes = 0;
	int      fd = dir_to_keep_in(o);
	int      failed = fd < 0 ? errno : 0;

	for (int i = 0; fd >= 0 && i < OUTPUT_STREAMS; i++) {
		int number;

		output_name(ref, i, name);
		number = keep_stream(o, fd, name, ended, &bytes);
		if (number != 0)
			failed = number;
	}
	if (bytes != 0)
		add_bytes(o, bytes);
	return failed == 0 ? GD_OK
	                   : gd_fail_sys(why, failed, "the output of job %" PRIu64 " is not kept",
	                                 ref->job);
}

static int open_to_read(int at_fd, const char *path)
{
	return at_fd < 0 ? -1 : openat(at_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

void output_open_streams(struct output *o, const struct output_ref *ref, int fd[OUTPUT_STREAMS])
{
	char name[OUTPUT_NAME_BYTES];
	char at_runner[sizeof RUNNER_DIR + OUTPUT_NAME_BYTES];

	for (int i = 0; i < OUTPUT_STREAMS; i++) {
		char kept[sizeof OUTPUT_DIR + OUTPUT_NAME_BYTES];

		output_name(ref, i, name);
		(void)snprintf(kept, sizeof kept, OUTPUT_DIR "/%s", name);
		(void)snprintf(at_runner, sizeof at_runner, RUNNER_DIR "/%s", name);
		fd[i] = open_to_read(o->state_fd, kept);
		if (fd[i] < 0)
			fd[i] = open_to_read(o->state_fd, at_runner);
		if (fd[i] < 0) /* linked, and unlinked there, between the two */
			fd[i] = open_to_read(o->state_fd, kept);
	}
}

uint64_t output_remove(int dir_fd, const struct output_ref *ref)
{
	char        name[OUTPUT_NAME_BYTES];
	struct stat st;
	uint64_t    bytes = 0;

	for (int i = 0; i < OUTPUT_STREAMS; i++) {
		output_name(ref, i, name);
		if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    unlinkat(dir_fd, name, 0) == 0)
			bytes += weight(&st);
	}
	return bytes;
}

/* --- all of them --- */

static enum gd_err add_file(struct output_files *files, const struct output_file *f,
                            struct gd_error *why)
{
	struct output_file *wider;
	size_t              room = files->room == 0 ? FIRST_ROOM : files->room * 2;

	if (files->count == files->room) {
		wider = realloc(files->at, room * sizeof *wider);
		if (wider == NULL)
			return gd_fail(why, GD_NOMEM, "output: out of memory");
		files->at = wider;
		files->room = room;
	}
	files->at[files->count++] = *f;
	return GD_OK;
}

enum gd_err output_list(int dir_fd, struct output_files *out, struct gd_error *why)
{
	int            fd = open_dir(dir_fd, ".");
	DIR           *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	enum gd_err    rc = GD_OK;

	*out = (struct output_files){ 0 };
	if (dir == NULL) {
		rc = gd_fail_sys(why, errno, "cannot look at the output");
		if (fd >= 0)
			(void)close(fd);
		return rc;
	}
	while (rc == GD_OK && (entry = readdir(dir)) != NULL) {
		struct output_file f;
		struct stat        st;

		if (!output_parse(entry->d_name, &f.ref) ||
		    fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		f.ended = time_of(&st);
		f.bytes = weight(&st);
		rc = add_file(out, &f, why);
	}
	(void)closedir(dir);
	if (rc != GD_OK)
		free(out->at);
	return rc;
}

/* --- life --- */

static gd_nsec read_dropped(int dir_fd)
{
	struct stat st;

	return fstatat(dir_fd, OUTPUT_DROPPED, &st, AT_SYMLINK_NOFOLLOW) == 0 ? time_of(&st) : 0;
}

enum gd_err output_open(struct output *o, int state_fd, output_absent_fn *absent, void *ctx,
                        struct gd_error *why)
{
	int failed;

	*o = (struct output){ .state_fd = state_fd, .absent = absent, .ctx = ctx };
	o->fd = open_dir(state_fd, OUTPUT_DIR);
	if (o->fd < 0 && errno != ENOENT)
		return gd_fail_sys(why, errno, "cannot open the directory of the output");
	atomic_init(&o->dropped, o->fd < 0 ? 0 : read_dropped(o->fd));
	o->is_look_due = o->fd >= 0;
	failed = pthread_cond_init(&o->changed, NULL);
	if (failed == 0 && (failed = pthread_mutex_init(&o->lock, NULL)) != 0)
		(void)pthread_cond_destroy(&o->changed);
	if (failed == 0)
		return GD_OK;
	if (o->fd >= 0)
		(void)close(o->fd);
	return gd_fail_sys(why, failed, "output: lock");
}

void output_close(struct output *o)
{
	const struct output_ref *refs = (const struct output_ref *)(void *)o->gone.at;

	for (size_t i = 0; o->fd >= 0 && i < o->gone.bytes / sizeof *refs; i++)
		(void)output_remove(o->fd, &refs[i]);
	buf_close(&o->gone);
	if (o->fd >= 0)
		(void)close(o->fd);
	(void)pthread_cond_destroy(&o->changed);
	(void)pthread_mutex_destroy(&o->lock);
}
