#ifndef RV_RUN_LEAF_H
#define RV_RUN_LEAF_H

/*
 * `memory_max`, `cpu_max`, `pids_max`: a cgroup of a run's own, or of a pipe handler's, with these
 * limits.  Worker processes.  It lies beside that of the worker, in the group that the supervisor
 * made for both (supervisor/group.h), and what a killed worker leaves goes with that.
 */

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct rv_conf_task;
struct rv_spawn;

struct rv_leaf {
	char path[PATH_MAX + 32]; /* "": none */
	bool has_memory;          /* limited by it: the kernel counts there */
};

/*
 * None when ${task} wants no limits.  RV_E_BUSY with a sentence: they cannot be had now, and the
 * run must not be without.
 */
int rv_leaf_make(const struct rv_conf_task *task, struct rv_leaf *ret_leaf,
		 struct rv_why *why) RV_MUST_CHECK;
/* The process of ${how} is to begin there, or not at all. */
void rv_leaf_spawn(const struct rv_leaf *leaf, struct rv_spawn *how);
/* True: the kernel knows, and ${*ret_oom} is whether something there was killed for want of memory.
 */
bool rv_leaf_knows(const struct rv_leaf *leaf, bool *ret_oom);
/* All that is there, by one write. */
void rv_leaf_kill(const struct rv_leaf *leaf);
/* False: something lives there, or in a group made within it, as the kernel says. */
bool rv_leaf_is_empty(const struct rv_leaf *leaf);
/* Once the sweep is over: ${leaf} is none then.  What does not go goes with the worker's group. */
void rv_leaf_remove(struct rv_leaf *leaf);

#endif
