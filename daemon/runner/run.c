#include "daemon/runner/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void run_ref_text(const struct run_ref *ref, char out[RUN_REF_TEXT_BYTES])
{
	(void)snprintf(out, RUN_REF_TEXT_BYTES, "%" PRIu64 "-%" PRIu32 "-%" PRIu32, ref->job,
	               ref->exec, ref->attempt);
}

static bool parse_number(const char **at, uint64_t most, uint64_t *out)
{
	char *end;

	if (**at < '0' || **at > '9')
		return false;
	errno = 0;
	*out = strtoull(*at, &end, 10);
	*at = end;
	return errno == 0 && *out <= most;
}

bool run_ref_parse(const char *text, struct run_ref *out, const char **end)
{
	uint64_t part[3];

	for (int i = 0; i < 3; i++) {
		if ((i > 0 && *text++ != '-') ||
		    !parse_number(&text, i == 0 ? UINT64_MAX : UINT32_MAX, &part[i]))
			return false;
	}
	*out = (struct run_ref){ part[0], (uint32_t)part[1], (uint32_t)part[2] };
	*end = text;
	return true;
}

bool run_ref_equal(const struct run_ref *a, const struct run_ref *b)
{
	return a->job == b->job && a->exec == b->exec && a->attempt == b->attempt;
}

const char *run_stage_name(enum run_stage stage)
{
	static const char *const names[RUN_STAGE_COUNT] = {
#define RUN_STAGE_NAME(symbol, name) [symbol] = name,
		RUN_STAGE_LIST(RUN_STAGE_NAME)
#undef RUN_STAGE_NAME
	};

	return names[stage];
}
