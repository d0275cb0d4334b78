/*
 * slot_schema.h - what stands in each kind of slot, as JSON Schema.
 *
 * The text is in the notation of job_schema_inside.h. It lets through everything that compiles:
 * where ${...} may stand, only running the job can tell what comes of it.
 *
 * Ownership: static, read only. Threads: any. Source: JSON Schema draft 2020-12.
 */
#ifndef GATHERD_LOAD_SLOT_SCHEMA_H
#define GATHERD_LOAD_SLOT_SCHEMA_H

#include "daemon/load/op_table.h"

struct slot_schema {
	const char *name; /* below $defs; NULL for a SLOT_CHOICE, whose words differ */
	const char *text; /* NULL where `name` is a part that others have, too */
};

const struct slot_schema *slot_schema_of(enum slot_kind kind);

#endif
