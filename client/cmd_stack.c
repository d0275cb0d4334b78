#include "client/client.h"
#include "client/render.h"

/* A member as text; a number is a moment. The empty address is the job's own coroutine. */
static void add_cell(struct render_table *t, const json_t *row, const char *name)
{
	const json_t *value = json_object_get(row, name);
	struct buf    b = { .cap = 0 };

	if (json_is_string(value) && json_string_length(value) == 0)
		buf_add_text(&b, "(job)");
	else if (json_is_string(value))
		buf_add_text(&b, json_string_value(value));
	else if (json_is_number(value))
		render_time(&b, value);
	else if (value != NULL)
		render_json(&b, value, 0);
	buf_add_byte(&b, '\0');
	render_table_add(t, b.at);
	buf_close(&b);
}

/* A task that is a job of its own waits for that one. */
static void add_waiting_for(struct render_table *t, const json_t *row)
{
	const json_t *child = json_object_get(row, "child");
	struct buf    b = { .cap = 0 };

	if (!json_is_integer(child)) {
		add_cell(t, row, "waiting_for");
		return;
	}
	buf_add_text(&b, "job ");
	buf_add_i64(&b, json_integer_value(child));
	buf_add_text(&b, " on loop ");
	buf_add_i64(&b, json_integer_value(json_object_get(row, "loop")));
	buf_add_byte(&b, '\0');
	render_table_add(t, b.at);
	buf_close(&b);
}

static void print_stack(const struct options *o, const json_t *stack)
{
	static const char *const titles[] = { "ADDRESS", "NAME",        "OP",
		                              "STATE",   "WAITING FOR", "UNTIL" };
	struct render_table      t;
	struct buf               b = { .cap = 0 };
	const json_t            *row;
	size_t                   i;

	if (options_has(o, OPTION_JSON)) {
		client_print_line(stack);
		return;
	}
	if (options_has(o, OPTION_JSONL)) {
		json_array_foreach (stack, i, row)
			client_print_line(row);
		return;
	}
	render_table_init(&t, 6, titles);
	json_array_foreach (stack, i, row) {
		add_cell(&t, row, "address");
		add_cell(&t, row, "name");
		add_cell(&t, row, "op");
		add_cell(&t, row, "state");
		add_waiting_for(&t, row);
		add_cell(&t, row, "until");
	}
	render_table_write(&b, &t);
	(void)fwrite(b.at, 1, b.bytes, stdout);
	buf_close(&b);
	render_table_close(&t);
}

int cmd_stack(const struct options *o)
{
	json_t    *result = NULL;
	json_int_t id;
	int        exit_code;

	if (!client_parse_id(o->operands[0], &id))
		return CLIENT_USAGE;
	exit_code = client_ask(o, "job.stack", json_pack("{s:I}", "id", id), &result);
	if (exit_code == CLIENT_DONE)
		print_stack(o, json_object_get(result, "stack"));
	json_decref(result);
	return exit_code;
}
