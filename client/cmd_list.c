#include "client/client.h"
#include "client/render.h"

#include <stdlib.h>

#define PAGE 200
#define LIMIT_USUAL 20

static json_t *make_params(const struct options *o, json_int_t after, json_int_t limit)
{
	return json_pack("{s:I, s:s, s:o*, s:o*, s:o*, s:s*, s:o*, s:o*}", "limit", limit, "order",
	                 options_has(o, OPTION_OLDEST) ? "oldest" : "newest", "after",
	                 after == 0 ? NULL : json_integer(after), "status",
	                 options_has(o, OPTION_STATUS) ? json_incref(o->statuses) : NULL, "label",
	                 options_has(o, OPTION_LABEL) ? json_incref(json_array_get(o->labels, 0))
	                                              : NULL,
	                 "title", o->title, "parent",
	                 options_has(o, OPTION_PARENT) ? json_integer(o->parent) : NULL, "children",
	                 options_has(o, OPTION_CHILDREN) ? json_true() : NULL);
}

/* With children among them, whose they are. */
static bool has_parents(const struct options *o)
{
	return options_has(o, OPTION_PARENT) || options_has(o, OPTION_CHILDREN);
}

static void add_id(struct render_table *t, const json_t *id)
{
	struct buf b = { .cap = 0 };

	if (json_is_integer(id))
		buf_add_i64(&b, json_integer_value(id));
	buf_add_byte(&b, '\0');
	render_table_add(t, b.at);
	buf_close(&b);
}

static void add_row(struct render_table *t, const struct options *o, const json_t *job)
{
	struct buf b = { .cap = 0 };

	add_id(t, json_object_get(job, "id"));
	if (has_parents(o))
		add_id(t, json_object_get(job, "parent"));
	render_table_add(t, json_string_value(json_object_get(job, "status")));
	render_time(&b, json_object_get(job, "submitted"));
	buf_add_byte(&b, '\0');
	render_table_add(t, b.at);
	buf_clear(&b);
	render_span(&b, json_object_get(job, "started"), json_object_get(job, "ended"));
	buf_add_byte(&b, '\0');
	render_table_add(t, b.at);
	render_table_add(t, json_string_value(json_object_get(job, "title")));
	buf_close(&b);
}

static void print_jobs(const struct options *o, const json_t *jobs)
{
	static const char *const titles[] = { "ID", "STATUS", "SUBMITTED", "TOOK", "TITLE" };
	static const char *const family[] = {
		"ID", "PARENT", "STATUS", "SUBMITTED", "TOOK", "TITLE"
	};
	struct render_table t;
	struct buf          b = { .cap = 0 };
	size_t              i;
	const json_t       *job;

	if (options_has(o, OPTION_JSON)) {
		client_print_line(jobs);
		return;
	}
	if (options_has(o, OPTION_JSONL)) {
		json_array_foreach (jobs, i, job)
			client_print_line(job);
		return;
	}
	if (has_parents(o))
		render_table_init(&t, 6, family);
	else
		render_table_init(&t, 5, titles);
	json_array_foreach (jobs, i, job)
		add_row(&t, o, job);
	render_table_write(&b, &t);
	(void)fwrite(b.at, 1, b.bytes, stdout);
	buf_close(&b);
	render_table_close(&t);
}

/* Appends pages to `jobs` until `limit` or the end. */
static enum gd_err read_jobs(struct session *s, const struct options *o, json_t *jobs,
                             json_int_t limit, struct gd_error *why)
{
	json_int_t after = o->after;

	for (;;) {
		json_int_t  rest = limit - (json_int_t)json_array_size(jobs);
		json_t     *params = make_params(o, after, rest < PAGE ? rest : PAGE);
		json_t     *page = NULL;
		enum gd_err rc = session_call(s, "job.list", params, &page, why);

		json_decref(params);
		if (rc != GD_OK)
			return rc;
		(void)json_array_extend(jobs, json_object_get(page, "jobs"));
		after = json_integer_value(json_object_get(page, "next"));
		json_decref(page);
		if (after == 0 || (json_int_t)json_array_size(jobs) >= limit)
			return GD_OK;
	}
}

int cmd_list(const struct options *o)
{
	struct gd_error why = { .code = GD_OK };
	json_int_t      limit = options_has(o, OPTION_LIMIT) ? o->limit : LIMIT_USUAL;
	json_t         *jobs = json_array();
	enum gd_err     rc = GD_OK;
	int             exit_code;
	struct session *s = client_open(o, &exit_code);

	if (s == NULL) {
		json_decref(jobs);
		return exit_code;
	}
	if (limit > 0)
		rc = read_jobs(s, o, jobs, limit, &why);
	if (rc == GD_OK)
		print_jobs(o, jobs);
	else
		exit_code = client_fail(s, rc, &why);
	json_decref(jobs);
	session_close(s);
	return rc == GD_OK ? CLIENT_DONE : exit_code;
}
