#include "daemon/runner/spawn.h"

#include "daemon/runner/cgroup.h"
#include "daemon/open_files.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES (256u << 10)
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define FIRST_SLOT 3 /* descriptors 3, 4, 5 wait for the stdio of the next child */

struct child {
	const struct spawn *spawn;
	pid_t               parent;
	enum run_stage      stage; /* the one that is under way */
	int                 error; /* not 0: it failed */
};

/* --- before the first --- */

#define SIGNAL_COUNT 64 /* of the kernel */
#define MASK_BYTES (SIGNAL_COUNT / 8)

/* System calls, since glibc does not let anybody touch two of the signals, and those can be inherited
 * ignored or blocked like any other. */
static int set_mask(uint64_t mask)
{
	return (int)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, MASK_BYTES);
}

static enum gd_err prepare_signals(struct gd_error *why)
{
	static const unsigned long
		as_at_first[8]; /* the kernel's struct sigaction: SIG_DFL, nothing */

	/* SIGKILL and SIGSTOP refuse: they cannot be changed by anybody. */
	for (int number = 1; number <= SIGNAL_COUNT; number++)
		(void)syscall(SYS_rt_sigaction, number, as_at_first, NULL, MASK_BYTES);
	return set_mask(UINT64_MAX) == 0 ? GD_OK : gd_fail_sys(why, errno, "signals");
}

static enum gd_err keep_slots(struct gd_error *why)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return gd_fail_sys(why, errno, "/dev/null");
	} while (fd < FIRST_SLOT + 2);
	/* What fills the slots meanwhile is our stdin: it must be nobody's pipe. */
	(void)dup2(fd, STDIN_FILENO);
	if (fd > FIRST_SLOT + 2)
		(void)close(fd);
	return GD_OK;
}

enum gd_err spawn_prepare(struct gd_error *why)
{
	enum gd_err rc;

	if (syscall(SYS_close_range, FIRST_SLOT, UINT_MAX, 0) != 0)
		return gd_fail_sys(why, errno, "descriptors");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return gd_fail_sys(why, errno, "child subreaper");
	open_files_raise();
	if ((rc = prepare_signals(why)) != GD_OK)
		return rc;
	return keep_slots(why);
}

/* --- in the child --- */

static bool try_stage(struct child *c, enum run_stage stage, bool worked)
{
	if (!worked) {
		c->stage = stage;
		c->error = errno;
	}
	return worked;
}

static bool leave_table(void)
{
	return syscall(SYS_close_range, FIRST_SLOT + 3, UINT_MAX, CLOSE_RANGE_UNSHARE) == 0;
}

static bool place_stdio(const struct run_start *start)
{
	for (int i = 0; i < 3; i++) {
		if (dup2(FIRST_SLOT + i, i) < 0)
			return false;
	}
	if (start->merges_error && dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		return false;
	return syscall(SYS_close_range, FIRST_SLOT, UINT_MAX, 0) == 0;
}

static bool set_limits(const struct run_start *start)
{
	const struct rlimit no_core = { 0, 0 }, files = open_files_at_start();

	if (setrlimit(RLIMIT_CORE, &no_core) != 0 || setrlimit(RLIMIT_NOFILE, &files) != 0)
		return false;
	for (uint32_t i = 0; i < start->rlimit_count; i++) {
		struct rlimit one = { start->rlimits[i].soft, start->rlimits[i].hard };

		if (setrlimit((int)start->rlimits[i].resource, &one) != 0)
			return false;
	}
	return true;
}

static bool change_priority(int32_t more)
{
	if (more == 0)
		return true;
	errno = 0;
	return nice(more) != -1 || errno == 0;
}

/* System calls and not glibc's functions: those would change the user of every thread they know of,
 * and here that is the runner. */
static bool become_user(const struct run_start *start)
{
	if (start->gid != RUN_ID_NONE || start->uid != RUN_ID_NONE) {
		gid_t only = start->gid;

		if (syscall(SYS_setgroups, only == RUN_ID_NONE ? 0 : 1, &only) != 0)
			return false;
	}
	if (start->gid != RUN_ID_NONE &&
	    syscall(SYS_setresgid, start->gid, start->gid, start->gid) != 0)
		return false;
	return start->uid == RUN_ID_NONE ||
	       syscall(SYS_setresuid, start->uid, start->uid, start->uid) == 0;
}

/* Changing the user clears the signal, so this comes after; and the runner may be gone already. */
static bool end_with_parent(const struct child *c)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
		return false;
	errno = ESRCH;
	return getppid() == c->parent;
}

static const char *path_of(char *const *env)
{
	for (; *env != NULL; env++) {
		if (strncmp(*env, "PATH=", 5) == 0)
			return *env + 5;
	}
	return DEFAULT_PATH;
}

/* Says why the last exec failed. Only when no other will be tried: an exec that works leaves these
 * as they are. ENOENT for a file that is there means that its interpreter is not. */
static void give_up(struct child *c, int failed, bool is_there)
{
	c->stage = failed == ENOENT && is_there ? RUN_STAGE_INTERPRETER : RUN_STAGE_EXEC;
	c->error = failed;
}

static bool is_there(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, 0) == 0;
}

