/*
 * bare_sync.c - the limit for one durable thing at a time: overwrite 4 KiB of a file that has its
 * size already, fdatasync. Prints the median in microseconds.
 *
 *	bare_sync FILE COUNT
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define PAGES 256

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	static char page[PAGE];
	int         fd = argc == 3 ? open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
	long        count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	double     *waits = count > 0 ? calloc((size_t)count, sizeof *waits) : NULL;

	if (fd < 0 || waits == NULL) {
		fputs("usage: bare_sync FILE COUNT\n", stderr);
		return 2;
	}
	for (off_t i = 0; i < PAGES; i++)
		if (pwrite(fd, page, PAGE, i * PAGE) != PAGE)
			return 1;
	if (fsync(fd) != 0)
		return 1;
	for (long i = 0; i < count; i++) {
		double start = now_us();

		if (pwrite(fd, page, PAGE, i % PAGES * PAGE) != PAGE || fdatasync(fd) != 0)
			return 1;
		waits[i] = now_us() - start;
	}
	qsort(waits, (size_t)count, sizeof *waits, by_size);
	printf("%.1f\n", waits[count / 2]);
	return close(fd) != 0;
}
