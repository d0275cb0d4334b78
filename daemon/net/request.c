#include "daemon/net/request.h"

#include "daemon/net/methods.h"
#include "proto/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Replies to the entries of one batch, until the last one is there. */
struct batch {
	struct buf out;
	uint32_t   left;
};

/* --- replies --- */

static struct buf *target(struct request *r)
{
	struct buf *b;

	if (r->is_notification || r->peer == NULL || r->peer->state == PEER_DEAD) {
		buf_clear(&r->desk->trash);
		return &r->desk->trash;
	}
	if (r->batch == NULL)
		return &r->peer->out;
	b = &r->batch->out;
	if (b->bytes != 0)
		buf_add_byte(b, ',');
	return b;
}

static void unlink_request(struct request *r)
{
	struct peer *p = r->peer;

	if (p == NULL)
		return;
	if (r->previous != NULL)
		r->previous->next = r->next;
	else
		p->requests = r->next;
	if (r->next != NULL)
		r->next->previous = r->previous;
	p->request_count--;
	peer_mark_dirty(p); /* there is something to write, or room for the next request */
}

static void leave_batch(struct batch *batch, struct peer *p)
{
	if (--batch->left != 0)
		return;
	if (p != NULL && batch->out.bytes != 0) {
		buf_add_byte(&p->out, '[');
		buf_add(&p->out, batch->out.at, batch->out.bytes);
		buf_add_text(&p->out, "]\n");
		if (batch->out.failed != GD_OK)
			p->out.failed = batch->out.failed;
		peer_mark_dirty(p);
	}
	buf_close(&batch->out);
	free(batch);
}

static void free_request(struct request *r)
{
	unlink_request(r);
	if (r->batch != NULL)
		leave_batch(r->batch, r->peer);
	free(r);
}

struct buf *reply_begin(struct request *r)
{
	struct buf *b = target(r);

	rpc_begin_result(b, r->id);
	return b;
}

static void end_line(struct request *r, struct buf *b)
{
	if (r->batch == NULL)
		buf_add_byte(b, '\n');
}

void reply_end(struct request *r)
{
	struct buf *b;

	if (r->is_notification || r->peer == NULL || r->peer->state == PEER_DEAD)
		b = &r->desk->trash;
	else
		b = r->batch == NULL ? &r->peer->out : &r->batch->out;
	rpc_end(b);
	end_line(r, b);
	free_request(r);
}

void reply_error(struct request *r, enum gd_err code, const char *message, const char *data)
{
	struct buf *b = target(r);

	rpc_write_error(b, r->id, code, message, data);
	end_line(r, b);
	free_request(r);
}

void reply_why(struct request *r, const struct gd_error *why)
{
	const char *data = why->code == GD_UNAVAILABLE ? "\"retry_after\":1" : NULL;

	reply_error(r, why->code, why->text, data);
}

void reply_bad_params(struct request *r, const struct rpc_params *p)
{
	struct buf *b = target(r);

	rpc_write_bad_params(b, r->id, p);
	end_line(r, b);
	free_request(r);
}

void reply_not_found(struct request *r, uint64_t job)
{
	char data[64];

	(void)snprintf(data, sizeof data, "\"kind\":\"job\",\"id\":%llu", (unsigned long long)job);
	reply_error(r, GD_NOT_FOUND, "there is no such job", data);
}

void reply_empty(struct request *r)
{
	buf_add_text(reply_begin(r), "{}");
	reply_end(r);
}

/* --- who asks --- */

size_t request_line_max(const struct request *r)
{
	return r->peer == NULL ? NET_LINE_BYTES_DEFAULT : r->peer->line_max;
}

const struct principal *request_who(const struct request *r)
{
	static const struct principal nobody;

	return r->peer == NULL ? &nobody : &r->peer->who;
}

bool request_may(const struct request *r, struct text owner, enum auth_scope own,
                 enum auth_scope any)
{
	const struct principal *who = request_who(r);

	if (principal_may(who, any))
		return true;
	return principal_may(who, own) && owner.at != NULL && strcmp(owner.at, who->name) == 0;
}

/* --- letting go --- */

static void let_go(struct request *r, bool is_cancelled)
{
	void (*fn)(struct request *, bool) = r->let_go;

	r->let_go = NULL;
	if (fn != NULL)
		fn(r, is_cancelled);
}

/* A request that has nothing to let go is on its way to a store or a loop and back; it is answered
 * into the trash and freed there. */
void requests_let_go(struct peer *p)
{
	struct request *r;

	while ((r = p->requests) != NULL) {
		bool is_waiting = r->let_go != NULL;

		if (is_waiting) {
			let_go(r, false);
			free_request(r);
			continue;
		}
		unlink_request(r);
		r->peer = NULL;
	}
}

void request_cancel(struct peer *p, const char *id)
{
	for (struct request *r = p->requests; r != NULL; r = r->next)
		if (r->let_go != NULL && strcmp(r->id, id) == 0) {
			let_go(r, true);
			reply_error(r, GD_REQUEST_CANCELLED, "the call was cancelled", NULL);
			return;
		}
}

