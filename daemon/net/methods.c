#include "daemon/net/methods.h"

#include "daemon/net/may_exec.h"
#include "daemon/net/stream.h"
#include "daemon/run/apply.h"
#include "daemon/value/limits.h"

#include <string.h>

#define OBSERVE (AUTH_OBSERVE_OWN | AUTH_OBSERVE_ANY)
#define CANCEL (AUTH_CANCEL_OWN | AUTH_CANCEL_ANY)

#define INTEGER "{\"type\":\"integer\",\"minimum\":0}"
#define NUMBER "{\"type\":\"number\",\"minimum\":0}"
#define STRING "{\"type\":\"string\"}"
#define BOOLEAN "{\"type\":\"boolean\"}"
#define OBJECT "{\"type\":\"object\"}"
#define IDS "{\"type\":\"array\",\"items\":{\"type\":\"integer\"}}"
#define CHOICES "{\"type\":[\"string\",\"array\"],\"items\":{\"type\":\"string\"}}"
#define MOMENT "{\"type\":[\"number\",\"string\"]}"
/* clang-format off */
#define PARAMS(...) (const struct method_param[]){ __VA_ARGS__, { NULL, NULL, false } }
#define NO_PARAMS (const struct method_param[]){ { NULL, NULL, false } }
/* clang-format on */

