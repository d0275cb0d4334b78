#include "daemon/open_files.h"

#include <stdbool.h>

static struct rlimit at_start;
static bool          is_known;

void open_files_raise(void)
{
	struct rlimit most;

	at_start = open_files_at_start();
	is_known = true;
	most = at_start;
	most.rlim_cur = most.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &most);
}

struct rlimit open_files_at_start(void)
{
	struct rlimit now = { RLIM_INFINITY, RLIM_INFINITY };

	if (is_known)
		return at_start;
	(void)getrlimit(RLIMIT_NOFILE, &now); /* fails for a wrong address only */
	return now;
}
