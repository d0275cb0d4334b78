#include "daemon/fsck/inside.h"

#include <inttypes.h>

/* How the times in the database stand to the clocks of the host; older versions had none of it. */
void fsck_clock(struct fsck *f)
{
	int64_t steps;

	if (!fsck_has_table(f, "clock_steps"))
		return;
	fsck_begin(f);
	if (fsck_number(f, "SELECT count(*) FROM clock") != 1)
		fsck_problem(f, "the clock row is missing; a start is refused without it");
	if (fsck_number(f, "SELECT length(boot) NOT IN (0, 36) FROM clock") != 0)
		fsck_problem(f, "the clock row names no boot of a host");
	steps = fsck_number(f, "SELECT count(*) FROM clock_steps");
	if (steps == 0)
		fsck_problem(f, "nothing says how far the clock on the wall was ahead");
	if (fsck_number(f, "SELECT max(at) > (SELECT horizon FROM clock) + 1000000000"
	                   " FROM clock_steps") != 0)
		fsck_problem(f, "the clock on the wall was set later than anything happened");
	fsck_end(f);
	if (steps > 1)
		fsck_say(f, "the clock on the wall was set %" PRId64 " times", steps - 1);
}
