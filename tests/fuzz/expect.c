#include "tests/fuzz/expect.h"

#include "proto/base/check.h"

void expect_utf8(const char *text, size_t bytes)
{
	json_t *json = json_stringn(bytes == 0 ? "" : text, bytes);

	CHECK(json != NULL);
	json_decref(json);
}

json_t *expect_json(const char *text, size_t bytes)
{
	/* A text may hold a NUL: b64decode("AA==") is one. */
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
	json_t      *json = json_loadb(text, bytes, flags, NULL);

	CHECK(json != NULL);
	return json;
}
