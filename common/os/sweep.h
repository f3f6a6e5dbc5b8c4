#ifndef RV_OS_SWEEP_H
#define RV_OS_SWEEP_H

/*
 * The sweep: killing and reaping every descendant that is not supposed to live any more.  The
 * caller is a subreaper (PR_SET_CHILD_SUBREAPER), so what a dead child leaves behind becomes its
 * own child: read /proc/self/task/TID/children and KILL, again and again, and reap (WNOHANG: a
 * blocking waitpid would hang, measured) when none of them lives any more. The dead that are not
 * reaped count against the limits of their user, so that each kill makes a fork bomb smaller.
 * 150 setsid escapees take about 15 ms.
 */

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

int rv_subreaper(void) RV_MUST_CHECK;

struct rv_sweep {
	/* Is this child of ours one that must be left alone (in the child table)?  Called for each.
	 */
	bool (*keep)(void *ctx, pid_t pid);
	void *ctx;
};

struct rv_sweep_left {
	int orphans; /* children that are not kept and still there */
	int killed;  /* newly killed in this call */
};

/*
 * One turn, at most ${budget_us} long: kills and reaps what it finds.  Done when orphans is 0.
 * Never blocks, never signals a pid that is not an un-reaped child of ours.
 */
int rv_sweep_turn(const struct rv_sweep *sweep, int64_t budget_us,
		  struct rv_sweep_left *ret_left) RV_MUST_CHECK;

/*
 * Whether some un-reaped child of ours outside ${sweep}'s kept ones bears NAME=${value} in its
 * environment (REEVE_INSTANCE): tells whose orphans are left.
 */
bool rv_sweep_bears(const struct rv_sweep *sweep, const char *name, const char *value);

/*
 * This process and whatever it will ever start bear NAME=${prefix} in a resource limit as well, so
 * that rv_sweep_marked finds them when they have cleared their environment.  RV_E_DENIED where a
 * hard limit is in the way: then only environments tell.
 */
int rv_sweep_mark(const char *name, const char *prefix) RV_MUST_CHECK;

/*
 * Kills by pidfd every process on the machine whose environment has NAME=value with value beginning
 * with ${prefix}, or which bears the mark of rv_sweep_mark(NAME, prefix), ours excepted: what a
 * killed predecessor left behind.  ${ret_found}: how many
 * were alive at this look; call again until 0.  Unreadable processes (other users) are passed over.
 */
int rv_sweep_marked(const char *name, const char *prefix, int *ret_found) RV_MUST_CHECK;

#endif
