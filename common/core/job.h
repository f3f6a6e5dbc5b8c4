#ifndef RV_CORE_JOB_H
#define RV_CORE_JOB_H

/* The states of a job as they are shown, and the legal moves between them (job_states.def). */

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

enum rv_job_state {
#define STATE(sym, name, next, final) RV_JOB_##sym,
#include "core/job_states.def"
#undef STATE
	RV_JOB_STATES
};

const char *rv_job_state_name(enum rv_job_state state);
/* RV_E_NOTFOUND for a name that is none. */
int rv_job_state_parse(const char *name, enum rv_job_state *ret_state) RV_MUST_CHECK;
bool rv_job_state_final(enum rv_job_state state);
bool rv_job_move_legal(enum rv_job_state from, enum rv_job_state to);

/* How long a unique key is held (RV_UNTIL_*), in words; ${out}: RV_FMT_SPACE, not always used. */
const char *rv_job_until_name(char *out, int64_t until_us);

#endif
