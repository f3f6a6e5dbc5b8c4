/* The kernel's count of processes killed for memory.  Runs in the supervisor only. */
#include "supervisor/oom.h"

#include "os/oom.h"

bool rv_oom_killed_since(int64_t *count)
{
	int64_t now;
	bool more;

	if (rv_oom_kills(NULL, &now) != RV_OK)
		return false;
	more = now > *count;
	*count = now;
	return more;
}
