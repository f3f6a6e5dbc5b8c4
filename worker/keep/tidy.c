/*
 * Tidying: what a change of the configuration leaves to do in the store, in batches small enough
 * that no worker waits for one.  Keeper only; begun at its start, for a reload makes a new keeper.
 */
#include "keep/keeper.h"

#include "base/check.h"
#include "base/seam.h"
#include "obs/log.h"

#define BATCH    RV_LIMIT(500, 2) /* jobs: some 3 ms of the write lock */
#define PAUSE_US (10 * RV_MS_US)  /* for everybody else */

static void on_tidy(struct rv_loop_timer *timer)
{
	rv_keep_tidy(timer->ctx);
}

void rv_keep_tidy(struct rv_keeper *keeper)
{
	struct rv_req_tidy *tidy = &keeper->req.u.tidy;
	bool done;

	keeper->req.kind = RV_REQ_TIDY;
	*tidy = (struct rv_req_tidy){.limit = BATCH};
	done = rv_keep_do(keeper, RV_DURABILITY_NORMAL, "tidy");
	if (keeper->ending)
		return;
	if (!done || tidy->more) {
		keeper->untidy = true;
		rv_loop_timer_start(keeper->loop, &keeper->tidy, PAUSE_US, on_tidy, keeper);
	} else if (keeper->untidy) {
		keeper->untidy = false;
		rv_log(RV_LOG_INFO, RV_EV_keeper_tidy,
		       "every waiting job has its place by the new strategy of its queue");
	}
}
