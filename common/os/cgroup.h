#ifndef RV_OS_CGROUP_H
#define RV_OS_CGROUP_H

/*
 * Groups of processes in the cgroup v2 folder that was delegated to us, if any: one write kills all
 * of a group, whatever its processes have done to get away, beside the sweep and never instead of
 * it; and a group can be given limits.  The supervisor makes those of workers, a worker those of
 * its runs.  Names are single words of our own.  Files as in the kernel's
 * Documentation/admin-guide/cgroup-v2.rst.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Of a group, each by a controller of its own; 0: none. */
struct rv_cgroup_limits {
	int64_t memory_bytes; /* swap none: beyond it the kernel ends all of the group */
	int cpu_milli;        /* thousandths of a CPU */
	int pids;
};

/* Controllers, and which of them ${limits} need. */
#define RV_CGROUP_MEMORY 1U
#define RV_CGROUP_CPU    2U
#define RV_CGROUP_PIDS   4U
unsigned rv_cgroup_wants(const struct rv_cgroup_limits *limits);
/* Of one bit the kernel's name. */
const char *rv_cgroup_name(unsigned controller);

/*
 * Whether this machine, or what of it is to be seen here, can limit by ${controllers} at all.
 * RV_E_NOTFOUND with the reason.  ${proc} here and below: a folder as "/proc/self", which NULL is.
 */
int rv_cgroup_offers(const char *proc, unsigned controllers, struct rv_why *why) RV_MUST_CHECK;
/* The same of one, by its name. */
int rv_cgroup_has(const char *name, struct rv_why *why) RV_MUST_CHECK;

/* The folder of our own group, whoever's it is.  RV_E_NOTFOUND with the reason. */
int rv_cgroup_own(const char *proc, char *out, size_t space, struct rv_why *why) RV_MUST_CHECK;
/*
 * The same, when it is ours to write (root: delegated too, as systemd marks it; or, ${asked}:
 * limits are wanted, the topmost that is to be seen here), and its kernel knows cgroup.kill (5.14).
 * From the group RV_CGROUP_DAEMON the one around it.  RV_E_NOTFOUND with the reason, and ${out}
 * empty.
 */
#define RV_CGROUP_DAEMON "reeve.daemon"
#define RV_CGROUP_WORKER "worker" /* of a worker's group: the leaf of itself */
int rv_cgroup_find(const char *proc, bool asked, char *out, size_t space,
		   struct rv_why *why) RV_MUST_CHECK;

/* Makes the group ${name} in ${base}; there already: RV_OK. */
int rv_cgroup_make(const char *base, const char *name) RV_MUST_CHECK;
/* Puts ${pid} (0: ourselves) there. */
int rv_cgroup_enter(const char *base, const char *name, pid_t pid,
		    struct rv_why *why) RV_MUST_CHECK;
/*
 * Groups in ${base} can be limited by ${controllers} from now on.  No process may be in ${base}
 * itself (RV_E_BUSY), but in the machine's topmost group.  RV_E_NOTFOUND: a controller is not to be
 * had there; RV_E_DENIED and others as the kernel says.
 */
int rv_cgroup_enable(const char *base, unsigned controllers, struct rv_why *why) RV_MUST_CHECK;
/* True: processes may be in ${base} beside limited groups. */
bool rv_cgroup_is_top(const char *base);
/* Back to how it was: no limits in ${base}, and we in it, when nobody else is in our leaf. */
void rv_cgroup_leave(const char *base);
/* Limits the group ${name} in ${base}, for which rv_cgroup_enable() was. */
int rv_cgroup_limit(const char *base, const char *name, const struct rv_cgroup_limits *limits,
		    struct rv_why *why) RV_MUST_CHECK;

/* SIGKILL to all in it and in groups made within it; RV_E_NOTFOUND: there is none. */
int rv_cgroup_kill(const char *base, const char *name) RV_MUST_CHECK;
/* With those made within it.  RV_E_BUSY: a process lives in it.  None there: RV_OK. */
int rv_cgroup_remove(const char *base, const char *name) RV_MUST_CHECK;
/*
 * Kills and removes every group whose name begins with ${prefix}, with what was made within it;
 * ${ret_left}: how many are left.  Allocates.
 */
int rv_cgroup_clear(const char *base, const char *prefix, int *ret_left) RV_MUST_CHECK;

#endif
