#include "proto/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int         rpc_code;
	const char *name;
} table[GD_ERR_COUNT] = {
#define GD_ERR_ROW(symbol, code, name) [symbol] = { code, name },
	GD_ERRORS(GD_ERR_ROW)
#undef GD_ERR_ROW
};

static void fill(struct gd_error *why, enum gd_err code, int sys, const char *fmt, va_list args)
{
	if (why == NULL)
		return;
	why->code = code;
	why->sys = sys;
	(void)vsnprintf(why->text, sizeof why->text, fmt, args);
}

enum gd_err gd_fail(struct gd_error *why, enum gd_err code, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fill(why, code, 0, fmt, args);
	va_end(args);
	return code;
}

enum gd_err gd_fail_sys(struct gd_error *why, int sys, const char *fmt, ...)
{
	va_list args;
	size_t  used;

	va_start(args, fmt);
	fill(why, GD_SYS, sys, fmt, args);
	va_end(args);
	if (why != NULL) {
		used = strlen(why->text);
		(void)snprintf(why->text + used, sizeof why->text - used, ": %s", strerror(sys));
	}
	return GD_SYS;
}

int gd_err_rpc_code(enum gd_err code)
{
	return table[code].rpc_code;
}

const char *gd_err_name(enum gd_err code)
{
	return table[code].name;
}
