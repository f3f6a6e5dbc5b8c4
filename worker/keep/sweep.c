/*
 * Batches that have failed: their waiting jobs are cancelled, at a pace that leaves the lock to
 * others.  Keeper only; the request that made one fail rings it, and what was left by the last
 * keeper is found by the first look at the totals.
 */
#include "keep/keeper.h"

#include "base/check.h"
#include "base/seam.h"
#include "core/pace.h"

#define SWEEP_MAX 128 /* jobs of a transaction at most; as a rule its pace says fewer */

void rv_keep_sweep(struct rv_loop_timer *timer)
{
	struct rv_keeper *keeper = timer->ctx;
	struct rv_req_promote *promote = &keeper->req.u.promote;
	uint32_t count = keeper->sweeps > 0 ? keeper->sweeps : RV_PACE_FIRST;
	int64_t pause_us = 100 * RV_MS_US;

	if (keeper->ending)
		return;
	keeper->req.kind = RV_REQ_PROMOTE;
	*promote = (struct rv_req_promote){.sweep = count};
	if (rv_keep_do(keeper, RV_DURABILITY_NORMAL, "sweep")) {
		/* A worker may have done it with others' requests: what they took is not ours. */
		keeper->sweeps = rv_pace_next(count, promote->sweep_us, SWEEP_MAX);
		pause_us = promote->swept == count ? rv_pace_pause_us(promote->sweep_us) : 0;
	}
	if (keeper->ending)
		return;
	if (pause_us > 0)
		rv_loop_timer_start(keeper->loop, &keeper->sweep, pause_us, rv_keep_sweep, keeper);
	else
		keeper->woken =
			true; /* what is at a worker may have been cancelled too: the oldest */
}
