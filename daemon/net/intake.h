/*
 * intake.h - the parameters of job.submit and job.run, checked, and handed to the loop that will
 * own the job.
 *
 * Ownership: an intake borrows from the request's message; it lives as long as the handler runs.
 * Threads: the desk's loop.
 */
#ifndef GATHERD_NET_INTAKE_H
#define GATHERD_NET_INTAKE_H

#include "daemon/net/may_exec.h"
#include "daemon/net/request.h"
#include "daemon/run/submit.h"

struct intake {
	const json_t *spec;  /* one, or */
	const json_t *specs; /* several */
	const json_t *args;
	const char   *key;
	const char   *title;
	const char   *labels[NET_LABELS_MAX];
	uint32_t      label_count;
	gd_nsec       start_at;  /* 0: at once */
	gd_nsec       retain;    /* how long it is kept after its end; 0: it did not say */
	int32_t       priority;  /* of its commands in their pools */
	bool          is_placed; /* the request said where they will live: */
	uint32_t      loop;
	const char   *loop_name; /* NULL: by number */
};

/* Reads the parameters; faults are kept in `p`. */
void intake_read(struct intake *in, struct request *r, struct rpc_params *p, bool takes_many);
/* Whether the daemon takes in `count` more jobs now. Errors: GD_LIMIT, GD_UNAVAILABLE. */
GD_NODISCARD enum gd_err intake_admit(const struct request *r, uint32_t count,
                                      struct gd_error *why);
/* Why a spec was not taken. */
struct intake_faults {
	struct load_problems problems;                    /* GD_INVALID_SPEC; GD_FORBIDDEN: one */
	char                 scope[MAY_EXEC_SCOPE_BYTES]; /* GD_FORBIDDEN: what is missing */
};

/* All zero is none. */
void  intake_faults_close(struct intake_faults *f);
/* As members of error.data, for a refusal with `code`; the caller frees. NULL: there is nothing to
 * say, or no memory. */
char *intake_faults_data(const struct intake_faults *f, enum gd_err code);

/* Compiles `spec`, for somebody who may run all that is in it. On GD_OK `*program` is a new
 * reference, and desk->spec_text holds the spec. Errors, with words in `why`: GD_INVALID_SPEC and
 * GD_FORBIDDEN with `faults`, GD_NOMEM. */
GD_NODISCARD enum gd_err intake_compile(const struct request *r, const json_t *spec,
                                        const json_t *args, struct program **program,
                                        struct intake_faults *faults, struct gd_error *why);
/* Which loop a job lives on: what the request says, what the spec says, or this one. Errors: GD_LIMIT,
 * GD_NOMEM. */
GD_NODISCARD enum gd_err intake_place(const struct intake *in, const struct request *r,
                                      const struct program *program, uint32_t *loop,
                                      struct gd_error *why);
/* The job `id` with what intake_compile() has just made. Errors: GD_NOMEM, GD_UNAVAILABLE. */
GD_NODISCARD enum gd_err intake_submit(const struct intake *in, const struct request *r,
                                       struct program *program, uint64_t id, struct gd_error *why);

#endif
