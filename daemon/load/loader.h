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

#include "daemon/load/mentions.h"
#include "daemon/load/names.h"
#include "daemon/load/op_table.h"
#include "daemon/load/problems.h"
#include "daemon/load/program_builder.h"

/* One code while it is compiled. */
struct draft {
	struct draft   *maker; /* NULL for the job and defs */
	uint32_t        code;
	struct op      *ops; /* owned; jumps count from the first */
	uint32_t        op_count, op_room;
	struct handler *handlers; /* owned; landings count from the first op */
	uint32_t        handler_count, handler_room;
	uint32_t        handler;       /* covers what is emitted now, or PROGRAM_NONE */
	uint32_t        except_pair;   /* of the innermost `except` branch, or PROGRAM_NONE */
	uint32_t        top;           /* slots in use */
	uint32_t        bound_top;     /* slots in use by names and what lies below them */
	uint32_t        slot_count;    /* most slots in use at one time */
	uint32_t        first_binding; /* the captures are its first bindings, in slot order */
	uint32_t        capture_count;
	bool            is_concurrent; /* a branch or task: `return` is refused */
	bool            is_generator;  /* a def that yields */
	bool            is_child;      /* the body of a child job */
};

struct def {
	const char   *name;     /* borrowed */
	const json_t *params;   /* array of text, or NULL: none */
	json_t       *position; /* owned: parameter -> its position */
	const json_t *body;
	uint32_t      code;
	bool          is_generator;
	struct place  at; /* of the def; its `up` is the place of the header's `def` */
};

