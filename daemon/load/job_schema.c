#include "daemon/load/job_schema.h"

#include "daemon/load/job_schema_inside.h"
#include "daemon/load/json_layout.h"
#include "daemon/load/slot_schema.h"
#include "proto/base/check.h"

#include <string.h>

/* The schema, in the notation of schema_add().
 *
 * Some editors put what a $ref refers to in place of its neighbours of the same name: so there are
 * none, hence `allOf`. They show the innermost description: so only keys have one. */
static const char SCHEMA[] =
	"{'$schema': 'https://json-schema.org/draft/2020-12/schema',"
	" 'title': 'A job of gatherd',"
	" 'description': 'Written by gatherd --schema; JOBS.md explains the language.',"
	" 'type': ['array', 'object'], 'items': <node>, 'if': {'type': 'object'}, 'then': <job>,"
	" '$defs': {"
	/* The root: a node, and the header. */
	" 'job': {"
	"  'allOf': [<rules>], 'additionalProperties': false,"
	"  'dependentSchemas': {'name': {@makes_a_task}},"
	"  'properties': {"
	"   'gatherd': {'description': 'The version of the language.', 'const': 1},"
	"   'title': {'description': 'A text for humans.', 'type': 'string'},"
	"   'args': {'description': '{name: default}; a submission may replace them.',"
	"            'type': 'object', 'propertyNames': <name>},"
	"   'def': {'description': 'Functions, which call runs.', 'type': 'object',"
	"           'propertyNames': <name>, 'additionalProperties': <def>},"
	"   'loop': {'description': 'Name or number of the event loop that runs the job.',"
	"            'type': ['string', 'integer'], 'minimum': 0,"
	"            'minLength': 1, 'maxLength': 200},"
	"   'events': {'description': 'all, or job: no events for its tasks.',"
	"              'enum': ['all', 'job']},"
	"   @root_properties}},"
	" 'def': {"
	"  'type': 'object', 'required': ['do'], 'additionalProperties': false,"
	"  'properties': {"
	"   'params': {'description': 'Names of the parameters.', 'type': 'array',"
	"              'items': <name>, 'uniqueItems': true},"
	"   'do': {'description': 'The body.', '$ref': '#/$defs/node'}}},"
	/* Nodes, by where they stand: only a branch with a name has siblings to wait for, and only a
	 * task has a label. */
	" 'node': {"
	"  'type': ['array', 'object'], 'items': <node>, 'if': {'type': 'object'},"
	"  'then': {'allOf': [<step>], 'properties': {'after': false},"
	"           'dependentSchemas': {'name': {@makes_a_task}}}},"
	" 'task': {"
	"  'type': ['array', 'object'], 'items': <node>, 'if': {'type': 'object'},"
	"  'then': {'allOf': [<step>], 'properties': {'after': false}}},"
	" 'branch': {"
	"  'type': ['array', 'object'], 'items': <node>, 'if': {'type': 'object'},"
	"  'then': <step>},"
	" 'generator': {"
	"  'type': 'object', 'allOf': [<rules>],"
	"  'if': {'required': ['call']},"
	"  'then': {'additionalProperties': false, 'properties': {@bare_call}},"
	"  'else': {'required': ['as_completed'], 'additionalProperties': false,"
	"           'properties': {@bare_as_completed}}},"
	/* An operation with its options and modifiers. */
	" 'step': {"
	"  'allOf': [<rules>], 'additionalProperties': false,"
	"  'dependentSchemas': {@header_wants},"
	"  'properties': {@properties}},"
	/* What must stand beside what, the root included. */
	" 'rules': {"
	"  'oneOf': [@one_op],"
	"  'not': {'required': ['for', 'while']},"
	"  'dependentRequired': {"
	"   'for': ['in'], 'in': ['for'], 'else': ['if'], 'match': ['case']},"
	"  'dependentSchemas': {"
	"   'try': {'anyOf': [{'required': ['except']}, {'required': ['finally']}]},"
	"   'race': {'properties': {'in': {'minItems': 1, 'minProperties': 1}}},"
	"   'exec': {'if': {'required': ['profile']},"
	"    'else': {'properties': {'exec': {'minItems': 1, 'prefixItems': [<path>]}}}},"
	"   @functions"
	"   @wants},"
	"  'if': {'required': ['for']},"
	"  'then': {'properties': {@single_branches}},"
	"  'else': {'properties': {@branches, 'race': {"
	"   '$ref': '#/$defs/branches', 'minItems': 1, 'minProperties': 1}}}},"
	/* In a text, ${ opens an expression unless a $ stands before it. */
	" 'expression': {"
	"  'type': ['string', 'array', 'object'],"
	"  'pattern': '(^|[^$])[$][{]',"
	"  'contains': <expression>,"
	"  'not': {'type': 'object', 'additionalProperties': {'not': <expression>}}},"
	" @slots}}";

/* --- parts --- */

static void add_slots(struct buf *b)
{
	bool is_first = true;

	for (uint32_t kind = 0; kind <= SLOT_VALUE; kind++) {
		const struct slot_schema *slot = slot_schema_of(kind);

		if (slot->text == NULL)
			continue;
		schema_add_key(b, slot->name, &is_first);
		schema_add(b, slot->text);
	}
}

/* What @name stands for. Returns what follows it. */
static const char *add_part(struct buf *b, const char *name)
{
	static const struct {
		const char *name;
		void (*add)(struct buf *b);
	} PARTS[] = {
		{ "bare_as_completed", schema_add_bare_as_completed },
		{ "bare_call", schema_add_bare_call },
		{ "branches", schema_add_branches },
		{ "error_members", schema_add_error_members },
		{ "functions", schema_add_functions },
		{ "header_wants", schema_add_header_wants },
		{ "makes_a_task", schema_add_makes_a_task },
		{ "one_op", schema_add_one_op },
		{ "properties", schema_add_properties },
		{ "request_members", schema_add_request_members },
		{ "retry_members", schema_add_retry_members },
		{ "root_properties", schema_add_root_properties },
		{ "single_branches", schema_add_single_branches },
		{ "slots", add_slots },
		{ "wants", schema_add_wants },
	};
	size_t bytes = strspn(name, "abcdefghijklmnopqrstuvwxyz_");

	for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
		if (strlen(PARTS[i].name) == bytes && strncmp(PARTS[i].name, name, bytes) == 0) {
			PARTS[i].add(b);
			return name + bytes;
		}
	}
	CHECK_NEVER("a part of the schema that nobody writes");
}

void schema_add(struct buf *b, const char *text)
{
	while (*text != '\0') {
		char c = *text++;

		if (c == '@')
			text = add_part(b, text);
		else if (c == '<')
			schema_add(b, "{'$ref': '#/$defs/");
		else if (c == '>')
			schema_add(b, "'}");
		else
			buf_add_byte(b, c == '\'' ? '"' : c);
	}
}

enum gd_err job_schema_write(struct buf *out, struct gd_error *why)
{
	struct buf text = { 0 };
	json_t    *schema = NULL;
	bool       is_ok = false;

	schema_add(&text, SCHEMA);
	/* The text is good JSON, whatever happens: only memory can be missing. */
	if (text.failed == GD_OK)
		schema = json_loadb(text.at, text.bytes, JSON_REJECT_DUPLICATES, NULL);
	buf_close(&text);
	if (schema != NULL) {
		json_layout(out, schema);
		is_ok = out->failed == GD_OK;
	}
	json_decref(schema);
	return is_ok ? GD_OK : gd_fail(why, GD_NOMEM, "no memory for the schema");
}
