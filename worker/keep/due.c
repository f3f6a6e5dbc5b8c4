/*
 * What is due: scheduled jobs at their time, cancellations to pass on.  Keeper only.  A worker
 * whose claim finds nothing promotes too, so all of this may be late, never lost.
 */
#include "keep/keeper.h"

#include "base/check.h"
#include "base/seam.h"
#include "obs/log.h"
#include "store/read.h"

#define PROMOTE_MAX RV_LIMIT(100, 2) /* in one transaction */
#define FAR_US      (3600 * RV_S_US) /* the wall clock may be set: look again at least so often */

static void on_due(struct rv_loop_timer *timer)
{
	rv_keep_promote(timer->ctx);
}

void rv_keep_set_due(struct rv_keeper *keeper, int64_t next_due_us)
{
	int64_t wait = next_due_us - rv_wall_us();

	if (next_due_us == 0) {
		rv_loop_timer_stop(&keeper->due);
		return;
	}
	if (wait > FAR_US)
		wait = FAR_US;
	rv_loop_timer_start(keeper->loop, &keeper->due, wait, on_due, keeper);
}

void rv_keep_promote(struct rv_keeper *keeper)
{
	struct rv_req_promote *promote = &keeper->req.u.promote;

	keeper->req.kind = RV_REQ_PROMOTE;
	*promote = (struct rv_req_promote){.limit = PROMOTE_MAX};
	if (!rv_keep_do(keeper, RV_DURABILITY_NORMAL, "promote")) {
		if (!keeper->ending)
			rv_loop_timer_start(keeper->loop, &keeper->due, 100 * RV_MS_US, on_due,
					    keeper);
		return;
	}
	if (promote->promoted > 0)
		rv_log_with(RV_LOG_DEBUG, RV_EV_keeper_promoted,
			    RV_FIELDS(RV_INT("jobs", promote->promoted)),
			    "%u scheduled jobs are ready", promote->promoted);
	/* What is left of a crowd comes in the next turn, after descriptor 3. */
	if (promote->promoted >= PROMOTE_MAX || promote->expired >= PROMOTE_MAX)
		rv_loop_timer_start(keeper->loop, &keeper->due, 0, on_due, keeper);
	else
		rv_keep_set_due(keeper, promote->next_due_us);
}

static bool is_kicked(const struct rv_keeper *keeper, int64_t job, int64_t fence)
{
	for (unsigned i = 0; i < RV_KEEP_KICKS; i++) {
		if (keeper->kicked[i].job == job && keeper->kicked[i].fence == fence)
			return true;
	}
	return false;
}

static int kick_one(void *ctx, int64_t job, int64_t fence, int slot)
{
	struct rv_keeper *keeper = ctx;
	unsigned place = keeper->nkicked % RV_KEEP_KICKS;

	if (slot <= 0 || is_kicked(keeper, job, fence))
		return RV_OK;
	if (rv_child_send(&keeper->child, RV_SUP_KICK, (uint64_t)slot, (uint64_t)job,
			  (uint64_t)fence) != RV_OK)
		return RV_E_BUSY;
	keeper->kicked[place].job = job;
	keeper->kicked[place].fence = fence;
	keeper->nkicked++;
	return RV_OK;
}

void rv_keep_kick(struct rv_keeper *keeper)
{
	int err = rv_store_cancels(keeper->child.store, kick_one, keeper);

	(void)rv_keep_survives(keeper, err, "cannot read what is to be cancelled", NULL);
}
