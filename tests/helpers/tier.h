#ifndef RV_TESTHELP_TIER_H
#define RV_TESTHELP_TIER_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Whether the long versions of the tests are wanted: RV_ALL=1, as tools/test --all sets it. */
static inline bool rv_test_all(void)
{
	const char *all = getenv("RV_ALL");

	return all && strcmp(all, "1") == 0;
}

#endif
