#include "client/submit.h"

/* Prints the daemon's verdict. */
static int print_verdict(const struct options *o, const struct source *source,
                         const json_t *verdict)
{
	bool       is_good = json_is_true(json_object_get(verdict, "ok"));
	struct buf b = { .cap = 0 };

	if (options_has(o, OPTION_JSON)) {
		client_print_line(verdict);
	} else if (!is_good) {
		source_write_problems(&b, source, json_object_get(verdict, "errors"));
		(void)fwrite(b.at, 1, b.bytes, stderr);
		buf_close(&b);
	}
	return is_good ? CLIENT_DONE : CLIENT_USAGE;
}

int cmd_validate(const struct options *o)
{
	struct gd_error   why = { .code = GD_OK };
	struct submission sub;
	json_t           *params, *verdict = NULL;
	struct session   *s;
	enum gd_err       rc;
	int               exit_code = submit_read(o, &sub);

	if (exit_code != CLIENT_DONE)
		goto close;
	s = client_open(o, &exit_code);
	if (s == NULL)
		goto close;
	params = json_pack("{s:O, s:O*}", "spec", sub.source.json, "args", sub.args);
	rc = session_call(s, "job.validate", params, &verdict, &why);
	exit_code = rc == GD_OK ? print_verdict(o, &sub.source, verdict) : client_fail(s, rc, &why);
	json_decref(params);
	json_decref(verdict);
	session_close(s);
close:
	submit_close(&sub);
	return exit_code;
}
