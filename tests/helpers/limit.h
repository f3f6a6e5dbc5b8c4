#ifndef RV_TESTHELP_LIMIT_H
#define RV_TESTHELP_LIMIT_H

/*
 * Resource limits for a part of a test: the soft one only, put back at the end (or coverage could
 * not be written).  Failures abort.
 */

#include <stdlib.h>
#include <sys/resource.h>

struct rv_test_limit {
	int resource;
	struct rlimit before;
};

static inline struct rv_test_limit rv_test_limit(int resource, rlim_t soft)
{
	struct rv_test_limit limit = {.resource = resource};
	struct rlimit now;

	if (getrlimit((__rlimit_resource_t)resource, &limit.before) != 0)
		abort();
	now = limit.before;
	now.rlim_cur = soft;
	if (setrlimit((__rlimit_resource_t)resource, &now) != 0)
		abort();
	return limit;
}

static inline void rv_test_limit_end(const struct rv_test_limit *limit)
{
	if (setrlimit((__rlimit_resource_t)limit->resource, &limit->before) != 0)
		abort();
}

#endif
