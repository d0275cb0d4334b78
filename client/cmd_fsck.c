#include "client/client.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define DAEMON "gatherd"

/* The daemon that was installed, or built, together with this program. */
static bool find_neighbour(char out[PATH_MAX])
{
	ssize_t chars = readlink("/proc/self/exe", out, PATH_MAX - sizeof DAEMON);
	char   *slash;

	if (chars < 0)
		return false;
	out[chars] = '\0';
	slash = strrchr(out, '/');
	if (slash == NULL)
		return false;
	memcpy(slash + 1, DAEMON, sizeof DAEMON);
	return access(out, X_OK) == 0;
}

/* Only the daemon knows its files, so it is the one that looks: this process becomes gatherd
 * --fsck. */
int cmd_fsck(const struct options *o)
{
	char  path[PATH_MAX];
	char  program[] = DAEMON;
	char  fsck[] = "--fsck";
	char  state_dir[] = "--state-dir";
	char  dir[PATH_MAX];
	char *words[] = { program, fsck, NULL, NULL, NULL };

	if (o->operand_count != 0) {
		if (o->operands[0][0] == '\0' || strlen(o->operands[0]) >= sizeof dir) {
			(void)fputs("gatherctl: no such directory\n", stderr);
			return CLIENT_USAGE;
		}
		memcpy(dir, o->operands[0], strlen(o->operands[0]) + 1);
		words[2] = state_dir;
		words[3] = dir;
	}
	if (find_neighbour(path))
		(void)execv(path, words);
	else
		(void)execvp(DAEMON, words);
	(void)fprintf(stderr, "gatherctl: cannot run " DAEMON ": %s\n", strerror(errno));
	return CLIENT_NO_DAEMON;
}
