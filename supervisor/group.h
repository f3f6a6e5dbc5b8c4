#ifndef RV_SUPERVISOR_GROUP_H
#define RV_SUPERVISOR_GROUP_H

/*
 * A cgroup for each worker and its jobs, where reeved runs in a cgroup v2 folder that was delegated
 * to it (conf/reeve.service: Delegate=yes).  What is left of a dead worker is killed by one write
 * that nothing can run away from; the sweep goes on as without it, reaps, and decides when DIED may
 * go out.  Elsewhere none of these does anything.
 */

#include <stdint.h>

#include "base/err.h"

struct rv_conf;
struct rv_sup;

/* At the start, the store's lock being ours: finds the folder, says once at debug if there is none,
 * kills what a predecessor of this store left in groups there. */
void rv_group_open(struct rv_sup *sup);
/* The same, but what is there is ours: of our last image. */
void rv_group_adopt(struct rv_sup *sup);
/*
 * When a task of ${conf} wants limits (memory_max and the like): sees to it that a worker can give
 * them to its runs.  For that we and the keeper go into a group of our own, and each worker from
 * then on into one within its group.  RV_E_CONF with file, line and reason: they cannot be had.
 */
int rv_group_limits(struct rv_sup *sup, const struct rv_conf *conf,
		    struct rv_why *why) RV_MUST_CHECK;
/* At the end: no group of ours stays. */
void rv_group_close(struct rv_sup *sup);

/* The folder of a new group for a worker, valid until the next call; NULL: it goes without. */
const char *rv_group_make(struct rv_sup *sup, uint64_t incarnation);
/* Kills what is left in the groups of those whose sweep is not over. */
void rv_group_kill_dead(struct rv_sup *sup);
/* Nothing of it is left. */
void rv_group_remove(struct rv_sup *sup, uint64_t incarnation);

#endif
