#ifndef RV_SUPERVISOR_POOLS_H
#define RV_SUPERVISOR_POOLS_H

/*
 * The pools: taken from a configuration, and changed by people while the daemon runs (signals.c,
 * verbs.c).  What changes a pool's workers only says what is wanted; plan.c brings it about.
 */

#include "supervisor/sup.h"

/* The place of the pool of that name, or RV_POOL_NONE. */
int rv_pools_find(const struct rv_sup *sup, const char *name);
/* RV_E_NOTFOUND with the nearest name. */
int rv_pools_unknown(const struct rv_sup *sup, const char *name, struct rv_why *why) RV_MUST_CHECK;

/* The pools of ${conf}; those that it does not have any more go, with their last worker. */
void rv_pools_take(struct rv_sup *sup, const struct rv_conf *conf);

/* How many workers it should have now; 0 for a free place. */
int rv_pools_target(const struct rv_pool *pool);
/* What plan.c is to know of it; a free place wants nothing. */
struct rv_plan_pool rv_pools_plan(const struct rv_sup *sup, int pool);
/* It is one of more than its pool should have, and says that it is idle: that costs a pread. */
bool rv_pools_is_idle(const struct rv_sup *sup, const struct rv_child *child);
/* It was told to leave because there is too little to do: what it took meanwhile has its time. */
bool rv_pools_is_unhurried(const struct rv_sup *sup, const struct rv_child *child);
/* Those have stop_timeout from now on: the pool, or all (RV_POOL_NONE), are to end. */
void rv_pools_hurry(struct rv_sup *sup, int pool);

/*
 * What the keeper says of a pool: ${ready} jobs wait, the next of them for ${oldest_us}; and a ring
 * for a pool.  Where the number of workers follows the work, it is decided anew.
 */
void rv_pools_load(struct rv_sup *sup, uint64_t token, uint64_t ready, uint64_t oldest_us);
void rv_pools_rung(struct rv_sup *sup, int pool);

/* Which pools are up for the first time?  Others may begin then.  Before each plan. */
void rv_pools_look(struct rv_sup *sup);
/* The pool that has to be up before this one begins, if it is not; NULL: none. */
const struct rv_pool *rv_pools_first(const struct rv_sup *sup, const struct rv_pool *pool);
/* Replaces the workers of the pool, or of all (RV_POOL_NONE), by new ones. */
int rv_pools_restart(struct rv_sup *sup, int pool, struct rv_why *why) RV_MUST_CHECK;
/* "quiet" or "drained"; NULL: nothing is asked of it. */
const char *rv_pools_hold_name(enum rv_hold hold);

/*
 * ${workers} from now on, until a configuration says another number than the last one did.
 * RV_E_REFUSED: there is no room for so many; RV_E_CONFLICT: the daemon is ending.
 */
int rv_pools_scale(struct rv_sup *sup, int pool, int workers, struct rv_why *why) RV_MUST_CHECK;

/* The pool, or all (RV_POOL_NONE).  RV_E_CONFLICT: the daemon is ending. */
int rv_pools_hold(struct rv_sup *sup, int pool, enum rv_hold hold,
		  struct rv_why *why) RV_MUST_CHECK;

#endif
