/*
 * gatherd-runner - owns the processes of gatherd, and outlives it: parse, open, run, close.
 */
#include "daemon/log.h"
#include "daemon/notify.h"
#include "daemon/runner/runner.h"
#include "daemon/runner/spawn.h"
#include "daemon/open_files.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_FAILED 71 /* EX_OSERR */
#define EXIT_TAKEN 75  /* EX_TEMPFAIL: another one runs here */
#define EXIT_CONFIG 78 /* EX_CONFIG */
#define FILES_MIN 16   /* our own, before we have raised it again */
#define IDLE_SECONDS 60
#define IDLE_SECONDS_MAX 31536000

static const char usage[] =
	"Usage: gatherd-runner --state-dir DIR [OPTION]...\n"
	"Runs commands for the gatherd of that state directory, and outlives it.\n"
	"\n"
	"  --state-dir DIR     lives in DIR/runner\n"
	"  --socket PATH       where the daemon connects [DIR/runner/sock]\n"
	"  --cgroup DIR        a control group (version 2) of its own, for one below it for each\n"
	"                      command; \"own\" is the one it was started in\n"
	"  --credentials DIR   holds a file for each secret [$CREDENTIALS_DIRECTORY]\n"
	"  --open-files N      the soft limit of descriptors that commands begin with [ours]\n"
	"  --idle SECONDS      ends after so long with no command and no daemon; 0: never\n"
	"                      [60; under systemd 0]\n"
	"  --detach            leaves its parent and goes on in the background\n"
	"  --help, --version\n";

/* False: the command line is wrong. */
static bool parse_idle(const char *text, gd_nsec *out)
{
	char *end;
	long  seconds = strtol(text, &end, 10);

	if (end == text || *end != '\0' || seconds < 0 || seconds > IDLE_SECONDS_MAX)
		return false;
	*out = seconds * GD_NSEC_PER_SEC;
	return true;
}

/* For those that are started from here on: of our own as much as there is will be used. */
static bool limit_files(const char *text)
{
	struct rlimit      limit = open_files_at_start();
	char              *end;
	unsigned long long most = strtoull(text, &end, 10);

	if (end == text || *end != '\0' || most < FILES_MIN)
		return false;
	limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

/* -1: go on; otherwise the exit status. */
static int parse(struct runner_config *c, bool *is_detached, int argc, char **argv)
{
	static const struct option options[] = {
		{ "state-dir", required_argument, NULL, 'd' },
		{ "socket", required_argument, NULL, 's' },
		{ "cgroup", required_argument, NULL, 'g' },
		{ "credentials", required_argument, NULL, 'c' },
		{ "idle", required_argument, NULL, 'i' },
		{ "open-files", required_argument, NULL, 'f' },
		{ "detach", no_argument, NULL, 'b' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'd') {
			c->state_dir = optarg;
		} else if (option == 's') {
			c->socket = optarg;
		} else if (option == 'g') {
			c->cgroup = optarg;
		} else if (option == 'c') {
			c->secrets = optarg;
		} else if (option == 'b') {
			*is_detached = true;
		} else if ((option == 'i' && parse_idle(optarg, &c->idle)) ||
		           (option == 'f' && limit_files(optarg))) {
			continue;
		} else if (option == 'h' || option == 'v') {
			(void)fputs(option == 'h' ? usage : "gatherd-runner " VERSION "\n", stdout);
			return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILED;
		} else {
			return EXIT_USAGE; /* getopt has said why, or: */
		}
	}
	return c->state_dir == NULL || optind < argc ? EXIT_USAGE : -1;
}

static int exit_code_of(enum gd_err rc)
{
	if (rc == GD_OK)
		return EXIT_SUCCESS;
	if (rc == GD_CONFLICT)
		return EXIT_TAKEN;
	return rc == GD_INVALID_PARAMS ? EXIT_CONFIG : EXIT_FAILED;
}

/* -1 in the child, which goes on. The parent was made the leader of a session by whoever started it,
 * so that the child is none and gets no terminal. */
static int detach(void)
{
	pid_t pid = fork();

	if (pid == 0)
		return -1;
	return pid < 0 ? EXIT_FAILED : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct runner r;
	struct runner_config config = { .secrets = getenv("CREDENTIALS_DIRECTORY") };
	struct gd_error      why;
	enum gd_err          rc;
	int                  code;
	bool                 is_detached = false;

	config.idle = getenv("NOTIFY_SOCKET") == NULL ? IDLE_SECONDS * GD_NSEC_PER_SEC : 0;
	if ((code = parse(&config, &is_detached, argc, argv)) >= 0) {
		if (code == EXIT_USAGE)
			(void)fputs(usage, stderr);
		return code;
	}
	if (is_detached && (code = detach()) >= 0)
		return code;
	log_open(false);
	if ((rc = spawn_prepare(&why)) == GD_OK)
		notify_open();
	if (rc == GD_OK && (rc = runner_open(&r, &config, &why)) == GD_OK) {
		log_info("runner.ready", "commands=%u lost=%u", (unsigned)r.table.count,
		         (unsigned)r.lost);
		notify_ready();
		runner_run(&r);
		log_info("runner.stopped", "commands=%u", (unsigned)r.table.count);
		runner_close(&r);
	} else {
		log_error("runner.start_failed", "%s", why.text);
	}
	notify_close();
	return exit_code_of(rc);
}
