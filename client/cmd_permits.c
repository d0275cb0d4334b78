/* Semaphores and pools: names with a number of permits. */
#include "client/client.h"
#include "client/render.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 500

struct permits {
	const char *name; /* one of them, in words */
	const char *list; /* the method */
	const char *put;
	const char *rows;      /* the member of what the first one gives */
	bool        has_usual; /* those that nobody put have a number that `list` tells */
};

static const struct permits SEMAPHORES = { "semaphore", "semaphore.list", "semaphore.put",
	                                   "semaphores", false };
static const struct permits POOLS = { "pool", "pool.list", "pool.put", "pools", true };

static json_int_t number_of(const json_t *row, const char *name)
{
	return json_integer_value(json_object_get(row, name));
}

static void add_row(struct render_table *t, const json_t *row)
{
	static const char *const columns[] = { "permits", "held", "waiting" };
	char                     number[32];

	render_table_add(t, json_string_value(json_object_get(row, "name")));
	for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
		(void)snprintf(number, sizeof number, "%lld",
		               (long long)number_of(row, columns[i]));
		render_table_add(t, number);
	}
}

/* The last row, for all the others; NULL: it is not known. */
static void add_usual(struct render_table *t, const json_t *usual)
{
	char number[32];

	if (!json_is_integer(usual))
		return;
	(void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(usual));
	render_table_add(t, "(others)");
	render_table_add(t, number);
	render_table_add(t, "");
	render_table_add(t, "");
}

static void print_rows(const struct options *o, const json_t *rows, const json_t *usual)
{
	static const char *const titles[] = { "NAME", "PERMITS", "HELD", "WAITING" };
	struct render_table      t;
	struct buf               b = { .cap = 0 };
	size_t                   i;
	const json_t            *row;

	if (options_has(o, OPTION_JSON)) {
		client_print_line(rows);
		return;
	}
	if (options_has(o, OPTION_JSONL)) {
		json_array_foreach (rows, i, row)
			client_print_line(row);
		return;
	}
	render_table_init(&t, 4, titles);
	json_array_foreach (rows, i, row)
		add_row(&t, row);
	add_usual(&t, usual);
	render_table_write(&b, &t);
	(void)fwrite(b.at, 1, b.bytes, stdout);
	buf_close(&b);
	render_table_close(&t);
}

/* All of them, page by page, into `rows`; what the others have as a new reference in `*usual`. */
static enum gd_err read_rows(struct session *s, const struct permits *kind, json_t *rows,
                             json_t **usual, struct gd_error *why)
{
	json_t     *params = json_pack("{s:i}", "limit", PAGE);
	json_t     *page = NULL;
	json_t     *next;
	enum gd_err rc;

	do {
		rc = session_call(s, kind->list, params, &page, why);
		if (rc != GD_OK)
			break;
		(void)json_array_extend(rows, json_object_get(page, kind->rows));
		next = json_incref(json_object_get(page, "next"));
		(void)json_object_set(params, "after", next);
		json_decref(*usual);
		*usual = json_incref(json_object_get(page, "usual"));
		json_decref(next);
		json_decref(page);
	} while (json_is_string(next));
	json_decref(params);
	return rc;
}

static int list(const struct options *o, const struct permits *kind)
{
	struct gd_error why = { .code = GD_OK };
	int             exit_code;
	struct session *s = client_open(o, &exit_code);
	json_t         *rows, *usual = NULL;
	enum gd_err     rc;

	if (s == NULL)
		return exit_code;
	rows = json_array();
	rc = read_rows(s, kind, rows, &usual, &why);
	if (rc == GD_OK)
		print_rows(o, rows, usual);
	exit_code = rc == GD_OK ? CLIENT_DONE : client_fail(s, rc, &why);
	json_decref(rows);
	json_decref(usual);
	session_close(s);
	return exit_code;
}

/* A number, or "usual" where there is one: then `*permits` is NULL. False after words. */
static bool parse_permits(const struct permits *kind, const char *text, json_t **permits)
{
	char     *end;
	long long number;

	*permits = NULL;
	if (kind->has_usual && strcmp(text, "usual") == 0)
		return true;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0) {
		(void)fprintf(stderr, "gatherctl: \"%s\" is no number of permits\n", text);
		return false;
	}
	*permits = json_integer(number);
	return true;
}

static int put(const struct options *o, const struct permits *kind)
{
	json_t *permits, *params, *row = NULL, *rows;
	int     exit_code;

	if (!parse_permits(kind, o->operands[2], &permits))
		return CLIENT_USAGE;
	params = json_pack("{s:s, s:o*}", "name", o->operands[1], "permits", permits);
	if (params == NULL) {
		(void)fprintf(stderr, "gatherctl: the name of the %s is not UTF-8\n", kind->name);
		return CLIENT_USAGE;
	}
	exit_code = client_ask(o, kind->put, params, &row);
	if (exit_code != CLIENT_DONE)
		return exit_code;
	if (options_has(o, OPTION_JSON)) {
		client_print_line(row);
		json_decref(row);
		return CLIENT_DONE;
	}
	rows = json_pack("[o]", row);
	print_rows(o, rows, NULL);
	json_decref(rows);
	return CLIENT_DONE;
}

/* "set" is the word for it, "put" that of the method. */
static bool is_set(const char *word)
{
	return strcmp(word, "set") == 0 || strcmp(word, "put") == 0;
}

static int obey(const struct options *o, const struct permits *kind)
{
	if (o->operand_count == 0 || (o->operand_count == 1 && strcmp(o->operands[0], "list") == 0))
		return list(o, kind);
	if (o->operand_count == 3 && is_set(o->operands[0]))
		return put(o, kind);
	(void)fprintf(stderr, "gatherctl: %s takes \"list\", or \"set NAME PERMITS\"\n",
	              kind->name);
	return CLIENT_USAGE;
}

int cmd_semaphore(const struct options *o)
{
	return obey(o, &SEMAPHORES);
}

int cmd_pool(const struct options *o)
{
	return obey(o, &POOLS);
}
