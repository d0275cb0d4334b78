/*
 * config_key.h - the table of configuration keys, and how a text becomes a value.
 *
 * For config.c and its tests; everybody else reads struct config.
 *
 * Ownership: the table is static. Threads: as config.h.
 */
#ifndef GATHERD_CONFIG_KEY_H
#define GATHERD_CONFIG_KEY_H

#include "daemon/config.h"

#include <stddef.h>

enum config_type {
	CONFIG_PATH,   /* char[room] */
	CONFIG_NUMBER, /* uint32_t, atomic when reloadable */
	CONFIG_LEVEL,  /* the same, of enum log_level */
	CONFIG_YES,    /* bool; as a flag it takes no value */
	CONFIG_LISTEN, /* adds to `listen` */
	CONFIG_TEXTS   /* adds to a struct config_texts */
};

struct config_key {
	const char      *name;
	enum config_type type;
	const char      *value; /* what --help calls it */
	size_t           offset;
	size_t           room; /* CONFIG_PATH */
	uint32_t         min;  /* CONFIG_NUMBER, as the next two */
	uint32_t         max;
	uint32_t         preset; /* 0: it depends on where we run, as `usual` says */
	const char      *usual;
	bool             is_reloadable;
	const char      *help;
};

uint32_t                 config_key_count(void); /* at most 64: struct config has a bit for each */
const struct config_key *config_key_at(uint32_t index);
/* The index, or -1. `chars` of `name` count. */
int                      config_key_find(const char *name, size_t chars);

/* Whether it may be said again. */
bool config_key_is_list(const struct config_key *k);

/* Sets a value from its text. Errors: GD_INVALID_PARAMS with words such as "0 is not between 1 and
 * 64", without the name of the key; `c` is then unchanged. */
GD_NODISCARD enum gd_err config_key_set(struct config *c, const struct config_key *k,
                                        const char *text, struct gd_error *why);
/* Gives it the value that it has when nobody says anything; "" and empty for paths and lists, whose
 * defaults depend on where we run. */
void                     config_key_preset(struct config *c, const struct config_key *k);
bool                     config_key_is_equal(const struct config *a, const struct config *b,
                                             const struct config_key *k);
/* Only of a reloadable key. */
void config_key_copy(struct config *to, const struct config *from, const struct config_key *k);

#endif
