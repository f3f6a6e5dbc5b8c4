#ifndef RV_REEVE_LAST_H
#define RV_REEVE_LAST_H

/* How the last run of a job ended, in words for people.  CLI. */

#include "store/read.h"

#define RV_LAST_SPACE 640

/*
 * Why ${view}'s job is SCHEDULED after a run: "attempt 1 of 5 failed: exit code 1", or, when it
 * asked for it, "it asked to be tried later (exit code 75); no attempt was used".  ${view}'s texts
 * must be copies: the store is read.
 */
int rv_last_words(struct rv_store *store, const struct rv_job_view *view,
		  char out[RV_LAST_SPACE]) RV_MUST_CHECK;

#endif
