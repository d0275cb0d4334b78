#include "daemon/blocking/call.h"

#include "proto/base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- failures --- */

const char *call_show(struct call_shown *room, const char *text)
{
	static const char cut[] = "...";
	size_t            bytes = strnlen(text, sizeof room->at);

	if (bytes < sizeof room->at) {
		memcpy(room->at, text, bytes + 1);
		return room->at;
	}
	bytes = utf8_prefix(text, sizeof room->at - sizeof cut);
	memcpy(room->at, text, bytes);
	memcpy(room->at + bytes, cut, sizeof cut);
	return room->at;
}

static void set(struct call *c, const char *type, const char *fmt, va_list args)
{
	if (c->out->type != NULL)
		return;
	c->out->type = type;
	(void)vsnprintf(c->out->message, sizeof c->out->message, fmt, args);
	/* SQLite, for one, repeats what it does not like. */
	c->out->message[utf8_prefix(c->out->message, strlen(c->out->message))] = '\0';
}

struct value call_fail(struct call *c, const char *type, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set(c, type, fmt, args);
	va_end(args);
	return VALUE_NONE;
}

static void put_data(struct call *c, const char *key, const char *text)
{
	struct value_heap *h = c->heap;

	if (value_is_none(c->out->data))
		c->out->data = value_dict_new(h, 2);
	c->out->data = value_dict_put(h, c->out->data, value_text_new(h, key, strlen(key)),
	                              value_text_new(h, text, strlen(text)));
}

/* Source: "OS exceptions" of the Python library reference. */
static const char *type_of(int sys)
{
	switch (sys) {
	case EACCES:
	case EPERM:
	case EXDEV: /* from openat2: the way leads out */
		return "PermissionError";
	case ENOENT:
		return "FileNotFoundError";
	case EEXIST:
		return "FileExistsError";
	case EISDIR:
		return "IsADirectoryError";
	case ENOTDIR:
		return "NotADirectoryError";
	default:
		return "OSError";
	}
}

struct value call_fail_path(struct call *c, int sys, const char *path)
{
	const char *name = strerrorname_np(sys);
	const char *words = sys == EXDEV ? "leads out of its root" : strerrordesc_np(sys);

	if (c->out->type != NULL)
		return VALUE_NONE;
	(void)call_fail(c, type_of(sys), "%s: %s", call_show(&(struct call_shown){ 0 }, path),
	                words == NULL ? "unknown error" : words);
	put_data(c, "errno", name == NULL ? "" : name);
	put_data(c, "path", path);
	return VALUE_NONE;
}

struct value call_fail_code(struct call *c, const char *name, const char *fmt, ...)
{
	va_list args;

	if (c->out->type != NULL)
		return VALUE_NONE;
	va_start(args, fmt);
	set(c, "OSError", fmt, args);
	va_end(args);
	put_data(c, "errno", name);
	return VALUE_NONE;
}

struct value call_fail_unwanted(struct call *c)
{
	return call_fail(c, "CancelledError", "%s: nobody waits for it", c->function);
}

struct value call_fail_memory(struct call *c)
{
	return call_fail(c, "OSError", "%s: no memory", c->function);
}

/* --- arguments --- */

struct value call_arg(const struct call *c, const char *name)
{
	struct value v = value_dict_get(c->args, name, strlen(name));

	return value_is_null(v) ? VALUE_NONE : v;
}

const struct vtext *call_text(struct call *c, const char *name)
{
	struct value v = call_arg(c, name);

	if (value_is_type(v, VALUE_T_TEXT))
		return value_text(v);
	(void)call_fail(c, "TypeError", "%s: \"%s\" wants str, not %s", c->function, name,
	                value_type_name(v));
	return NULL;
}

bool call_number(struct call *c, const char *name, int64_t min, int64_t max, int64_t *out)
{
	struct value v = call_arg(c, name);

	if (value_is_none(v))
		return true;
	if (value_type(v) != VALUE_T_INT) {
		(void)call_fail(c, "TypeError", "%s: \"%s\" wants int, not %s", c->function, name,
		                value_type_name(v));
		return false;
	}
	if (value_as_int(v) < min || value_as_int(v) > max) {
		(void)call_fail(c, "ValueError", "%s: \"%s\" is not between %lld and %lld: %lld",
		                c->function, name, (long long)min, (long long)max,
		                (long long)value_as_int(v));
		return false;
	}
	*out = value_as_int(v);
	return true;
}
