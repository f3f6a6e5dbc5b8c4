#ifndef RV_OS_USE_H
#define RV_OS_USE_H

/*
 * What a process that goes on has used so far.  Workers, of their handlers: of those that have
 * ended wait4(2) says it (os/spawn.h).  Allocates nothing.
 */

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* The clock of the CPU time of ${pid} and all its threads.  RV_E_NOTFOUND: there is none. */
int rv_use_clock(pid_t pid, clockid_t *ret_clock) RV_MUST_CHECK;
/* What it shows, us; -1: the process is gone.  One system call, exact to the nanosecond. */
int64_t rv_use_cpu_us(clockid_t clock);

/* By /proc: some 30 us, so not for each of many short jobs. */
struct rv_use {
	int64_t children_us; /* CPU of the children that it has collected, in steps of 10 ms */
	int64_t peak_bytes;  /* the most that was resident, in all its life */
};
/* RV_E_NOTFOUND: there is no such process any more. */
int rv_use_look(pid_t pid, struct rv_use *ret_use) RV_MUST_CHECK;

#endif
