/*
 * bare_heap.c - the limit for many sleeps: COUNT sleepers, one allocation each, in a binary heap.
 *
 * The same deadlines as the job: n * 7919 % 5000 milliseconds. Prints by how many seconds the last
 * one was late.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct sleeper {
	int64_t         due; /* CLOCK_MONOTONIC, ns */
	struct sleeper *parent;
	uint64_t        result;
	uint64_t        state;
};

static struct sleeper **heap;
static size_t           used;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void push(struct sleeper *s)
{
	size_t at = used++;

	for (; at > 0 && heap[(at - 1) / 2]->due > s->due; at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = s;
}

static void pop(void)
{
	struct sleeper *last = heap[--used];
	size_t          at = 0;

	for (size_t next = 1; next < used; next = 2 * at + 1) {
		if (next + 1 < used && heap[next + 1]->due < heap[next]->due)
			next++;
		if (last->due <= heap[next]->due)
			break;
		heap[at] = heap[next];
		at = next;
	}
	heap[at] = last;
}

int main(int argc, char **argv)
{
	size_t  count = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
	int64_t start = now_ns();
	int64_t last = start;

	if (count == 0 || (heap = malloc(count * sizeof *heap)) == NULL) {
		fputs("usage: bare_heap COUNT\n", stderr);
		return 2;
	}
	for (size_t n = 0; n < count; n++) {
		struct sleeper *s = calloc(1, sizeof *s);

		if (s == NULL)
			return 1;
		s->due = start + (int64_t)(n * 7919 % 5000) * 1000000;
		if (s->due > last)
			last = s->due;
		push(s);
	}
	while (used > 0) {
		struct timespec until = { .tv_sec = heap[0]->due / 1000000000,
			                  .tv_nsec = heap[0]->due % 1000000000 };
		int64_t         now;

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		now = now_ns();
		while (used > 0 && heap[0]->due <= now) {
			free(heap[0]);
			pop();
		}
	}
	printf("%.6f\n", (double)(now_ns() - last) / 1e9);
	return 0;
}
