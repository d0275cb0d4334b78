/* shield: a cancel of the owner does not reach the branch. */
#include "daemon/engine/join.h"
#include "daemon/engine/ops.h"

enum step shield_done(struct running *r, const struct op *op, struct join_run *jr)
{
	struct value result = VALUE_NONE;
	enum step    step = outcome_of(r, join_task(jr, 0), &result);

	if (step == STEP_NEXT)
		slot_set(r, op->dst, result);
	join_leave(r, jr);
	return step;
}

enum step shield_resume(struct running *r, const struct op *op, struct join_run *jr)
{
	if (!(join_task(jr, 0)->sched.obj.flags & TASK_CANCELLED))
		return shield_done(r, op, jr);
	/* asyncio cancels the outer future then, and the message is lost. */
	(void)raise_text(r, "CancelledError", "%s", "");
	join_leave(r, jr);
	return STEP_RAISED;
}
