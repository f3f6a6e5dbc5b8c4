#ifndef RV_OS_TREE_H
#define RV_OS_TREE_H

/* Folders with all that is in them.  Workers: what a job has left in its own. */

#include "base/err.h"

#include <stdint.h>

/*
 * Removes ${path} and what is in it, at most ${budget_us} long: RV_E_BUSY: not all yet, call again.
 * No link is followed, nothing outside is touched, whatever others do there meanwhile, and however
 * deep it is.  Absent: RV_OK.  Other errors: something of it cannot be removed.
 */
int rv_tree_remove(const char *path, int64_t budget_us) RV_MUST_CHECK;

#endif