void requests_durability_unknown(struct peer *p)
{
	for (struct request *r = p->requests; r != NULL; r = r->next) {
		if (r->is_notification)
			continue;
		rpc_write_error(
			&p->out, r->id, GD_DURABILITY_UNKNOWN,
			"the request may or may not have happened; ask again with the same key",
			NULL);
		buf_add_byte(&p->out, '\n');
	}
	peer_write(p);
}

/* --- in --- */

void request_complain(struct peer *p, enum gd_err code, const char *message, const char *data)
{
	rpc_write_error(&p->out, RPC_NULL_ID, code, message, data);
	buf_add_byte(&p->out, '\n');
	peer_mark_dirty(p);
}

static struct request *new_request(struct peer *p, const struct rpc_request *in,
                                   struct batch *batch)
{
	struct request *r = malloc(sizeof *r);

	if (r == NULL) {
		peer_die(p);
		return NULL;
	}
	r->desk = p->desk;
	r->peer = p;
	r->batch = batch;
	r->let_go = NULL;
	r->work = NULL;
	r->is_notification = in->is_notification;
	memcpy(r->id, in->id, strlen(in->id) + 1);
	r->previous = NULL;
	r->next = p->requests;
	if (p->requests != NULL)
		p->requests->previous = r;
	p->requests = r;
	p->request_count++;
	return r;
}

/* A token that came with this request, for clients that open a connection for each call. */
static bool is_admitted(struct peer *p, const struct rpc_request *in, const struct method *m,
                        struct gd_error *why)
{
	struct net      *net = p->desk->net;
	gd_nsec          now = loop_wall_now(p->desk->loop);
	struct principal who;
	const json_t    *token =
                json_is_object(in->params) ? json_object_get(in->params, RPC_PARAM_AUTH) : NULL;

	if (json_is_string(token)) {
		if (auth_of_token(net->auth, json_string_value(token), now, &who, why) != GD_OK)
			return false;
		peer_become(p, &who);
	}
	if (p->state == PEER_STRANGER && (m == NULL || !m->is_for_strangers)) {
		(void)gd_fail(why, GD_UNAUTHORIZED,
		              "show a token first: hello with `token`, or `_auth`");
		return false;
	}
	if (p->who.is_token && !auth_still(net->auth, &p->who, now)) {
		(void)gd_fail(why, GD_UNAUTHORIZED, "the token is no longer good");
		return false;
	}
	return true;
}

static void refuse_scope(struct request *r, unsigned scopes)
{
	struct buf data = { 0 };

	buf_add_text(&data, "\"scope\":");
	auth_write_scopes(&data, scopes);
	buf_add_byte(&data, '\0');
	reply_error(r, GD_FORBIDDEN, "this needs a scope that you do not have",
	            data.failed == GD_OK ? data.at : NULL);
	buf_close(&data);
}

static void dispatch(struct request *r, const struct rpc_request *in, const struct method *m)
{
	struct peer      *p = r->peer;
	struct gd_error   why;
	struct rpc_params params;

	if (!is_admitted(p, in, m, &why)) {
		reply_why(r, &why);
		peer_close_when_written(p);
		return;
	}
	if (m == NULL) {
		reply_error(r, GD_NO_METHOD, "there is no such method", NULL);
		return;
	}
	if (m->scopes != 0 && (p->who.scopes & m->scopes) == 0) {
		refuse_scope(r, m->scopes);
		return;
	}
	if (atomic_load(&p->desk->net->pool->is_draining) && !m->is_while_draining) {
		(void)gd_fail(&why, GD_UNAVAILABLE, "the daemon is stopping");
		reply_why(r, &why);
		return;
	}
	rpc_params_init(&params, in->params);
	m->run(r, &params);
}

static void take_one(struct peer *p, const struct rpc_message *m, uint32_t index,
                     struct batch *batch)
{
	struct rpc_request in;
	struct gd_error    why;
	enum gd_err        rc = rpc_request_at(m, index, &in, &why);
	struct request    *r;

	if ((r = new_request(p, &in, batch)) == NULL)
		return;
	if (rc != GD_OK)
		reply_why(r, &why);
	else
		dispatch(r, &in, method_find(in.method));
}

static void take_batch(struct peer *p, const struct rpc_message *m)
{
	struct batch *batch = calloc(1, sizeof *batch);

	if (batch == NULL) {
		peer_die(p);
		return;
	}
	batch->left = m->count + 1; /* one for us, so that it stays while entries are started */
	for (uint32_t i = 0; i < m->count; i++) {
		if (p->state == PEER_KNOWN || p->state == PEER_STRANGER)
			take_one(p, m, i, batch);
		else
			batch->left--;
	}
	leave_batch(batch, p->state == PEER_DEAD ? NULL : p);
}

void request_take(struct peer *p, const char *text, size_t bytes)
{
	struct rpc_message m;
	struct gd_error    why;

	if (rpc_parse(text, bytes, &m, &why) != GD_OK) {
		request_complain(p, why.code, why.text, NULL);
		if (why.code != GD_PARSE)
			return;
		if (p->has_spoken)
			frame_resync(&p->scanner);
		else
			peer_close_when_written(p); /* it may never have meant to talk to us */
		return;
	}
	p->has_spoken = true;
	if (m.is_batch)
		take_batch(p, &m);
	else
		take_one(p, &m, 0, NULL);
	rpc_message_close(&m);
}
