#include "daemon/runner/tree.h"

#include "daemon/runner/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENVIRON_BYTES_MAX (256u << 10)
#define CHILDREN_BYTES_MAX (1u << 20)
#define STAT_BYTES 1024

/* As much of the file as there is room for; -1: not there. */
static ssize_t read_file(const char *path, char *room, size_t bytes)
{
	int     fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t  done = 0;
	ssize_t got;

	if (fd < 0)
		return -1;
	while (done < bytes - 1 && (got = read(fd, room + done, bytes - 1 - done)) > 0)
		done += (size_t)got;
	(void)close(fd);
	room[done] = '\0';
	return (ssize_t)done;
}

/* --- one process --- */

/* Fields of /proc/PID/stat, as proc(5) counts them. */
enum {
	FIELD_STATE = 3,
	FIELD_PARENT = 4,
	FIELD_SESSION = 6,
	FIELD_BEGAN = 22,
	FIELD_MEMORY = 23,
	FIELD_ENVIRONMENT = 50
};

/* `at` is behind the name, which may hold anything and ends at the last parenthesis. */
static const char *find_field(const char *at, int number)
{
	for (int i = FIELD_STATE; i < number && at != NULL; i++)
		at = strchr(at, ' ') == NULL ? NULL : strchr(at, ' ') + 1;
	return at;
}

static unsigned long long read_field(const char *at, int number)
{
	at = find_field(at, number);
	return at == NULL ? 0 : strtoull(at, NULL, 10);
}

/* The fields of a process, in `text`; NULL: it is gone. */
static const char *read_fields(pid_t pid, char text[STAT_BYTES])
{
	char        path[64];
	const char *at;

	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (read_file(path, text, STAT_BYTES) <= 0 || (at = strrchr(text, ')')) == NULL ||
	    at[1] != ' ' || find_field(at + 2, FIELD_BEGAN) == NULL)
		return NULL;
	return at + 2;
}

static bool read_process(pid_t pid, struct tree_process *out)
{
	char        text[STAT_BYTES];
	const char *at = read_fields(pid, text);

	if (at == NULL)
		return false;
	*out = (struct tree_process){ .pid = pid,
		                      .parent = (pid_t)read_field(at, FIELD_PARENT),
		                      .session = (pid_t)read_field(at, FIELD_SESSION),
		                      .is_zombie = *at == 'Z' || *at == 'X' };
	out->began =
		(gd_nsec)read_field(at, FIELD_BEGAN) * (GD_NSEC_PER_SEC / sysconf(_SC_CLK_TCK));
	return true;
}

/* In the middle of its exec it has not got its environment yet, and in that of its end no more. A
 * kernel thread looks like that too, and so does what another user's process shows us. */
static bool is_moving(const struct tree_process *p)
{
	char        path[64], text[STAT_BYTES];
	const char *at = read_fields(p->pid, text);
	struct stat st;

	if (at == NULL || *at == 'Z' || *at == 'X')
		return true;
	if (read_field(at, FIELD_ENVIRONMENT) != 0)
		return false;
	(void)snprintf(path, sizeof path, "/proc/%d", (int)p->pid);
	return p->parent == getpid() ||
	       (read_field(at, FIELD_MEMORY) > 0 && stat(path, &st) == 0 && st.st_uid == geteuid());
}

