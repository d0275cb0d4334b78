/* HTTP requests: to the network and back. */
#include "daemon/effect/calls_inside.h"

#include "daemon/http/http.h"
#include "daemon/run/busy.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MAX (STORE_BOOT_CHARS + RUN_REF_TEXT_BYTES + 2) /* UUID, ticket, attempt */

/* A request as the client wants it, and what it points to. */
struct draft {
	struct http_request request;
	struct http_field  *fields; /* owned: of headers, then of query */
	struct buf          json;   /* the body, where it was a value */
	char                key[KEY_BYTES_MAX];
	const char         *wrong; /* what is wrong with a part; NULL: nothing */
};

/* --- from a value --- */

static struct http_text text_of(struct value v)
{
	return (struct http_text){ value_text(v)->at, value_text(v)->bytes };
}

static struct value part(struct value request, const char *name)
{
	return value_dict_get(request, name, strlen(name));
}

static struct http_text read_text(struct draft *d, struct value request, const char *name,
                                  const char *wrong)
{
	struct value v = part(request, name);

	if (value_is_type(v, VALUE_T_TEXT))
		return text_of(v);
	if (!value_is_none(v) && !value_is_null(v))
		d->wrong = wrong;
	return (struct http_text){ 0 };
}

static uint32_t count_fields(struct value v)
{
	return value_is_type(v, VALUE_T_DICT) ? value_dict(v)->count : 0;
}

/* {name: text, ...} to `to`, which has the room. */
static uint32_t read_fields(struct draft *d, struct value v, struct http_field *to,
                            const char *wrong)
{
	if (!value_is_none(v) && !value_is_null(v) && !value_is_type(v, VALUE_T_DICT))
		d->wrong = wrong;
	for (uint32_t i = 0; i < count_fields(v); i++) {
		const struct vpair *pair = &value_dict(v)->at[i];

		if (!value_is_type(pair->value, VALUE_T_TEXT)) {
			d->wrong = wrong;
			return i;
		}
		to[i] = (struct http_field){ text_of(pair->key), text_of(pair->value) };
	}
	return count_fields(v);
}

static void read_body(struct draft *d, struct value request)
{
	static const char TYPE[] = "application/json", POST[] = "POST";
	struct value      json = part(request, "json");

	d->request.body = read_text(d, request, "body", "\"body\" is text");
	d->request.has_body = d->request.body.at != NULL;
	if (!value_is_none(json)) {
		value_write_json(&d->json, json);
		d->request.body = (struct http_text){ d->json.at, d->json.bytes };
		d->request.content_type = (struct http_text){ TYPE, sizeof TYPE - 1 };
		d->request.has_body = true;
	}
	if (d->request.has_body && d->request.method.at == NULL)
		d->request.method = (struct http_text){ POST, sizeof POST - 1 };
}

static void read_request(struct draft *d, struct value request)
{
	struct value headers = part(request, "headers"), query = part(request, "query");
	struct value timeout = part(request, "timeout");
	uint32_t     count = count_fields(headers) + count_fields(query);

	if ((d->fields = calloc(count + 1, sizeof *d->fields)) == NULL)
		calls_out_of_memory();
	d->request.url = read_text(d, request, "url", "\"url\" is text");
	if (d->request.url.at == NULL)
		d->wrong = "\"url\" is text";
	d->request.method = read_text(d, request, "method", "\"method\" is text");
	d->request.headers = d->fields;
	d->request.header_count =
		read_fields(d, headers, d->fields, "\"headers\" is an object of text");
	d->request.query = d->fields + d->request.header_count;
	d->request.query_count = read_fields(d, query, d->fields + d->request.header_count,
	                                     "\"query\" is an object of text");
	read_body(d, request);
	if (value_is_float(timeout))
		d->request.timeout = (gd_nsec)(value_as_float(timeout) * 1e9);
}

/* The same for every try of this attempt, and for nothing else. */
static void name_attempt(struct draft *d, const struct calls *cs, const struct pending *c)
{
	const struct run_ref ref = pending_ref(c);
	char                 text[RUN_REF_TEXT_BYTES];

	run_ref_text(&ref, text);
	(void)snprintf(d->key, sizeof d->key, "%s-%s", cs->key_prefix, text);
	d->request.idempotency_key = (struct http_text){ d->key, strlen(d->key) };
}

/* --- to a value --- */

static struct value put(struct value_heap *h, struct value dict, const char *name, struct value v)
{
	return value_dict_put(h, dict, value_text_new(h, name, strlen(name)), v);
}

