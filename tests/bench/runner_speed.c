/*
 * runner_speed.c - gatherd-runner alone, driven as the daemon drives it, with the output of each
 * command kept and each end acknowledged. Prints commands a second.
 *
 *	runner_speed SOCKET DEPTH COUNT PROGRAM [ARGUMENT]...
 */
#include "daemon/runner/link.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static _Noreturn void die(const struct gd_error *why)
{
	fprintf(stderr, "runner_speed: %s\n", why->text);
	exit(1);
}

static void start_one(struct runner_link *link, uint64_t job, const char *const *argv)
{
	struct run_start s = { .ref = { job, 1, 1 },
		               .key = "runner_speed",
		               .argv = argv,
		               .keep = { RUN_KEEP_DEFAULT, RUN_KEEP_DEFAULT },
		               .umask = 077,
		               .uid = RUN_ID_NONE,
		               .gid = RUN_ID_NONE };
	struct gd_error  why;

	if (runner_link_start(link, &s, &why) != GD_OK)
		die(&why);
}

/* What has come; how many have ended. */
static uint64_t take(struct runner_link *link)
{
	struct pollfd      look = { .fd = runner_link_fd(link), .events = POLLIN };
	struct run_message m;
	struct gd_error    why;
	uint64_t           ended = 0;

	if (runner_link_flush(link, &why) != GD_OK)
		die(&why);
	(void)poll(&look, 1, -1);
	if (runner_link_read(link, &why) != GD_OK)
		die(&why);
	while (runner_link_next(link, &m)) {
		if (m.kind != RUN_STATE || m.state.phase == RUN_RUNNING)
			continue;
		if (m.state.phase != RUN_EXITED || m.state.exit.signal != 0) {
			fputs("runner_speed: a command failed\n", stderr);
			exit(1);
		}
		ended++;
		if (runner_link_ack(link, &m.ref, &why) != GD_OK)
			die(&why);
	}
	return ended;
}

int main(int argc, char **argv)
{
	uint64_t            depth = argc > 4 ? strtoull(argv[2], NULL, 10) : 0;
	uint64_t            count = argc > 4 ? strtoull(argv[3], NULL, 10) : 0;
	uint64_t            started = 0, ended = 0;
	struct runner_link *link;
	struct gd_error     why;
	double              start;

	if (depth < 1 || count < 1) {
		fputs("usage: runner_speed SOCKET DEPTH COUNT PROGRAM [ARGUMENT]...\n", stderr);
		return 2;
	}
	if (runner_link_open(argv[1], &link, &why) != GD_OK)
		die(&why);
	start = now();
	while (ended < count) {
		for (; started < count && started < ended + depth; started++)
			start_one(link, started + 1, (const char *const *)(argv + 4));
		ended += take(link);
	}
	printf("%.1f\n", (double)count / (now() - start));
	/* So that the last ACK is sent. */
	if (runner_link_flush(link, &why) != GD_OK)
		die(&why);
	runner_link_close(link);
	return 0;
}
