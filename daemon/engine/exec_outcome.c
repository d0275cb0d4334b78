/* How a command ended, in the words of the job: its result, or the exception. */
#include "daemon/engine/exec.h"

#define SHOWN_BYTES 200 /* of a program, of a line */

/* By their numbers on Linux, but for MIPS and a few others; the same on every machine, as all that a
 * replay says. Real-time signals have no names. */
static const char *const SIGNALS[] = {
	NULL,        "SIGHUP",  "SIGINT",    "SIGQUIT", "SIGILL",   "SIGTRAP", "SIGABRT", "SIGBUS",
	"SIGFPE",    "SIGKILL", "SIGUSR1",   "SIGSEGV", "SIGUSR2",  "SIGPIPE", "SIGALRM", "SIGTERM",
	"SIGSTKFLT", "SIGCHLD", "SIGCONT",   "SIGSTOP", "SIGTSTP",  "SIGTTIN", "SIGTTOU", "SIGURG",
	"SIGXCPU",   "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO",   "SIGPWR",  "SIGSYS",
};

struct value exec_member(struct value dict, const char *name)
{
	struct value v = VALUE_NONE;

	if (value_is_type(dict, VALUE_T_DICT))
		v = value_dict_get(dict, name, strlen(name));
	return value_is_none(v) ? VALUE_NULL : v;
}

const struct vtext *exec_program(const struct exec_run *x)
{
	struct value profile = exec_member(x->request, "profile");

	if (x->kind == EXEC_CALL)
		return outcall_name(x);

	return value_text(value_is_null(profile)
	                          ? value_list(exec_member(x->request, "argv"))->at[0]
	                          : profile);
}

/* --- words --- */

/* Cut behind a whole character. */
static void add_clipped(struct buf *b, const char *at, size_t bytes)
{
	size_t shown = bytes;

	if (shown > SHOWN_BYTES)
		for (shown = SHOWN_BYTES; (at[shown] & 0xc0) == 0x80;)
			shown--;
	buf_add(b, at, shown);
	if (shown < bytes)
		buf_add_text(b, "...");
}

void exec_add_program(struct buf *b, const struct exec_run *x)
{
	add_clipped(b, exec_program(x)->at, exec_program(x)->bytes);
}

/* The last line of stderr that says anything. */
static void add_last_words(struct buf *b, struct value err)
{
	const char *at, *end;

	if (!value_is_type(err, VALUE_T_TEXT))
		return;
	at = value_text(err)->at;
	end = at + value_text(err)->bytes;
	while (end > at && (unsigned char)end[-1] <= ' ')
		end--;
	for (const char *line = end; line > at; line--) {
		if (line[-1] == '\n') {
			at = line;
			break;
		}
	}
	if (end == at)
		return;
	buf_add_text(b, ": ");
	add_clipped(b, at, (size_t)(end - at));
}

static void add_signal(struct buf *b, int64_t number)
{
	if (number > 0 && number < (int64_t)(sizeof SIGNALS / sizeof SIGNALS[0])) {
		buf_add_text(b, SIGNALS[number]);
		return;
	}
	buf_add_text(b, "signal ");
	buf_add_i64(b, number);
}

bool exec_raise(struct running *r, const char *type, struct buf *b, struct value data)
{
	struct value exc = exception_new(r->e, r->j, r->t, type, b->at, b->bytes);

	if (!value_is_none(data))
		exc = member_put(r->e, exc, MEMBER_DATA, data);
	if (b->failed != GD_OK)
		r->e->heap.failed = true;
	buf_close(b);
	(void)raise_value(r, exc);
	return false;
}

/* --- the kinds of ends --- */

static bool raise_late(struct running *r, const struct exec_run *x)
{
	struct buf b = { 0 };

	exec_add_program(&b, x);
	buf_addf(&b, " was not done within %.9g s", (double)x->timeout / 1e9);
	return exec_raise(r, "TimeoutError", &b, value_retain(x->outcome));
}

static bool raise_not_started(struct running *r, const struct exec_run *x, struct value error)
{
	struct buf   b = { 0 };
	struct value stage = exec_member(error, "stage");

	buf_add_text(&b, "cannot start ");
	exec_add_program(&b, x);
	buf_add_text(&b, ": ");
	value_write_text(&b, exec_member(error, "message"));
	if (value_is_type(stage, VALUE_T_TEXT)) {
		buf_add_text(&b, " (");
		value_write_text(&b, stage);
		buf_add_byte(&b, ')');
	}
	return exec_raise(r, "ExecError", &b, value_retain(error));
}

static bool raise_interrupted(struct running *r, const struct exec_run *x)
{
	struct buf   b = { 0 };
	struct value why = exec_member(x->outcome, "interrupted");

	exec_add_program(&b, x);
	buf_add_text(&b, " was interrupted, and how it ended is not known");
	if (value_is_type(why, VALUE_T_TEXT)) {
		buf_add_text(&b, ": ");
		value_write_text(&b, why);
	}
	return exec_raise(r, "InterruptedError", &b, value_retain(x->outcome));
}

static bool raise_failed(struct running *r, const struct exec_run *x)
{
	struct buf   b = { 0 };
	struct value code = exec_member(x->outcome, "code"),
		     signal = exec_member(x->outcome, "signal");

	exec_add_program(&b, x);
	if (value_type(signal) == VALUE_T_INT) {
		buf_add_text(&b, " was ended by ");
		add_signal(&b, value_as_int(signal));
	} else {
		buf_add_text(&b, " exited with ");
		value_write_text(&b, code);
	}
	add_last_words(&b, exec_member(x->outcome, "stderr"));
	return exec_raise(r, "ExecError", &b, value_retain(x->outcome));
}

static bool has_succeeded(struct value outcome)
{
	struct value code = exec_member(outcome, "code");

	return value_type(code) == VALUE_T_INT && value_as_int(code) == 0;
}

bool exec_outcome_is_interrupted(struct value outcome)
{
	return !value_is_null(exec_member(outcome, "interrupted"));
}

bool exec_outcome_check(struct running *r, const struct exec_run *x)
{
	struct value error = exec_member(x->outcome, "error");

	if (x->claim.sched.obj.flags & EXEC_LATE)
		return raise_late(r, x);
	if (exec_outcome_is_interrupted(x->outcome))
		return raise_interrupted(r, x);
	if (x->kind == EXEC_CALL)
		return outcall_check(r, x);
	if (!value_is_null(error))
		return raise_not_started(r, x, error);
	if (has_succeeded(x->outcome) || !x->checks)
		return true;
	return raise_failed(r, x);
}

struct value exec_outcome_status(struct engine *e, struct value outcome)
{
	static const char *const NAMES[] = { "code", "signal" };
	struct value             status = value_dict_new(&e->heap, 2);

	for (size_t i = 0; i < 2; i++)
		status = value_dict_put(&e->heap, status,
		                        value_text_new(&e->heap, NAMES[i], strlen(NAMES[i])),
		                        value_retain(exec_member(outcome, NAMES[i])));
	return status;
}