static bool read_key(pid_t pid, char *room, size_t room_bytes)
{
	static char text[ENVIRON_BYTES_MAX];

	const size_t name = strlen(RUN_KEY_VARIABLE "=");
	char         path[64];
	ssize_t      bytes;

	(void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	bytes = read_file(path, text, sizeof text);
	for (const char *at = text; bytes > 0 && at < text + bytes; at += strlen(at) + 1) {
		if (strncmp(at, RUN_KEY_VARIABLE "=", name) != 0)
			continue;
		(void)snprintf(room, room_bytes, "%s", at + name);
		return true;
	}
	return false;
}

/* Looked for twice: the first look may have met an exec that is over when it is asked about. */
enum tree_key tree_read_key(const struct tree_process *p, char *room, size_t room_bytes)
{
	for (int look = 0; look < 2; look++) {
		if (read_key(p->pid, room, room_bytes))
			return TREE_KEY_FOUND;
		if (is_moving(p))
			return TREE_KEY_UNSURE;
	}
	return TREE_KEY_NONE;
}

static void kill_process(const struct tree_process *p)
{
	struct tree_process now;
	int                 fd = (int)syscall(SYS_pidfd_open, p->pid, 0);

	if (fd < 0)
		return;
	/* The descriptor holds whoever has the number now. */
	if (read_process(p->pid, &now) && now.began == p->began)
		(void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	(void)close(fd);
}

/* --- all of them --- */

struct process_list {
	struct tree_process *at;
	size_t               count, room;
};

static bool add(struct process_list *list, const struct tree_process *p)
{
	if (list->count == list->room) {
		size_t room = list->room == 0 ? 256 : 2 * list->room;
		void  *at = reallocarray(list->at, room, sizeof *list->at);

		if (at == NULL)
			return false;
		list->at = at;
		list->room = room;
	}
	list->at[list->count++] = *p;
	return true;
}

static int by_pid(const void *a, const void *b)
{
	const struct tree_process *x = a;
	const struct tree_process *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static struct tree_process *find(const struct process_list *list, pid_t pid)
{
	const struct tree_process key = { .pid = pid };

	if (list->count == 0)
		return NULL;
	return bsearch(&key, list->at, list->count, sizeof *list->at, by_pid);
}

/* One look at all processes. */
struct look {
	struct process_list list;
	tree_judge          judge;
	void               *ctx;
	bool                has_all;
	bool                is_clean; /* nobody had to be killed */
	bool                is_sure;
};

static void act(struct look *l, const struct tree_process *p, enum tree_verdict verdict)
{
	l->is_sure = l->is_sure && verdict != TREE_UNSURE;
	if (verdict != TREE_KILL || p->is_zombie)
		return;
	l->is_clean = false;
	kill_process(p);
}

/* One entry of /proc. Who is to be killed for what it is itself is killed at once: one that does
 * nothing but fork and end would be gone when all the others had been looked at. */
static void see(struct look *l, const char *name)
{
	struct tree_process p;

	if (name[0] < '1' || name[0] > '9')
		return;
	errno = 0;
	if (!read_process((pid_t)atol(name), &p)) { /* it has ended, or */
		l->has_all = l->has_all && errno != ENOMEM && errno != EMFILE && errno != ENFILE;
		return;
	}
	p.verdict = l->judge(l->ctx, &p);
	act(l, &p, p.verdict);
	l->has_all = add(&l->list, &p) && l->has_all;
}

static void see_all(struct look *l)
{
	DIR           *dir = opendir("/proc");
	struct dirent *e;

	l->has_all = dir != NULL;
	while (dir != NULL && (e = readdir(dir)) != NULL)
		see(l, e->d_name);
	if (dir != NULL)
		(void)closedir(dir);
	if (l->list.count > 0)
		qsort(l->list.at, l->list.count, sizeof *l->list.at, by_pid);
}

/* What the ancestors of `p` got, as far up as needed. */
static enum tree_verdict inherit(const struct process_list *list, const struct tree_process *p)
{
	pid_t parent = p->parent;

	/* A list that is read while processes end may hold a circle: no more steps than members. */
	for (size_t step = 0; step < list->count; step++) {
		const struct tree_process *q = find(list, parent);

		/* One that ended meanwhile: whoever it left has another parent now. */
		if (q == NULL)
			return parent > 0 && kill(parent, 0) != 0 && errno == ESRCH ? TREE_UNSURE
			                                                            : TREE_LEAVE;
		if (q->verdict != TREE_AS_PARENT)
			return q->verdict;
		parent = q->parent;
	}
	return TREE_UNSURE;
}

/* Judges and kills, once. */
static enum tree_seen sweep_once(struct look *l)
{
	l->list.count = 0;
	l->is_clean = l->is_sure = true;
	see_all(l);
	for (size_t i = 0; i < l->list.count; i++) {
		const struct tree_process *p = &l->list.at[i];

		if (p->verdict == TREE_AS_PARENT)
			act(l, p, inherit(&l->list, p));
	}
	if (!l->is_clean)
		return TREE_SEEN_BUSY;
	if (!l->has_all)
		return TREE_SEEN_PARTLY;
	return l->is_sure ? TREE_SEEN_CLEAN : TREE_SEEN_MOVING;
}

enum tree_seen tree_sweep(tree_judge judge, void *ctx)
{
	struct look    l = { .judge = judge, .ctx = ctx };
	enum tree_seen seen = TREE_SEEN_BUSY;

	for (int round = 0; seen == TREE_SEEN_BUSY && round < TREE_ROUNDS; round++)
		seen = sweep_once(&l);
	free(l.list.at);
	return seen;
}

bool tree_has_orphans(bool (*is_known)(void *ctx, pid_t pid), void *ctx)
{
	static char text[CHILDREN_BYTES_MAX];

	char        path[64];
	const char *at = text;
	char       *end;
	ssize_t     bytes;

	(void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	if ((bytes = read_file(path, text, sizeof text)) < 0)
		return true; /* a kernel without that file: the sweep looks */
	for (;;) {
		long pid = strtol(at, &end, 10);

		if (end == at)
			return false;
		if (!is_known(ctx, (pid_t)pid))
			return true;
		at = end;
	}
}