/* Whether the search goes on with the next folder, as execvp(3) has it. */
static bool is_elsewhere(int failed)
{
	return failed == ENOENT || failed == ENOTDIR || failed == EACCES || failed == ENODEV ||
	       failed == ESTALE || failed == ETIMEDOUT;
}

/* Goes through PATH. A program that may not be run is told of when no other is found. */
static void search(struct child *c, const char *name)
{
	const struct spawn *s = c->spawn;
	const char         *dir = path_of(s->env);
	char                path[PATH_MAX];
	int                 worst = ENOENT;

	for (;;) {
		size_t chars = strcspn(dir, ":");
		int    length = snprintf(path, sizeof path, "%.*s%s%s", (int)chars, dir,
                                      chars > 0 ? "/" : "", name);
		int    failed = ENOENT; /* a path that is too long is no file's */

		if (length > 0 && (size_t)length < sizeof path) {
			(void)execve(path, (char *const *)s->start->argv, s->env);
			failed = errno;
			if (!is_elsewhere(failed) || (failed == ENOENT && is_there(path))) {
				give_up(c, failed, true);
				return;
			}
		}
		if (failed == EACCES)
			worst = EACCES;
		if (dir[chars] == '\0')
			break;
		dir += chars + 1;
	}
	give_up(c, worst, false);
}

static void execute(struct child *c)
{
	const struct spawn *s = c->spawn;
	const char         *name = s->start->argv[0];
	int                 failed;

	if (strchr(name, '/') == NULL) {
		search(c, name);
		return;
	}
	(void)execve(name, (char *const *)s->start->argv, s->env);
	failed = errno;
	give_up(c, failed, is_there(name));
}

static bool become(struct child *c)
{
	const struct spawn     *s = c->spawn;
	const struct run_start *start = s->start;

	errno = s->admit(s->ctx, getpid());
	if (!try_stage(c, RUN_STAGE_SPOOL, errno == 0))
		return false;
	errno = s->cgroup == NULL ? 0 : cgroup_join(s->cgroup);
	if (!try_stage(c, RUN_STAGE_CGROUP, errno == 0) ||
	    !try_stage(c, RUN_STAGE_SESSION,
	               leave_table() && setsid() >= 0 && place_stdio(start)) ||
	    !try_stage(c, RUN_STAGE_RLIMIT, set_limits(start)) ||
	    !try_stage(c, RUN_STAGE_NICE, change_priority(start->nice)) ||
	    !try_stage(c, RUN_STAGE_USER, become_user(start)) ||
	    !try_stage(c, RUN_STAGE_SESSION, end_with_parent(c)))
		return false;
	(void)umask((mode_t)start->umask);
	return try_stage(c, RUN_STAGE_CWD, chdir(start->cwd == NULL ? "/" : start->cwd) == 0) &&
	       try_stage(c, RUN_STAGE_SESSION, set_mask(0) == 0);
}

static int run_child(void *ctx)
{
	struct child *c = ctx;

	if (become(c))
		execute(c);
	_exit(127); /* seen by nobody: `error` says it better */
}

/* --- in the runner --- */

/* An idle slot holds /dev/null, which is what most have for stdin. */
static bool fill_slots(const struct spawn *s)
{
	for (int i = 0; i < 3; i++) {
		if (s->stdio[i] != SPAWN_NULL && dup3(s->stdio[i], FIRST_SLOT + i, O_CLOEXEC) < 0)
			return false;
	}
	return true;
}

/* Held open, a pipe's end would keep its reader waiting. */
static void empty_slots(const struct spawn *s)
{
	for (int i = 0; i < 3; i++) {
		if (s->stdio[i] != SPAWN_NULL)
			(void)dup3(STDIN_FILENO, FIRST_SLOT + i, O_CLOEXEC);
	}
}

/* The child leaves its stack by exec, without returning from anything: a sanitizer still has the marks
 * of its frames, which the next child would run into. */
static void forget_frames(void *stack, size_t bytes)
{
#ifdef __SANITIZE_ADDRESS__
	extern void __asan_unpoison_memory_region(void const volatile *at, size_t count);

	__asan_unpoison_memory_region(stack, bytes);
#else
	(void)stack;
	(void)bytes;
#endif
}

struct spawned spawn_run(const struct spawn *s)
{
	static char stack[STACK_BYTES] __attribute__((aligned(16)));

	const int      flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD;
	struct child   c = { .spawn = s, .parent = getpid() };
	struct spawned out = { .stage = RUN_STAGE_PIPE };

	if (!fill_slots(s)) {
		out.error = errno;
		empty_slots(s);
		return out;
	}
	out.pid = clone(run_child, stack + sizeof stack, flags, &c);
	out.error = errno;
	forget_frames(stack, sizeof stack);
	empty_slots(s);
	if (out.pid < 0)
		return (struct spawned){ .stage = RUN_STAGE_FORK, .error = out.error };
	out.stage = c.error == 0 ? RUN_STAGE_NONE : c.stage;
	out.error = c.error;
	if (c.error == 0)
		return out;
	(void)waitpid(out.pid, NULL, 0);
	out.pid = 0;
	return out;
}
