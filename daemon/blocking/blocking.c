#include "daemon/blocking/blocking.h"

#include "daemon/blocking/call.h"
#include "proto/base/check.h"

#include <stdlib.h>
#include <string.h>

static const struct function {
	const char *name;
	call_fn    *run;
} FUNCTIONS[] = {
	/* in the order of their names */
	{ "list_dir", blocking_list_dir },         { "read_file", blocking_read_file },
	{ "resolve", blocking_resolve },           { "sha256", blocking_sha256 },
	{ "sqlite_query", blocking_sqlite_query }, { "stat", blocking_stat },
	{ "write_file", blocking_write_file },
};

static int compare(const void *name, const void *entry)
{
	return strcmp(name, ((const struct function *)entry)->name);
}

void blocking_run(const struct blocking_config *c, const char *function, struct value args,
                  struct value_heap *h, const atomic_bool *is_unwanted,
                  struct blocking_outcome *out)
{
	struct call            call = { c, function, args, h, is_unwanted, out };
	const struct function *f =
		bsearch(function, FUNCTIONS, sizeof FUNCTIONS / sizeof FUNCTIONS[0],
	                sizeof FUNCTIONS[0], compare);

	CHECK(f != NULL);
	*out = (struct blocking_outcome){ .result = VALUE_NONE, .data = VALUE_NONE };
	if (call_is_unwanted(&call)) {
		(void)call_fail_unwanted(&call);
		return;
	}
	out->result = f->run(&call);
	if (!h->failed && out->type == NULL && !value_is_none(out->result))
		return;
	value_release(h, out->result);
	out->result = VALUE_NONE;
	if (!h->failed && out->type != NULL)
		return;
	value_release(h, out->data);
	*out = (struct blocking_outcome){ .result = VALUE_NONE, .data = VALUE_NONE };
	(void)call_fail_memory(&call);
}
