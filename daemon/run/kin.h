/*
 * kin.h - what a loop knows of the jobs that have a parent, or may have children.
 *
 * A kin is one such job that lives here. It has a row for each child that it has asked for, under the
 * ticket of the asking, until that child's end is fed to its engine. Kins and rows are found by job and
 * ticket; a kin has the ticket 0, which no claim has.
 *
 *	LOST: asked for in a replay, or perhaps before the restart: nobody knows what came of it
 *	   `--the child tells of itself, or has ended--> SENT
 *	   `--the store is asked: ASKED, and knows of none--> WAITING
 *	WAITING: what it rests on is not durable yet
 *	   `--durable: the child is given birth to--> SENT
 *	EARLY: the child tells of itself, and the replay has not come so far yet
 *	   `--asked for again--> SENT
 *
 * Ownership: the table owns all of them. Threads: none; one table for each loop. Cost: O(1); 72 bytes a
 * kin, 104 a row, 8 to 16 for its place.
 */
#ifndef GATHERD_RUN_KIN_H
#define GATHERD_RUN_KIN_H

#include "proto/base/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct child_msg;
struct child_row;

struct kin_key {
	struct kin_key *chain;
	uint64_t        job;
	uint32_t        ticket; /* 0: a kin */
};

struct kin {
	struct kin_key    key; /* first */
	uint64_t          parent;
	uint32_t          ticket;       /* of the parent; 0: it is no child */
	uint32_t          unheard;      /* rows with is_unheard */
	uint32_t          last_ticket;  /* of the children that it had before the restart */
	struct child_row *rows;         /* in no order */
	struct kin       *next_due;     /* in the list of those to settle */
	bool              is_from_past; /* of a life before the restart */
	bool              is_settling;  /* see children_settle.c */
	bool              is_listed;    /* to settle */
	bool              is_gone;      /* freed when the list comes to it */
};

enum row_state { ROW_LOST, ROW_ASKED, ROW_WAITING, ROW_EARLY, ROW_SENT };

struct child_row {
	struct kin_key    key; /* first */
	struct kin       *of;
	struct child_row *prev, *next; /* of that kin */
	struct child_row *next_due; /* in the list of those with something to do, or to ask for */
	struct child_msg *end;      /* heard, and not fed yet; owned */
	char             *stop_message; /* owned; NULL: none */
	gd_nsec           stop_time;
	uint64_t          child; /* 0: none is known */
	uint8_t           state; /* enum row_state */
	uint8_t           stops; /* durable: how often it is to be cancelled, up to 2 */
	uint8_t           stops_sent;
	bool              is_durable; /* what its SPAWN rests on */
	bool              is_born;    /* its child's record is durable */
	bool is_unheard; /* its kin waits until it is known how far the child has come */
	bool is_caught_up;
	bool is_listed;
	bool is_gone; /* freed when the list comes to it */
};

/* All zero is empty. */
struct kin_table {
	struct kin_key **at; /* owned; a power of two of them */
	uint32_t         room;
	uint32_t         count;
};

void        kin_table_close(struct kin_table *t); /* empty, or its things are freed otherwise */
struct kin *kin_find(const struct kin_table *t, uint64_t job); /* NULL: none */
struct child_row *kin_find_row(const struct kin_table *t, uint64_t job, uint32_t ticket);
/* Zeroed, and not there yet. NULL: no memory. */
struct kin       *kin_add(struct kin_table *t, uint64_t job);
struct child_row *kin_add_row(struct kin_table *t, struct kin *of, uint32_t ticket);
/* They are found no more, and freed unless a list has them. */
void              kin_remove(struct kin_table *t, struct kin *k); /* has no rows */
void              kin_remove_row(struct kin_table *t, struct child_row *row);
void              kin_row_free(struct child_row *row);
/* The one behind `k` (NULL: the first) in no order; NULL: no more. */
struct kin       *kin_next(const struct kin_table *t, const struct kin *k);

#endif
