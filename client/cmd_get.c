#include "client/client.h"
#include "client/render.h"

#include <string.h>

static void add_time(struct buf *b, const json_t *job, const char *name)
{
	const json_t *when = json_object_get(job, name);

	if (!json_is_number(when))
		return;
	buf_addf(b, "%-10s ", name);
	render_time(b, when);
	buf_add_byte(b, '\n');
}

static void add_value(struct buf *b, const json_t *job, const char *name)
{
	const json_t *value = json_object_get(job, name);

	if (value == NULL || json_is_null(value))
		return;
	buf_addf(b, "%-10s ", name);
	if (json_is_string(value))
		render_text(b, json_string_value(value));
	else
		render_json(b, value, 0);
	buf_add_byte(b, '\n');
}

static void print_job(const json_t *job)
{
	struct buf b = { .cap = 0 };

	add_value(&b, job, "id");
	add_value(&b, job, "status");
	add_value(&b, job, "title");
	add_value(&b, job, "labels");
	add_value(&b, job, "parent");
	add_value(&b, job, "loop");
	if (json_integer_value(json_object_get(job, "priority")) != 0)
		add_value(&b, job, "priority");
	add_time(&b, job, "submitted");
	add_time(&b, job, "started");
	add_time(&b, job, "ended");
	if (json_is_number(json_object_get(job, "ended"))) {
		buf_addf(&b, "%-10s ", "took");
		render_span(&b, json_object_get(job, "started"), json_object_get(job, "ended"));
		buf_add_byte(&b, '\n');
	}
	add_value(&b, job, "spec");
	add_value(&b, job, "args");
	add_value(&b, job, "result");
	add_value(&b, job, "error");
	(void)fwrite(b.at, 1, b.bytes, stdout);
	buf_close(&b);
}

static json_t *make_params(const struct options *o, json_int_t id)
{
	return options_has(o, OPTION_SPEC)
	               ? json_pack("{s:I, s:[s, s]}", "id", id, "include", "spec", "result")
	               : json_pack("{s:I, s:[s]}", "id", id, "include", "result");
}

int cmd_get(const struct options *o)
{
	json_t    *job = NULL;
	json_int_t id;
	int        exit_code;

	if (!client_parse_id(o->operands[0], &id))
		return CLIENT_USAGE;
	exit_code = client_ask(o, "job.get", make_params(o, id), &job);
	if (exit_code != CLIENT_DONE)
		return exit_code;
	if (options_has(o, OPTION_JSON))
		client_print_line(job);
	else
		print_job(job);
	json_decref(job);
	return CLIENT_DONE;
}
