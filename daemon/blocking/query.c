#include "daemon/blocking/query.h"

#include "daemon/value/bytes.h"

#include <math.h>
#include <string.h>

#define CELL_BYTES 64 /* of a value besides its text: what it takes to carry it about */

/* --- failures --- */

struct value query_fail(struct query *q)
{
	struct call *c = q->call;
	const char  *path = call_show(&(struct call_shown){ 0 }, q->path);

	if (call_is_unwanted(c))
		return call_fail_unwanted(c);
	if (q->is_late)
		return call_fail(c, "LimitError", "%s: the query takes more than %d seconds", path,
		                 BLOCKING_QUERY_SECONDS);
	switch (sqlite3_errcode(q->db)) {
	case SQLITE_NOMEM:
		return call_fail_memory(c);
	case SQLITE_TOOBIG:
		return call_fail(c, "LimitError", "%s: a value of more than %u bytes", path,
		                 BLOCKING_ROWS_BYTES_MAX);
	case SQLITE_FULL:
		return call_fail(c, "LimitError",
		                 "%s: no room to sort: more than %u bytes, or a full disk", path,
		                 BLOCKING_SORT_BYTES_MAX);
	default:
		return call_fail(c, "OperationalError", "%s: %s", path, sqlite3_errmsg(q->db));
	}
}

/* --- the statement --- */

/* Comments and semicolons may follow. */
static bool is_alone(struct query *q, const char *rest)
{
	while (*rest != '\0') {
		sqlite3_stmt *second;

		if (sqlite3_prepare_v2(q->db, rest, -1, &second, &rest) != SQLITE_OK) {
			(void)query_fail(q);
			return false;
		}
		if (second == NULL)
			continue;
		(void)sqlite3_finalize(second);
		(void)call_fail(q->call, "ValueError", "%s: more than one statement in \"sql\"",
		                q->call->function);
		return false;
	}
	return true;
}

static sqlite3_stmt *prepare(struct query *q, const struct vtext *sql)
{
	sqlite3_stmt *stmt;
	const char   *rest;

	if (sql->bytes > BLOCKING_SQL_BYTES_MAX) {
		(void)call_fail(q->call, "LimitError", "%s: more than %u bytes of \"sql\"",
		                q->call->function, BLOCKING_SQL_BYTES_MAX);
		return NULL;
	}
	if (sqlite3_prepare_v2(q->db, sql->at, (int)sql->bytes + 1, &stmt, &rest) != SQLITE_OK) {
		(void)query_fail(q);
		return NULL;
	}
	if (stmt == NULL) {
		(void)call_fail(q->call, "ValueError", "%s: no statement in \"sql\"",
		                q->call->function);
		return NULL;
	}
	if (is_alone(q, rest) && sqlite3_stmt_readonly(stmt))
		return stmt;
	(void)call_fail(q->call, "OperationalError", "%s: \"sql\" does not only read",
	                q->call->function); /* unless something was said before */
	(void)sqlite3_finalize(stmt);
	return NULL;
}

/* --- parameters --- */

/* SQLITE_MISMATCH where it is of no type that a parameter may have. */
static int bind_bytes(sqlite3_stmt *stmt, int at, struct value v)
{
	const struct vtext *coded = bytes_coded(v);
	struct buf          bytes = { 0 };
	int                 rc;

	if (coded == NULL || !bytes_decode(&bytes, coded))
		rc = SQLITE_MISMATCH;
	else if (bytes.failed != GD_OK)
		rc = SQLITE_NOMEM;
	else
		rc = sqlite3_bind_blob64(stmt, at, bytes.bytes == 0 ? "" : bytes.at, bytes.bytes,
		                         SQLITE_TRANSIENT);
	buf_close(&bytes);
	return rc;
}

static int bind_one(sqlite3_stmt *stmt, int at, struct value v)
{
	if (value_is_null(v))
		return sqlite3_bind_null(stmt, at);
	if (value_type(v) == VALUE_T_BOOL)
		return sqlite3_bind_int(stmt, at, value_as_bool(v));
	if (value_type(v) == VALUE_T_INT)
		return sqlite3_bind_int64(stmt, at, value_as_int(v));
	if (value_type(v) == VALUE_T_FLOAT)
		return sqlite3_bind_double(stmt, at, value_as_float(v));
	if (value_is_type(v, VALUE_T_TEXT))
		return sqlite3_bind_text(stmt, at, value_text(v)->at, (int)value_text(v)->bytes,
		                         SQLITE_STATIC);
	return bind_bytes(stmt, at, v);
}

static bool bind(struct query *q, sqlite3_stmt *stmt, struct value params)
{
	uint32_t given = value_is_none(params) ? 0 : value_list(params)->count;
	int      wanted = sqlite3_bind_parameter_count(stmt);

	if (given != (uint32_t)wanted) {
		(void)call_fail(q->call, "ValueError", "%s: %d parameters in \"sql\", %u given",
		                q->call->function, wanted, given);
		return false;
	}
	for (uint32_t i = 0; i < given; i++) {
		struct value v = value_list(params)->at[i];
		int          rc = bind_one(stmt, (int)i + 1, v);

		if (rc == SQLITE_OK)
			continue;
		if (rc == SQLITE_MISMATCH)
			(void)call_fail(q->call, "TypeError",
			                "%s: parameter %u wants a number, bool, str, null or "
			                "{\"base64\": str}, not %s",
			                q->call->function, i, value_type_name(v));
		else
			(void)query_fail(q);
		return false;
	}
	return true;
}

