/*
 * gatherd - durable asyncio in one small daemon: parse, open, run, close in reverse.
 */
#include "daemon/config.h"
#include "daemon/effect/effects.h"
#include "daemon/fsck/fsck.h"
#include "daemon/load/job_schema.h"
#include "daemon/load/json_memory.h"
#include "daemon/log.h"
#include "daemon/net/listener.h"
#include "daemon/notify.h"
#include "daemon/run/recover.h"
#include "daemon/open_files.h"

#include <inttypes.h>
#include <jansson.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_SECOND_DAEMON 75 /* EX_TEMPFAIL */
#define LARGE_BYTES (64 * 1024)
#define PROGRESS_USEC 250000
/* Of one job: its journal is as long as its life was, and its loop does nothing else meanwhile. */
#define REPLAY_MAX (10 * 60 * GD_NSEC_PER_SEC)
#define EXIT_FAILED 71 /* EX_OSERR: the system refuses something we need */

#define SIGNALS 3
static const int signal_numbers[SIGNALS] = { SIGTERM, SIGINT, SIGHUP };

struct daemon {
	struct config     config;
	struct auth      *auth;
	struct store     *store;
	struct pool      *pool;
	struct effects   *effects;
	struct net       *net;
	struct listeners *listeners;
	struct event     *signals[SIGNALS];
	struct event     *watchdog;
	struct event     *progress; /* while jobs are being replayed */
};

/* --- while it runs --- */

static void on_stop(evutil_socket_t number, short what, void *ctx)
{
	struct daemon *d = ctx;

	(void)what;
	log_info("daemon.stopping", "signal=%d", (int)number);
	notify_stopping();
	listeners_stop(d->listeners);
	net_drain(d->net);
	loop_stop(pool_loop(d->pool, 0));
}

/* At the start, and again when the configuration was read again. */
static void set_bounds(struct daemon *d)
{
	struct config               *c = &d->config;
	const struct store_retention bounds = {
		.jobs_age = atomic_load(&c->retain) * GD_NSEC_PER_SEC,
		.events_age = atomic_load(&c->retain_events) * GD_NSEC_PER_SEC,
		.jobs_max = atomic_load(&c->keep_jobs),
		.events_max = atomic_load(&c->keep_events),
		.bytes_max = (uint64_t)atomic_load(&c->keep_mib) << 20,
		.output_max = (uint64_t)atomic_load(&c->keep_output_mib) << 20,
	};

	store_retain(d->store, &bounds);
	atomic_store(&d->pool->jobs_max, atomic_load(&c->max_jobs));
}

static void on_reload(evutil_socket_t number, short what, void *ctx)
{
	struct daemon  *d = ctx;
	struct gd_error why;
	enum gd_err     rc;

	(void)number;
	(void)what;
	notify_reloading();
	rc = config_reload(&d->config, &why);
	set_bounds(d);
	if (rc != GD_OK || auth_reload(d->auth, &why) != GD_OK)
		log_error("config.refused", "%s; the old configuration stays", why.text);
	else
		log_info("config.reloaded", "file=%s", d->config.file);
	notify_ready();
}

/* One line for `systemctl status`; renewed as often as the watchdog is fed. */
static void tell_status(struct daemon *d)
{
	const uint64_t left = recover_left(d->pool);
	const uint64_t total = d->pool->recovery.total;
	uint32_t       jobs = 0;

	if (left != 0) {
		notify_status("recovering: %" PRIu64 " of %" PRIu64 " jobs run again",
		              left < total ? total - left : 0, total);
		return;
	}
	for (uint32_t i = 0; i < d->pool->count; i++)
		jobs += atomic_load(&pool_loop(d->pool, i)->job_count);
	notify_status("%u jobs under way on %u loops", (unsigned)jobs, (unsigned)d->pool->count);
}

static void on_watchdog(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;

	(void)fd;
	(void)what;
	if (!pool_is_alive(d->pool))
		return;
	notify_watchdog();
	tell_status(d);
}

static void on_progress(evutil_socket_t fd, short what, void *ctx)
{
	struct daemon *d = ctx;

	(void)fd;
	(void)what;
	tell_status(d);
	if (recover_left(d->pool) != 0)
		return;
	(void)event_del(d->progress);
	notify_watchdog_allow(0);
}

