/*
 * Any bytes as the lines of one connection: from a line to requests, from parameters to a reply.
 *
 * daemon/net/request.c and proto/rpc.c are the real ones. What surrounds them is ours: a peer
 * without a socket, and a table of methods that read their parameters with every reader and answer
 * at once, later, or never. Each line must be answered as JSON-RPC demands, in JSON without broken
 * UTF-8: once for each request that is no notification.
 */
#include "daemon/net/methods.h"
#include "daemon/run/loop.h"
#include "proto/base/check.h"
#include "tests/fuzz/expect.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

const uint32_t fuzz_rounds = 30000;

#define LATER_MAX 64u

static struct net      net;
static struct pool     pool;
static struct desk     desk;
static struct peer     peer;
static struct request *later[LATER_MAX]; /* asked for by "later", not answered yet */
static uint32_t        later_count;

/* --- what request.c wants from the rest of the daemon --- */

gd_nsec loop_wall_now(struct loop *l)
{
	(void)l;
	return INT64_C(1700000000) * GD_NSEC_PER_SEC;
}

void peer_mark_dirty(struct peer *p)
{
	p->is_dirty = true;
}

void peer_die(struct peer *p)
{
	p->state = PEER_DEAD;
}

void peer_close_when_written(struct peer *p)
{
	if (peer_is_open(p))
		p->state = PEER_CLOSING;
}

void peer_become(struct peer *p, const struct principal *who)
{
	p->who = *who;
	p->state = PEER_KNOWN;
}

void peer_write(struct peer *p)
{
	(void)p;
}

/* "good" is a token; the rest are none. */
enum gd_err auth_of_token(struct auth *a, const char *token, gd_nsec now, struct principal *out,
                          struct gd_error *why)
{
	(void)a;
	(void)now;
	if (strcmp(token, "good") != 0)
		return gd_fail(why, GD_UNAUTHORIZED, "this token is not good");
	*out = (struct principal){ .name = "token:good", .scopes = AUTH_OBSERVE_ANY };
	return GD_OK;
}

bool auth_still(struct auth *a, struct principal *p, gd_nsec now)
{
	(void)a;
	(void)now;
	return p->is_token;
}

bool principal_may(const struct principal *p, unsigned scopes)
{
	return (p->scopes & scopes) == scopes;
}

void auth_write_scopes(struct buf *b, unsigned scopes)
{
	buf_addf(b, "[%u]", scopes);
}

/* --- methods --- */

static void write_number(struct buf *b, const char *name, bool is_there, int64_t number)
{
	if (is_there)
		buf_addf(b, ",\"%s\":%lld", name, (long long)number);
}

static void write_text(struct buf *b, const char *name, bool is_there, const char *text)
{
	if (!is_there)
		return;
	buf_addf(b, ",\"%s\":", name);
	buf_add_json_string(b, text, strlen(text));
}

/* Reads what has one value. */
static void read_simple(struct rpc_params *p, struct buf *b)
{
	static const char *const colours[] = { "red", "green", "blue", NULL };
	const char              *text = "";
	uint64_t                 wide = 0;
	uint32_t                 narrow = 0;
	gd_nsec                  time = 0;
	bool                     flag = false;

	write_text(b, "text", rpc_text(p, "text", 20, &text), text);
	write_number(b, "bool", rpc_bool(p, "bool", &flag), flag);
	write_number(b, "u64", rpc_u64(p, "u64", 1, INT64_MAX, &wide), (int64_t)wide);
	write_number(b, "u32", rpc_u32(p, "u32", 0, UINT32_MAX, &narrow), narrow);
	write_number(b, "seconds", rpc_seconds(p, "seconds", 86400, &time), time);
	CHECK(time >= 0 && time <= 86400 * GD_NSEC_PER_SEC);
	write_number(b, "moment", rpc_moment(p, "moment", &time), time);
	CHECK(time >= 0);
	if (rpc_choice(p, "choice", colours, &narrow))
		write_text(b, "choice", true, colours[narrow]);
	if (rpc_choices(p, "choices", colours, &narrow)) {
		CHECK(narrow < 8);
		write_number(b, "choices", true, narrow);
	}
}

