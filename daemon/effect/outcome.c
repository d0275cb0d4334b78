#include "daemon/effect/outcome.h"

#include "daemon/engine/engine.h"
#include "daemon/log.h"
#include "daemon/runner/run_log.h"
#include "daemon/value/limits.h"

#include <stdlib.h>
#include <string.h>

static struct value text(struct value_heap *h, const char *words)
{
	return value_text_new(h, words, strlen(words));
}

static struct value put(struct value_heap *h, struct value dict, const char *name, struct value v)
{
	return value_dict_put(h, dict, text(h, name), v);
}

/* --- output --- */

/* The last bytes of a stream, at most `room`; where they begin in it is `*offset`. */
static size_t read_tail(const char *dir, const struct run_state *state, enum run_stream stream,
                        char *to, size_t room, uint64_t *offset)
{
	uint64_t         bytes = state->exit.bytes[stream], kept = state->exit.kept[stream];
	size_t           got = 0;
	struct run_log   log;
	struct run_chunk chunk;
	struct gd_error  why;
	enum gd_err      rc;

	kept = kept > room ? room : kept;
	*offset = bytes - kept;
	if (kept == 0)
		return 0;
	rc = run_log_open(&log, dir, &state->ref,
	                  stream == RUN_STDOUT ? RUN_LOG_STDOUT : RUN_LOG_STDERR, *offset, &why);
	if (rc == GD_OK) {
		while ((rc = run_log_read(&log, to + got, room - got, &chunk, &why)) == GD_OK &&
		       chunk.bytes > 0) {
			got += chunk.bytes;
			*offset += chunk.skipped;
		}
		run_log_close(&log);
	}
	if (rc != GD_OK)
		log_warn("exec.output_lost", "%s", why.text);
	*offset += kept - got;
	return got;
}

/* Adds a stream to the outcome; true when its head is missing. */
static bool put_stream(struct value_heap *h, struct value *dict, const char *name, const char *dir,
                       const struct run_state *state, enum run_stream stream)
{
	char    *room = NULL;
	uint64_t offset = state->exit.bytes[stream];
	size_t   got = 0;

	if (state->exit.kept[stream] != 0 && (room = malloc(EXEC_STREAM_BYTES_MAX)) == NULL)
		h->failed = true;
	if (room != NULL)
		got = read_tail(dir, state, stream, room, EXEC_STREAM_BYTES_MAX, &offset);
	*dict = put(h, *dict, name, engine_bytes(h, room == NULL ? "" : room, got, offset > 0));
	free(room);
	return offset > 0;
}

/* --- ends --- */

static struct value number_or_null(struct value_heap *h, int32_t number, bool is_there)
{
	return is_there ? value_int(h, number) : VALUE_NULL;
}

static struct value outcome_of_exit(struct value_heap *h, const char *dir,
                                    const struct run_state *state, enum outcome_streams streams)
{
	struct value dict = value_dict_new(h, 5);
	bool         is_truncated = false;

	dict = put(h, dict, "code", number_or_null(h, state->exit.code, state->exit.signal == 0));
	dict = put(h, dict, "signal",
	           number_or_null(h, state->exit.signal, state->exit.signal != 0));
	if (streams == OUTCOME_ONLY_ERROR)
		dict = put(h, dict, "stdout", text(h, ""));
	else
		is_truncated = put_stream(h, &dict, "stdout", dir, state, RUN_STDOUT);
	is_truncated = put_stream(h, &dict, "stderr", dir, state, RUN_STDERR) || is_truncated;
	return is_truncated ? put(h, dict, "truncated", value_bool(true)) : dict;
}

struct value outcome_of_failure(struct value_heap *h, enum run_stage stage, int number,
                                const char *words)
{
	struct value error = value_dict_new(h, 3);

	error = put(h, error, "stage", text(h, run_stage_name(stage)));
	error = put(h, error, "errno", value_int(h, number));
	error = put(h, error, "message", text(h, words));
	return put(h, value_dict_new(h, 1), "error", error);
}

struct value outcome_of_interruption(struct value_heap *h, const char *words)
{
	return put(h, value_dict_new(h, 1), "interrupted", text(h, words));
}

struct value outcome_of_nothing(struct value_heap *h)
{
	struct value dict = value_dict_new(h, 4);

	dict = put(h, dict, "code", VALUE_NULL);
	dict = put(h, dict, "signal", VALUE_NULL);
	dict = put(h, dict, "stdout", text(h, ""));
	return put(h, dict, "stderr", text(h, ""));
}

struct value outcome_of_state(struct value_heap *h, const char *dir, const struct run_state *state,
                              enum outcome_streams streams)
{
	const char *words;

	if (state->phase == RUN_EXITED)
		return outcome_of_exit(h, dir, state, streams);
	if (state->phase == RUN_LOST)
		return outcome_of_interruption(h, "gatherd-runner ended while it ran");
	if (state->stage == RUN_STAGE_STOPPING) /* no fault of its own */
		return outcome_of_interruption(h, "gatherd-runner was stopped before it began");
	words = strerrordesc_np(state->error);
	return outcome_of_failure(h, state->stage, state->error,
	                          words == NULL ? "it could not be started" : words);
}
