#include "daemon/runner/tree.h"

#include "daemon/runner/run.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNJUDGED 255u
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

/* proc(5): pid (name) state ppid pgrp session ... starttime is the 22nd. The name may hold anything,
 * so it ends at the last parenthesis. */
static bool read_process(pid_t pid, struct tree_process *out)
{
	char               path[64], text[STAT_BYTES], state;
	const char        *at;
	int                parent, session;
	unsigned long long began;

	(void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (read_file(path, text, sizeof text) <= 0 || (at = strrchr(text, ')')) == NULL ||
	    sscanf(at + 1,
	           " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
	           &state, &parent, &session, &began) != 4)
		return false;
	*out = (struct tree_process){ .pid = pid,
		                      .parent = parent,
		                      .session = session,
		                      .is_zombie = state == 'Z' || state == 'X',
		                      .verdict = UNJUDGED };
	out->began = (gd_nsec)began * (GD_NSEC_PER_SEC / sysconf(_SC_CLK_TCK));
	return true;
}

const char *tree_key_of(pid_t pid, char *room, size_t room_bytes)
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
		return room;
	}
	return NULL;
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

static void list_processes(struct process_list *list)
{
	DIR                *dir = opendir("/proc");
	struct dirent      *e;
	struct tree_process p;

	list->count = 0;
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' &&
		    read_process((pid_t)atol(e->d_name), &p) && !add(list, &p))
			break;
	}
	if (dir != NULL)
		(void)closedir(dir);
	if (list->count > 0)
		qsort(list->at, list->count, sizeof *list->at, by_pid);
}

static struct tree_process *find(const struct process_list *list, pid_t pid)
{
	const struct tree_process key = { .pid = pid };

	if (list->count == 0)
		return NULL;
	return bsearch(&key, list->at, list->count, sizeof *list->at, by_pid);
}

/* The verdict on `p`, asked of its ancestors as far up as needed; each is judged once. */
static enum tree_verdict judge_one(const struct process_list *list, struct tree_process *p,
                                   tree_judge judge, void *ctx)
{
	struct tree_process *q = p;
	uint8_t              verdict = TREE_AS_PARENT;

	/* A list that is read while processes end may hold a circle: no more steps than members. */
	for (size_t step = 0; q != NULL && step < list->count; step++) {
		if (q->verdict == UNJUDGED)
			q->verdict = (uint8_t)judge(ctx, q);
		verdict = q->verdict;
		if (verdict != TREE_AS_PARENT)
			break;
		q = find(list, q->parent);
	}
	p->verdict = verdict == TREE_AS_PARENT ? TREE_LEAVE : verdict;
	return (enum tree_verdict)p->verdict;
}

uint32_t tree_sweep(tree_judge judge, void *ctx)
{
	struct process_list list = { 0 };
	uint32_t            found = 0;

	for (int round = 0; round < TREE_ROUNDS; round++) {
		found = 0;
		list_processes(&list);
		for (size_t i = 0; i < list.count; i++) {
			if (judge_one(&list, &list.at[i], judge, ctx) != TREE_KILL ||
			    list.at[i].is_zombie)
				continue;
			found++;
			kill_process(&list.at[i]);
		}
		if (found == 0)
			break;
	}
	free(list.at);
	return found;
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
