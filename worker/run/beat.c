/*
 * The beats of a worker that has something to do, and what it looks at each time: whether its job
 * is to be cancelled, whether the store is still the same file, whether it was away for so long
 * that its lease may be another's.  Worker processes; an idle one has no timer at all.
 */
#include "run/worker.h"

#include "base/seam.h"
#include "child/child.h"
#include "conf/types.h"
#include "loop/loop.h"
#include "obs/log.h"
#include "run/handler.h"
#include "store/read.h"

static struct rv_loop_timer beat; /* while we are not idle */

/*
 * We beat late by more than a lease: stopped, swapped out, starved.  The job goes before somebody
 * else may start it; its ack will tell whether that has happened already.
 */
static void look_at_gap(struct rv_worker *worker)
{
	int64_t gap = worker->child->gap_us;

	worker->child->gap_us = 0;
	if (gap <= worker->pool->lease_us || !rv_run_on(worker))
		return;
#ifdef RV_MUTANT_GAP_IGNORED
	return;
#endif
	rv_log_with(
		RV_LOG_WARN, RV_EV_worker_fenced,
		RV_FIELDS(RV_INT("job", worker->turn.claim.job), RV_INT("gap_ms", gap / RV_MS_US)),
		"no beat for longer than the lease: job %lld is stopped",
		(long long)worker->turn.claim.job);
	rv_turn_stop(worker, &worker->turn, RV_STOP_FENCED, true);
}

static void look_at_cancel(struct rv_worker *worker)
{
	const struct rv_claimed *claim = &worker->turn.claim;
	bool wanted = false;
	int err;

	if (worker->turn.phase != RV_TURN_RUNNING)
		return;
	err = rv_store_cancel_wanted(worker->store, claim->job, claim->fence, &wanted);
	if (err != RV_OK && err != RV_E_BUSY && err != RV_E_STALE && err != RV_E_NOTFOUND)
		rv_log(RV_LOG_WARN, RV_EV_store_error,
		       "cannot see whether job %lld is cancelled: %s", (long long)claim->job,
		       rv_err_text(err));
	if (err == RV_OK && wanted)
		rv_turn_stop(worker, &worker->turn, RV_STOP_CANCEL, false);
}

static void on_beat(struct rv_loop_timer *timer)
{
	struct rv_worker *worker = timer->ctx;
	int err;

	(void)rv_child_beat(worker->child);
	rv_loop_timer_start(worker->loop, &beat, worker->pool->heartbeat_us, on_beat, worker);
	look_at_gap(worker);
	look_at_cancel(worker);
	err = rv_store_same_file(worker->store);
	if (err == RV_E_REPLACED)
		rv_worker_fail(worker, err, "the store was replaced under us", NULL);
}

void rv_beat_begin(struct rv_worker *worker)
{
	worker->child->gap_us = 0;
}

/* The job must not wait for us to read what it prints. */
void rv_beat_waiting(void *ctx)
{
	struct rv_worker *worker = ctx;

	look_at_gap(worker);
	if (rv_run_on(worker))
		worker->turn.handler->ready(&worker->turn);
}

void rv_beat_start(struct rv_worker *worker)
{
	if (!rv_loop_timer_active(&beat))
		rv_loop_timer_start(worker->loop, &beat, worker->pool->heartbeat_us, on_beat,
				    worker);
}

void rv_beat_stop(void)
{
	rv_loop_timer_stop(&beat);
}
