#include "daemon/load/nearest.h"

#include <stdbool.h>
#include <string.h>

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

void nearest_init(struct nearest *n, const char *name, size_t bytes, uint32_t *work)
{
	uint32_t allowed = bytes > NEAREST_BYTES_MAX ? 0 : least((uint32_t)bytes / 3, 2);

	*n = (struct nearest){
		.name = name, .bytes = bytes, .distance = allowed + 1, .work = work
	};
}

/* False when the budget is spent. */
static bool pay(struct nearest *n, uint32_t work)
{
	bool is_paid = *n->work >= work;

	*n->work -= is_paid ? work : *n->work;
	return is_paid;
}

static uint32_t distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	uint32_t  rows[3][NEAREST_BYTES_MAX + 3];
	uint32_t *older = rows[0], *old = rows[1], *now = rows[2], *spare;

	for (uint32_t j = 0; j <= b_bytes; j++)
		old[j] = j;
	for (uint32_t i = 1; i <= a_bytes; i++) {
		now[0] = i;
		for (uint32_t j = 1; j <= b_bytes; j++) {
			now[j] = least(least(old[j], now[j - 1]) + 1,
			               old[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], older[j - 2] + 1);
		}
		spare = older;
		older = old;
		old = now;
		now = spare;
	}
	return old[b_bytes];
}

void nearest_offer(struct nearest *n, const char *candidate)
{
	size_t   bytes = strlen(candidate);
	size_t   gap = bytes > n->bytes ? bytes - n->bytes : n->bytes - bytes;
	uint32_t d;

	/* A distance is never less than the difference of the lengths. */
	if (!pay(n, 1) || gap >= n->distance || !pay(n, (uint32_t)(n->bytes * bytes)))
		return;
	d = distance(n->name, n->bytes, candidate, bytes);
	if (d < n->distance) {
		n->distance = d;
		n->best = candidate;
	}
}