/* --- rows --- */

static bool refuse_name(struct query *q, const char *name, const char *why)
{
	(void)call_fail(q->call, "ValueError", "%s: the column \"%s\" %s: give it a name by AS",
	                q->call->function, call_show(&(struct call_shown){ 0 }, name), why);
	return false;
}

/* The names of the columns as the keys of `*names`. Two of one name would be one key: the first would
 * be lost. */
static bool read_names(struct query *q, sqlite3_stmt *stmt, struct value *names)
{
	struct value_heap *h = q->call->heap;

	for (int i = 0; i < sqlite3_column_count(stmt); i++) {
		const char  *name = sqlite3_column_name(stmt, i);
		const size_t bytes = name == NULL ? 0 : strlen(name);

		if (name == NULL || h->failed) {
			h->failed = true;
			return false;
		}
		if (!bytes_are_text(name, bytes))
			return refuse_name(q, name, "is not UTF-8");
		if (!value_is_none(value_dict_get(*names, name, bytes)))
			return refuse_name(q, name, "is there twice");
		*names = value_dict_put(h, *names, value_text_new(h, name, bytes), VALUE_NULL);
	}
	return !h->failed;
}

static struct value column(struct query *q, sqlite3_stmt *stmt, int i)
{
	struct value_heap *h = q->call->heap;
	const void        *at;
	double             number;

	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_INTEGER:
		return value_int(h, sqlite3_column_int64(stmt, i));
	case SQLITE_FLOAT:
		number = sqlite3_column_double(stmt, i);
		if (isfinite(number))
			return value_float(number);
		return call_fail(
			q->call, "OverflowError", "%s: column \"%s\" is infinite",
			q->call->function,
			call_show(&(struct call_shown){ 0 }, sqlite3_column_name(stmt, i)));
	case SQLITE_TEXT:
		at = sqlite3_column_text(stmt, i);
		if (at == NULL)
			h->failed = true;
		return bytes_new(h, at, (size_t)sqlite3_column_bytes(stmt, i));
	case SQLITE_BLOB:
		at = sqlite3_column_blob(stmt, i);
		return bytes_new_base64(h, at, (size_t)sqlite3_column_bytes(stmt, i));
	default:
		return VALUE_NULL;
	}
}

static struct value row(struct query *q, sqlite3_stmt *stmt, const struct vdict *names)
{
	struct value_heap *h = q->call->heap;
	struct value       dict = value_dict_new(h, names->count);

	for (uint32_t i = 0; i < names->count; i++) {
		struct value key = names->at[i].key;

		dict = value_dict_put(h, dict, value_retain(key), column(q, stmt, (int)i));
		q->bytes += value_text(key)->bytes + CELL_BYTES +
		            (size_t)sqlite3_column_bytes(stmt, (int)i);
	}
	return dict;
}

static bool has_room(struct query *q, struct value rows)
{
	if (value_is_none(rows) ||
	    (value_list(rows)->count <= BLOCKING_ROWS_MAX && q->bytes <= BLOCKING_ROWS_BYTES_MAX))
		return true;
	(void)call_fail(q->call, "LimitError",
	                "%s: more than %u rows, or %u bytes of them; ask for less by LIMIT",
	                q->call->function, BLOCKING_ROWS_MAX, BLOCKING_ROWS_BYTES_MAX);
	return false;
}

static struct value collect(struct query *q, sqlite3_stmt *stmt, const struct vdict *names)
{
	struct value_heap *h = q->call->heap;
	struct value       rows = value_list_new(h, 0);

	while (!h->failed && q->call->out->type == NULL && has_room(q, rows)) {
		int rc = sqlite3_step(stmt);

		if (rc == SQLITE_DONE)
			return rows;
		if (rc == SQLITE_ROW)
			rows = value_list_append(h, rows, row(q, stmt, names));
		else
			(void)query_fail(q);
	}
	value_release(h, rows);
	return VALUE_NONE;
}

struct value query_run(struct query *q, const struct vtext *sql, struct value params)
{
	sqlite3_stmt *stmt = prepare(q, sql);
	struct value  names = VALUE_NONE, rows = VALUE_NONE;

	if (stmt == NULL)
		return VALUE_NONE;
	if (bind(q, stmt, params)) {
		names = value_dict_new(q->call->heap, (uint32_t)sqlite3_column_count(stmt));
		if (!value_is_none(names) && read_names(q, stmt, &names))
			rows = collect(q, stmt, value_dict(names));
	}
	value_release(q->call->heap, names);
	(void)sqlite3_finalize(stmt);
	return rows;
}
