#ifndef RV_OBS_RESUME_H
#define RV_OBS_RESUME_H

/*
 * What a run of a job leaves for the next one: <state_dir>/resume/<job>, named to the job as
 * REEVE_STATE_FILE.  The job writes it; workers bound and hand it on, the keeper removes those of
 * jobs that are over, the CLI looks whether there is one.  Its content is the job's own matter.
 */

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* RV_E_TOOBIG. */
int rv_resume_path(char *out, size_t space, const char *state_dir, int64_t job) RV_MUST_CHECK;
/* The folder is there (0700). */
int rv_resume_ready(const char *state_dir) RV_MUST_CHECK;
/*
 * Its bytes into ${*ret_size}; none, or an empty one (which is removed): 0.  RV_E_TOOBIG: it was
 * larger than ${max}, or no plain file of one name, and is removed; ${*ret_size} is what it had.
 */
int rv_resume_check(const char *state_dir, int64_t job, int64_t max,
		    int64_t *ret_size) RV_MUST_CHECK;
/* Only looks: bytes, 0 none. */
int64_t rv_resume_size(const char *state_dir, int64_t job);
/* Absent: nothing. */
void rv_resume_remove(const char *state_dir, int64_t job);

/*
 * A walk over all there are, for the keeper: the next ${limit} of them, from the first one again
 * after the last.  ${is_over} says of which job no run will come; its file, and those whose names
 * begin with its number and a dot, are removed.
 */
struct rv_resume_walk; /* NULL: at the begin */
void rv_resume_walk(struct rv_resume_walk **walk, const char *state_dir, int limit,
		    int (*is_over)(void *ctx, int64_t job), void *ctx);
void rv_resume_walk_end(struct rv_resume_walk **walk);

#endif
