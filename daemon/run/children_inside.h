/*
 * children_inside.h - what the files of children.h share. Private to them.
 *
 *	children.c		life, outputs of engines, what stands in line
 *	children_hear.c		the side of the parent: births, stops, ends
 *	child_job.c		the side of the child
 *	children_settle.c	after a restart
 */
#ifndef GATHERD_RUN_CHILDREN_INSIDE_H
#define GATHERD_RUN_CHILDREN_INSIDE_H

#include "daemon/run/children.h"
#include "daemon/run/kin.h"
#include "daemon/run/pool.h"

enum child_word {
	/* to the child's loop */
	CHILD_BIRTH,
	CHILD_STOP,
	/* to the parent's loop */
	CHILD_BORN,
	CHILD_HERE,      /* after a restart: it lives */
	CHILD_CAUGHT_UP, /* nothing of it is overdue any more */
	CHILD_END,
	/* to every loop: all that live on this one have told of themselves */
	CHILD_ALL_HERE
};

/* What a child is made of. */
struct birth {
	struct program *program;  /* a reference */
	struct text     captures; /* texts are in `arena` */
	struct text     base;
	struct text     name;      /* NULL: none */
	struct text     loop_name; /* by which its loop was chosen; NULL: by number */
	uint32_t        index;     /* in the program's children */
	int8_t          priority;
	bool            must_settle; /* its parent waits until it has caught up */
	struct arena    arena;
};

struct child_msg {
	struct inbox_msg  msg; /* first */
	struct child_msg *next;
	uint64_t          parent, child;
	uint32_t          ticket;
	enum child_word   word;
	gd_nsec           time;     /* BIRTH, STOP, END: on the clock of who says it */
	enum job_status   status;   /* END */
	uint8_t           wanted;   /* STOP: cancels, from the first on */
	bool              has_text; /* STOP: a message; END: always */
	struct birth     *birth;    /* BIRTH; owned */
	size_t            bytes;
	char              text[]; /* END: result or error, JSON; with a NUL */
};

#define CHILDREN_PATIENCE_SECONDS 3 /* more than commands have */

struct children {
	struct loop      *loop; /* borrowed */
	struct kin_table  table;
	struct child_msg *first_msg, *last_msg; /* in line */
	struct child_row *first_row, *last_row; /* with something to do */
	struct child_row *first_ask, *last_ask; /* of which the store is to be asked */
	struct kin       *first_kin, *last_kin; /* that may go on to settle */
	struct event     *patience;             /* owned; NULL: nobody was waited for */
	gd_nsec           resumed;  /* the time of the restart; GD_NSEC_NEVER: it is not over */
	uint32_t          settling; /* kins with is_settling */
	uint32_t          here;     /* loops whose children have told of themselves */
	bool              is_asking;
	bool              is_impatient;
};

_Noreturn void children_out_of_memory(void);

/* --- children.c --- */

/* For `to`, whose it is from then on. */
void              child_msg_send(struct children *c, struct loop *to, struct child_msg *m);
/* Zeroed but for what is given; `text` may be NULL. */
struct child_msg *child_msg_new(enum child_word word, uint64_t parent, uint32_t ticket,
                                uint64_t child, const char *text, size_t bytes);
void              child_msg_free(struct child_msg *m);
/* The same, sent to the loop of `to` when all that has happened here so far is durable. */
void child_msg_send_durable(struct children *c, uint64_t to, enum child_word word, uint64_t parent,
                            uint32_t ticket, uint64_t child);
void children_list_row(struct children *c, struct child_row *row);
static inline bool children_is_replay(const struct children *c, uint64_t job)
{
	return job != 0 && job == c->loop->replay_job;
}

/* --- children_hear.c --- */

void children_go(struct children *c, struct child_row *row); /* it is its turn in the list */
void children_ask(struct children *c);                       /* the store, as many as it takes */
void children_hear(struct children *c, struct child_msg *m); /* of a child; `m` is taken */
/* Feeds the end that the row has; the row is gone then. */
void children_feed_end(struct children *c, struct child_row *row);

/* --- child_job.c --- */

void child_job_hear(struct children *c, struct child_msg *m); /* BIRTH, STOP; `m` is taken */

/* --- children_settle.c --- */

void    children_begin_settling(struct children *c, struct kin *k);
void    children_end_settling(struct children *c, struct kin *k);
/* Whether the kin of the row has to wait for it. */
void    children_set_unheard(struct children *c, struct child_row *row, bool is_unheard);
/* True: there is more to do at once. */
bool    children_settle(struct children *c, gd_nsec end);
gd_nsec children_monotonic(void);

#endif
