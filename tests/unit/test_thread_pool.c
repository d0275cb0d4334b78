/* daemon/effect/thread_pool: order, recall, many who hand in, and the end. */
#include "daemon/effect/thread_pool.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define LONG (60 * GD_NSEC_PER_SEC)
#define PRODUCERS 4
#define TASKS 5000

/* What the tasks of a test share. */
struct scene {
	sem_t          begun, may_end, told;
	_Atomic size_t worked, done;
	int            order[8];
};

struct task {
	struct thread_task t;
	struct scene      *scene;
	int                number;
};

static struct scene scene;

static int setup(void **state)
{
	(void)state;
	scene = (struct scene){ 0 };
	return sem_init(&scene.begun, 0, 0) | sem_init(&scene.may_end, 0, 0) |
	       sem_init(&scene.told, 0, 0);
}

static void work_counted(struct thread_task *t)
{
	struct task *mine = (struct task *)(void *)t;
	size_t       n = atomic_fetch_add(&mine->scene->worked, 1);

	if (n < sizeof scene.order / sizeof scene.order[0])
		mine->scene->order[n] = mine->number;
}

static void work_blocked(struct thread_task *t)
{
	struct task *mine = (struct task *)(void *)t;

	(void)sem_post(&mine->scene->begun);
	while (sem_wait(&mine->scene->may_end) != 0)
		;
	(void)atomic_fetch_add(&mine->scene->worked, 1);
}

static void tell(struct thread_task *t)
{
	struct task *mine = (struct task *)(void *)t;

	(void)atomic_fetch_add(&mine->scene->done, 1);
	(void)sem_post(&mine->scene->told);
}

static void wait_for(sem_t *s, int times)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 60;
	for (int i = 0; i < times; i++)
		assert_int_equal(sem_timedwait(s, &until), 0);
}

static struct thread_pool *open_pool(uint32_t threads)
{
	struct thread_pool *p = NULL;

	assert_int_equal(thread_pool_open(threads, &p, NULL), GD_OK);
	return p;
}

static void close_pool(struct thread_pool *p)
{
	assert_int_equal(thread_pool_stop(p, LONG), 0);
	thread_pool_close(p);
}

static struct task blocker(void)
{
	return (struct task){ .t = { .work = work_blocked, .done = tell }, .scene = &scene };
}

static struct task counter(int number)
{
	return (struct task){ .t = { .work = work_counted, .done = tell },
		              .scene = &scene,
		              .number = number };
}

/* --- order and recall --- */

static void given_one_thread_then_tasks_begin_in_the_order_of_the_queue(void **state)
{
	struct thread_pool *p = open_pool(1);
	struct task         block = blocker(), three[] = { counter(1), counter(2), counter(3) };

	(void)state;
	thread_pool_run(p, &block.t);
	for (int i = 0; i < 3; i++)
		thread_pool_run(p, &three[i].t);

	(void)sem_post(&scene.may_end);
	wait_for(&scene.told, 4);

	for (int i = 0; i < 3; i++)
		assert_int_equal(scene.order[i + 1], i + 1);
	close_pool(p);
}

static void given_a_waiting_task_when_recalled_then_it_never_begins(void **state)
{
	struct thread_pool *p = open_pool(1);
	struct task         block = blocker(), three[] = { counter(1), counter(2), counter(3) };

	(void)state;
	thread_pool_run(p, &block.t);
	wait_for(&scene.begun, 1);
	for (int i = 0; i < 3; i++)
		thread_pool_run(p, &three[i].t);
	assert_int_equal(thread_pool_count(p).waiting, 3);

	assert_true(thread_pool_recall(p, &three[1].t));
	assert_true(thread_pool_recall(p, &three[2].t));
	assert_false(thread_pool_recall(p, &three[1].t));

	assert_int_equal(thread_pool_count(p).waiting, 1);
	thread_pool_run(p, &three[2].t);
	(void)sem_post(&scene.may_end);
	wait_for(&scene.told, 3);
	assert_int_equal(scene.order[1], 1);
	assert_int_equal(scene.order[2], 3);
	assert_int_equal(atomic_load(&scene.worked), 3);
	close_pool(p);
}

static void given_a_task_that_runs_when_recalled_then_it_goes_on_and_is_told(void **state)
{
	struct thread_pool *p = open_pool(2);
	struct task         block = blocker();

	(void)state;
	thread_pool_run(p, &block.t);
	wait_for(&scene.begun, 1);

	assert_false(thread_pool_recall(p, &block.t));
	assert_int_equal(thread_pool_count(p).running, 1);

	(void)sem_post(&scene.may_end);
	wait_for(&scene.told, 1);
	assert_int_equal(atomic_load(&scene.done), 1);
	close_pool(p);
}

/* --- threads --- */

static void given_a_burst_of_tasks_that_block_then_every_thread_takes_one(void **state)
{
	struct thread_pool *p = open_pool(16);
	struct task         block[17];

	(void)state;
	for (int i = 0; i < 17; i++) {
		block[i] = blocker();
		thread_pool_run(p, &block[i].t);
	}

	wait_for(&scene.begun, 16);
	assert_int_equal(thread_pool_count(p).running, 16);
	assert_int_equal(thread_pool_count(p).waiting, 1);

	for (int i = 0; i < 17; i++)
		(void)sem_post(&scene.may_end);
	wait_for(&scene.told, 17);
	close_pool(p);
}

