#ifndef RV_RUN_TMP_H
#define RV_RUN_TMP_H

/*
 * `private_tmp = yes`: a folder of a run's own, in the daemon's TMPDIR (/tmp).  Worker processes.
 * Whoever made one holds a lock on it: one that nobody holds was left by a worker that was killed.
 */

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct rv_worker;

struct rv_tmp {
	char path[512]; /* "": none */
	int fd;         /* with the lock */
};

/* 0700, ours as yet.  RV_E_BUSY with a sentence: there is no room for one now. */
int rv_tmp_make(const struct rv_worker *worker, struct rv_tmp *ret_tmp,
		struct rv_why *why) RV_MUST_CHECK;
/* To whom the run belongs. */
int rv_tmp_give(const struct rv_tmp *tmp, uid_t uid, gid_t gid, struct rv_why *why) RV_MUST_CHECK;
/*
 * At most ${budget_us} of removing it.  True: ${tmp} is none now; what of it could not be removed
 * was logged.  A none is true.
 */
bool rv_tmp_remove(struct rv_tmp *tmp, int64_t budget_us);
/* At a worker's start, if any task wants some: removes those that nobody holds, within a bound. */
void rv_tmp_sweep(const struct rv_worker *worker);

#endif
