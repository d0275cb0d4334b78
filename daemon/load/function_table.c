#include "daemon/load/function_table.h"

#include <stddef.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))
#define PARAMS(table) (table), COUNT_OF(table)

static const struct function_param PATH[] = {
	{ "path", SLOT_PATH, true },
};
static const struct function_param READ[] = {
	{ "path", SLOT_PATH, true },
	{ "offset", SLOT_SIZE, false },
	{ "length", SLOT_SIZE, false },
	{ "encoding", SLOT_TEXT, false },
};
static const struct function_param HOST[] = {
	{ "host", SLOT_TEXT, true },
	{ "port", SLOT_SIZE, false },
};
static const struct function_param QUERY[] = {
	{ "path", SLOT_PATH, true },
	{ "sql", SLOT_TEXT, true },
	{ "params", SLOT_VALUE, false },
};
static const struct function_param WRITE[] = {
	{ "path", SLOT_PATH, true },
	{ "content", SLOT_BYTES, true },
	{ "mode", SLOT_TEXT, false },
};

static const struct function_info FUNCTIONS[] = {
	{ "list_dir", false, PARAMS(PATH) },   { "read_file", false, PARAMS(READ) },
	{ "resolve", false, PARAMS(HOST) },    { "sha256", false, PARAMS(PATH) },
	{ "stat", false, PARAMS(PATH) },       { "sqlite_query", false, PARAMS(QUERY) },
	{ "write_file", true, PARAMS(WRITE) },
};

const char *const FUNCTION_NAMES[] = { "list_dir", "read_file",    "resolve",    "sha256",
	                               "stat",     "sqlite_query", "write_file", NULL };
_Static_assert(COUNT_OF(FUNCTION_NAMES) == COUNT_OF(FUNCTIONS) + 1, "a name for each function");

const struct function_info *function_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(FUNCTIONS); i++) {
		if (strcmp(FUNCTIONS[i].name, name) == 0)
			return &FUNCTIONS[i];
	}
	return NULL;
}

uint32_t function_param_find(const struct function_info *f, const char *name)
{
	uint32_t i = 0;

	while (i < f->param_count && strcmp(f->params[i].name, name) != 0)
		i++;
	return i;
}

void function_offer_params(struct nearest *n, const struct function_info *f)
{
	for (uint32_t i = 0; i < f->param_count; i++)
		nearest_offer(n, f->params[i].name);
}
