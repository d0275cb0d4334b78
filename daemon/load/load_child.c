/* create_task with `loop`: a task that waits for a job of its own. */
#include "daemon/load/loader.h"

/*	  child: result = what becomes of it
 *	  end with result
 *
 * Nothing is captured: what the child is made of is put into the first slots by its maker.
 */
static uint32_t build_proxy(struct loader *l, uint32_t child, uint32_t node)
{
	const struct op ops[] = {
		{ .kind = OP_CHILD,
		  .dst = CHILD_RESULT,
		  .a = child,
		  .b = CHILD_CLAIM,
		  .c = PROGRAM_NONE,
		  .node = node,
		  .handler = PROGRAM_NONE },
		{ .kind = OP_END,
		  .dst = CHILD_RESULT,
		  .a = PROGRAM_NONE,
		  .b = PROGRAM_NONE,
		  .c = PROGRAM_NONE,
		  .node = node,
		  .handler = PROGRAM_NONE },
	};
	uint32_t code = build_code(&l->b);

	build_code_set(&l->b, code,
	               (struct code){ .node = node, .slot_count = CHILD_SLOTS, .op_count = 2 }, ops,
	               NULL, 0);
	return code;
}

void load_child(struct loader *l, const struct place *at, const struct parts *p, struct place *body,
                uint32_t label, struct target to)
{
	struct child child = { .loop = loader_part(l, at, p, KEY_LOOP), .node = at->node };
	uint32_t     index;

	child.code = load_child_body(l, body, p->operand);
	index = build_child(&l->b, child);
	if (index != PROGRAM_NONE && !loader_failed(l))
		l->b.program->children[index].proxy = build_proxy(l, index, body->node);
	(void)emit(l, at, OP_CREATE_CHILD, to.slot, index, label, PROGRAM_NONE);
}
