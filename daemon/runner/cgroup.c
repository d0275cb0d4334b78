#include "daemon/runner/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES 24
#define PATH_BYTES 4096
#define GONE_TRIES 200 /* of 10 ms, at the start */
#define GONE_PAUSE_MSEC 10

/* --- files of a group --- */

/* 0 or errno. */
static int write_text(int fd, const char *text)
{
	ssize_t done = pwrite(fd, text, strlen(text), 0);

	return done == (ssize_t)strlen(text) ? 0 : done < 0 ? errno : EIO;
}

static int write_file(int dir_fd, const char *path, const char *text)
{
	int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC);
	int failed;

	if (fd < 0)
		return errno;
	failed = write_text(fd, text);
	(void)close(fd);
	return failed;
}

static bool is_populated(int events_fd)
{
	char    text[256];
	ssize_t got = pread(events_fd, text, sizeof text - 1, 0);

	text[got > 0 ? got : 0] = '\0';
	return strstr(text, "populated 1") != NULL;
}

static void group_name(uint32_t number, char out[NAME_BYTES])
{
	(void)snprintf(out, NAME_BYTES, "cmd-%u", (unsigned)number);
}

/* --- one --- */

static int open_in(const struct cgroups *g, uint32_t number, const char *file, int flags)
{
	char path[NAME_BYTES + 32];
	char name[NAME_BYTES];

	group_name(number, name);
	(void)snprintf(path, sizeof path, "%s/%s", name, file);
	return openat(g->dir_fd, path, flags | O_CLOEXEC);
}

static void close_files(struct cgroup *c)
{
	if (c->procs_fd >= 0)
		(void)close(c->procs_fd);
	if (c->kill_fd >= 0)
		(void)close(c->kill_fd);
	if (c->events_fd >= 0)
		(void)close(c->events_fd);
}

static void forget(struct cgroups *g, struct cgroup *c)
{
	char name[NAME_BYTES];

	group_name(c->number, name);
	close_files(c);
	(void)unlinkat(g->dir_fd, name, AT_REMOVEDIR);
	free(c);
}

static struct cgroup *make(struct cgroups *g)
{
	struct cgroup *c = calloc(1, sizeof *c);
	char           name[NAME_BYTES];
	int            failed;

	if (c == NULL)
		return NULL;
	c->procs_fd = c->kill_fd = c->events_fd = -1;
	c->number = g->made;
	group_name(c->number, name);
	if (mkdirat(g->dir_fd, name, 0755) == 0 &&
	    (c->procs_fd = open_in(g, c->number, "cgroup.procs", O_WRONLY)) >= 0 &&
	    (c->kill_fd = open_in(g, c->number, "cgroup.kill", O_WRONLY)) >= 0 &&
	    (c->events_fd = open_in(g, c->number, "cgroup.events", O_RDONLY)) >= 0) {
		g->made++;
		return c;
	}
	failed = errno;
	forget(g, c);
	errno = failed;
	return NULL;
}

static int limit_pids(struct cgroups *g, struct cgroup *c, uint32_t pids_max)
{
	char name[NAME_BYTES], path[NAME_BYTES + 32], text[16] = "max";
	int  failed;

	if (!g->has_pids || pids_max == c->pids_max)
		return 0;
	group_name(c->number, name);
	(void)snprintf(path, sizeof path, "%s/pids.max", name);
	if (pids_max != 0)
		(void)snprintf(text, sizeof text, "%u", (unsigned)pids_max);
	if ((failed = write_file(g->dir_fd, path, text)) == 0)
		c->pids_max = pids_max;
	return failed;
}

struct cgroup *cgroup_take(struct cgroups *g, uint32_t pids_max)
{
	struct cgroup *c = g->spare;
	int            failed;

	if (c != NULL) {
		g->spare = c->next;
		g->spare_count--;
	} else if ((c = make(g)) == NULL) {
		return NULL;
	}
	c->next = NULL;
	if ((failed = limit_pids(g, c, pids_max)) != 0) {
		cgroup_release(g, c);
		errno = failed;
		return NULL;
	}
	return c;
}

int cgroup_join(const struct cgroup *c)
{
	return write_text(c->procs_fd, "0");
}

void cgroup_kill(const struct cgroup *c)
{
	(void)write_text(c->kill_fd, "1");
}

bool cgroup_is_empty(const struct cgroup *c)
{
	return !is_populated(c->events_fd);
}

static void keep(struct cgroups *g, struct cgroup *c)
{
	if (g->spare_count == CGROUP_SPARE_MAX) {
		forget(g, c);
		return;
	}
	c->next = g->spare;
	g->spare = c;
	g->spare_count++;
}

