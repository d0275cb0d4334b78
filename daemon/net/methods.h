/*
 * methods.h - table: method, scope, parameters, handler.
 *
 * The one list of what may be called. Dispatch, the check of scopes and rpc.discover all read it,
 * so none of them can know a method that the others do not. A handler answers its request sooner or
 * later; it may not use `p` after it has returned.
 *
 * Threads: the table is constant.
 */
#ifndef GATHERD_NET_METHODS_H
#define GATHERD_NET_METHODS_H

#include "daemon/net/request.h"

struct method_param {
	const char *name;
	const char *schema; /* JSON Schema of its value */
	bool        is_required;
};

struct method {
	const char *name;
	const char *summary;
	unsigned    scopes;           /* one of these is needed; 0: everybody who is known */
	bool        is_for_strangers; /* may be called before a token was shown */
	bool        is_while_draining;
	void (*run)(struct request *r, struct rpc_params *p);
	const struct method_param *params; /* ends with a NULL name */
};

const struct method *method_find(const char *name); /* NULL: there is none */
const struct method *method_at(uint32_t index);     /* NULL: past the last one */

#define METHOD_PARAMS_SUBMIT                                                                     \
	{ "spec", "{}", false }, { "specs", "{\"type\":\"array\"}", false },                     \
		{ "args", "{\"type\":\"object\"}", false },                                      \
		{ "key", "{\"type\":\"string\",\"maxLength\":128}", false },                     \
		{ "title", "{\"type\":\"string\",\"maxLength\":200}", false },                   \
		{ "labels", "{\"type\":[\"array\",\"string\"],\"items\":{\"type\":\"string\"}}", \
		  false },                                                                       \
		{ "start_at", "{\"type\":[\"number\",\"string\"]}", false },                     \
		{ "retain", "{\"type\":[\"number\",\"string\"]}", false },                       \
		{ "priority", "{\"type\":\"integer\",\"minimum\":-10,\"maximum\":10}", false },  \
	{                                                                                        \
		"loop", "{\"type\":[\"integer\",\"string\"]}", false                             \
	}

/* methods.c */
void method_hello(struct request *r, struct rpc_params *p);
void method_ping(struct request *r, struct rpc_params *p);
void method_cancel_request(struct request *r, struct rpc_params *p);
/* describe.c */
void method_discover(struct request *r, struct rpc_params *p);
/* methods_job.c, methods_run.c */
void method_job_validate(struct request *r, struct rpc_params *p);
void method_job_submit(struct request *r, struct rpc_params *p);
void method_job_run(struct request *r, struct rpc_params *p);
/* methods_cancel.c */
void method_job_cancel(struct request *r, struct rpc_params *p);
void method_job_delete(struct request *r, struct rpc_params *p);
/* methods_signal.c */
void method_job_signal(struct request *r, struct rpc_params *p);
/* methods_backup.c */
void method_backup_start(struct request *r, struct rpc_params *p);
void method_backup_status(struct request *r, struct rpc_params *p);
void method_backup_read(struct request *r, struct rpc_params *p);
void method_backup_end(struct request *r, struct rpc_params *p);
/* methods_read.c */
void method_job_get(struct request *r, struct rpc_params *p);
void method_job_list(struct request *r, struct rpc_params *p);
void method_job_stack(struct request *r, struct rpc_params *p);
void method_server_info(struct request *r, struct rpc_params *p);
/* methods_explain.c */
void method_job_explain(struct request *r, struct rpc_params *p);
void method_job_resume(struct request *r, struct rpc_params *p);
/* methods_result.c */
void method_job_result(struct request *r, struct rpc_params *p);
/* methods_log.c */
void method_job_log(struct request *r, struct rpc_params *p);
/* methods_semaphore.c */
void method_semaphore_put(struct request *r, struct rpc_params *p);
void method_semaphore_list(struct request *r, struct rpc_params *p);
void method_pool_put(struct request *r, struct rpc_params *p);
void method_pool_list(struct request *r, struct rpc_params *p);
/* methods_wait.c */
void method_job_wait(struct request *r, struct rpc_params *p);
/* methods_events.c */
void method_events_subscribe(struct request *r, struct rpc_params *p);
void method_events_unsubscribe(struct request *r, struct rpc_params *p);
void method_events_read(struct request *r, struct rpc_params *p);

#endif
