#ifndef RV_CORE_ADMIT_H
#define RV_CORE_ADMIT_H

/*
 * How a new job is admitted: what its parents' ends mean for it, whether a unique key is still
 * held, and the words for all this.  Pure.  Store backends and the CLI.
 */

#include "base/err.h"
#include "base/spec.h"
#include "core/job.h"

/* What a parent in a state means for a job that waits for it. */
enum rv_admit {
	RV_ADMIT_WAITS, /* it may still end as it must */
	RV_ADMIT_MET,
	RV_ADMIT_NEVER,
};

/*
 * A cancelled parent counts for ANY only.  A dead one keeps those waiting that want its success:
 * a person may retry it.
 */
enum rv_admit rv_admit_after(enum rv_after on, enum rv_job_state parent);

/* Whether ${on}, read from a store, is one. */
bool rv_admit_after_sane(int64_t on);

/* When a unique key accepted at ${now_us} is free by itself; 0: its job says. */
int64_t rv_admit_held_until(int64_t until_us, int64_t now_us);

/* "reject" …; "unknown" for a number that is none. */
const char *rv_admit_on_full_name(int on_full);
bool rv_admit_on_full_sane(int64_t on_full);

const char *rv_admit_on_held_name(enum rv_on_held on_held);
/* "success" …, "reject" …; the number of a word, RV_E_USAGE: none. */
const char *rv_admit_after_name(enum rv_after on);
int rv_admit_after_parse(const char *word, enum rv_after *ret_on) RV_MUST_CHECK;
int rv_admit_on_held_parse(const char *word, enum rv_on_held *ret_on_held) RV_MUST_CHECK;
/* "finished", "started" or a duration above 0. */
int rv_admit_until_parse(const char *word, int64_t *ret_until_us) RV_MUST_CHECK;

#endif
