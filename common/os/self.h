#ifndef RV_OS_SELF_H
#define RV_OS_SELF_H

/* Where our own program lies and its siblings with it; what /proc says of a process. */

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The path of a sibling program ("reeve-worker", "reeved"), relative to the folder D of
 * /proc/self/exe: D, D/../libexec, D/../libexec/reeve, D/../bin, D/../../bin (so both a build tree
 * and an installed prefix work), then the install prefix it was built for.  RV_E_MISSING with the
 * places looked at.
 */
int rv_self_sibling(const char *name, char *out, size_t space, struct rv_why *why) RV_MUST_CHECK;

/* What the kernel says of a process, by /proc/PID/stat.  For looking, never for signalling by pid.
 */
struct rv_procstat {
	pid_t pid;
	pid_t ppid;
	pid_t pgrp;
	pid_t session;
	char state;           /* R S D T t Z … : proc(5) */
	uint64_t start_ticks; /* since boot: with pid it names one process for ever */
	int64_t rss_bytes;
};

/* ${pid} 0: ourselves.  RV_E_NOTFOUND when there is none (any more).  Allocates nothing. */
int rv_procstat(pid_t pid, struct rv_procstat *ret_stat) RV_MUST_CHECK;

#endif
