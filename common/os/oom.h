#ifndef RV_OS_OOM_H
#define RV_OS_OOM_H

/* Memory that ran out, as the kernel counts it.  The supervisor of its children, workers of jobs.
 */

#include "base/err.h"

#include <stdint.h>

/*
 * How many processes the kernel has killed for want of memory since its start, in the whole machine
 * or in a cgroup: "oom_kill" of ${path} (NULL: /proc/vmstat).  RV_E_NOTFOUND: it does not say.
 */
int rv_oom_kills(const char *path, int64_t *ret_count) RV_MUST_CHECK;

#endif