/* Reads what has many, or is passed on as it is. */
static void read_wide(struct rpc_params *p, struct buf *b)
{
	const char   *texts[4];
	uint64_t      numbers[5];
	uint32_t      count = 0;
	const json_t *json = NULL;
	char         *dump;

	if (rpc_u64_list(p, "numbers", 0, 1000, 5, numbers, &count)) {
		CHECK(count >= 1 && count <= 5);
		for (uint32_t i = 0; i < count; i++)
			CHECK(numbers[i] <= 1000);
		write_number(b, "numbers", true, (int64_t)numbers[count - 1]);
	}
	if (rpc_text_list(p, "texts", 20, 4, texts, &count)) {
		CHECK(count <= 4);
		for (uint32_t i = 0; i < count; i++)
			CHECK(texts[i][0] != '\0' && strlen(texts[i]) <= 20);
	}
	if (rpc_object(p, "object", &json))
		CHECK(json_is_object(json));
	if (rpc_list(p, "list", 3, &json))
		CHECK(json_is_array(json) && json_array_size(json) <= 3);
	if (!rpc_any(p, "any", &json))
		return;
	dump = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
	CHECK(dump != NULL);
	buf_add_text(b, ",\"any\":");
	buf_add_text(b, dump);
	free(dump);
}

static void method_read(struct request *r, struct rpc_params *p)
{
	struct buf      b = { 0 };
	struct gd_error why;

	read_simple(p, &b);
	read_wide(p, &b);
	if (rpc_params_end(p, &why) != GD_OK) {
		CHECK(why.code == GD_INVALID_PARAMS && why.text[0] != '\0');
		reply_bad_params(r, p);
	} else {
		struct buf *out = reply_begin(r);

		buf_add_text(out, "{\"read\":true");
		buf_add(out, b.at, b.bytes);
		buf_add_byte(out, '}');
		reply_end(r);
	}
	buf_close(&b);
}

static void method_need(struct request *r, struct rpc_params *p)
{
	const json_t   *id;
	struct gd_error why;

	rpc_require(p, "id");
	if (rpc_any(p, "id", &id) && json_is_string(id))
		rpc_fault(p, "/id", "no text here: %s", json_string_value(id));
	if (rpc_params_end(p, &why) != GD_OK)
		reply_why(r, &why);
	else
		reply_empty(r);
}

static void let_go(struct request *r, bool is_cancelled)
{
	(void)is_cancelled;
	CHECK(r->work == &peer);
}

/* Waits for ever, and may be let go. */
static void method_wait(struct request *r, struct rpc_params *p)
{
	(void)p;
	r->work = &peer;
	r->let_go = let_go;
}

/* On its way to somewhere; it will be answered, whoever is still there. */
static void method_later(struct request *r, struct rpc_params *p)
{
	(void)p;
	if (later_count == LATER_MAX)
		reply_not_found(r, UINT64_MAX);
	else
		later[later_count++] = r;
}

static void method_cancel(struct request *r, struct rpc_params *p)
{
	const char *id = "";

	(void)rpc_text(p, "id", RPC_ID_BYTES_MAX, &id);
	request_cancel(r->peer, id);
	reply_empty(r);
}

static const struct method methods[] = {
	{ "read", "", 0, false, true, method_read, NULL },
	{ "need", "", 0, true, true, method_need, NULL },
	{ "wait", "", 0, false, true, method_wait, NULL },
	{ "later", "", 0, false, true, method_later, NULL },
	{ "cancel", "", 0, false, true, method_cancel, NULL },
	{ "observe", "", AUTH_OBSERVE_ANY, false, true, method_read, NULL },
	{ "submit", "", AUTH_SUBMIT | AUTH_ADMIN, false, false, method_read, NULL },
};

