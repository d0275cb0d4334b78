/*
 * header.h - the keys of a job's root that are not its body: title, loop, events, args, def.
 *
 * Ownership and threads: as loader.h.
 */
#ifndef GATHERD_LOAD_HEADER_H
#define GATHERD_LOAD_HEADER_H

#include "daemon/load/loader.h"

/* Reads the header into the program and the loader's defs, and numbers the codes of the defs; code
 * 0 must have its number. `root` is an object. */
void header_read(struct loader *l, const struct place *at, const json_t *root);
/* Binds the args of the job in its draft, as its first slots. */
void header_bind_args(struct loader *l);
/* Compiles the bodies of the defs; `at` is the root and has its node. */
void header_load_defs(struct loader *l, const struct place *at);
void header_close(struct loader *l);

#endif
