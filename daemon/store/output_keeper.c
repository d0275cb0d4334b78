/*
 * output_keeper.c - the thread that lets output go: of jobs that have left, and what is too much.
 *
 * Part of output.h. Nobody else unlinks anything in DIR/output.
 */
#include "daemon/store/output.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_over(const struct output *o)
{
	return o->bytes_max != 0 && o->bytes > o->bytes_max && o->bytes >= o->again_at;
}

bool output_has_work(const struct output *o)
{
	return o->fd >= 0 && (o->is_look_due || o->gone.bytes != 0 || is_over(o));
}

/* --- of no job --- */

static int by_job(const void *a, const void *b)
{
	const struct output_file *one = a;
	const struct output_file *other = b;

	return (one->ref.job > other->ref.job) - (one->ref.job < other->ref.job);
}

static bool is_among(uint64_t job, const uint64_t *ids, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (ids[i] == job)
			return true;
	}
	return false;
}

/* The files from `from` on, of OUTPUT_ABSENT_MAX jobs at most. Gives where the next ones begin. */
static size_t sweep_some(struct output *o, struct output_files *files, size_t from, uint64_t *freed)
{
	uint64_t ids[OUTPUT_ABSENT_MAX];
	uint32_t count = 0;
	size_t   to = from;

	for (; to < files->count; to++) {
		if (count != 0 && ids[count - 1] == files->at[to].ref.job)
			continue;
		if (count == OUTPUT_ABSENT_MAX)
			break;
		ids[count++] = files->at[to].ref.job;
	}
	if (o->absent(o->ctx, ids, &count, NULL) != GD_OK)
		return files->count; /* the store has failed: the next start looks again */
	for (size_t i = from; count != 0 && i < to; i++) {
		if (is_among(files->at[i].ref.job, ids, count)) {
			*freed += output_remove(o->fd, &files->at[i].ref);
			files->at[i].bytes = 0;
		}
	}
	return to;
}

static uint64_t sweep(struct output *o, struct output_files *files)
{
	uint64_t freed = 0;

	if (files->count == 0)
		return 0;
	qsort(files->at, files->count, sizeof *files->at, by_job);
	for (size_t i = 0; i < files->count && !o->is_stopping;)
		i = sweep_some(o, files, i, &freed);
	return freed;
}

/* --- too much --- */

static int by_end(const void *a, const void *b)
{
	const struct output_file *one = a;
	const struct output_file *other = b;

	if (one->ended != other->ended)
		return one->ended < other->ended ? -1 : 1;
	return by_job(a, b);
}

/* Before they go, so that nobody takes them for commands without output. */
static void note_dropped(struct output *o, gd_nsec ended)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		                           { .tv_sec = ended / GD_NSEC_PER_SEC,
		                             .tv_nsec = ended % GD_NSEC_PER_SEC } };
	int fd = openat(o->fd, OUTPUT_DROPPED, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (ended > atomic_load(&o->dropped))
		atomic_store(&o->dropped, ended);
	if (fd >= 0) {
		(void)futimens(fd, times);
		(void)close(fd);
	}
}

/* The longest ended go until no more than `target` is left of `total`. */
static uint64_t trim(struct output *o, struct output_files *files, uint64_t total, uint64_t target)
{
	uint64_t freed = 0;
	uint64_t planned = 0;
	size_t   count = 0;

	if (files->count == 0)
		return 0;
	qsort(files->at, files->count, sizeof *files->at, by_end);
	while (count < files->count && total - planned > target) {
		uint64_t bytes = files->at[count].bytes;

		planned += bytes < total - planned ? bytes : total - planned;
		count++;
	}
	if (count != 0)
		note_dropped(o, files->at[count - 1].ended);
	for (size_t i = 0; i < count && !o->is_stopping; i++)
		freed += output_remove(o->fd, &files->at[i].ref);
	return freed;
}

/* --- the thread --- */

static uint64_t look_at_all(struct output *o, uint64_t max, uint64_t before)
{
	struct output_files files;
	uint64_t            total = 0;
	uint64_t            freed;

	if (output_list(o->fd, &files, NULL) != GD_OK)
		return before;
	for (size_t i = 0; i < files.count; i++)
		total += files.at[i].bytes;
	freed = sweep(o, &files);
	total -= freed < total ? freed : total;
	if (max != 0 && total > max && !o->is_stopping) {
		freed = trim(o, &files, total, max - max / 8);
		total -= freed < total ? freed : total;
	}
	free(files.at);
	return total;
}