void cgroup_release(struct cgroups *g, struct cgroup *c)
{
	if (cgroup_is_empty(c)) {
		keep(g, c);
		return;
	}
	cgroup_kill(c);
	c->next = g->leaving;
	g->leaving = c;
}

bool cgroups_sweep(struct cgroups *g)
{
	struct cgroup *c = g->leaving;
	struct cgroup *next;

	g->leaving = NULL;
	for (; c != NULL; c = next) {
		next = c->next;
		cgroup_release(g, c);
	}
	return g->leaving != NULL;
}

/* --- all --- */

/* Where version 2 is mounted, and below it the group of this process. */
static enum gd_err find_own(char out[PATH_BYTES], struct gd_error *why)
{
	char  line[PATH_BYTES + 256], mount[PATH_BYTES] = "", group[PATH_BYTES] = "";
	FILE *f = fopen("/proc/self/mounts", "re");

	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "%*s %4095s cgroup2 ", mount) == 1 &&
		    strstr(line, " cgroup2 ") != NULL)
			break;
		mount[0] = '\0';
	}
	if (f != NULL)
		(void)fclose(f);
	f = fopen("/proc/self/cgroup", "re");
	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, "0::", 3) == 0)
			(void)sscanf(line + 3, "%4095s", group);
	}
	if (f != NULL)
		(void)fclose(f);
	if (mount[0] == '\0' || group[0] == '\0' ||
	    snprintf(out, PATH_BYTES, "%s%s", mount, group) >= PATH_BYTES)
		return gd_fail(why, GD_INVALID_PARAMS,
		               "this system has no control groups of version 2");
	return GD_OK;
}

/* A group with members cannot share out controllers: the runner moves down into one of its own. */
static void enable_pids(struct cgroups *g)
{
	(void)mkdirat(g->dir_fd, "runner", 0755);
	if (write_file(g->dir_fd, "runner/cgroup.procs", "0") != 0)
		return;
	g->has_pids = write_file(g->dir_fd, "cgroup.subtree_control", "+pids") == 0;
}

static void kill_group(int dir_fd, const char *name)
{
	char path[300];
	int  events_fd;

	(void)snprintf(path, sizeof path, "%s/cgroup.kill", name);
	(void)write_file(dir_fd, path, "1");
	(void)snprintf(path, sizeof path, "%s/cgroup.events", name);
	events_fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
	for (int i = 0; events_fd >= 0 && i < GONE_TRIES && is_populated(events_fd); i++)
		(void)poll(NULL, 0, GONE_PAUSE_MSEC);
	if (events_fd >= 0)
		(void)close(events_fd);
	(void)unlinkat(dir_fd, name, AT_REMOVEDIR);
}

static void kill_old_groups(struct cgroups *g)
{
	int            fd = openat(g->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR           *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	unsigned       number;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (sscanf(e->d_name, "cmd-%u", &number) != 1)
			continue;
		kill_group(g->dir_fd, e->d_name);
		if (number >= g->made)
			g->made = number + 1; /* one that could not be emptied keeps its name */
	}
	if (dir != NULL)
		(void)closedir(dir);
	else if (fd >= 0)
		(void)close(fd);
}

enum gd_err cgroups_open(struct cgroups *g, const char *dir, struct gd_error *why)
{
	char        path[PATH_BYTES];
	bool        is_own = dir != NULL && strcmp(dir, "own") == 0;
	enum gd_err rc;

	*g = (struct cgroups){ .dir_fd = -1 };
	if (dir == NULL)
		return GD_OK;
	if (is_own && (rc = find_own(path, why)) != GD_OK)
		return rc;
	g->dir_fd = open(is_own ? path : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (g->dir_fd < 0)
		return gd_fail_sys(why, errno, "control group %s", is_own ? path : dir);
	if (faccessat(g->dir_fd, "cgroup.procs", W_OK, 0) != 0)
		return gd_fail_sys(why, errno, "no control group of ours at %s",
		                   is_own ? path : dir);
	kill_old_groups(g);
	enable_pids(g);
	g->is_on = true;
	return GD_OK;
}

void cgroups_close(struct cgroups *g)
{
	struct cgroup *lists[] = { g->spare, g->leaving };

	for (int i = 0; i < 2; i++) {
		while (lists[i] != NULL) {
			struct cgroup *next = lists[i]->next;

			forget(g, lists[i]);
			lists[i] = next;
		}
	}
	if (g->dir_fd >= 0)
		(void)close(g->dir_fd);
	*g = (struct cgroups){ .dir_fd = -1 };
}
