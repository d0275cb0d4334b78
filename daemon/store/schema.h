/*
 * schema.h - the tables, and the numbered steps that lead to them.
 *
 * The version of a file is its user_version; each step raises it by one inside one transaction,
 * so a kill between any two statements leaves a whole older version, and the next start goes on
 * from there. Steps that were released are never changed.
 */
#ifndef GATHERD_STORE_SCHEMA_H
#define GATHERD_STORE_SCHEMA_H

#include "daemon/store/db.h"

#define SCHEMA_APPLICATION_ID 0x67746864 /* "gthd" */

/* In how many places commits are counted: 0 in the oldest files, then 1 in `state`, and 2 where
 * SQL_STATE_NOW can be asked. */
#define SCHEMA_COMMITS_PLACES                                                             \
	"SELECT (SELECT count(*) FROM pragma_table_info('state') WHERE name = 'commits')" \
	" + (SELECT count(*) FROM pragma_table_info('event_chunks') WHERE name = 'commits')"

#define SCHEMA_UUID_BYTES 37 /* with its NUL */

int schema_version(void); /* the newest that this program knows */

/* For a file that was just made: everything, and a new uuid. */
GD_NODISCARD enum gd_err schema_create(struct db *db, struct gd_error *why);
/* The same as it was made when `version` was the newest. */
GD_NODISCARD enum gd_err schema_create_old(struct db *db, int version, struct gd_error *why);
/* GD_STORE when the file is not gatherd's or is newer than this program; it is unchanged then. */
GD_NODISCARD enum gd_err schema_check(struct db *db, struct gd_error *why);
/* An identity for a database, as text. */
void                     schema_new_uuid(char out[SCHEMA_UUID_BYTES]);
/* From whatever version to the newest. */
GD_NODISCARD enum gd_err schema_migrate(struct db *db, struct gd_error *why);

#endif