/* The lock is held, and open meanwhile. What is kept meanwhile may be counted twice: until the next
 * look, which comes the earlier. */
static void look(struct output *o)
{
	uint64_t max = o->bytes_max;
	uint64_t total = o->bytes;

	o->is_look_due = false;
	o->fresh = 0;
	(void)pthread_mutex_unlock(&o->lock);
	total = look_at_all(o, max, total);
	(void)pthread_mutex_lock(&o->lock);
	o->bytes = total + o->fresh;
	o->again_at = total + max / 8;
}

/* The same. */
static void remove_gone(struct output *o)
{
	struct buf               gone = o->gone;
	const struct output_ref *refs = (const struct output_ref *)(void *)gone.at;
	uint64_t                 freed = 0;

	o->gone = (struct buf){ 0 };
	(void)pthread_mutex_unlock(&o->lock);
	for (size_t i = 0; i < gone.bytes / sizeof *refs; i++)
		freed += output_remove(o->fd, &refs[i]);
	buf_close(&gone);
	(void)pthread_mutex_lock(&o->lock);
	o->bytes -= freed < o->bytes ? freed : o->bytes;
}

static void *keeper_main(void *arg)
{
	struct output *o = arg;

	(void)pthread_mutex_lock(&o->lock);
	while (!o->is_stopping) {
		if (o->gone.bytes != 0)
			remove_gone(o);
		else if (output_has_work(o))
			look(o);
		else
			(void)pthread_cond_wait(&o->changed, &o->lock);
	}
	(void)pthread_mutex_unlock(&o->lock);
	return NULL;
}

/* Without a thread to be had it all waits for the next time. Signals are for the main thread. */
void output_wake(struct output *o)
{
	sigset_t all;
	sigset_t before;

	if (!o->has_thread && o->is_started && !o->is_stopping) {
		(void)sigfillset(&all);
		(void)pthread_sigmask(SIG_SETMASK, &all, &before);
		o->has_thread = pthread_create(&o->thread, NULL, keeper_main, o) == 0;
		(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	(void)pthread_cond_signal(&o->changed);
}

static void wake_for_work(struct output *o)
{
	if (output_has_work(o))
		output_wake(o);
}

void output_start(struct output *o)
{
	(void)pthread_mutex_lock(&o->lock);
	o->is_started = true;
	wake_for_work(o);
	(void)pthread_mutex_unlock(&o->lock);
}

void output_stop(struct output *o)
{
	bool has_thread;

	(void)pthread_mutex_lock(&o->lock);
	o->is_stopping = true;
	has_thread = o->has_thread;
	o->has_thread = false;
	(void)pthread_cond_signal(&o->changed);
	(void)pthread_mutex_unlock(&o->lock);
	if (has_thread)
		(void)pthread_join(o->thread, NULL);
}

void output_set_max(struct output *o, uint64_t bytes_max)
{
	(void)pthread_mutex_lock(&o->lock);
	if (bytes_max != o->bytes_max)
		o->again_at = 0;
	o->bytes_max = bytes_max;
	wake_for_work(o);
	(void)pthread_mutex_unlock(&o->lock);
}

uint64_t output_bytes(struct output *o)
{
	uint64_t bytes;

	(void)pthread_mutex_lock(&o->lock);
	bytes = o->bytes;
	(void)pthread_mutex_unlock(&o->lock);
	return bytes;
}

void output_let_go(struct output *o, const void *refs, size_t bytes)
{
	if (bytes == 0)
		return;
	(void)pthread_mutex_lock(&o->lock);
	if (o->fd >= 0) {
		if (o->gone.bytes + bytes <= OUTPUT_GONE_BYTES_MAX)
			buf_add(&o->gone, refs, bytes);
		else
			o->is_look_due = true;
		if (o->gone.failed != GD_OK) {
			buf_close(&o->gone);
			o->is_look_due = true;
		}
		wake_for_work(o);
	}
	(void)pthread_mutex_unlock(&o->lock);
}
