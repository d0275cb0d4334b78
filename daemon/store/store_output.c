/* store_output.c - output.h for those outside, and what it asks of the store. */
#include "daemon/store/inside.h"

#include <pthread.h>

struct answer {
	struct store_read read; /* first */
	pthread_mutex_t   lock;
	pthread_cond_t    changed;
	bool              is_there;
};

static void on_answer(struct store_read *r)
{
	struct answer *a = (struct answer *)(void *)r;

	(void)pthread_mutex_lock(&a->lock);
	a->is_there = true;
	(void)pthread_cond_signal(&a->changed);
	(void)pthread_mutex_unlock(&a->lock);
}

/* On the output's thread, which waits for the writer's. */
static enum gd_err ask_absent(void *ctx, uint64_t *ids, uint32_t *count, struct gd_error *why)
{
	struct answer a = {
		.read = { .kind = READ_ABSENT, .done = on_answer, .ids = ids, .id_count = *count },
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER
	};

	store_read(ctx, &a.read);
	(void)pthread_mutex_lock(&a.lock);
	while (!a.is_there)
		(void)pthread_cond_wait(&a.changed, &a.lock);
	(void)pthread_mutex_unlock(&a.lock);
	(void)pthread_cond_destroy(&a.changed);
	(void)pthread_mutex_destroy(&a.lock);
	*count = a.read.id_count;
	if (a.read.outcome != GD_OK && why != NULL)
		*why = a.read.why;
	return a.read.outcome;
}

enum gd_err store_output_open(struct store *s, struct gd_error *why)
{
	return output_open(&s->output, s->dir.dir_fd, ask_absent, s, why);
}

enum gd_err store_keep_output(struct store *s, const struct output_ref *ref, gd_nsec ended,
                              struct gd_error *why)
{
	return output_keep(&s->output, ref, ended, why);
}

void store_open_output(struct store *s, const struct output_ref *ref, int fd[OUTPUT_STREAMS])
{
	output_open_streams(&s->output, ref, fd);
}

bool store_is_output_expired(const struct store *s, gd_nsec begun)
{
	return begun <= atomic_load(&s->output.dropped);
}
