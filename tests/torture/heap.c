#include "tests/torture/heap.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

static atomic_bool   is_armed, is_sticky_now;
static atomic_ullong asked, wanted;
static atomic_llong  blocks;

static bool comes_now(void)
{
	unsigned long long n;

	if (!atomic_load(&is_armed))
		return false;
	n = atomic_fetch_add(&asked, 1) + 1;
	return n == atomic_load(&wanted) ||
	       (n > atomic_load(&wanted) && atomic_load(&is_sticky_now));
}

static void *given(void *at)
{
	if (at != NULL)
		(void)atomic_fetch_add(&blocks, 1);
	return at;
}

static void *none(void)
{
	errno = ENOMEM;
	return NULL;
}

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *at, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void  __libc_free(void *at);
void *malloc(size_t bytes);
void *calloc(size_t count, size_t bytes);
void *realloc(void *at, size_t bytes);
void *reallocarray(void *at, size_t count, size_t bytes);
void *aligned_alloc(size_t alignment, size_t bytes);
int   posix_memalign(void **at, size_t alignment, size_t bytes);
void  free(void *at);

void *malloc(size_t bytes)
{
	return comes_now() ? none() : given(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes)
{
	return comes_now() ? none() : given(__libc_calloc(count, bytes));
}

/* realloc(at, 0) frees; nobody here asks for that. */
void *realloc(void *at, size_t bytes)
{
	if (comes_now())
		return none();
	return at == NULL ? given(__libc_malloc(bytes)) : __libc_realloc(at, bytes);
}

void *reallocarray(void *at, size_t count, size_t bytes)
{
	size_t all;

	return __builtin_mul_overflow(count, bytes, &all) ? none() : realloc(at, all);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
	return comes_now() ? none() : given(__libc_memalign(alignment, bytes));
}

int posix_memalign(void **at, size_t alignment, size_t bytes)
{
	*at = aligned_alloc(alignment, bytes);
	return *at == NULL ? ENOMEM : 0;
}

void free(void *at)
{
	if (at != NULL)
		(void)atomic_fetch_sub(&blocks, 1);
	__libc_free(at);
}

bool heap_is_possible(void)
{
	return true;
}

void heap_arm(uint64_t n, bool is_sticky)
{
	atomic_store(&asked, 0);
	atomic_store(&wanted, n == 0 ? UINT64_MAX : n);
	atomic_store(&is_sticky_now, is_sticky);
	atomic_store(&is_armed, true);
}

uint64_t heap_disarm(void)
{
	atomic_store(&is_armed, false);
	return atomic_load(&asked);
}

int64_t heap_blocks(void)
{
	return atomic_load(&blocks);
}

#else

bool heap_is_possible(void)
{
	return false;
}

void heap_arm(uint64_t n, bool is_sticky)
{
	(void)n;
	(void)is_sticky;
}

uint64_t heap_disarm(void)
{
	return 0;
}

int64_t heap_blocks(void)
{
	return 0;
}

#endif
