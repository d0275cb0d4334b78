#include "daemon/net/methods.h"

#include <string.h>

/*
 * rpc.discover: an OpenRPC 1.3 document, made from the dispatch table and the table of errors.
 * Source: https://spec.open-rpc.org.
 */

static void write_param(struct buf *b, const struct method_param *param)
{
	buf_addf(b, "{\"name\":\"%s\",\"required\":%s,\"schema\":%s}", param->name,
	         param->is_required ? "true" : "false", param->schema);
}

static void write_method(struct buf *b, const struct method *m)
{
	buf_addf(b,
	         "{\"name\":\"%s\",\"summary\":\"%s\",\"paramStructure\":\"by-name\",\"x-scopes\":",
	         m->name, m->summary);
	auth_write_scopes(b, m->scopes);
	buf_add_text(b, ",\"params\":[");
	for (const struct method_param *param = m->params; param->name != NULL; param++) {
		if (param != m->params)
			buf_add_byte(b, ',');
		write_param(b, param);
	}
	buf_add_text(b, "],\"result\":{\"name\":\"result\",\"schema\":{\"type\":\"object\"}}}");
}

static void write_errors(struct buf *b)
{
	bool is_first = true;

	for (int e = GD_PARSE; e < GD_NOMEM; e++) {
		buf_addf(b, "%s\"%s\":{\"code\":%d,\"message\":\"%s\"}", is_first ? "" : ",",
		         gd_err_name((enum gd_err)e), gd_err_rpc_code((enum gd_err)e),
		         gd_err_name((enum gd_err)e));
		is_first = false;
	}
}

void method_discover(struct request *r, struct rpc_params *p)
{
	const struct method *m;
	struct gd_error      why;
	struct buf          *b;

	if (rpc_params_end(p, &why) != GD_OK) {
		reply_bad_params(r, p);
		return;
	}
	b = reply_begin(r);
	buf_add_text(b, "{\"openrpc\":\"1.3.2\",\"info\":{\"title\":\"" NET_SERVER
	                "\",\"version\":\"" PACKAGE_VERSION "\"},\"methods\":[");
	for (uint32_t i = 0; (m = method_at(i)) != NULL; i++) {
		if (i != 0)
			buf_add_byte(b, ',');
		write_method(b, m);
	}
	buf_add_text(b, "],\"components\":{\"errors\":{");
	write_errors(b);
	buf_add_text(b, "}}}");
	reply_end(r);
}