static enum gd_err watch_progress(struct daemon *d, struct gd_error *why)
{
	const struct timeval interval = { .tv_usec = PROGRESS_USEC };

	d->progress = event_new(pool_loop(d->pool, 0)->base, -1, EV_PERSIST, on_progress, d);
	if (d->progress == NULL || event_add(d->progress, &interval) != 0)
		return gd_fail(why, GD_NOMEM, "no memory for the progress of the recovery");
	return GD_OK;
}

static enum gd_err watch_signals(struct daemon *d, struct gd_error *why)
{
	struct event_base *base = pool_loop(d->pool, 0)->base;
	gd_nsec            interval = notify_watchdog_interval() / 2;
	struct timeval     tv = { .tv_sec = (time_t)(interval / GD_NSEC_PER_SEC),
		                  .tv_usec = (suseconds_t)(interval % GD_NSEC_PER_SEC / 1000) };

	for (int i = 0; i < SIGNALS; i++) {
		d->signals[i] = evsignal_new(base, signal_numbers[i],
		                             signal_numbers[i] == SIGHUP ? on_reload : on_stop, d);
		if (d->signals[i] == NULL || evsignal_add(d->signals[i], NULL) != 0)
			return gd_fail(why, GD_NOMEM, "no memory for signals");
	}
	if (interval == 0)
		return GD_OK;
	d->watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, d);
	if (d->watchdog == NULL || event_add(d->watchdog, &tv) != 0)
		return gd_fail(why, GD_NOMEM, "no memory for the watchdog");
	return GD_OK;
}

/* --- life --- */

static enum gd_err open_store(struct daemon *d, struct gd_error *why)
{
	const struct store_config config = { .dir = d->config.state_dir,
		                             .on_commit = pool_on_commit,
		                             .ctx = d->pool,
		                             .on_full = pool_on_full,
		                             .now = pool_time,
		                             .now_ctx = d->pool,
		                             .accepts_rollback = d->config.accepts_rollback };
	enum gd_err               rc = store_open(&config, &d->store, why);

	if (rc != GD_OK)
		return rc;
	set_bounds(d);
	if (store_was_older(d->store))
		log_warn("store.rolled_back", "what was acknowledged since is lost; store=%s",
		         store_uuid(d->store));
	return pool_use_store(d->pool, d->store, why);
}

/* Where gatherd-runner is: as configured, or beside this program. NULL: somebody else starts it. */
static const char *runner_program(const struct config *c, char *room, size_t bytes)
{
	static const char name[] = "gatherd-runner";
	ssize_t           got;
	char             *slash;

	if (strcmp(c->runner, "none") == 0)
		return NULL;
	if (c->runner[0] != '\0')
		return c->runner;
	got = readlink("/proc/self/exe", room, bytes);
	if (got <= 0 || (size_t)got >= bytes)
		return NULL;
	room[got] = '\0';
	slash = strrchr(room, '/');
	if (slash == NULL || (size_t)(slash + 1 - room) + sizeof name > bytes)
		return NULL;
	memcpy(slash + 1, name, sizeof name);
	return room;
}

/* What a job could do with the files of the daemon itself is without bound: it never sees them. */
struct roots {
	const char *reads[CONFIG_TEXTS_MAX], *writes[CONFIG_TEXTS_MAX];
	const char *private_paths[4];
};

static struct blocking_options read_roots(const struct config *c, struct roots *r)
{
	_Static_assert(CONFIG_TEXTS_MAX <= BLOCKING_ROOTS_MAX, "room for all roots");
	*r = (struct roots){ .private_paths = { c->state_dir, c->file, c->token_file,
		                                c->credentials } };
	for (uint32_t i = 0; i < c->read_roots.count; i++)
		r->reads[i] = config_texts_at(&c->read_roots, i);
	for (uint32_t i = 0; i < c->write_roots.count; i++)
		r->writes[i] = config_texts_at(&c->write_roots, i);
	return (struct blocking_options){ .read_roots = r->reads,
		                          .read_root_count = c->read_roots.count,
		                          .write_roots = r->writes,
		                          .write_root_count = c->write_roots.count,
		                          .private_paths = r->private_paths,
		                          .private_count = 4 };
}

