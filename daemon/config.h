/*
 * config.h - flags and file into one struct, frozen before threads start.
 *
 * config_load() touches nothing else: log_open() and log_set_level() are main's.
 *
 * One table of keys (config_key.h) drives the flags, the file, --help and every message: each key
 * of the file is a flag and the other way round. A flag wins over the file, the file over the
 * default. Lists are not added up: any `listen` flag hides those of the file. Sections `[exec NAME]`
 * are in the file only: profile/profile_key.h knows their keys.
 *
 * Reloadable keys are atomics and may be read from every thread at any time, and the profiles are in
 * a book; the rest never changes after config_load().
 *
 * Ownership: everything lives inside the struct but the book, which config_close() frees. Threads: config_load() and config_reload() on the
 * main thread.
 */
#ifndef GATHERD_CONFIG_H
#define GATHERD_CONFIG_H

#include "daemon/log.h"
#include "daemon/profile/profile_table.h"
#include "proto/base/err.h"

#include <limits.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/un.h>

#define CONFIG_LISTEN_MAX 8u
#define CONFIG_LOOPS_MAX 64u
#define CONFIG_THREADS_MAX 1024u
#define CONFIG_TEXTS_MAX 16u
/* One callback may make as much of some compressed bytes: in less than 10 ms. */
#define CONFIG_HTTP_RESPONSE_KIB_MAX 8192u
#define CONFIG_EXIT_USAGE 2   /* the command line is wrong */
#define CONFIG_EXIT_CONFIG 78 /* the configuration is wrong: EX_CONFIG */

struct config_listen {
	char text[80]; /* HOST:PORT as given */
	union {
		struct sockaddr     any;
		struct sockaddr_in  in;
		struct sockaddr_in6 in6;
	} address; /* loopback, always */
	socklen_t address_bytes;
};

/* What may be said again. */
struct config_texts {
	char     text[PATH_MAX]; /* one behind the other, each with its NUL */
	uint32_t bytes;          /* of them all */
	uint32_t count;          /* at most CONFIG_TEXTS_MAX */
};

struct config {
	char     file[PATH_MAX]; /* --config; "": none */
	char     state_dir[PATH_MAX];
	char     socket[sizeof((struct sockaddr_un *)0)->sun_path];
	uint32_t socket_mode; /* permission bits: 0600 for a user, 0660 for the system */
	struct config_listen listen[CONFIG_LISTEN_MAX];
	uint32_t             listen_count;
	char                 token_file[PATH_MAX]; /* "": none, and then `listen` is empty */
	uint32_t             loops;
	uint32_t             threads;     /* for calls that block */
	struct config_texts  read_roots;  /* directories below which jobs may read */
	struct config_texts  write_roots; /* the same, to write */
	struct config_texts http_hosts; /* that jobs may call; see http_policy.h, as the next two */
	struct config_texts http_networks;
	char                http_ca_file[PATH_MAX]; /* "": those of the system */
	uint32_t            http_redirects;
	uint32_t            http_connect_timeout; /* seconds, as the next */
	uint32_t            http_timeout;
	uint32_t            http_response_kib;
	uint32_t            http_transfers; /* of each loop */
	bool                http_downgrades;
	char runner[PATH_MAX]; /* of gatherd-runner; "": beside us; "none": not ours to start */
	char credentials[PATH_MAX]; /* of gatherd-runner, where we start it; "": none */
	char runner_socket[sizeof((struct sockaddr_un *)0)->sun_path]; /* "": in state_dir */
	bool is_foreground;
	bool accepts_rollback; /* --accept-rollback, for this one start */

	/* reloadable */
	_Atomic uint32_t log_level;       /* enum log_level */
	_Atomic uint32_t max_connections; /* all listeners together */
	_Atomic uint32_t max_jobs;        /* live ones */
	_Atomic uint32_t auth_timeout;    /* seconds until a TCP connection has shown its token */
	_Atomic uint32_t idle_timeout;  /* seconds for a message to be complete once it has begun */
	_Atomic uint32_t retain;        /* seconds that an ended job is kept which did not say */
	_Atomic uint32_t retain_max;    /* seconds, the most that a job may say */
	_Atomic uint32_t retain_events; /* seconds */
	_Atomic uint32_t keep_jobs;     /* ended ones */
	_Atomic uint32_t keep_events;
	_Atomic uint32_t keep_mib; /* of the database */
	_Atomic uint32_t keep_output_mib;

	struct profile_book *profiles; /* owned; reloadable, as a whole */

	uint64_t
		given; /* bit i: key i of the table came from a flag, so a reload leaves it alone */
};

enum config_action {
	CONFIG_RUN,
	CONFIG_CHECK,  /* --check-config: look at the rest of what start needs, say so, end */
	CONFIG_FSCK,   /* --fsck: look at the state directory, say what is there, end */
	CONFIG_SCHEMA, /* --schema: print the JSON Schema of jobs, end; no configuration was read */
	CONFIG_END     /* everything is said; exit with `*exit_code` */
};

/* Reads flags and file. --help and --version go to `out`, words about mistakes to `err`. After
 * CONFIG_RUN and CONFIG_CHECK the programs of the profiles have been looked at. */
GD_NODISCARD enum config_action config_load(struct config *c, int argc, char **argv, FILE *out,
                                            FILE *err, int *exit_code);

/* One of them, by its position. */
const char *config_texts_at(const struct config_texts *t, uint32_t index);

void config_close(struct config *c); /* also after CONFIG_END */

/* Reads the file again and applies what may change, the level of the log included; the rest is told
 * in the log as needing a restart. The tokens are auth_reload()'s. Errors: GD_INVALID_PARAMS and
 * GD_FORBIDDEN (somebody else could change a program) with FILE:LINE, GD_SYS, GD_NOMEM; nothing has
 * changed then. */
GD_NODISCARD enum gd_err config_reload(struct config *c, struct gd_error *why);

#endif