struct loader {
	struct program_builder b;
	struct names           names;
	struct mentions        mentions;
	struct problem_list    problems;
	struct expr_scope      scope;
	const struct place    *value_at; /* of the value that is being compiled */
	struct draft          *draft;    /* the running one */
	struct def            *defs;     /* owned */
	struct place           defs_at;  /* of the header's `def` */
	uint32_t               def_count;
	json_t                *def_index;  /* owned: name -> index in `defs` */
	uint32_t               node_count; /* language nodes seen */
	uint32_t               hint_work;  /* see nearest.h */
	const json_t          *labelled;   /* body of a branch or task: its `name` has been used */
	const json_t          *follower;   /* body of a branch: its `after` has been used */
	bool                   has_undo;   /* the spec has an `undo` somewhere */
	bool                   knows_no_children; /* see load_program_old() */
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

void     loader_scope_init(struct loader *l);
/* A value in a slot of this kind as an expression; constants are checked. PROGRAM_NONE after a
 * problem. */
uint32_t loader_slot(struct loader *l, const struct place *at, const json_t *json,
                     enum slot_kind kind);
/* The same for the operand, and for a part that may be missing: PROGRAM_NONE then. */
uint32_t loader_operand(struct loader *l, const struct place *at, const struct parts *parts);
uint32_t loader_part(struct loader *l, const struct place *at, const struct parts *parts,
                     enum key_id key);
/* A constant of our own, and a text. */
uint32_t loader_const(struct loader *l, struct value v, uint32_t node);
uint32_t loader_text(struct loader *l, const char *text, uint32_t node);
/* `source` is an expression in which the name "it" is the given slot. */
uint32_t loader_internal(struct loader *l, const char *source, uint32_t slot, uint32_t node);
/* The constant that an expression is, or NULL. */
const struct value *loader_constant(const struct loader *l, uint32_t x);

/* --- constants (load_constant.c) --- */

/* Says what is wrong with a constant for a slot of this kind; `json` is how it was written. */
void        constant_check(struct loader *l, const struct place *at, const json_t *json,
                           enum slot_kind kind, struct value v);
/* A slot that holds a constant and no value: the answer, or false or NULL after a problem. */
bool        constant_bool(struct loader *l, const struct place *at, const json_t *json);
const char *constant_choice(struct loader *l, const struct place *at, const json_t *json,
                            const char *const *choices);
/* Whether it says which event loop: a name, or a number. */
bool        constant_is_loop(struct value v);
/* A text that can become a name; NULL after a problem. */
const char *loader_name(struct loader *l, const struct place *at, const json_t *json);
/* Whether text holds a ${...}; $${ is a literal one. */
bool        text_has_expression(const char *text);
/* "a number", "an object", ... */
const char *loader_type_name(const json_t *json);

/* --- objects of options (load_members.c) --- */

/* Sorts the members of an object in a slot that has members: `at` has room for SLOT_MEMBERS_MAX.
 * Unknown ones are problems. `what` is how messages call the object: "\"retry\"". */
struct members {
	const json_t *at[SLOT_MEMBERS_MAX]; /* NULL where not given */
	uint32_t      index[SLOT_MEMBERS_MAX];
};
void load_members(struct loader *l, const struct place *at, const json_t *json, enum slot_kind kind,
                  const char *what, struct members *m);
struct place place_of_member(const struct place *up, const struct members *m, enum slot_kind kind,
                             uint32_t member);
/* The value of one as an expression; PROGRAM_NONE where it is not given, or after a problem. */
uint32_t     load_member(struct loader *l, const struct place *at, const struct members *m,
                         enum slot_kind kind, uint32_t member);

/* --- codes, slots, scopes (draft.c) --- */

/* Starts a code and makes it the running one. `body` is scanned for names that it captures; NULL
 * for the job and defs, which see no outer names. */
void draft_begin(struct loader *l, struct draft *d, uint32_t code, const json_t *body);
/* The same for the body of a child job, which has undos of its own. */
void draft_begin_child(struct loader *l, struct draft *d, uint32_t code, const json_t *body);
/* Ends it with the value in `slot`; its maker runs again. Too many slots are a problem at `at`. */
void draft_end(struct loader *l, struct draft *d, const struct place *at, uint32_t slot);

/* Appends an op; fields that are not given are PROGRAM_NONE. Returns its position. */
uint32_t emit(struct loader *l, const struct place *at, enum op_kind kind, uint32_t dst, uint32_t a,
              uint32_t b, uint32_t c);
/* The jump at `position` goes to what is emitted next. */
void     emit_land(struct loader *l, uint32_t position);
/* A jump that goes where the one at `before` goes (PROGRAM_NONE: the first), and the landing of the
 * whole chain, given the last. */
uint32_t emit_jump(struct loader *l, const struct place *at, uint32_t before);
void     emit_land_all(struct loader *l, uint32_t last);
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
/* The same for a name that expressions can read and nothing can assign. */
void              scope_bind_fixed(struct loader *l, const char *name, uint32_t slot);

/* What assigning to a name means here. */
enum name_state {
	NAME_NEW,   /* binds it */
	NAME_BOUND, /* assigns `*slot` */
	NAME_OUTER  /* belongs to the maker of this branch: refused, the problem was said */
};
enum name_state scope_resolve(struct loader *l, const struct place *at, const char *name,
                              uint32_t *slot);

/* --- handlers (cover.c) --- */

/* Ops from cover_begin() to cover_end() are covered by a handler with a new pair of slots; it goes
 * on where cover_land() says. */
struct cover {
	uint32_t handler; /* in the draft */
	uint32_t pair;
};
struct cover cover_begin(struct loader *l, enum handler_kind kind);
void         cover_end(struct loader *l, const struct cover *c);
void         cover_land(struct loader *l, const struct cover *c);
/* The usual end of a FINALLY: what comes next runs whatever happened, and reads the pair. */
void         cover_join(struct loader *l, const struct place *at, const struct cover *c);

/* --- nodes (load_node.c, load_parts.c, load_modifiers.c) --- */

/* Compiles a node; `at` gets its struct node. */
void     load_node(struct loader *l, struct place *at, const json_t *json, struct target to);
/* The same in a scope of its own. */
void     load_scoped_node(struct loader *l, struct place *at, const json_t *json, struct target to);
/* Only the operation of a node, without what its modifiers do. */
void     load_op(struct loader *l, const struct place *at, const struct parts *p, struct target to);
/* An operation and its modifiers, from `as` inwards. */
void     load_modified(struct loader *l, const struct place *at, const struct parts *p,
                       struct target to);
/* Counts a node that is about to be compiled; false when there are too many. */
bool     load_node_begin(struct loader *l, struct place *at);
/* Compiles a node as the body of the code that draft_begin() began; the slot of its value. */
uint32_t load_body(struct loader *l, struct draft *d, struct place *at, const json_t *json);
/* Compiles a branch or task that the running code makes: its code. `after` is for a branch that has
 * siblings which wait or are waited for, else NULL. */
struct after_graph;
uint32_t load_coroutine(struct loader *l, struct place *at, const json_t *json,
                        const struct after_graph *after);
/* The same for a child job: nobody copies its captures where it is made, see struct child. */
uint32_t load_child_body(struct loader *l, struct place *at, const json_t *json);
/* The modifier `name` of a branch or task body, evaluated by the maker; PROGRAM_NONE: none. */
uint32_t load_label(struct loader *l, const struct place *at, const json_t *json);
/* Sorts the members of a node. False after a problem that leaves nothing to compile. */
bool load_parts(struct loader *l, const struct place *at, const json_t *json, struct parts *parts);
/* Which options the operations in an object have, and whether a member of it is an operation: beside
 * one that has an option of the same name it is that option ("do", "yield"). */
uint64_t parts_options(const json_t *json);
bool     parts_is_op(const struct op_info *op, const struct key_info *key, uint64_t options);
/* Whether the node has an option or modifier that counts as a modifier there. */
bool     parts_have_modifier(const struct parts *p, enum key_id key);

/* --- branches and what goes over them (load_branches.c, load_completions.c) --- */

/* The join of a combinator; PROGRAM_NONE after a problem. */
uint32_t load_join(struct loader *l, const struct place *at, const struct parts *p,
                   enum join_kind kind, uint32_t flags);
/* Flags of a join whose branches show in the events of the job. */
uint32_t join_events(const struct loader *l);
/* A branch that stands alone, at `at`: its index. */
uint32_t load_single_branch(struct loader *l, struct place *at, const json_t *json);
/* as_completed with the branches of `branches`, which stand at `branches_at`, for the node `p`. */
void     load_completions(struct loader *l, const struct place *at, const struct parts *p,
                          const struct place *branches_at, const struct parts *branches,
                          struct target to);

/* --- scopes (load_modifiers.c, load_retry.c, load_undo.c) --- */

struct timeout_scope {
	uint32_t     slot;
	struct cover cover;
};
struct timeout_scope timeout_open(struct loader *l, const struct place *at, uint32_t duration);
void timeout_close(struct loader *l, const struct place *at, const struct timeout_scope *t);

/* The operation, as often as its `retry` says; `attempt` is the slot that counts, at 0 now. */
void load_retry(struct loader *l, const struct place *at, const struct parts *p, struct target to,
                uint32_t attempt);

/* A scope for undos, where the job has any. Needs a scope of names around it. */
struct undo_scope {
	uint32_t     slot;
	struct cover cover;
};
struct undo_scope undo_open(struct loader *l, const struct place *at);
void              undo_close(struct loader *l, const struct place *at, const struct undo_scope *u);
/* The hidden parameter of a def, and the slot of the innermost scope. */
void              undo_bind(struct loader *l, uint32_t slot);
uint32_t          undo_slot(struct loader *l);
/* Registers the modifier `undo` of a step whose value lies in `to`. */
void load_undo(struct loader *l, const struct place *at, const struct parts *p, struct target to);

/* --- operations: one for each enum op_id --- */

void load_as_completed(struct loader *l, const struct place *at, const struct parts *p,
                       struct target to);
void load_async_for(struct loader *l, const struct place *at, const struct parts *p,
                    struct target to);
void load_await(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_call(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_cancel(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_create_task(struct loader *l, const struct place *at, const struct parts *p,
                      struct target to);
void load_do(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_event(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_exec(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_gather(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_http(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_match(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_race(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_raise(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_return(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_set(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_shield(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_sleep(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_sleep_until(struct loader *l, const struct place *at, const struct parts *p,
                      struct target to);
void load_task_group(struct loader *l, const struct place *at, const struct parts *p,
                     struct target to);
void load_to_thread(struct loader *l, const struct place *at, const struct parts *p,
                    struct target to);
void load_try(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_value_op(struct loader *l, const struct place *at, const struct parts *p,
                   struct target to);
void load_wait(struct loader *l, const struct place *at, const struct parts *p, struct target to);
void load_yield(struct loader *l, const struct place *at, const struct parts *p, struct target to);

/* {name: text, ...} */
void check_texts(struct loader *l, const struct place *at, const json_t *json);

/* --- commands (load_exec.c) --- */

/* The command of an `exec`; EXEC_GIVES_LINES goes with `gives_lines`. PROGRAM_NONE: no memory. */
uint32_t load_command(struct loader *l, const struct place *at, const struct parts *p,
                      bool gives_lines);

/* --- calls that leave the engine (load_outcall.c) --- */

/* What the option on_interrupt says, or `usual`. */
enum exec_interrupt load_outcall_interrupt(struct loader *l, const struct place *at,
                                           const struct parts *p, enum exec_interrupt usual);
void emit_outcall(struct loader *l, const struct place *at, uint32_t outcall, struct target to);

/* --- child jobs (load_child.c) --- */

/* A task that waits for a child job with the body `json`. */
void load_child(struct loader *l, const struct place *at, const struct parts *p, struct place *body,
                uint32_t label, struct target to);

/* --- calls (load_call.c) --- */

/* The call of the operand's def; PROGRAM_NONE after a problem. `wants_generator`: by async_for. */
uint32_t load_call_of(struct loader *l, const struct place *at, const struct parts *p,
                      bool wants_generator);

#endif