struct hosts {
	const char *names[CONFIG_TEXTS_MAX], *networks[CONFIG_TEXTS_MAX];
};

static struct http_policy_config read_hosts(const struct config *c, struct hosts *h)
{
	for (uint32_t i = 0; i < c->http_hosts.count; i++)
		h->names[i] = config_texts_at(&c->http_hosts, i);
	for (uint32_t i = 0; i < c->http_networks.count; i++)
		h->networks[i] = config_texts_at(&c->http_networks, i);
	return (struct http_policy_config){ .hosts = h->names,
		                            .host_count = c->http_hosts.count,
		                            .networks = h->networks,
		                            .network_count = c->http_networks.count,
		                            .ca_file = c->http_ca_file,
		                            .allows_downgrade = c->http_downgrades };
}

static enum gd_err open_effects(struct daemon *d, struct gd_error *why)
{
	char                        path[PATH_MAX];
	const struct config        *c = &d->config;
	struct roots                roots;
	struct hosts                hosts;
	const struct effects_config config = {
		.processes = { .state_dir = c->state_dir,
		               .runner_socket = c->runner_socket,
		               .runner_program = runner_program(c, path, sizeof path),
		               .credentials = c->credentials,
		               .profiles = c->profiles },
		.threads = c->threads,
		.blocking = read_roots(c, &roots),
		.policy = read_hosts(c, &hosts),
		.http = { .transfers = c->http_transfers,
		          .redirects = c->http_redirects,
		          .connect_timeout = c->http_connect_timeout * GD_NSEC_PER_SEC,
		          .timeout = c->http_timeout * GD_NSEC_PER_SEC,
		          .response_bytes = c->http_response_kib * 1024 },
	};

	return effects_open(&config, d->pool, &d->effects, why);
}

static enum gd_err open_all(struct daemon *d, struct gd_error *why)
{
	enum gd_err rc;

	if ((rc = auth_open(d->config.token_file, &d->auth, why)) != GD_OK ||
	    (rc = pool_open(d->config.loops, &d->pool, why)) != GD_OK ||
	    (rc = open_store(d, why)) != GD_OK || (rc = open_effects(d, why)) != GD_OK ||
	    (rc = recover_open(d->pool, why)) != GD_OK ||
	    (rc = net_open(&d->config, d->auth, d->pool, d->effects, &d->net, why)) != GD_OK ||
	    (rc = watch_signals(d, why)) != GD_OK || (rc = watch_progress(d, why)) != GD_OK ||
	    (rc = listeners_open(d->net, &d->listeners, why)) != GD_OK ||
	    (rc = store_start(d->store, why)) != GD_OK)
		return rc;
	recover_begin(d->pool);
	effects_start(d->effects);
	return pool_start(d->pool, why);
}

/* What was accepted is committed and answered before the connections end. */
static void close_all(struct daemon *d)
{
	if (d->pool != NULL)
		pool_stop(d->pool);
	if (d->store != NULL)
		store_stop(d->store);
	if (d->effects != NULL)
		effects_stop(d->effects);
	if (d->pool != NULL)
		pool_drain(d->pool);
	if (d->listeners != NULL)
		listeners_close(d->listeners);
	if (d->net != NULL)
		net_close(d->net);
	for (int i = 0; i < SIGNALS; i++) {
		if (d->signals[i] == NULL)
			continue;
		event_free(d->signals[i]);
		/* A second one must not end us before the store is closed. */
		(void)signal(signal_numbers[i], SIG_IGN);
	}
	if (d->watchdog != NULL)
		event_free(d->watchdog);
	if (d->progress != NULL)
		event_free(d->progress);
	effects_close(d->effects);
	if (d->pool != NULL)
		pool_close(d->pool);
	if (d->store != NULL)
		store_close(d->store);
	if (d->auth != NULL)
		auth_close(d->auth);
}

static int exit_code_of(enum gd_err rc)
{
	switch ((int)rc) {
	case GD_OK:
		return EXIT_SUCCESS;
	case GD_CONFLICT:
		return EXIT_SECOND_DAEMON;
	case GD_STORE:
	case GD_INVALID_PARAMS:
	case GD_FORBIDDEN:
		return CONFIG_EXIT_CONFIG;
	default:
		return EXIT_FAILED;
	}
}

