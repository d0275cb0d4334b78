/*
 * err.h - every error this project can report, in one table.
 *
 * GD_ERRORS yields the enum, the name on the wire (`data.type`), the JSON-RPC code and the
 * list that a test compares with PROTOCOL.md. What can fail returns enum gd_err and explains
 * itself in a struct gd_error that the caller owns (a NULL is allowed and ignored).
 *
 * Threads: none; a struct gd_error belongs to one caller.
 */
#ifndef GATHERD_BASE_ERR_H
#define GATHERD_BASE_ERR_H

#define GD_NODISCARD __attribute__((warn_unused_result))
#define GD_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* X(symbol, JSON-RPC code, name on the wire) */
#define GD_ERRORS(X)                                                                                   \
	X(GD_OK, 0, "Ok")                                                                              \
	X(GD_PARSE, -32700, "ParseError")                                                              \
	X(GD_INVALID_REQUEST, -32600, "InvalidRequest")                                                \
	X(GD_NO_METHOD, -32601, "MethodNotFound")                                                      \
	X(GD_INVALID_PARAMS, -32602, "InvalidParams")                                                  \
	X(GD_INTERNAL, -32603, "Internal")                                                             \
	X(GD_UNAUTHORIZED, -32000, "Unauthorized")                                                     \
	X(GD_FORBIDDEN, -32001, "Forbidden")                                                           \
	X(GD_NOT_FOUND, -32002, "NotFound")                                                            \
	X(GD_CONFLICT, -32003, "Conflict")                                                             \
	X(GD_INVALID_SPEC, -32004, "InvalidSpec")                                                      \
	X(GD_LIMIT, -32005, "LimitExceeded")                                                           \
	X(GD_CURSOR_EXPIRED, -32006, "CursorExpired")                                                  \
	X(GD_UNAVAILABLE, -32007, "Unavailable")                                                       \
	X(GD_DURABILITY_UNKNOWN, -32008, "DurabilityUnknown")                                          \
	X(GD_UNSUPPORTED_PROTOCOL, -32011, "UnsupportedProtocol")                                      \
	X(GD_REQUEST_CANCELLED, -32800, "RequestCancelled")                                            \
	/* These three never leave the process under their own name: on the wire they are Internal. */ \
	X(GD_NOMEM, -32603, "OutOfMemory")                                                             \
	X(GD_SYS, -32603, "SystemError")                                                               \
	X(GD_STORE, -32603, "StoreError")

enum gd_err {
#define GD_ERR_ENUM(symbol, code, name) symbol,
	GD_ERRORS(GD_ERR_ENUM)
#undef GD_ERR_ENUM
		GD_ERR_COUNT
};

struct gd_error {
	enum gd_err code;
	int         sys;       /* errno of the call that failed, 0 when there was none */
	char        text[240]; /* one sentence, never a secret */
};

/* Fills `why` (which may be NULL) and returns `code`, so that a failing function ends with
 * `return gd_fail(why, GD_LIMIT, "...")`. The second form keeps errno `sys` and appends its text. */
enum gd_err gd_fail(struct gd_error *why, enum gd_err code, const char *fmt, ...) GD_PRINTF(3, 4);
enum gd_err gd_fail_sys(struct gd_error *why, int sys, const char *fmt, ...) GD_PRINTF(3, 4);

int         gd_err_rpc_code(enum gd_err code); /* e.g. -32002 */
const char *gd_err_name(enum gd_err code);     /* e.g. "NotFound"; static storage */

#endif
