/*
 * client.h - what the commands of gatherctl share: exit codes, the table of commands, and how a
 * failure is told.
 *
 * Threads: one.
 */
#ifndef GATHERD_CLIENT_CLIENT_H
#define GATHERD_CLIENT_CLIENT_H

#include "client/options.h"
#include "client/session.h"
#include "client/source.h"

#include <jansson.h>

enum client_exit {
	CLIENT_DONE = 0,
	CLIENT_FAILED = 1,    /* the job failed, or the daemon refused the request */
	CLIENT_USAGE = 2,     /* the command line or the job's text is wrong */
	CLIENT_NO_DAEMON = 3, /* not reachable, or lost for longer than --reconnect */
	CLIENT_CANCELLED = 4,
	CLIENT_TIMEOUT = 124,    /* gave up waiting; the job goes on */
	CLIENT_INTERRUPTED = 130 /* a second Ctrl-C */
};

struct command {
	const char *name; /* two rows may share one: the second is for what stands behind "--" */
	const char *operands; /* for the usage line */
	const char *summary;  /* one line */
	const char *details;  /* for --help; NULL: none */
	uint64_t    options;  /* OPTION_ bits, beside those of every command */
	uint32_t    operands_min;
	uint32_t    operands_max;
	bool        is_for_command;          /* the operands are a command line behind "--" */
	int (*run)(const struct options *o); /* gives an enum client_exit */
};

int cmd_backup(const struct options *o);
int cmd_cancel(const struct options *o);
int cmd_delete(const struct options *o);
int cmd_events(const struct options *o);
int cmd_explain(const struct options *o);
int cmd_fsck(const struct options *o);
int cmd_get(const struct options *o);
int cmd_info(const struct options *o);
int cmd_list(const struct options *o);
int cmd_ping(const struct options *o);
int cmd_log(const struct options *o);
int cmd_pool(const struct options *o);
int cmd_result(const struct options *o);
int cmd_resume(const struct options *o);
int cmd_run(const struct options *o);
int cmd_semaphore(const struct options *o);
int cmd_signal(const struct options *o);
int cmd_stack(const struct options *o);
int cmd_submit(const struct options *o);
int cmd_token(const struct options *o);
int cmd_validate(const struct options *o);
int cmd_wait(const struct options *o);

/* Prints what went wrong to stderr and gives the exit code for it. `s` may be NULL. */
int client_fail(const struct session *s, enum gd_err rc, const struct gd_error *why);
/* The same for a refused job: an InvalidSpec is shown in the text that it came from. */
int client_fail_job(const struct session *s, const struct source *source, enum gd_err rc,
                    const struct gd_error *why);
/* The exit code that belongs to a job's status; CLIENT_DONE where it has not ended. */
int client_exit_for_status(const char *status);

/* Opens the session that the options name. On failure the words are printed, `*exit_code` is set
 * and NULL returned. */
struct session *client_open(const struct options *o, int *exit_code);
/* One call in a session of its own: CLIENT_DONE with `*result`, a new reference, or the exit code
 * after words. `params` is taken. */
int client_ask(const struct options *o, const char *method, json_t *params, json_t **result);
/* A key that nobody else has, so that a request whose reply got lost can be sent again. Errors:
 * GD_SYS. */
#define CLIENT_KEY_CHARS 32
GD_NODISCARD enum gd_err client_make_key(char out[CLIENT_KEY_CHARS + 1], struct gd_error *why);
/* A job id; prints why not and returns false. */
bool                     client_parse_id(const char *text, json_int_t *id);
/* The operands as a list of ids, new; NULL after words. */
json_t                  *client_parse_ids(const struct options *o);
/* Prints a document to stdout: compact with --json, indented otherwise. */
void                     client_print_document(const struct options *o, const json_t *document);
/* One compact line. */
void                     client_print_line(const json_t *document);
/* Reads a whole result with job.result, in as many calls as it takes; `*text` is malloc'd and
 * terminated. `path` may be NULL. */
GD_NODISCARD enum gd_err client_read_result(struct session *s, json_int_t id, const char *path,
                                            char **text, struct gd_error *why);
/* `value`, or the whole of it where it is only a {"$large": ...}: of the job's result, or of the
 * event at `path`. `*whole` is a new reference. */
GD_NODISCARD enum gd_err client_whole_value(struct session *s, json_int_t id, const char *path,
                                            const json_t *value, json_t **whole,
                                            struct gd_error *why);

#endif
