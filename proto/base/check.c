#include "proto/base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void gd_check_failed(const char *what, const char *file, int line)
{
	(void)fprintf(stderr, "<0>check failed: %s file=%s line=%d\n", what, file, line);
	abort();
}