static int print_schema(void)
{
	struct buf      b = { 0 };
	struct gd_error why;
	int             code = exit_code_of(job_schema_write(&b, &why));

	if (code != EXIT_SUCCESS)
		(void)fprintf(stderr, "gatherd: %s\n", why.text);
	else if (fwrite(b.at, 1, b.bytes, stdout) != b.bytes || fflush(stdout) != 0)
		code = EXIT_FAILED;
	buf_close(&b);
	return code;
}

static int look_at_state(const char *dir)
{
	uint64_t        problems;
	struct gd_error why;
	enum gd_err     rc = fsck_run(dir, stdout, &problems, &why);

	if (rc == GD_OK && fflush(stdout) != 0)
		rc = gd_fail(&why, GD_SYS, "cannot write to standard output");
	if (rc == GD_OK)
		return problems == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	(void)fprintf(stderr, "gatherd: %s\n", why.text);
	return exit_code_of(rc);
}

static void stop_without_memory(void)
{
	pool_die("daemon.no_memory", NULL);
}

/* Whether it could start, as far as that can be seen without starting. */
static enum gd_err check_roots(const struct config *c, struct gd_error *why)
{
	struct roots                  roots;
	const struct blocking_options options = read_roots(c, &roots);
	struct blocking_config       *blocking;
	enum gd_err                   rc = blocking_config_open(&options, &blocking, why);

	if (rc == GD_OK)
		blocking_config_close(blocking);
	return rc;
}

static enum gd_err check_hosts(const struct config *c, struct gd_error *why)
{
	struct hosts                    hosts;
	const struct http_policy_config config = read_hosts(c, &hosts);
	struct http_policy             *policy;
	enum gd_err                     rc = http_policy_open(&config, &policy, why);

	if (rc == GD_OK)
		http_policy_close(policy);
	return rc;
}

static int check_config(struct daemon *d)
{
	struct gd_error why;
	enum gd_err     rc = auth_open(d->config.token_file, &d->auth, &why);

	if (rc == GD_OK)
		auth_close(d->auth);
	if (rc == GD_OK)
		rc = check_roots(&d->config, &why);
	if (rc == GD_OK)
		rc = check_hosts(&d->config, &why);
	if (rc != GD_OK)
		log_error("config.refused", "%s", why.text);
	return exit_code_of(rc);
}

static int run(struct daemon *d)
{
	struct gd_error why;
	enum gd_err     rc;

	notify_open();
	notify_status("opening the state directory");
	if ((rc = open_all(d, &why)) == GD_OK) {
		log_info("daemon.ready", "socket=%s loops=%u jobs=%" PRIu64 " seq=%" PRIu64,
		         d->config.socket, (unsigned)d->config.loops, d->pool->recovery.total,
		         store_seq(d->store));
		tell_status(d);
		if (d->pool->recovery.total != 0)
			notify_watchdog_allow(REPLAY_MAX);
		notify_ready();
		loop_run(pool_loop(d->pool, 0));
	} else {
		log_error("daemon.start_failed", "%s", why.text);
	}
	close_all(d);
	notify_close();
	log_info("daemon.stopped", "code=%d", exit_code_of(rc));
	return exit_code_of(rc);
}

static void prepare(struct daemon *d)
{
	log_open(d->config.is_foreground);
	log_set_level((enum log_level)atomic_load(&d->config.log_level));
	json_object_seed(0);
	/* Large blocks go back to the system when they are freed. Left alone, glibc keeps more of them
	 * with every burst: the second million of coroutines would take a quarter more. */
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	open_files_raise();
	(void)signal(SIGPIPE, SIG_IGN); /* whoever reads our log may end before we do */
}

int main(int argc, char **argv)
{
	static struct daemon d;
	int                  code = 0;

	json_memory_guard(stop_without_memory);
	switch (config_load(&d.config, argc, argv, stdout, stderr, &code)) {
	case CONFIG_END:
		break;
	case CONFIG_SCHEMA:
		code = print_schema();
		break;
	case CONFIG_FSCK:
		code = look_at_state(d.config.state_dir);
		break;
	case CONFIG_CHECK:
		prepare(&d);
		code = check_config(&d);
		break;
	case CONFIG_RUN:
		prepare(&d);
		code = run(&d);
		break;
	}
	config_close(&d.config);
	return code;
}
