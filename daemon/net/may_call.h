/*
 * may_call.h - whether a job may be handed in with these calls: of built-in functions, and by HTTP.
 *
 * What is constant can be judged before the job runs. A path that lies below no root, by its text, a
 * URL that http-allow does not allow, or a method or header that no request can have, is a problem
 * of the spec. The rest is judged when it runs, and all of it once more: rules may have changed.
 *
 * Threads: any. Cost: nothing for a job without calls.
 */
#ifndef GATHERD_NET_MAY_CALL_H
#define GATHERD_NET_MAY_CALL_H

#include "daemon/blocking/blocking.h"
#include "daemon/engine/program.h"
#include "daemon/http/http.h"
#include "daemon/load/load.h"

/* Errors: GD_INVALID_SPEC with `problems`; GD_NOMEM. */
GD_NODISCARD enum gd_err may_call(const struct blocking_config *blocking,
                                  const struct http_policy *http, const struct program *p,
                                  struct load_problems *problems, struct gd_error *why);

#endif
