/*
 * loader.h - what the files that compile the parts of a job share while one spec is loaded.
 *
 * load_node() compiles what stands in node position, loader_slot() what stands in value position.
 * Both go on after a problem, so that all of them are found; the program is then thrown away.
 *
 * Slots are handed out like a stack: an operation takes temporaries and gives them back, a name
 * keeps its slot until its scope closes.
 *
 * Ownership: a loader lives on the stack of load_program() and borrows the spec. Threads: none.
 */
#ifndef GATHERD_LOAD_LOADER_H
#define GATHERD_LOAD_LOADER_H

#include "daemon/load/names.h"
#include "daemon/load/op_table.h"
#include "daemon/load/problems.h"
#include "daemon/load/program_builder.h"

/* One code while it is compiled. */
struct draft {
	struct draft *maker; /* NULL for the job and defs */
	uint32_t      code;
	struct op    *ops; /* owned; jumps count from the first */
	uint32_t      op_count, op_room;
	uint32_t      top;           /* slots in use */
	uint32_t      bound_top;     /* slots in use by names and what lies below them */
	uint32_t      slot_count;    /* most slots in use at one time */
	uint32_t      first_binding; /* the captures are its first bindings, in slot order */
	uint32_t      capture_count;
	bool          is_concurrent; /* a branch or task: `return` is refused */
};

struct def {
	const char   *name;     /* borrowed */
	const json_t *params;   /* array of text, or NULL: none */
	json_t       *position; /* owned: parameter -> its position */
	const json_t *body;
	uint32_t      code;
	struct place  at; /* of the def; its `up` is the place of the header's `def` */
};

struct loader {
	struct program_builder b;
	struct names           names;
	struct problem_list    problems;
	struct expr_scope      scope;
	const struct place    *value_at; /* of the value that is being compiled */
	struct draft          *draft;    /* the running one */
	struct def            *defs;     /* owned */
	struct place           defs_at;  /* of the header's `def` */
	uint32_t               def_count;
	json_t                *def_index;  /* owned: name -> index in `defs` */
	uint32_t               node_count; /* language nodes seen */
	const json_t          *labelled;   /* body of a branch or task: its `name` has been used */
	bool                   is_in_def;
	bool                   is_over_nodes; /* said once; what follows is not compiled */
};

/* Where the value of a node goes. An op without a wanted value may still use `slot` as scratch. */
struct target {
	uint32_t slot;
	bool     is_wanted;
};

/* The members of a node, sorted by what they are. */
struct parts {
	const struct op_info *op;
	const json_t         *operand;
	uint32_t              operand_index;
	const json_t         *at[KEY_COUNT]; /* NULL where not given */
	uint32_t              index[KEY_COUNT];
};

/* --- places and problems (loader.c) --- */

struct place place_member(const struct place *up, const char *key, uint32_t index);
struct place place_element(const struct place *up, uint32_t index);
struct place place_part(const struct place *up, const struct parts *parts, enum key_id key);
struct place place_operand(const struct place *up, const struct parts *parts);
/* Makes the struct node of a place that has one of its own. */
void         place_add_node(struct loader *l, struct place *at, const char *op);

#define loader_problem(l, at, hint, ...) problem_add(&(l)->problems, at, "", hint, __VA_ARGS__)
bool loader_failed(const struct loader *l); /* memory ended */

/* --- values (load_slot.c) --- */

void        loader_scope_init(struct loader *l);
/* A value in a slot of this kind as an expression; constants are checked. PROGRAM_NONE after a
 * problem. */
uint32_t    loader_slot(struct loader *l, const struct place *at, const json_t *json,
                        enum slot_kind kind);
/* The same for a part that may be missing: PROGRAM_NONE then. */
uint32_t    loader_part(struct loader *l, const struct place *at, const struct parts *parts,
                        enum key_id key);
