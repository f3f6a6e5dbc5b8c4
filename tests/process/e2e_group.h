#ifndef RV_PROCESS_E2E_GROUP_H
#define RV_PROCESS_E2E_GROUP_H

/*
 * cgroup v2 for the plain mains among the end-to-end tests: a folder that is delegated to the
 * daemon of the test, and what is in it.
 */

#include "process/e2e.h"

/*
 * Runs ${body} with a new folder in a cgroup v2 of this machine, or of $RV_CGROUP, which has
 * controllers for what is in it; removes it after.  77, and a sentence that begins with ${name}:
 * it cannot be had; ${limits}: with the controllers memory, cpu and pids.
 */
int rv_e2e_delegated(const char *name, bool limits, void (*body)(const char *base));

/* Waits until there are ${count} groups of workers in ${base}. */
void rv_e2e_groups_are(struct rv_e2e *e, const char *base, int count);
int rv_e2e_groups(struct rv_e2e *e, const char *base);
/* The same with the groups of their runs and handlers. */
void rv_e2e_leaves_are(struct rv_e2e *e, const char *base, int count);

/* The folder of the group that ${pid} is in, below ${base}; "" when it is not.  free() it. */
char *rv_e2e_group_of(pid_t pid, const char *base);

#endif
