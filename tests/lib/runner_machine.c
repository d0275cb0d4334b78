/* What a test of the runner sees of the machine: processes, descriptors, files. Part of
 * runner_fixture.h. */
#include "tests/lib/runner_fixture.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define PAUSE_MSEC 2
#define OUTPUT_ROOM (4u << 20)

static bool is_alive(long pid)
{
	char  path[64], text[512], state = 'X';
	FILE *stat_file;

	(void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
	stat_file = fopen(path, "re");
	if (stat_file == NULL)
		return false;
	if (fgets(text, sizeof text, stat_file) != NULL && strrchr(text, ')') != NULL)
		(void)sscanf(strrchr(text, ')') + 1, " %c", &state);
	(void)fclose(stat_file);
	return state != 'Z' && state != 'X';
}

bool process_ends(long pid, int msec)
{
	for (int64_t end = now_msec() + msec; is_alive(pid);) {
		if (now_msec() > end)
			return false;
		(void)poll(NULL, 0, PAUSE_MSEC);
	}
	return true;
}

long runner_number(struct runner_fixture *f, const char *name)
{
	char    path[128], line[64];
	int64_t end = now_msec() + RUNNER_PATIENCE_MSEC;

	(void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
	for (;;) {
		FILE *file = fopen(path, "re");
		bool  is_whole = file != NULL && fgets(line, sizeof line, file) != NULL &&
		                strchr(line, '\n') != NULL;

		if (file != NULL)
			(void)fclose(file);
		if (is_whole)
			return strtol(line, NULL, 10);
		if (now_msec() > end)
			runner_give_up(f, name);
		(void)poll(NULL, 0, PAUSE_MSEC);
	}
}

uint32_t count_fds(pid_t pid)
{
	char           path[64];
	DIR           *dir;
	struct dirent *e;
	uint32_t       count = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL)
		count += e->d_name[0] != '.';
	(void)closedir(dir);
	return count;
}

uint32_t count_children(pid_t pid)
{
	char     path[64], line[65536];
	FILE    *file;
	uint32_t count = 0;

	(void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	file = fopen(path, "re");
	if (file == NULL || fgets(line, sizeof line, file) == NULL)
		line[0] = '\0';
	if (file != NULL)
		(void)fclose(file);
	for (const char *at = line; *at != '\0'; at++)
		count += *at == ' ';
	return count;
}
