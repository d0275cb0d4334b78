#include "tests/lib/fault.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

static bool   is_armed, has_come;
static size_t left;

static bool comes_now(void)
{
	if (!is_armed || left-- > 0)
		return false;
	is_armed = false;
	has_come = true;
	return true;
}

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *at, size_t bytes);
void *malloc(size_t bytes);
void *calloc(size_t count, size_t bytes);
void *realloc(void *at, size_t bytes);

void *malloc(size_t bytes)
{
	return comes_now() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
	return comes_now() ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *at, size_t bytes)
{
	return comes_now() ? NULL : __libc_realloc(at, bytes);
}

bool fault_is_possible(void)
{
	return true;
}

void fault_arm(size_t count)
{
	is_armed = true;
	has_come = false;
	left = count;
}

bool fault_disarm(void)
{
	is_armed = false;
	return has_come;
}

#else

bool fault_is_possible(void)
{
	return false;
}

void fault_arm(size_t count)
{
	(void)count;
}

bool fault_disarm(void)
{
	return false;
}

#endif
