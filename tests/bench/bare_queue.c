/*
 * bare_queue.c - the limit for tasks of one sleep(0): COUNT tasks, one allocation each, go through
 * a FIFO queue twice and are freed. Prints the seconds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct task {
	struct task *next;
	uint64_t     state;
	uint64_t     result;
	uint64_t     parent;
};

static struct task *first;
static struct task *last;

static void push(struct task *t)
{
	t->next = NULL;
	if (first == NULL)
		first = t;
	else
		last->next = t;
	last = t;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	size_t count = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
	double start = now_s();

	if (count == 0) {
		fputs("usage: bare_queue COUNT\n", stderr);
		return 2;
	}
	for (size_t n = 0; n < count; n++) {
		struct task *t = calloc(1, sizeof *t);

		if (t == NULL)
			return 1;
		push(t);
	}
	while (first != NULL) {
		struct task *t = first;

		first = t->next;
		if (t->state++ == 0)
			push(t);
		else
			free(t);
	}
	printf("%.6f\n", now_s() - start);
	return 0;
}