static struct value put_text(struct value_heap *h, struct value dict, const char *name,
                             const char *text)
{
	return put(h, dict, name, engine_bytes(h, text, strlen(text), false));
}

/* Names in lower case; of those that come again the values, with a comma between (RFC 9110, 5.2). */
static struct value headers_of(struct value_heap *h, const struct http_answer *a)
{
	struct value dict = value_dict_new(h, a->header_count);
	struct buf   name = { 0 }, joined = { 0 };

	for (uint32_t i = 0; i < a->header_count && !h->failed; i++) {
		const struct http_field *f = &a->headers[i];
		struct value             before;

		buf_clear(&name);
		buf_clear(&joined);
		for (size_t at = 0; at < f->name.bytes; at++) {
			char byte = f->name.at[at];

			buf_add_byte(&name, byte >= 'A' && byte <= 'Z' ? (char)(byte + 32) : byte);
		}
		before = value_dict_get(dict, name.at, name.bytes);
		if (value_is_type(before, VALUE_T_TEXT)) {
			buf_add(&joined, value_text(before)->at, value_text(before)->bytes);
			buf_add_text(&joined, ", ");
		}
		buf_add(&joined, f->value.at, f->value.bytes);
		if (name.failed != GD_OK || joined.failed != GD_OK)
			calls_out_of_memory();
		dict = value_dict_put(h, dict, engine_bytes(h, name.at, name.bytes, false),
		                      engine_bytes(h, joined.at, joined.bytes, false));
	}
	buf_close(&name);
	buf_close(&joined);
	return dict;
}

static struct value outcome_of(struct value_heap *h, const struct http_answer *a)
{
	struct value dict = value_dict_new(h, 4);

	if (a->status == 0)
		return calls_error(h, a->type, a->message, put_text(h, dict, "stage", a->stage));
	dict = put(h, dict, "status", value_int(h, a->status));
	dict = put_text(h, dict, "url", a->url);
	dict = put(h, dict, "headers", headers_of(h, a));
	return calls_result(
		h, put(h, dict, "body", engine_bytes(h, a->body.at, a->body.bytes, false)));
}

/* --- there and back --- */

/* What came of a request, until its job takes it. */
struct answered {
	struct inbox_msg msg; /* first */
	struct calls    *cs;
	struct run_ref   ref;
	struct value     outcome;
};

static void take_answer(struct loop *l, struct inbox_msg *m)
{
	struct answered *a = (struct answered *)(void *)m;
	struct pending  *c;

	_Static_assert(offsetof(struct answered, msg) == 0, "it begins with its message");
	if (busy_defers(l, a->ref.job, m))
		return;
	c = pending_find(&a->cs->table, a->ref.job, a->ref.exec);
	if (c != NULL && c->attempt == a->ref.attempt && !l->is_stopping)
		calls_end(a->cs, c, a->outcome);
	else
		value_release(engine_heap(l->engine), a->outcome); /* recalled meanwhile */
	free(a);
}

static void on_done(void *ctx, const struct http_answer *answer)
{
	struct pending  *c = ctx;
	struct calls    *cs = c->calls;
	struct answered *a = calloc(1, sizeof *a);

	if (a == NULL)
		calls_out_of_memory();
	c->transfer = NULL;
	a->msg.run = take_answer;
	a->cs = cs;
	a->ref = pending_ref(c);
	a->outcome = outcome_of(engine_heap(cs->loop->engine), answer);
	take_answer(cs->loop, &a->msg);
}

bool calls_start_http(struct calls *cs, struct pending *c, struct value request,
                      struct value *outcome)
{
	struct value_heap *h = engine_heap(cs->loop->engine);
	struct draft       d = { 0 };
	struct gd_error    why;
	enum gd_err        rc;

	read_request(&d, request);
	name_attempt(&d, cs, c);
	if (d.json.failed != GD_OK)
		calls_out_of_memory();
	if (d.wrong != NULL) {
		rc = GD_INVALID_PARAMS;
		*outcome = calls_error(h, "TypeError", d.wrong, VALUE_NONE);
	} else if ((rc = http_start(cs->http, &d.request, on_done, c, &c->transfer, &why)) !=
	           GD_OK) {
		if (rc == GD_NOMEM)
			calls_out_of_memory();
		*outcome = calls_error(h, http_error_type(rc), why.text, VALUE_NONE);
	}
	free(d.fields);
	buf_close(&d.json);
	return rc == GD_OK;
}

void calls_drop_http(struct calls *cs, struct pending *c)
{
	(void)cs;
	http_abort(c->transfer);
	c->transfer = NULL;
}
