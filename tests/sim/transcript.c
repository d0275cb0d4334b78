/* The transcript of a simulator: a line for each output. */
#include "tests/sim/sim.h"

#include <stdlib.h>

const char *sim_out_name(enum engine_out_kind kind)
{
	switch (kind) {
	case ENGINE_JOB_STARTED:
		return "job.started";
	case ENGINE_TASK_STARTED:
		return "task.started";
	case ENGINE_TASK_COMPLETED:
		return "task.completed";
	case ENGINE_TASK_FAILED:
		return "task.failed";
	case ENGINE_YIELD:
		return "yield";
	case ENGINE_JOB_COMPLETED:
		return "job.completed";
	case ENGINE_JOB_FAILED:
		return "job.failed";
	case ENGINE_JOB_CANCELLED:
		return "job.cancelled";
	case ENGINE_ACQUIRE:
		return "semaphore.acquire";
	case ENGINE_RELEASE:
		return "semaphore.release";
	case ENGINE_WANT_NOW:
		return "want.now";
	case ENGINE_EXEC:
		return "exec";
	case ENGINE_RECALL:
		return "recall";
	case ENGINE_STOP:
		return "stop";
	case ENGINE_KILL:
		return "kill";
	case ENGINE_MORE:
		return "more";
	case ENGINE_CALL:
		return "call";
	case ENGINE_SPAWN:
		return "spawn";
	case ENGINE_SPAWN_STOP:
		return "spawn.stop";
	case ENGINE_SPAWN_KILL:
		return "spawn.kill";
	}
	abort();
}

/* "exec 1@2 [\"sleep\",\"5\"]", "stop 1@2" */
static void write_command(struct sim *s, const struct engine_out *o)
{
	struct buf *b = &s->transcript;

	buf_addf(b, "[%6.0fms] job %llu %s %u@%u", (double)(o->time - SIM_EPOCH) / 1e6,
	         (unsigned long long)o->job, sim_out_name(o->kind), (unsigned)o->ticket,
	         (unsigned)o->attempt);
	if (o->kind == ENGINE_EXEC) {
		buf_add_byte(b, ' ');
		value_write_json(b, value_dict_get(o->data, "argv", 4));
	} else if (o->kind == ENGINE_CALL) {
		buf_add_byte(b, ' ');
		value_write_json(b, o->data);
	}
	buf_add_byte(b, '\n');
}

/* "spawn 1 /0/create_task", "spawn.stop 1 \"enough\"" */
static void write_spawn(struct sim *s, const struct engine_out *o)
{
	struct buf *b = &s->transcript;

	buf_addf(b, "[%6.0fms] job %llu %s %u", (double)(o->time - SIM_EPOCH) / 1e6,
	         (unsigned long long)o->job, sim_out_name(o->kind), (unsigned)o->ticket);
	if (o->path != PROGRAM_NONE) {
		buf_add_byte(b, ' ');
		buf_add(b, s->outs.paths.at + o->path, o->path_bytes);
	}
	if (!value_is_none(o->data)) {
		buf_add_byte(b, ' ');
		value_write_json(b, o->data);
	}
	buf_add_byte(b, '\n');
}

void sim_write_out(struct sim *s, const struct engine_out *o)
{
	struct buf *b = &s->transcript;

	if (o->attempt != 0)
		write_command(s, o);
	if (o->kind == ENGINE_SPAWN || o->kind == ENGINE_SPAWN_STOP || o->kind == ENGINE_SPAWN_KILL)
		write_spawn(s, o);
	if (o->ordinal == 0 || (o->kind == ENGINE_JOB_STARTED && !s->has_job_lines))
		return;
	buf_addf(b, "[%6.0fms] job %llu %s", (double)(o->time - SIM_EPOCH) / 1e6,
	         (unsigned long long)o->job, sim_out_name(o->kind));
	if (o->path != PROGRAM_NONE && o->kind != ENGINE_YIELD) {
		buf_add_byte(b, ' ');
		buf_add(b, s->outs.paths.at + o->path, o->path_bytes);
	}
	if (!value_is_none(o->data)) {
		buf_add_byte(b, ' ');
		value_write_json(b, o->data);
	}
	buf_add_byte(b, '\n');
}
