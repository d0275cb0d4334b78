/* event: what it may be. Checked to the end, and not in this version. */
#include "daemon/load/loader.h"

static void refuse(struct loader *l, const struct place *at, const struct parts *p)
{
	struct place place = place_operand(at, p);

	loader_problem(l, &place, "", "\"%s\" is not in this version", p->op->name);
}

void check_event(struct loader *l, const struct place *at, const struct parts *p)
{
	(void)loader_operand(l, at, p);
	refuse(l, at, p);
}
