#include "daemon/load/program_builder.h"

#include "proto/base/check.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 8

enum gd_err program_builder_init(struct program_builder *b, struct gd_error *why)
{
	*b = (struct program_builder){ 0 };
	b->exprs.heap = &b->heap;
	b->program = calloc(1, sizeof *b->program);
	if (b->program == NULL)
		return gd_fail(why, GD_NOMEM, "a program of %zu bytes", sizeof *b->program);
	atomic_init(&b->program->refs, 1);
	b->program->title = VALUE_NULL;
	b->program->loop = VALUE_NULL;
	return GD_OK;
}

void program_builder_close(struct program_builder *b)
{
	program_release(b->program);
	expr_builder_close(&b->exprs);
	buf_close(&b->keys);
	free(b->key_at);
}

bool program_builder_failed(const struct program_builder *b)
{
	return b->failed || b->heap.failed || b->exprs.failed || b->keys.failed != GD_OK;
}

/* Room for `more` further elements: `at`, moved if need be, or NULL with `failed` set. */
static void *grown(struct program_builder *b, void *at, uint32_t *room, uint32_t count,
                   uint32_t more, size_t bytes)
{
	uint32_t wanted = *room;
	void    *moved;

	if (b->failed)
		return NULL;
	CHECK(more <= UINT32_MAX / 4 && count <= UINT32_MAX / 4);
	if (count + more <= *room && at != NULL)
		return at;
	if (wanted == 0)
		wanted = FIRST_ROOM;
	while (wanted < count + more)
		wanted *= 2;
	moved = realloc(at, wanted * bytes);
	if (moved == NULL) {
		b->failed = true;
		return NULL;
	}
	*room = wanted;
	return moved;
}

uint32_t build_node(struct program_builder *b, uint32_t parent, const char *key, const char *op)
{
	struct program *p = b->program;
	struct node    *nodes = grown(b, p->nodes, &b->node_room, p->node_count, 1, sizeof *nodes);
	uint32_t       *key_at;

	if (nodes == NULL)
		return PROGRAM_NONE;
	p->nodes = nodes;
	key_at = grown(b, b->key_at, &b->key_room, p->node_count, 1, sizeof *key_at);
	if (key_at == NULL)
		return PROGRAM_NONE;
	b->key_at = key_at;
	key_at[p->node_count] = (uint32_t)b->keys.bytes;
	buf_add(&b->keys, key, strlen(key) + 1);
	nodes[p->node_count] = (struct node){
		.parent = parent, .op = op, .counter = PROGRAM_NONE, .attempt = PROGRAM_NONE
	};
	return p->node_count++;
}

void build_node_is_branch(struct program_builder *b, uint32_t node)
{
	if (!b->failed)
		b->program->nodes[node].is_branch = true;
}

void build_node_counter(struct program_builder *b, uint32_t node, uint32_t slot)
{
	if (!b->failed)
		b->program->nodes[node].counter = slot;
}

void build_node_attempt(struct program_builder *b, uint32_t node, uint32_t slot)
{
	if (!b->failed)
		b->program->nodes[node].attempt = slot;
}

void build_node_op(struct program_builder *b, uint32_t node, const char *op)
{
	if (!b->failed)
		b->program->nodes[node].op = op;
}

uint32_t build_code(struct program_builder *b)
{
	struct program *p = b->program;
	struct code    *codes = grown(b, p->codes, &b->code_room, p->code_count, 1, sizeof *codes);

	if (codes == NULL)
		return PROGRAM_NONE;
	p->codes = codes;
	codes[p->code_count] = (struct code){ .first_op = 0 };
	return p->code_count++;
}

/* Whether `a` of an op is a place to jump to. */
static bool is_jump(enum op_kind kind)
{
	switch (kind) {
	case OP_JUMP:
	case OP_JUMP_UNLESS:
	case OP_NEXT:
	case OP_JOIN_NEXT:
	case OP_JOIN_RESULT:
	case OP_EXCEPT:
	case OP_GEN_NEXT:
	case OP_EXEC_LINE:
	case OP_CASE:
		return true;
	case OP_EVAL:
	case OP_SLEEP:
	case OP_SLEEP_UNTIL:
	case OP_ITER:
	case OP_LIST_NEW:
	case OP_APPEND:
	case OP_JOIN:
	case OP_CREATE_TASK:
	case OP_AWAIT:
	case OP_CANCEL:
	case OP_CALL:
	case OP_YIELD:
	case OP_RETURN:
	case OP_END:
	case OP_RAISE:
	case OP_RERAISE:
	case OP_NORMAL:
	case OP_LEAVE:
	case OP_TIMEOUT:
	case OP_TIMEOUT_END:
	case OP_RETRY_BEGIN:
	case OP_RETRY:
	case OP_UNDO_OPEN:
	case OP_UNDO_ADD:
	case OP_UNDO_CLOSE:
	case OP_EVENT:
	case OP_CREATE_CHILD:
	case OP_CHILD:
	case OP_WITH:
	case OP_WITH_END:
	case OP_EXEC:
	case OP_OUTCALL:
	case OP_EXEC_OPEN:
	case OP_EXEC_CLOSE:
	case OP_GEN_NEW:
	case OP_GEN_CLOSE:
	case OP_WAIT:
	case OP_MATCH_TEXT:
		break;
	}
	return false;
}

