/*
 * bare_spawn.c - the limit for commands: posix_spawn of /bin/true with so many in flight, waited for,
 * nothing captured. Prints commands a second.
 *
 *	bare_spawn DEPTH COUNT
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static char        name[] = "/bin/true";
	static char *const words[] = { name, NULL };
	static char *const nothing[] = { NULL };
	long               depth = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
	long               count = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	long               started = 0;
	double             start = now();
	pid_t              pid;

	if (depth < 1 || count < 1) {
		fputs("usage: bare_spawn DEPTH COUNT\n", stderr);
		return 2;
	}
	for (long ended = 0; ended < count; ended++) {
		for (; started < count && started < ended + depth; started++)
			if (posix_spawn(&pid, name, NULL, NULL, words, nothing) != 0)
				return 1;
		if (wait(NULL) < 0)
			return 1;
	}
	printf("%.1f\n", (double)count / (now() - start));
	return 0;
}