/* `source` is an expression in which the name "it" is the given slot. */
uint32_t    loader_internal(struct loader *l, const char *source, uint32_t slot, uint32_t node);
/* A text that can become a name; NULL after a problem. */
const char *loader_name(struct loader *l, const struct place *at, const json_t *json);
/* "a number", "an object", ... */
const char *loader_type_name(const json_t *json);

/* --- codes, slots, scopes (draft.c) --- */

/* Starts a code and makes it the running one. `body` is scanned for names that it captures; NULL
 * for the job and defs, which see no outer names. */
void draft_begin(struct loader *l, struct draft *d, uint32_t code, const json_t *body);
/* Ends it with the value in `slot`; its maker runs again. Too many slots are a problem at `at`. */
void draft_end(struct loader *l, struct draft *d, const struct place *at, uint32_t slot);

/* Appends an op; fields that are not given are PROGRAM_NONE. Returns its position. */
uint32_t emit(struct loader *l, const struct place *at, enum op_kind kind, uint32_t dst, uint32_t a,
              uint32_t b, uint32_t c);
/* The jump at `position` goes to what is emitted next. */
void     emit_land(struct loader *l, uint32_t position);
void     emit_null(struct loader *l, const struct place *at, uint32_t dst);
void     emit_copy(struct loader *l, const struct place *at, uint32_t dst, uint32_t from);
/* A slot that counts the rounds of a loop: set to 0, one more. */
uint32_t emit_counter(struct loader *l, const struct place *at);
void     emit_count(struct loader *l, const struct place *at, uint32_t counter);

uint32_t slots_take(struct loader *l, uint32_t count);
void     slots_give_back(struct loader *l, uint32_t mark); /* all from `mark` on but bound names */

struct scope_mark {
	uint32_t bindings, top, bound_top;
};
struct scope_mark scope_open(const struct loader *l);
void              scope_close(struct loader *l, struct scope_mark mark);
void              scope_bind(struct loader *l, const char *name, uint32_t slot);

/* What assigning to a name means here. */
enum name_state {
	NAME_NEW,   /* binds it */
	NAME_BOUND, /* assigns `*slot` */
	NAME_OUTER  /* belongs to the maker of this branch: refused, the problem was said */
};
enum name_state scope_resolve(struct loader *l, const struct place *at, const char *name,
                              uint32_t *slot);

/* --- nodes (load_node.c, load_parts.c) --- */

/* Compiles a node; `at` gets its struct node. */
void     load_node(struct loader *l, struct place *at, const json_t *json, struct target to);
/* The same in a scope of its own. */
void     load_scoped_node(struct loader *l, struct place *at, const json_t *json, struct target to);
/* Compiles a node as the body of the code that draft_begin() began, and ends that code. */
void     load_body(struct loader *l, struct draft *d, struct place *at, const json_t *json);
/* Compiles a branch or task that the running code makes: its code. */
uint32_t load_coroutine(struct loader *l, struct place *at, const json_t *json);
/* The modifier `name` of a branch or task body, evaluated by the maker; PROGRAM_NONE: none. */
uint32_t load_label(struct loader *l, const struct place *at, const json_t *json);
/* Sorts the members of a node. False after a problem that leaves nothing to compile. */
bool load_parts(struct loader *l, const struct place *at, const json_t *json, struct parts *parts);

/* --- operations: one for each enum op_id --- */

void load_as_completed(struct loader *l, const struct place *at, const struct parts *p,
                       struct target to);
void load_await(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_call(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_cancel(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_create_task(struct loader *l, const struct place *at, const struct parts *p,
                      struct target to);
void load_do(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_gather(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_return(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_set(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_sleep(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_sleep_until(struct loader *l, const struct place *at, const struct parts *p,
                      struct target to);
void load_value_op(struct loader *l, const struct place *at, const struct parts *p,
                   struct target to);
void load_yield(struct loader *l, const struct place *at, const struct parts *p, struct target to);

#endif