static const struct method table[] = {
	{ "hello", "Says who we are and learns who you are.", 0, true, true, method_hello,
	  PARAMS({ "protocol", IDS, false }, { "client", STRING, false },
	         { "token", STRING, false }, { "max_line", INTEGER, false }) },
	{ "ping", "The time, and the highest seq.", 0, false, true, method_ping, NO_PARAMS },
	{ "server.info", "How the daemon is.", OBSERVE, false, true, method_server_info,
	  NO_PARAMS },
	{ "rpc.discover", "This description.", 0, false, true, method_discover, NO_PARAMS },
	{ "job.validate", "Every problem of a spec, without running it.", AUTH_SUBMIT, false, true,
	  method_job_validate, PARAMS({ "spec", "{}", true }, { "args", OBJECT, false }) },
	{ "job.submit", "Accepts jobs; the reply means they are durable.", AUTH_SUBMIT, false,
	  false, method_job_submit, PARAMS(METHOD_PARAMS_SUBMIT) },
	{ "job.run", "Submits one job and answers when it has ended.", AUTH_SUBMIT, false, false,
	  method_job_run,
	  PARAMS(METHOD_PARAMS_SUBMIT, { "stream", "{\"type\":[\"string\",\"integer\"]}", false },
	         { "cancel_on_disconnect", BOOLEAN, false }) },
	{ "job.get", "One job.", OBSERVE, false, false, method_job_get,
	  PARAMS({ "id", INTEGER, true }, { "include", CHOICES, false }) },
	{ "job.list", "Jobs by id, a page at a time.", OBSERVE, false, false, method_job_list,
	  PARAMS({ "status", CHOICES, false }, { "label", STRING, false },
	         { "title", STRING, false }, { "since", MOMENT, false }, { "order", STRING, false },
	         { "after", INTEGER, false }, { "limit", INTEGER, false }) },
	{ "job.wait", "Answers when jobs have ended, or the timeout has passed.", OBSERVE, false,
	  false, method_job_wait,
	  PARAMS({ "ids", IDS, true }, { "timeout", NUMBER, false },
	         { "return_when", STRING, false }) },
	{ "job.result", "A result as text, in pieces.", OBSERVE, false, false, method_job_result,
	  PARAMS({ "id", INTEGER, true }, { "path", STRING, false }, { "offset", INTEGER, false },
	         { "length", INTEGER, false }) },
	{ "job.log", "What the commands of a job have printed; waits for more if asked to.",
	  OBSERVE, false, false, method_job_log,
	  PARAMS({ "id", INTEGER, true }, { "path", STRING, false }, { "stream", STRING, false },
	         { "offset", "{\"type\":[\"integer\",\"string\"]}", false },
	         { "tail", INTEGER, false }, { "follow", BOOLEAN, false }) },
	{ "job.signal", "Tells a job that an event has happened; kept until it waits for it.",
	  CANCEL, false, false, method_job_signal,
	  PARAMS({ "id", INTEGER, true }, { "event", STRING, true }, { "value", "{}", false },
	         { "key", "{\"type\":\"string\",\"maxLength\":128}", false }) },
	{ "job.cancel", "Cancels jobs; clean-up still runs.", CANCEL, false, false,
	  method_job_cancel,
	  PARAMS({ "id", INTEGER, false }, { "ids", IDS, false }, { "label", STRING, false },
	         { "reason", STRING, false }) },
	{ "job.stack", "The await tree of a job.", OBSERVE, false, false, method_job_stack,
	  PARAMS({ "id", INTEGER, true }) },
	{ "job.explain", "Why a job is not running, or not done.", OBSERVE, false, false,
	  method_job_explain, PARAMS({ "id", INTEGER, true }) },
	{ "job.resume", "Lets commands that were interrupted and held go on.", CANCEL, false, false,
	  method_job_resume,
	  PARAMS({ "id", INTEGER, true }, { "path", STRING, false }, { "what", STRING, true }) },
	{ "job.delete", "Removes a job that has ended.", CANCEL, false, false, method_job_delete,
	  PARAMS({ "id", INTEGER, true }) },
	{ "semaphore.put", "Sets how many permits a semaphore has, at once and for good.",
	  AUTH_ADMIN, false, false, method_semaphore_put,
	  PARAMS({ "name", STRING, true }, { "permits", INTEGER, true }) },
	{ "semaphore.list", "Semaphores by name, a page at a time.", AUTH_OBSERVE_ANY, false, false,
	  method_semaphore_list, PARAMS({ "after", STRING, false }, { "limit", INTEGER, false }) },
	{ "pool.put", "Sets how many commands may run in a pool, at once and for good.", AUTH_ADMIN,
	  false, false, method_pool_put,
	  PARAMS({ "name", STRING, true }, { "permits", INTEGER, false }) },
	{ "pool.list", "Pools of commands by name, a page at a time.", AUTH_OBSERVE_ANY, false,
	  false, method_pool_list,
	  PARAMS({ "after", STRING, false }, { "limit", INTEGER, false }) },
	{ "events.subscribe", "Events from a cursor on, then live.", OBSERVE, false, false,
	  method_events_subscribe,
	  PARAMS({ "after", INTEGER, false }, { "job", INTEGER, false }, { "label", STRING, false },
	         { "kinds", CHOICES, false }, { "heartbeat", NUMBER, false }) },
	{ "events.unsubscribe", "Ends a subscription.", OBSERVE, false, true,
	  method_events_unsubscribe, PARAMS({ "subscription", INTEGER, true }) },
	{ "events.read", "A page of events; waits for the first one if asked to.", OBSERVE, false,
	  false, method_events_read,
	  PARAMS({ "after", INTEGER, true }, { "limit", INTEGER, false }, { "wait", NUMBER, false },
	         { "job", INTEGER, false }, { "label", STRING, false },
	         { "kinds", CHOICES, false }) },
	{ "backup.start", "Begins a copy of the database, while it is in use.", AUTH_ADMIN, false,
	  false, method_backup_start, NO_PARAMS },
	{ "backup.status", "How far a copy is.", AUTH_ADMIN, false, true, method_backup_status,
	  PARAMS({ "backup", INTEGER, true }) },
	{ "backup.read", "A piece of a copy that is ready.", AUTH_ADMIN, false, true,
	  method_backup_read,
	  PARAMS({ "backup", INTEGER, true }, { "offset", INTEGER, true },
	         { "length", INTEGER, false }) },
	{ "backup.end", "Drops a copy.", AUTH_ADMIN, false, true, method_backup_end,
	  PARAMS({ "backup", INTEGER, true }) },
	{ "$/cancelRequest", "Gives up waiting for the answer to a call.", 0, false, true,
	  method_cancel_request, PARAMS({ "id", "{\"type\":[\"string\",\"number\"]}", true }) },
};

#define METHOD_COUNT (sizeof table / sizeof table[0])

const struct method *method_at(uint32_t index)
{
	return index < METHOD_COUNT ? &table[index] : NULL;
}