const struct method *method_find(const char *name)
{
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

/* --- replies --- */

static bool is_known_error(json_int_t code, const char *name)
{
	for (int i = GD_OK + 1; i < GD_ERR_COUNT; i++)
		if (gd_err_rpc_code((enum gd_err)i) == code &&
		    strcmp(gd_err_name((enum gd_err)i), name) == 0)
			return code != -32603 || strcmp(name, gd_err_name(GD_INTERNAL)) == 0;
	return false;
}

static void expect_error(const json_t *error)
{
	const json_t *data = json_object_get(error, "data");
	const json_t *type = json_object_get(data, "type");

	CHECK(json_is_integer(json_object_get(error, "code")));
	CHECK(json_string_length(json_object_get(error, "message")) != 0);
	CHECK(json_is_string(type));
	CHECK(is_known_error(json_integer_value(json_object_get(error, "code")),
	                     json_string_value(type)));
}

static void expect_reply(const json_t *reply)
{
	const json_t *error = json_object_get(reply, "error");
	const json_t *result = json_object_get(reply, "result");
	const json_t *id = json_object_get(reply, "id");

	CHECK(json_object_size(reply) == 3);
	CHECK(strcmp(json_string_value(json_object_get(reply, "jsonrpc")), "2.0") == 0);
	CHECK(json_is_string(id) || json_is_integer(id) || json_is_null(id));
	CHECK((error == NULL) != (result == NULL));
	if (error != NULL)
		expect_error(error);
}

/* The replies in `out`, a line each; how many there are. */
static size_t expect_replies(const struct buf *out)
{
	const char *at = out->at == NULL ? "" : out->at;
	const char *end = at + out->bytes;
	size_t      count = 0;

	CHECK(out->failed == GD_OK);
	for (const char *lf; at < end; at = lf + 1) {
		json_t *json;

		lf = memchr(at, '\n', (size_t)(end - at));
		CHECK(lf != NULL);
		json = expect_json(at, (size_t)(lf - at));
		if (json_is_array(json)) {
			CHECK(json_array_size(json) != 0);
			count += json_array_size(json);
			for (size_t i = 0; i < json_array_size(json); i++)
				expect_reply(json_array_get(json, i));
		} else {
			count++;
			expect_reply(json);
		}
		json_decref(json);
	}
	return count;
}

/* --- lines --- */

/* How many replies a message will get: one for each entry that has an id or is no request. */
static size_t replies_due(const char *line, size_t bytes, bool *is_message)
{
	struct rpc_message m;
	struct rpc_request in;
	struct gd_error    why = { .code = GD_OK };
	size_t             due = 0;

	*is_message = rpc_parse(line, bytes, &m, &why) == GD_OK;
	if (!*is_message) {
		CHECK(why.code == GD_PARSE || why.code == GD_INVALID_REQUEST ||
		      why.code == GD_LIMIT);
		return 1;
	}
	CHECK(m.count >= 1 && m.count <= RPC_BATCH_MAX);
	for (uint32_t i = 0; i < m.count; i++) {
		enum gd_err rc = rpc_request_at(&m, i, &in, &why);

		CHECK(rc == GD_OK || (rc == GD_INVALID_REQUEST && !in.is_notification));
		CHECK(strlen(in.id) <= RPC_ID_BYTES_MAX);
		json_decref(expect_json(in.id, strlen(in.id)));
		due += in.is_notification ? 0 : 1;
	}
	rpc_message_close(&m);
	return due;
}

static void take_line(const char *line, size_t bytes)
{
	bool   is_message;
	bool   is_alone = peer.request_count == 0;
	size_t due = replies_due(line, bytes, &is_message);
	size_t got;

	buf_clear(&peer.out);
	request_take(&peer, line, bytes);
	got = expect_replies(&peer.out);
	/* A batch stops at an entry that ends the connection, and a request may wait. */
	if (is_alone && peer.request_count == 0 && peer_is_open(&peer))
		CHECK(got == due);
	CHECK(got <= due || !is_alone);
}

static void open_peer(bool is_stranger)
{
	desk = (struct desk){ .net = &net };
	net.pool = &pool;
	peer = (struct peer){ .desk = &desk,
		              .state = is_stranger ? PEER_STRANGER : PEER_KNOWN,
		              .line_max = NET_LINE_BYTES_DEFAULT,
		              .who = { .name = "uid:1", .scopes = AUTH_OBSERVE_ANY } };
	frame_init(&peer.scanner, FRAME_BYTES_MAX);
	atomic_store(&pool.is_draining, false);
}

static void answer_later(void)
{
	while (later_count > 0)
		reply_empty(later[--later_count]);
}

static void close_peer(bool is_answered_first)
{
	buf_clear(&peer.out);
	if (is_answered_first)
		answer_later();
	(void)expect_replies(&peer.out);
	buf_clear(&peer.out);
	requests_durability_unknown(&peer);
	CHECK(expect_replies(&peer.out) <= peer.request_count);
	requests_let_go(&peer);
	answer_later();
	CHECK(peer.requests == NULL);
	buf_close(&peer.out);
	buf_close(&desk.trash);
}

/* The connection ends with its late answers given before it goes, or after. */
static void run(const char *at, const char *end, bool is_stranger, bool is_answered_first)
{
	open_peer(is_stranger);
	while (at < end && peer_is_open(&peer)) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t      bytes = (size_t)((lf == NULL ? end : lf) - at);

		if (bytes != 0)
			take_line(at, bytes);
		at += bytes;
		if (at < end)
			at++;
	}
	close_peer(is_answered_first);
}

/* A first line of "stranger" says that no token was shown yet. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char word[] = "stranger\n";
	const size_t      bytes = sizeof word - 1;
	const char       *at = size == 0 ? "" : (const char *)data;
	const char       *end = at + size;
	bool              is_stranger = size >= bytes && memcmp(data, word, bytes) == 0;

	if (is_stranger)
		at += bytes;
	run(at, end, is_stranger, true);
	run(at, end, is_stranger, false);
	return 0;
}