/* Copies the handlers of one code; where the first of them comes to lie. */
static uint32_t add_handlers(struct program_builder *b, uint32_t first_op,
                             const struct handler *handlers, uint32_t count)
{
	struct program *p = b->program;
	uint32_t        first = p->handler_count;
	struct handler *to = grown(b, p->handlers, &b->handler_room, first, count, sizeof *to);

	if (to == NULL)
		return 0;
	p->handlers = to;
	for (uint32_t i = 0; i < count; i++) {
		to[first + i] = handlers[i];
		to[first + i].landing += first_op;
		if (handlers[i].outer != PROGRAM_NONE)
			to[first + i].outer += first;
	}
	p->handler_count += count;
	return first;
}

void build_code_set(struct program_builder *b, uint32_t code, struct code body,
                    const struct op *ops, const struct handler *handlers, uint32_t handler_count)
{
	struct program *p = b->program;
	struct op      *to = grown(b, p->ops, &b->op_room, p->op_count, body.op_count, sizeof *to);
	uint32_t        first_handler;

	if (to == NULL) {
		free(body.captures);
		return;
	}
	p->ops = to;
	body.first_op = p->op_count;
	first_handler = add_handlers(b, body.first_op, handlers, handler_count);
	to += p->op_count;
	for (uint32_t i = 0; i < body.op_count; i++) {
		to[i] = ops[i];
		if (is_jump((enum op_kind)ops[i].kind))
			to[i].a += body.first_op;
		if (ops[i].handler != PROGRAM_NONE)
			to[i].handler += first_handler;
	}
	p->op_count += body.op_count;
	p->codes[code] = body;
}

uint32_t build_join(struct program_builder *b, struct join join)
{
	struct program *p = b->program;
	struct join    *joins = grown(b, p->joins, &b->join_room, p->join_count, 1, sizeof *joins);

	if (joins == NULL)
		return PROGRAM_NONE;
	p->joins = joins;
	joins[p->join_count] = join;
	return p->join_count++;
}

uint32_t build_branches(struct program_builder *b, uint32_t count)
{
	struct program *p = b->program;
	uint32_t        first = p->branch_count;
	struct branch  *at = grown(b, p->branches, &b->branch_room, first, count, sizeof *at);

	if (at == NULL)
		return PROGRAM_NONE;
	p->branches = at;
	for (uint32_t i = 0; i < count; i++)
		at[first + i] = (struct branch){ .code = PROGRAM_NONE,
			                         .await = PROGRAM_NONE,
			                         .name = VALUE_NONE,
			                         .label = PROGRAM_NONE };
	p->branch_count += count;
	return first;
}

void build_branch_set(struct program_builder *b, uint32_t branch, struct branch body)
{
	if (b->failed)
		value_destroy_immortal(body.name);
	else
		b->program->branches[branch] = body;
}

/* `count` more in the program's `args`, all PROGRAM_NONE; the first index. */
static uint32_t add_args(struct program_builder *b, uint32_t count)
{
	struct program *p = b->program;
	uint32_t        first = p->arg_count;
	uint32_t       *args = grown(b, p->args, &b->arg_room, first, count, sizeof *args);

	if (args == NULL)
		return PROGRAM_NONE;
	p->args = args;
	for (uint32_t i = 0; i < count; i++)
		args[first + i] = PROGRAM_NONE;
	p->arg_count += count;
	return first;
}

uint32_t build_call(struct program_builder *b, uint32_t code, uint32_t arg_count)
{
	struct program *p = b->program;
	struct call    *calls = grown(b, p->calls, &b->call_room, p->call_count, 1, sizeof *calls);
	uint32_t        first;

	if (calls == NULL)
		return PROGRAM_NONE;
	p->calls = calls;
	first = add_args(b, arg_count);
	if (first == PROGRAM_NONE)
		return PROGRAM_NONE;
	calls[p->call_count] = (struct call){ code, first, arg_count };
	return p->call_count++;
}