const struct method *method_find(const char *name)
{
	for (uint32_t i = 0; i < METHOD_COUNT; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

/* --- the ones that need nobody --- */

void method_ping(struct request *r, struct rpc_params *p)
{
	struct gd_error why;
	struct buf     *b;

	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	b = reply_begin(r);
	buf_add_text(b, "{\"time\":");
	apply_write_time(b, loop_wall_now(r->desk->loop));
	buf_addf(b, ",\"seq\":%llu}", (unsigned long long)desk_seq(r->desk));
	reply_end(r);
}

static void write_limits(struct buf *b)
{
	buf_addf(b,
	         "{\"message_bytes\":%u,\"message_depth\":%u,\"message_values\":%u,\"batch\":%u,"
	         "\"requests\":%u,\"subscriptions\":%u,\"key_bytes\":%u,\"spec_bytes\":%d,"
	         "\"spec_nodes\":%d,\"spec_depth\":%d,\"tasks\":%d,\"result_bytes\":%u,"
	         "\"value_bytes\":%u,\"call_depth\":%d,\"event_bytes\":%d,\"events\":%d,"
	         "\"signals\":%d,\"signal_bytes\":%u,\"signal_value_bytes\":%d}",
	         FRAME_BYTES_MAX, FRAME_DEPTH_MAX, FRAME_VALUES_MAX, RPC_BATCH_MAX,
	         NET_REQUESTS_MAX, NET_STREAMS_MAX, NET_KEY_BYTES_MAX, SPEC_BYTES_MAX,
	         SPEC_NODES_MAX, SPEC_DEPTH_MAX, JOB_TASKS_MAX, JOB_RESULT_BYTES_MAX,
	         JOB_VALUE_BYTES_MAX, JOB_CALL_DEPTH_MAX, EVENT_NAME_BYTES_MAX, JOB_EVENTS_MAX,
	         JOB_SIGNALS_MAX, JOB_SIGNAL_BYTES_MAX, SIGNAL_VALUE_BYTES_MAX);
}

static void answer_hello(struct request *r)
{
	const struct peer *peer = r->peer;
	struct buf        *b = reply_begin(r);

	buf_addf(b,
	         "{\"protocol\":%d,\"server\":\"" NET_SERVER "\",\"version\":\"" PACKAGE_VERSION
	         "\",\"store\":\"%s\",\"seq\":%llu,\"max_line\":%zu,\"limits\":",
	         NET_PROTOCOL, store_uuid(r->desk->net->pool->store),
	         (unsigned long long)desk_seq(r->desk), peer->line_max);
	write_limits(b);
	buf_add_text(b, ",\"principal\":");
	buf_add_json_string(b, peer->who.name, strlen(peer->who.name));
	buf_add_text(b, ",\"scopes\":");
	may_exec_write_scopes(b, r->desk->net->config->profiles, &peer->who);
	buf_add_byte(b, '}');
	reply_end(r);
}

/* False: it was refused, and answered. */
static bool show_token(struct request *r, const char *token)
{
	struct peer     *peer = r->peer;
	struct principal who;
	struct gd_error  why;

	if (token == NULL && peer->state == PEER_KNOWN)
		return true;
	if (token == NULL)
		(void)gd_fail(&why, GD_UNAUTHORIZED, "over TCP, hello needs a token");
	else if (auth_of_token(r->desk->net->auth, token, loop_wall_now(r->desk->loop), &who,
	                       &why) == GD_OK) {
		peer_become(peer, &who);
		return true;
	}
	reply_why(r, &why);
	peer_close_when_written(peer);
	return false;
}

void method_hello(struct request *r, struct rpc_params *p)
{
	uint64_t        protocols[8] = { NET_PROTOCOL };
	uint32_t        count = 1;
	uint32_t        line_max = (uint32_t)r->peer->line_max;
	const char     *client = NULL;
	const char     *token = NULL;
	struct gd_error why;

	(void)rpc_u64_list(p, "protocol", 1, UINT32_MAX, 8, protocols, &count);
	(void)rpc_text(p, "client", 200, &client);
	(void)rpc_text(p, "token", TOKEN_CHARS_MAX, &token);
	(void)rpc_u32(p, "max_line", 4096, NET_LINE_BYTES_MAX, &line_max);
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	if (!show_token(r, token))
		return;
	for (uint32_t i = 0; i < count; i++)
		if (protocols[i] == NET_PROTOCOL) {
			r->peer->line_max = line_max;
			log_debug(
				"peer.hello", "principal=%s client=%s", r->peer->who.name,
				log_quote(&(struct log_quoted){ 0 }, client != NULL ? client : ""));
			answer_hello(r);
			return;
		}
	reply_error(r, GD_UNSUPPORTED_PROTOCOL, "this daemon speaks another protocol",
	            "\"supported\":[1]");
}

void method_cancel_request(struct request *r, struct rpc_params *p)
{
	const json_t   *id = NULL;
	struct gd_error why;
	char            text[RPC_ID_BYTES_MAX + 1];
	size_t          bytes;

	rpc_require(p, "id");
	(void)rpc_any(p, "id", &id);
	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	bytes = json_dumpb(id, text, RPC_ID_BYTES_MAX, JSON_COMPACT | JSON_ENCODE_ANY);
	if (bytes != 0 && bytes <= RPC_ID_BYTES_MAX) {
		text[bytes] = '\0';
		request_cancel(r->peer, text);
	}
	reply_empty(r);
}
