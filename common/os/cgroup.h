#ifndef RV_OS_CGROUP_H
#define RV_OS_CGROUP_H

/*
 * Groups of processes in the cgroup v2 folder that was delegated to us, if any: one write kills all
 * of a group, whatever its processes have done to get away.  Only the supervisor uses it, beside
 * the sweep and never instead of it.  No controller is touched.  Names are single words of our own.
 * Files as in the kernel's Documentation/admin-guide/cgroup-v2.rst.
 */

#include "base/err.h"

#include <stddef.h>

/*
 * The folder of our own cgroup, when it is v2, ours to write (root: delegated too, as systemd marks
 * it), and its kernel knows cgroup.kill (5.14).  ${proc}: "/proc/self", tests have another.
 * RV_E_NOTFOUND with the reason in ${why}, and ${out} empty.
 */
int rv_cgroup_find(const char *proc, char *out, size_t space, struct rv_why *why) RV_MUST_CHECK;

/* Makes the group ${name} in ${base}; there already: RV_OK. */
int rv_cgroup_make(const char *base, const char *name) RV_MUST_CHECK;
/* SIGKILL to all in it and in groups made within it; RV_E_NOTFOUND: there is none. */
int rv_cgroup_kill(const char *base, const char *name) RV_MUST_CHECK;
/* RV_E_BUSY: a process lives in it, or a group was made within it.  None there: RV_OK. */
int rv_cgroup_remove(const char *base, const char *name) RV_MUST_CHECK;
/*
 * Kills and removes every group whose name begins with ${prefix}, with what was made within it;
 * ${ret_left}: how many are left.  Allocates.
 */
int rv_cgroup_clear(const char *base, const char *prefix, int *ret_left) RV_MUST_CHECK;

#endif