void build_call_arg(struct program_builder *b, uint32_t call, uint32_t arg, uint32_t x)
{
	if (!b->failed)
		b->program->args[b->program->calls[call].first_arg + arg] = x;
}

uint32_t build_exec(struct program_builder *b, struct exec exec)
{
	struct program *p = b->program;
	struct exec    *execs = grown(b, p->execs, &b->exec_room, p->exec_count, 1, sizeof *execs);

	if (execs == NULL)
		return PROGRAM_NONE;
	p->execs = execs;
	exec.first_arg = add_args(b, exec.arg_count + 2 * exec.env_count);
	if (exec.first_arg == PROGRAM_NONE)
		return PROGRAM_NONE;
	exec.first_env = exec.first_arg + exec.arg_count;
	execs[p->exec_count] = exec;
	return p->exec_count++;
}

void build_exec_arg(struct program_builder *b, uint32_t exec, uint32_t arg, uint32_t x)
{
	if (!b->failed)
		b->program->args[b->program->execs[exec].first_arg + arg] = x;
}

void build_exec_env(struct program_builder *b, uint32_t exec, uint32_t variable, uint32_t name,
                    uint32_t x)
{
	if (b->failed)
		return;
	b->program->args[b->program->execs[exec].first_env + 2 * variable] = name;
	b->program->args[b->program->execs[exec].first_env + 2 * variable + 1] = x;
}

uint32_t build_outcall(struct program_builder *b, struct outcall outcall)
{
	struct program *p = b->program;
	struct outcall *at =
		grown(b, p->outcalls, &b->outcall_room, p->outcall_count, 1, sizeof *at);

	if (at == NULL)
		return PROGRAM_NONE;
	p->outcalls = at;
	outcall.first_arg = add_args(b, 2 * outcall.arg_count);
	if (outcall.first_arg == PROGRAM_NONE)
		return PROGRAM_NONE;
	at[p->outcall_count] = outcall;
	return p->outcall_count++;
}

void build_outcall_part(struct program_builder *b, uint32_t outcall, uint32_t part, uint32_t name,
                        uint32_t x)
{
	if (b->failed)
		return;
	b->program->args[b->program->outcalls[outcall].first_arg + 2 * part] = name;
	b->program->args[b->program->outcalls[outcall].first_arg + 2 * part + 1] = x;
}

uint32_t build_child(struct program_builder *b, struct child child)
{
	struct program *p = b->program;
	struct child   *at = grown(b, p->children, &b->child_room, p->child_count, 1, sizeof *at);

	if (at == NULL)
		return PROGRAM_NONE;
	p->children = at;
	at[p->child_count] = child;
	return p->child_count++;
}

uint32_t build_afters(struct program_builder *b, uint32_t count)
{
	struct program *p = b->program;
	uint32_t        first = p->after_count;
	struct after   *at = grown(b, p->afters, &b->after_room, first, count, sizeof *at);

	if (at == NULL)
		return PROGRAM_NONE;
	p->afters = at;
	for (uint32_t i = 0; i < count; i++)
		at[first + i] = (struct after){ PROGRAM_NONE, PROGRAM_NONE };
	p->after_count += count;
	return first;
}

uint32_t build_dependents(struct program_builder *b, uint32_t count)
{
	struct program *p = b->program;
	uint32_t        first = p->dependent_count;
	uint32_t       *at = grown(b, p->dependents, &b->dependent_room, first, count, sizeof *at);

	if (at == NULL)
		return PROGRAM_NONE;
	p->dependents = at;
	for (uint32_t i = 0; i < count; i++)
		at[first + i] = PROGRAM_NONE;
	p->dependent_count += count;
	return first;
}

uint32_t build_retry(struct program_builder *b, struct retry retry)
{
	struct program *p = b->program;
	struct retry   *at = grown(b, p->retries, &b->retry_room, p->retry_count, 1, sizeof *at);

	if (at == NULL)
		return PROGRAM_NONE;
	p->retries = at;
	retry.first_on = p->retry_on_count;
	retry.on_count = 0;
	at[p->retry_count] = retry;
	return p->retry_count++;
}

void build_retry_on(struct program_builder *b, uint32_t retry, const char *type)
{
	struct program *p = b->program;
	struct value   *at =
		grown(b, p->retry_on, &b->retry_on_room, p->retry_on_count, 1, sizeof *at);

	if (at == NULL)
		return;
	p->retry_on = at;
	at[p->retry_on_count++] = build_text(b, type);
	p->retries[retry].on_count++;
}

struct value build_text(struct program_builder *b, const char *text)
{
	struct value v = value_text_new(&b->heap, text, strlen(text));

	value_make_immortal(&b->heap, v);
	return v;
}
