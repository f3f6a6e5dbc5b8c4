#ifndef RV_SUPERVISOR_OOM_H
#define RV_SUPERVISOR_OOM_H

/* Was it the kernel's out-of-memory killer? */

#include <stdbool.h>
#include <stdint.h>

/*
 * Whether the system's count of OOM kills (/proc/vmstat oom_kill) went up since ${*count}, which is
 * brought up to date.  A SIGKILL that is not ours together with it is most likely one.  False when
 * the kernel does not count.  Allocates nothing.
 */
bool rv_oom_killed_since(int64_t *count);

#endif
