/*
 * job_schema.h - a JSON Schema of the job language, for editors: `gatherd --schema`.
 *
 * It is written from op_table.h, so that it knows every word that jobs may use, where, and what may
 * stand there. All that compiles is valid by it. The other way round it finds unknown keys, missing
 * and several operations, wrong types and words; names, expressions and calls are the loader's.
 *
 * An object is closed by the `additionalProperties` of one flat list of keys, and what goes with what
 * is said beside that list: so a validator looks at each node of a job once. A schema for each
 * operation, with `unevaluatedProperties`, makes some of them look twice on each level.
 *
 * Threads: any. Source: JSON Schema draft 2020-12.
 */
#ifndef GATHERD_LOAD_JOB_SCHEMA_H
#define GATHERD_LOAD_JOB_SCHEMA_H

#include "proto/base/buf.h"

/* Appends the schema. Errors: GD_NOMEM; `out` then holds a part of it. */
GD_NODISCARD enum gd_err job_schema_write(struct buf *out, struct gd_error *why);

#endif
