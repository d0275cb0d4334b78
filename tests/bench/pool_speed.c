/*
 * pool_speed.c - empty tasks through the thread pool: PRODUCERS threads hand in TASKS each, in bursts
 * of BURST, and hear of all of one burst before they begin the next, as a loop does. Prints the tasks
 * a second, and the seconds of CPU for a million.
 */
#include "daemon/effect/thread_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PRODUCERS_MAX 16

struct producer {
	struct thread_pool *pool;
	size_t              tasks, burst;
	pthread_mutex_t     mutex;
	pthread_cond_t      is_over;
	_Atomic size_t      left;
	pthread_t           thread;
};

struct task {
	struct thread_task t;
	struct producer   *from;
};

static void work(struct thread_task *t)
{
	(void)t;
}

static void done(struct thread_task *t)
{
	struct producer *from = ((struct task *)(void *)t)->from;

	if (atomic_fetch_sub(&from->left, 1) != 1)
		return;
	(void)pthread_mutex_lock(&from->mutex);
	(void)pthread_cond_signal(&from->is_over);
	(void)pthread_mutex_unlock(&from->mutex);
}

static void *produce(void *ctx)
{
	struct producer *mine = ctx;
	struct task     *tasks = calloc(mine->burst, sizeof *tasks);

	if (tasks == NULL)
		abort();
	for (size_t at = 0; at < mine->tasks; at += mine->burst) {
		atomic_store(&mine->left, mine->burst);
		for (size_t i = 0; i < mine->burst; i++) {
			tasks[i] = (struct task){ { .work = work, .done = done }, mine };
			thread_pool_run(mine->pool, &tasks[i].t);
		}
		(void)pthread_mutex_lock(&mine->mutex);
		while (atomic_load(&mine->left) > 0)
			(void)pthread_cond_wait(&mine->is_over, &mine->mutex);
		(void)pthread_mutex_unlock(&mine->mutex);
	}
	free(tasks);
	return NULL;
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static struct producer at[PRODUCERS_MAX];
	size_t                 producers = argc == 5 ? strtoull(argv[1], NULL, 10) : 0;
	size_t                 threads = argc == 5 ? strtoull(argv[2], NULL, 10) : 0;
	size_t                 tasks = argc == 5 ? strtoull(argv[3], NULL, 10) : 0;
	size_t                 burst = argc == 5 ? strtoull(argv[4], NULL, 10) : 0;
	struct thread_pool    *pool;
	double                 start, cpu;

	if (producers < 1 || producers > PRODUCERS_MAX || threads < 1 ||
	    threads > THREAD_POOL_THREADS_MAX || burst < 1 || tasks < 1) {
		fputs("usage: pool_speed PRODUCERS THREADS TASKS BURST\n", stderr);
		return 2;
	}
	if (thread_pool_open((uint32_t)threads, &pool, NULL) != GD_OK)
		return 1;
	start = seconds(CLOCK_MONOTONIC);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (size_t i = 0; i < producers; i++) {
		at[i].pool = pool;
		at[i].tasks = tasks;
		at[i].burst = burst;
		(void)pthread_mutex_init(&at[i].mutex, NULL);
		(void)pthread_cond_init(&at[i].is_over, NULL);
		if (pthread_create(&at[i].thread, NULL, produce, &at[i]) != 0)
			return 1;
	}
	for (size_t i = 0; i < producers; i++)
		(void)pthread_join(at[i].thread, NULL);
	start = seconds(CLOCK_MONOTONIC) - start;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	tasks = producers * ((tasks + burst - 1) / burst * burst);
	printf("%.0f tasks a second, %.2f s of CPU for a million\n", (double)tasks / start,
	       cpu * 1e6 / (double)tasks);
	(void)thread_pool_stop(pool, 0);
	thread_pool_close(pool);
	return 0;
}
