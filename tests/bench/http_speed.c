/*
 * http_speed.c - the HTTP client alone, on one loop: COUNT requests, all handed in at once, of which
 * CONCURRENT are under way. Prints seconds, CPU seconds of the process, the CPU milliseconds of the
 * longest turn of the loop, the most requests that were under way, and the MiB at the peak.
 *
 *	http_speed URL COUNT CONCURRENT [CA-FILE]
 */
#include "daemon/http/http.h"

#include <event2/event.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define LARGE_BYTES (64 * 1024)

struct tally {
	uint32_t ended;
	uint32_t failed;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "http_speed: %s\n", what);
	exit(1);
}

static double seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_done(void *ctx, const struct http_answer *a)
{
	struct tally *t = ctx;

	if (a->status != 200 && t->failed++ == 0)
		fprintf(stderr, "http_speed: %u %s\n", (unsigned)a->status,
		        a->message == NULL ? "" : a->message);
	t->ended++;
}

static struct http_policy *open_policy(const char *ca_file)
{
	static const char *const        HOSTS[] = { "*" };
	static const char *const        NETWORKS[] = { "127.0.0.0/8" };
	const struct http_policy_config config = { .hosts = HOSTS,
		                                   .networks = NETWORKS,
		                                   .host_count = 1,
		                                   .network_count = 1,
		                                   .ca_file = ca_file };
	struct http_policy             *p;
	struct gd_error                 why;

	if (http_policy_open(&config, &p, &why) != GD_OK)
		die(why.text);
	return p;
}

static void start_all(struct http_client *c, const char *url, uint32_t count, struct tally *t)
{
	const struct http_request r = { .url = { url, strlen(url) } };

	for (uint32_t i = 0; i < count; i++) {
		struct http_transfer *transfer;
		struct gd_error       why;

		if (http_start(c, &r, on_done, t, &transfer, &why) != GD_OK)
			die(why.text);
	}
}

int main(int argc, char **argv)
{
	const uint32_t           count = argc < 4 ? 0 : (uint32_t)strtoul(argv[2], NULL, 10);
	const struct http_limits limits = {
		.transfers = argc < 4 ? 1 : (uint32_t)strtoul(argv[3], NULL, 10),
		.redirects = 5,
		.connect_timeout = 60 * GD_NSEC_PER_SEC,
		.timeout = 120 * GD_NSEC_PER_SEC,
		.response_bytes = 1u << 20,
	};
	struct event_base  *base;
	struct http_policy *policy;
	struct http_client *client;
	struct tally        tally = { 0 };
	struct rusage       usage;
	struct gd_error     why;
	double              began, longest = 0;
	uint32_t            most = 0;

	/* As gatherd has it: otherwise memory goes back in pieces that take 20 ms. */
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	base = event_base_new();
	if (argc < 4 || count == 0 || base == NULL)
		die("http_speed URL COUNT CONCURRENT [CA-FILE]");
	policy = open_policy(argc > 4 ? argv[4] : NULL);
	if (http_client_open(base, policy, &limits, &client, &why) != GD_OK)
		die(why.text);
	began = seconds_of(CLOCK_MONOTONIC);
	start_all(client, argv[1], count, &tally);
	while (tally.ended < count) {
		const double before = seconds_of(CLOCK_THREAD_CPUTIME_ID);
		uint32_t     running, waiting;
		double       took;

		(void)event_base_loop(base, EVLOOP_ONCE);
		took = seconds_of(CLOCK_THREAD_CPUTIME_ID) - before;
		http_client_counts(client, &running, &waiting);
		longest = took > longest ? took : longest;
		most = running > most ? running : most;
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("%.3f %.3f %.3f %u %.1f\n", seconds_of(CLOCK_MONOTONIC) - began,
	       seconds_of(CLOCK_PROCESS_CPUTIME_ID), longest * 1e3, (unsigned)most,
	       (double)usage.ru_maxrss / 1024);
	http_client_close(client);
	http_policy_close(policy);
	event_base_free(base);
	return tally.failed == 0 ? 0 : 1;
}
