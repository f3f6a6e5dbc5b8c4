#ifndef RV_OS_MODULE_H
#define RV_OS_MODULE_H

/* What a shared object is, asked of a process that loads it and is thrown away (reeve-runner). */

#include "base/err.h"

/*
 * For who checks a configuration: reeved -t, reeve config check.  As root it is loaded as ${user}
 * and ${group} (NULL: as root), for its constructors run.  Waits for it, at most 10 s.  RV_OK;
 * RV_E_REFUSED: it is no module that can be run, with the runner's sentence; other errors: it could
 * not be looked at.
 */
int rv_module_check(const char *path, const char *user, const char *group,
		    struct rv_why *why) RV_MUST_CHECK;

#endif
