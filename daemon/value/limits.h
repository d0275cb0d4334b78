/*
 * limits.h - what one job may use. Reaching one is a typed error, never a surprise.
 * `hello` reports them; JOBS.md lists them.
 */
#ifndef GATHERD_VALUE_LIMITS_H
#define GATHERD_VALUE_LIMITS_H

#define SPEC_BYTES_MAX (256 * 1024)
#define SPEC_NODES_MAX 8000
#define SPEC_DEPTH_MAX 60
#define SPEC_PROBLEMS_MAX 20

#define JOB_TASKS_MAX 1048576           /* live at one time */
#define JOB_CALL_DEPTH_MAX 256          /* of def calls within one task */
#define JOB_VALUE_BYTES_MAX (64u << 20) /* values held by one job */
#define JOB_RESULT_BYTES_MAX (1u << 20) /* as JSON */
#define JOB_TICKS_PER_NOW 10000         /* loop iterations without a timer, then "it is now T" */
#define JOB_OPS_PER_STEP_MAX 10000000   /* ops of one task without a suspension */

#define EXPR_SOURCE_CHARS_MAX 2000
#define EXPR_FUEL 100000 /* steps of one evaluation */
#define EXPR_RESULT_BYTES_MAX (1u << 20)
#define RANGE_ELEMENTS_MAX 1048576 /* of a lazy range */

#define TASK_NAME_BYTES_MAX 1000
#define SEMAPHORE_NAME_BYTES_MAX 200 /* a pool's as well */
#define LOOP_NAME_BYTES_MAX 200

/* One command: see exec. */
#define EXEC_ARG_BYTES_MAX 131071       /* of one argument or variable; Linux takes no more */
#define EXEC_ARGS_BYTES_MAX (1u << 20)  /* of all of them, with the ends and a pointer to each */
#define EXEC_INPUT_BYTES_MAX (1u << 20) /* of stdin */
#define EXEC_PROFILE_BYTES_MAX 32       /* of the name of a profile */
#define EXEC_SECRET_BYTES_MAX 128       /* of the name of a secret */
#define EXEC_STREAM_BYTES_MAX \
	(256u * 1024)                      /* of stdout, of stderr, that a result keeps: the tail */
#define EXEC_LINE_BYTES_MAX (64u * 1024)   /* a longer line comes in parts */
#define EXEC_LINES_MAX 1000                /* that come at one time */
#define EXEC_LINES_BYTES_MAX (256u * 1024) /* the same */
#define EXEC_ATTEMPTS_MAX 10               /* with "on_interrupt": "retry" */
#define EXEC_GRACE_SECONDS 10              /* between TERM and KILL, when not said */
#define EXEC_GRACE_SECONDS_MAX 3600

/* One HTTP request; what of its response is kept is in the configuration. */
#define HTTP_URL_BYTES_MAX 8192 /* with its query */
#define HTTP_METHOD_BYTES_MAX 20
#define HTTP_REQUEST_HEADERS_MAX 100
#define HTTP_REQUEST_HEADERS_BYTES_MAX (64 * 1024)
#define HTTP_REQUEST_BODY_BYTES_MAX (1u << 20)

/* What people outside say to one job: see event. */
#define EVENT_NAME_BYTES_MAX 200
#define SIGNAL_VALUE_BYTES_MAX (256 * 1024) /* as JSON */
#define JOB_EVENTS_MAX 10000                /* different names, waited for or signalled */
#define JOB_SIGNALS_MAX 10000               /* in all */
#define JOB_SIGNAL_BYTES_MAX (16u << 20)    /* of memory that their values took, in all */

#define SLOTS_MAX 60000 /* names and temporaries of one coroutine */

#endif
