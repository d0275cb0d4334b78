#include "daemon/net/log_call.h"
#include "daemon/net/methods.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES_MAX 4096u
#define CURSOR_BYTES 96u

static bool parse_cursor(const char *text, struct store_command *at, uint64_t *offset)
{
	char again[CURSOR_BYTES];

	if (text == NULL || sscanf(text, "%" SCNd64 "-%" SCNu32 "-%" SCNu32 "-%" SCNu64, &at->begun,
	                           &at->ticket, &at->attempt, offset) != 4)
		return false;
	(void)snprintf(again, sizeof again, "%" PRId64 "-%" PRIu32 "-%" PRIu32 "-%" PRIu64,
	               (int64_t)at->begun, at->ticket, at->attempt, *offset);
	return strcmp(text, again) == 0 && *offset <= INT64_MAX;
}

static void begin_call(struct request *r, const struct log_call *ask, const char *path)
{
	struct log_call *call = malloc(sizeof *call);

	if (call != NULL) {
		*call = *ask;
		call->request = r;
		if (path != NULL && (call->path = strdup(path)) == NULL) {
			free(call);
			call = NULL;
		}
	}
	if (call == NULL)
		reply_error(r, GD_NOMEM, "no memory for a request", NULL);
	else
		log_call_start(call);
}

void method_job_log(struct request *r, struct rpc_params *p)
{
	static const char *const streams[] = { "stdout", "stderr", "both", NULL };
	struct log_call          ask = { 0 };
	uint32_t                 which = RUN_LOG_BOTH;
	const char              *path = NULL;
	const json_t            *offset = NULL;
	struct gd_error          why;

	_Static_assert(RUN_LOG_STDOUT == 0 && RUN_LOG_STDERR == 1 && RUN_LOG_BOTH == 2,
	               "in the order of their words");
	rpc_require(p, "id");
	(void)rpc_u64(p, "id", 1, INT64_MAX, &ask.job);
	(void)rpc_text(p, "path", PATH_BYTES_MAX, &path);
	(void)rpc_choice(p, "stream", streams, &which);
	(void)rpc_any(p, "offset", &offset);
	ask.has_tail = rpc_u64(p, "tail", 0, INT64_MAX, &ask.tail);
	(void)rpc_bool(p, "follow", &ask.follows);
	if (offset != NULL && !json_is_integer(offset) &&
	    !parse_cursor(json_string_value(offset), &ask.at, &ask.offset))
		rpc_fault(p, "/offset",
		          "an offset is a number of bytes, or the \"next\" of a reply");
	if (json_is_integer(offset) && json_integer_value(offset) < 0)
		rpc_fault(p, "/offset", "an offset is not negative");
	else if (json_is_integer(offset))
		ask.offset = (uint64_t)json_integer_value(offset);
	if (offset != NULL && ask.has_tail)
		rpc_fault(p, "", "give one of offset, tail");
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	ask.which = (enum run_log_which)which;
	begin_call(r, &ask, path);
}
