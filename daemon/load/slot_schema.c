#include "daemon/load/slot_schema.h"

#include <stddef.h>

static const struct slot_schema SLOTS[SLOT_VALUE + 1] = {
	[SLOT_ARGS] = { "args", "{'type': ['array', 'object']}" },
	[SLOT_ARGV] = { "argv", "{'type': 'array', 'items': <text>}" },
	[SLOT_ASSIGNMENT] = { "assignment",
	                      "{'type': 'object', 'minProperties': 1,"
	                      " 'propertyNames': <name>, 'additionalProperties': <value>}" },
	[SLOT_BOOL] = { "bool", "{'type': 'boolean'}" },
	[SLOT_BRANCHES] = { "branches", "{'type': ['array', 'object'],"
	                                " 'items': <task>, 'additionalProperties': <branch>}" },
	[SLOT_BYTES] = { "bytes",
	                 "{'anyOf': [{'type': 'string'},"
	                 " {'type': 'object', 'required': ['base64'],"
	                 " 'properties': {'base64': <text>}, 'additionalProperties': false}]}" },
	[SLOT_CASES] = { "cases",
	                 "{'type': 'object', 'minProperties': 1, 'additionalProperties': <node>}" },
	[SLOT_CHOICE] = { NULL, NULL },
	[SLOT_CONDITION] = { "condition", "{'if': {'type': 'string'}, 'then': <expression>}" },
	[SLOT_COUNT] = { "count", "{'anyOf': [{'type': 'integer', 'minimum': 1}, <expression>]}" },
	[SLOT_DEF] = { "name", NULL },
	[SLOT_DURATION] = { "duration", "{'anyOf': ["
	                                "{'type': 'number'},"
	                                "{'type': 'string',"
	                                " 'pattern': '^([0-9]+([.][0-9]+)?(d|h|m|s|ms|us|ns))+$'},"
	                                "<expression>]}" },
	[SLOT_ERROR] = { "error", "{'type': ['null', 'string', 'object'], 'minLength': 1,"
	                          " 'properties': {@error_members}, 'additionalProperties': false,"
	                          " 'if': {'type': 'object', 'minProperties': 1},"
	                          " 'then': {'required': ['type']}}" },
	[SLOT_EXCEPT] = { "except",
	                  "{'type': 'object', 'minProperties': 1,"
	                  " 'propertyNames': {'minLength': 1}, 'additionalProperties': <node>}" },
	[SLOT_FACTOR] = { "factor", "{'anyOf': [{'type': 'number', 'minimum': 0}, <expression>]}" },
	[SLOT_GENERATOR] = { "generator", NULL },
	[SLOT_HANDLES] = { "expression", NULL }, /* no constant is one */
	[SLOT_INPUT] = { "input",
	                 "{'anyOf': [{'type': ['null', 'string']},"
	                 " {'type': 'object', 'required': ['base64'],"
	                 " 'properties': {'base64': <text>}, 'additionalProperties': false}]}" },
	[SLOT_ITEMS] = { "items", "{'type': ['array', 'object', 'string'],"
	                          " 'if': {'type': 'string'}, 'then': <expression>}" },
	[SLOT_LABEL] = { "label", "{'anyOf': [{'type': 'string', 'minLength': 1}, <expression>]}" },
	[SLOT_LOOP] = { "loop", "{'anyOf': [{'type': 'integer', 'minimum': 0},"
	                        " {'type': 'string', 'minLength': 1, 'maxLength': 200},"
	                        " <expression>]}" },
	[SLOT_METHOD] = { "method",
	                  "{'anyOf': [{'type': 'string',"
	                  " 'pattern': '^[!#$%&\\u0027*+.^_`|~0-9A-Za-z-]+$'}, <expression>]}" },
	[SLOT_MOMENT] = { "moment",
	                  "{'anyOf': ["
	                  "{'type': 'number'},"
	                  "{'type': 'string',"
	                  " 'pattern': '^[0-9]{4}(-[0-9]{2}){2}[Tt ][0-9]{2}(:[0-9]{2}){2}"
	                  "([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$'},"
	                  "<expression>]}" },
	[SLOT_NAME] = { "name",
	                "{'type': 'string', 'pattern': '^[A-Za-z_][A-Za-z0-9_]*$',"
	                " 'not': {'enum': ['and', 'or', 'not', 'in', 'if', 'else', 'for', 'true',"
	                " 'false', 'null', 'True', 'False', 'None']}}" },
	[SLOT_NODE] = { "node", NULL },
	[SLOT_PATH] = { "path", "{'anyOf': [{'type': 'string', 'minLength': 1}, <expression>]}" },
	[SLOT_PAUSE] = { "pause", "{'$ref': '#/$defs/duration', 'minimum': 0}" },
	[SLOT_PROFILE] = { "profile", "{'type': 'string', 'pattern': '^[A-Za-z0-9_.-]{1,32}$'}" },
	[SLOT_REQUEST] = { "request",
	                   "{'if': {'type': 'object'},"
	                   " 'then': {'required': ['url'], 'not': {'required': ['body', 'json']},"
	                   " 'properties': {@request_members}, 'additionalProperties': false},"
	                   " 'else': <url>}" },
	[SLOT_RETRY] = { "retry",
	                 "{'if': {'type': 'object'},"
	                 " 'then': {'required': ['attempts'], 'properties': {@retry_members},"
	                 " 'additionalProperties': false}, 'else': <count>}" },
	[SLOT_SIBLINGS] = { "siblings",
	                    "{'type': 'array', 'items': {'type': 'string'}, 'uniqueItems': true}" },
	[SLOT_SIZE] = { "size", "{'anyOf': [{'type': 'integer', 'minimum': 0}, <expression>]}" },
	[SLOT_TASK] = { "task", NULL },
	[SLOT_TEXT] = { "text", "{'anyOf': [{'type': 'string'}, <expression>]}" },
	[SLOT_TEXTS] = { "texts", "{'type': 'object', 'propertyNames': {'minLength': 1},"
	                          " 'additionalProperties': <text>}" },
	[SLOT_TIMEOUT] = { "timeout", "{'if': {'type': 'null'}, 'else': <duration>}" },
	[SLOT_TYPES] = { "types",
	                 "{'type': 'array', 'minItems': 1,"
	                 " 'items': {'type': 'string', 'minLength': 1, 'not': <expression>}}" },
	[SLOT_URL] = { "url", "{'anyOf': [{'type': 'string', 'pattern': '^https?://[^/?#]'},"
	                      " <expression>]}" },
	[SLOT_VALUE] = { "value", "{}" }, /* any, with ${...} where it likes */
};

const struct slot_schema *slot_schema_of(enum slot_kind kind)
{
	return &SLOTS[kind];
}
