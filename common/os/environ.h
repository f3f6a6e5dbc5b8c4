#ifndef RV_OS_ENVIRON_H
#define RV_OS_ENVIRON_H

/* Private to os/: the marks that processes bear in their environment. */

#include <stdbool.h>
#include <sys/types.h>

/*
 * Whether ${pid}'s environment has ${name}=value with value equal to (${whole}) or beginning with
 * ${value}.  False for a zombie, and for a process that we may not read.  Allocates nothing.
 */
bool rv_environ_has(pid_t pid, const char *name, const char *value, bool whole);

/* Whether ${pid} bears the mark that rv_sweep_mark sets.  True for a zombie as well. */
bool rv_limit_has(pid_t pid, const char *name, const char *prefix);

#endif
