#ifndef RV_SUPERVISOR_NEST_H
#define RV_SUPERVISOR_NEST_H

/*
 * Jobs that wait for jobs.  While the job of a worker waits, its pool has one worker more, which
 * runs nothing but jobs that jobs have submitted: so a pool of any size works off what its own jobs
 * wait for, and no more of others is begun than it has workers.
 */

#include "supervisor/sup.h"

/*
 * The job of that worker begins to wait, or ends one of its waits.  RV_E_NOTFOUND: it is not what
 * runs there.  A wait that nobody ends is over with its job.
 */
int rv_nest_waits(struct rv_sup *sup, int64_t slot, uint64_t incarnation, int64_t job, bool on,
		  struct rv_why *why) RV_MUST_CHECK;

/* How many such workers the pool should have now, for the plan. */
struct rv_plan_pool rv_nest_plan(struct rv_sup *sup, int pool);
/* Some job waits: what is wanted may change without a word (its job has ended). */
bool rv_nest_any(const struct rv_sup *sup);

#endif
