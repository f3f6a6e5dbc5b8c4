/*
 * The states of a job, from job_states.def: names and legal moves.  Every process that shows or
 * changes a job.  Pure: no I/O, no clock, no memory of its own.
 */
#include "core/job.h"

#include "base/check.h"
#include "base/err.h"
#include "base/fmt.h"
#include "base/spec.h"

#include <string.h>

struct row {
	const char *name;
	unsigned next; /* bit set of enum rv_job_state */
	bool final;
};

#define A(sym) (1U << RV_JOB_##sym)
static const struct row rows[RV_JOB_STATES] = {
#define STATE(sym, shown, moves, is_final) [RV_JOB_##sym] = {shown, moves, is_final},
#include "core/job_states.def"
#undef STATE
};
#undef A

static const struct row *row_of(enum rv_job_state state)
{
	PRE((unsigned)state < RV_JOB_STATES);
	return &rows[state];
}

const char *rv_job_state_name(enum rv_job_state state)
{
	return row_of(state)->name;
}

int rv_job_state_parse(const char *name, enum rv_job_state *ret_state)
{
	PRE(name);
	for (unsigned i = 0; i < RV_JOB_STATES; i++) {
		if (strcmp(rows[i].name, name) == 0) {
			*ret_state = (enum rv_job_state)i;
			return RV_OK;
		}
	}
	return RV_E_NOTFOUND;
}

bool rv_job_state_final(enum rv_job_state state)
{
	return row_of(state)->final;
}

bool rv_job_move_legal(enum rv_job_state from, enum rv_job_state to)
{
	PRE((unsigned)to < RV_JOB_STATES);
	return (row_of(from)->next >> to) & 1U;
}

const char *rv_job_until_name(char *out, int64_t until_us)
{
	PRE(until_us >= RV_UNTIL_STARTED);
	if (until_us > 0)
		return rv_fmt_duration(out, until_us);
	return until_us == RV_UNTIL_STARTED ? "started" : "finished";
}
