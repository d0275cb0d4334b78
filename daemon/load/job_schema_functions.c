/* The arguments of built-in functions, as a part of the schema. */
#include "daemon/load/function_table.h"
#include "daemon/load/job_schema_inside.h"
#include "daemon/load/slot_schema.h"

static void next(struct buf *b, uint32_t i)
{
	schema_add(b, i == 0 ? "" : ", ");
}

static void add_value(struct buf *b, const struct function_param *p)
{
	schema_add(b, p->is_required ? "<" : "{'anyOf': [{'type': 'null'}, <");
	schema_add(b, slot_schema_of(p->slot)->name);
	schema_add(b, p->is_required ? ">" : ">]}");
}

/* Those that have to be given stand first. */
static void add_list(struct buf *b, const struct function_info *f)
{
	uint32_t required = 0;

	schema_add(b, "'prefixItems': [");
	for (uint32_t i = 0; i < f->param_count; i++) {
		next(b, i);
		add_value(b, &f->params[i]);
		required += f->params[i].is_required;
	}
	buf_addf(b, "], \"minItems\": %u, \"maxItems\": %u", required, f->param_count);
}

static void add_object(struct buf *b, const struct function_info *f)
{
	schema_add(b, "'properties': {");
	for (uint32_t i = 0; i < f->param_count; i++) {
		next(b, i);
		buf_addf(b, "\"%s\": ", f->params[i].name);
		add_value(b, &f->params[i]);
	}
	schema_add(b, "}, 'additionalProperties': false, 'required': [");
	for (uint32_t i = 0; i < f->param_count && f->params[i].is_required; i++) {
		next(b, i);
		buf_addf(b, "\"%s\"", f->params[i].name);
	}
	schema_add(b, "]");
}

static void add_function(struct buf *b, const struct function_info *f)
{
	schema_add(b, "{'if': {'properties': {'to_thread': {'const': ");
	buf_addf(b, "\"%s\"", f->name);
	schema_add(b, "}}}, 'then': {'required': ['args'], 'properties': {'args': {");
	schema_add(b, "'if': {'type': 'array'}, 'then': {");
	add_list(b, f);
	schema_add(b, "}, 'else': {");
	add_object(b, f);
	schema_add(b, "}}}}}");
}

void schema_add_functions(struct buf *b)
{
	schema_add(b, "'to_thread': {'allOf': [");
	for (uint32_t i = 0; FUNCTION_NAMES[i] != NULL; i++) {
		next(b, i);
		add_function(b, function_find(FUNCTION_NAMES[i]));
	}
	schema_add(b, "]}, ");
}
