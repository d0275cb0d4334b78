#include "daemon/effect/launch_check.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* VALUE_NONE: not there. */
static struct value member(struct value request, const char *name)
{
	return value_dict_get(request, name, strlen(name));
}

static enum gd_err check_args(const struct profile *p, const struct vlist *args,
                              struct gd_error *why)
{
	enum gd_err rc = profile_check_count(p, args->count, why);

	for (uint32_t i = 0; i < args->count && rc == GD_OK; i++) {
		const struct vtext *text = value_text(args->at[i]);

		rc = profile_check_arg(p, i + 1, text->at, text->bytes, why);
	}
	return rc;
}

static enum gd_err check_env(const struct profile *p, struct value env, struct gd_error *why)
{
	uint32_t    count = value_is_none(env) ? 0 : value_dict(env)->count;
	enum gd_err rc = GD_OK;

	for (uint32_t i = 0; i < count && rc == GD_OK; i++) {
		const struct vpair *pair = &value_dict(env)->at[i];
		const char         *name = value_text(pair->key)->at;

		if (value_is_type(pair->value, VALUE_T_DICT))
			rc = profile_check_secret(p, name, why);
		else
			rc = profile_check_value(p, name, value_text(pair->value)->at,
			                         value_text(pair->value)->bytes, why);
	}
	return rc;
}

/* Where links lead it must be below as well. What we cannot see is left to the runner, which says
 * what is wrong with it, if anything. */
static enum gd_err check_cwd(const struct profile *p, const char *cwd, struct gd_error *why)
{
	char        real[PATH_MAX], top[PATH_MAX];
	enum gd_err rc = profile_check_cwd(p, cwd, why);

	if (rc != GD_OK || p->cwd_below == NULL || realpath(cwd, real) == NULL ||
	    realpath(p->cwd_below, top) == NULL)
		return rc;
	if (strcmp(top, "/") == 0 ||
	    (strncmp(real, top, strlen(top)) == 0 && strchr("/", real[strlen(top)]) != NULL))
		return GD_OK;
	return gd_fail(why, GD_FORBIDDEN, "cwd \"%.60s\" leads to %.60s, which is not below %.60s",
	               cwd, real, top);
}

static enum gd_err check_timeout(const struct profile *p, struct value timeout,
                                 struct gd_error *why)
{
	gd_nsec length = GD_NSEC_NEVER;

	if (!value_is_none(timeout))
		length = (gd_nsec)(value_as_float(timeout) * (double)GD_NSEC_PER_SEC);
	return profile_check_timeout(p, length, why);
}

static enum gd_err check_interrupt(const struct profile *p, struct value then, struct gd_error *why)
{
	unsigned interrupt = PROFILE_INTERRUPT_FAIL;

	if (!value_is_none(then))
		interrupt = strcmp(value_text(then)->at, "hold") == 0 ? PROFILE_INTERRUPT_HOLD
		                                                      : PROFILE_INTERRUPT_RETRY;
	return profile_check_interrupt(p, interrupt, why);
}

enum gd_err launch_check(const struct profile *p, struct value request, struct gd_error *why)
{
	struct value cwd = member(request, "cwd"), pool = member(request, "pool");
	enum gd_err  rc;
	int          line;

	if ((rc = check_args(p, value_list(member(request, "argv")), why)) != GD_OK ||
	    (rc = check_env(p, member(request, "env"), why)) != GD_OK ||
	    (rc = check_timeout(p, member(request, "timeout"), why)) != GD_OK ||
	    (rc = check_interrupt(p, member(request, "on_interrupt"), why)) != GD_OK)
		return rc;
	if (!value_is_none(member(request, "stdin")) && (rc = profile_check_input(p, why)) != GD_OK)
		return rc;
	if (!value_is_none(cwd) && (rc = check_cwd(p, value_text(cwd)->at, why)) != GD_OK)
		return rc;
	if (!value_is_none(pool) &&
	    (rc = profile_check_pool(p, value_text(pool)->at, why)) != GD_OK)
		return rc;
	return profile_trust(p, &line, why);
}