static void work_signals(struct thread_task *t)
{
	struct task *mine = (struct task *)(void *)t;
	sigset_t     mask;

	mine->number = pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0 &&
	               sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGHUP) == 1;
}

static void given_a_task_then_its_thread_takes_no_signals_and_a_bounded_stack(void **state)
{
	struct thread_pool *p = open_pool(1);
	struct task         one = counter(0);
	sigset_t            mask;

	(void)state;
	one.t.work = work_signals;
	thread_pool_run(p, &one.t);
	wait_for(&scene.told, 1);

	assert_int_equal(one.number, 1);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	assert_int_equal(sigismember(&mask, SIGTERM), 0);
	close_pool(p);
}

struct producer {
	struct thread_pool *pool;
	struct task        *tasks;
	pthread_t           thread;
	size_t              recalled;
};

static void *produce(void *ctx)
{
	struct producer *mine = ctx;

	for (int i = 0; i < TASKS; i++) {
		mine->tasks[i] = counter(i);
		thread_pool_run(mine->pool, &mine->tasks[i].t);
		if (i % 3 == 0)
			mine->recalled += thread_pool_recall(mine->pool, &mine->tasks[i / 2].t);
	}
	return NULL;
}

static void given_many_who_hand_in_and_recall_then_each_task_is_done_or_recalled(void **state)
{
	struct thread_pool *p = open_pool(3);
	struct producer     at[PRODUCERS] = { 0 };
	size_t              recalled = 0;

	(void)state;
	for (int i = 0; i < PRODUCERS; i++) {
		at[i].pool = p;
		at[i].tasks = calloc(TASKS, sizeof *at[i].tasks);
		assert_non_null(at[i].tasks);
		assert_int_equal(pthread_create(&at[i].thread, NULL, produce, &at[i]), 0);
	}
	for (int i = 0; i < PRODUCERS; i++) {
		(void)pthread_join(at[i].thread, NULL);
		recalled += at[i].recalled;
	}
	wait_for(&scene.told, (int)(PRODUCERS * TASKS - recalled));

	assert_int_equal(atomic_load(&scene.done), PRODUCERS * TASKS - recalled);
	assert_int_equal(atomic_load(&scene.worked), PRODUCERS * TASKS - recalled);
	close_pool(p);
	for (int i = 0; i < PRODUCERS; i++)
		free(at[i].tasks);
}

/* --- the end --- */

static void given_tasks_that_wait_when_stopped_then_they_never_begin(void **state)
{
	struct thread_pool *p = open_pool(1);
	struct task         block = blocker(), waits = counter(1), late = counter(2);

	(void)state;
	thread_pool_run(p, &block.t);
	wait_for(&scene.begun, 1);
	thread_pool_run(p, &waits.t);
	(void)sem_post(&scene.may_end);

	assert_int_equal(thread_pool_stop(p, LONG), 0);
	thread_pool_run(p, &late.t);
	thread_pool_close(p);

	/* What was free to run before the stop may have run. */
	assert_in_range(atomic_load(&scene.worked), 1, 2);
	assert_int_equal(atomic_load(&scene.done), atomic_load(&scene.worked));
}

static void given_a_task_that_never_ends_then_the_stop_does_not_wait_and_nobody_is_told(
	void **state)
{
	struct thread_pool *p = open_pool(3);
	struct task         block = blocker();
	struct timespec     pause = { .tv_nsec = 1000000 };

	(void)state;
	thread_pool_run(p, &block.t);
	wait_for(&scene.begun, 1);

	assert_int_equal(thread_pool_stop(p, 0), 1);
	thread_pool_close(p);

	/* It ends after all; its thread then frees the pool. */
	(void)sem_post(&scene.may_end);
	while (atomic_load(&scene.worked) == 0)
		(void)nanosleep(&pause, NULL);
	assert_int_equal(atomic_load(&scene.done), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(given_one_thread_then_tasks_begin_in_the_order_of_the_queue,
		                       setup),
		cmocka_unit_test_setup(given_a_waiting_task_when_recalled_then_it_never_begins,
		                       setup),
		cmocka_unit_test_setup(
			given_a_task_that_runs_when_recalled_then_it_goes_on_and_is_told, setup),
		cmocka_unit_test_setup(
			given_a_burst_of_tasks_that_block_then_every_thread_takes_one, setup),
		cmocka_unit_test_setup(
			given_a_task_then_its_thread_takes_no_signals_and_a_bounded_stack, setup),
		cmocka_unit_test_setup(
			given_many_who_hand_in_and_recall_then_each_task_is_done_or_recalled,
			setup),
		cmocka_unit_test_setup(given_tasks_that_wait_when_stopped_then_they_never_begin,
		                       setup),
		cmocka_unit_test_setup(
			given_a_task_that_never_ends_then_the_stop_does_not_wait_and_nobody_is_told,
			setup),
	};

	return cmocka_run_group_tests_name("thread_pool", tests, NULL, NULL);
}
