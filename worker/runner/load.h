#ifndef RV_RUNNER_LOAD_H
#define RV_RUNNER_LOAD_H

/* A module's file, looked at and loaded.  The runner only: no other process may do this. */

#include "base/err.h"
#include "runner/reeve_module.h"

/*
 * Loads ${path} for good and copies what it exports; fields that it does not have are zero.
 * RV_E_REFUSED with a sentence that begins with the path: it is never to be run.
 */
int rv_load_module(const char *path, struct reeve_module *ret_module,
		   struct rv_why *why) RV_MUST_CHECK;

#endif
