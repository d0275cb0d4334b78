#include "daemon/net/may_exec.h"

#include <stdio.h>
#include <string.h>

static bool may_use(const struct principal *who, const struct profile *p)
{
	char role[32];

	(void)snprintf(role, sizeof role, "role:%s", token_role_name(who->role));
	return principal_may(who, AUTH_EXEC_ANY) || token_exec_has(who->exec, p->name) ||
	       profile_allows(p, who->name) || profile_allows(p, role);
}

/* --- a job --- */

/* Adds the one problem that hides all others: who may not run it is not told how. */
static enum gd_err forbid(const struct program *p, const struct exec *x,
                          struct load_problems *problems, const char *scope, struct gd_error *why)
{
	struct buf pointer = { 0 };
	char       message[MAY_EXEC_SCOPE_BYTES + 64];
	bool       is_told;

	program_write_pointer(&pointer, p, x->node);
	buf_addf(&pointer, "/%s", x->profile == PROGRAM_NONE ? "exec" : "profile");
	buf_add_byte(&pointer, '\0');
	(void)snprintf(message, sizeof message, "this needs the scope %s, which you do not have",
	               scope);
	is_told = pointer.failed == GD_OK && load_problems_add(problems, pointer.at, message, NULL);
	if (is_told)
		(void)gd_fail(why, GD_FORBIDDEN, "%.120s: %s", pointer.at, message);
	else
		(void)gd_fail(why, GD_NOMEM, "no memory to refuse a command");
	buf_close(&pointer);
	return is_told ? GD_FORBIDDEN : GD_NOMEM;
}

static enum gd_err check_scopes(const struct profile_table *t, const struct principal *who,
                                const struct program *p, struct load_problems *problems,
                                char scope[MAY_EXEC_SCOPE_BYTES], struct gd_error *why)
{
	for (uint32_t i = 0; i < p->exec_count; i++) {
		const struct profile *profile;
		const char           *name = profile_of_exec(t, p, &p->execs[i], &profile);
		bool                  may = name == NULL ? principal_may(who, AUTH_EXEC_RAW)
		                                         : profile == NULL || may_use(who, profile);

		if (may)
			continue;
		(void)snprintf(scope, MAY_EXEC_SCOPE_BYTES, "exec:%s", name == NULL ? "raw" : name);
		return forbid(p, &p->execs[i], problems, scope, why);
	}
	return GD_OK;
}

static enum gd_err check_rules(const struct profile_table *t, const struct program *p,
                               struct load_problems *problems, struct gd_error *why)
{
	enum gd_err rc = GD_OK;

	for (uint32_t i = 0; i < p->exec_count && rc == GD_OK; i++) {
		const struct exec    *x = &p->execs[i];
		const struct profile *profile;
		const char           *name = profile_of_exec(t, p, x, &profile);

		if (profile != NULL)
			rc = profile_check_exec(profile, p, x, problems, why);
		else if (name != NULL)
			rc = profile_is_missing(t, name, p, x, problems, why);
	}
	if (rc == GD_OK && problems->count != 0)
		rc = gd_fail(why, GD_INVALID_SPEC, "the spec has problems");
	return rc;
}

enum gd_err may_exec(struct profile_book *book, const struct principal *who,
                     const struct program *p, struct load_problems *problems,
                     char scope[MAY_EXEC_SCOPE_BYTES], struct gd_error *why)
{
	struct profile_table *t;
	enum gd_err           rc;

	scope[0] = '\0';
	if (p->exec_count == 0)
		return GD_OK;
	t = profile_book_take(book);
	rc = check_scopes(t, who, p, problems, scope, why);
	if (rc == GD_OK)
		rc = check_rules(t, p, problems, why);
	profile_table_release(t);
	return rc;
}

/* --- scopes, for who asks --- */

void may_exec_write_scopes(struct buf *b, struct profile_book *book, const struct principal *who)
{
	struct profile_table *t = profile_book_take(book);
	const char           *comma = who->scopes == 0 ? "" : ",";

	buf_add_byte(b, '[');
	auth_list_scopes(b, who->scopes);
	for (uint32_t i = 0; i < profile_table_count(t); i++) {
		const struct profile *p = profile_table_at(t, i);

		if (principal_may(who, AUTH_EXEC_ANY) || !may_use(who, p))
			continue;
		buf_addf(b, "%s\"exec:%s\"", comma, p->name);
		comma = ",";
	}
	buf_add_byte(b, ']');
	profile_table_release(t);
}
