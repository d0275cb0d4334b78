/*
 * check.h - statements about our own code, kept on in every build.
 *
 * CHECK(cond) is for what must hold if the program is right; never for input from outside.
 * A failed one stops the process: the journal replays, so stopping is safe and going on is not.
 */
#ifndef GATHERD_BASE_CHECK_H
#define GATHERD_BASE_CHECK_H

_Noreturn void gd_check_failed(const char *what, const char *file, int line);

#define CHECK(cond) \
	((__builtin_expect(!!(cond), 1)) ? (void)0 : gd_check_failed(#cond, __FILE__, __LINE__))
#define CHECK_NEVER(why) gd_check_failed(why, __FILE__, __LINE__)

#endif
