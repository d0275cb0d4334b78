#include "client/client.h"

/* One job. A second asking that finds nothing follows a first one whose reply got lost. */
static enum gd_err delete_one(struct session *s, const json_t *id, struct gd_error *why)
{
	json_t     *params = json_pack("{s:O}", "id", id);
	json_t     *result = NULL;
	enum gd_err rc = session_call(s, "job.delete", params, &result, why);

	json_decref(params);
	json_decref(result);
	return rc == GD_NOT_FOUND && session_was_resent(s) ? GD_OK : rc;
}

int cmd_delete(const struct options *o)
{
	struct gd_error why = { .code = GD_OK };
	json_t         *ids = client_parse_ids(o);
	const json_t   *id;
	size_t          i;
	int             exit_code;
	struct session *s;

	if (ids == NULL)
		return CLIENT_USAGE;
	s = client_open(o, &exit_code);
	if (s == NULL) {
		json_decref(ids);
		return exit_code;
	}
	exit_code = CLIENT_DONE;
	json_array_foreach (ids, i, id) {
		enum gd_err rc = delete_one(s, id, &why);

		if (rc != GD_OK)
			exit_code = client_fail(s, rc, &why);
	}
	json_decref(ids);
	session_close(s);
	return exit_code;
}
