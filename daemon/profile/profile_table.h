/*
 * profile_table.h - the profiles of a configuration, and the ones in force.
 *
 * A table is filled while the configuration is read, one key at a time, and never changes after
 * profile_table_finish(). The book holds the table in force; a reload puts another one in, and who
 * took the old one keeps it until it is released.
 *
 * Ownership: counted. Threads: filling in one; the rest from any.
 */
#ifndef GATHERD_PROFILE_PROFILE_TABLE_H
#define GATHERD_PROFILE_PROFILE_TABLE_H

#include "daemon/profile/profile.h"

#define PROFILES_MAX 256u

struct profile_table;

/* Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err profile_table_new(struct profile_table **out, struct gd_error *why);
struct profile_table    *profile_table_retain(struct profile_table *t);
void                     profile_table_release(struct profile_table *t); /* NULL is allowed */

/* One key of the section of the profile `name`; the first one makes the profile. Errors:
 * GD_INVALID_PARAMS, GD_LIMIT, GD_NOMEM, all with the name of the key. */
GD_NODISCARD enum gd_err profile_table_set(struct profile_table *t, const char *name,
                                           const char *key, const char *value, int line,
                                           struct gd_error *why);
/* What only whole profiles can show, and what depends on several keys. Errors: GD_INVALID_PARAMS;
 * `*line` is where. */
GD_NODISCARD enum gd_err profile_table_finish(struct profile_table *t, int *line,
                                              struct gd_error *why);
/* profile_trust() of each, with the name of the profile in the words. */
GD_NODISCARD enum gd_err profile_table_trust(const struct profile_table *t, int *line,
                                             struct gd_error *why);

uint32_t              profile_table_count(const struct profile_table *t);
const struct profile *profile_table_at(const struct profile_table *t, uint32_t index);
/* NULL: none of that name. */
const struct profile *profile_table_find(const struct profile_table *t, const char *name);

struct profile_book;

/* An empty table is in force at first. Errors: GD_NOMEM. */
GD_NODISCARD enum gd_err profile_book_open(struct profile_book **out, struct gd_error *why);
void                     profile_book_close(struct profile_book *b); /* NULL is allowed */
void                     profile_book_put(struct profile_book *b, struct profile_table *t);
/* A new reference to the table in force. */
struct profile_table    *profile_book_take(struct profile_book *b);

#endif
