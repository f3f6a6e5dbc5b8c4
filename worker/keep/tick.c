/*
 * The keeper's second: that it lives (TICK), what nobody rang for (the safety poll), the log's
 * size, and who holds the write lock.  Keeper only.  It must tick while a request of its own waits.
 */
#include "keep/keeper.h"

#include "base/check.h"
#include "base/fault.h"
#include "base/seam.h"
#include "obs/log.h"
#include "store/read.h"

#define BLOCKED_US RV_S_US /* a leader that acquires for so long is blocked */
#define SWEEP_US                                                                                   \
	(10 *                                                                                      \
	 RV_S_US) /* overdue ttl, keys, waiters, the dead among followers: nothing else looks */
#define GAP_TICKS 2

static void send_tick(struct rv_keeper *keeper, int64_t now)
{
	int64_t age = 0;

	if (keeper->oldest_us != 0)
		age = rv_wall_us() - keeper->oldest_us;
	keeper->ticked_us = now;
	if (rv_child_send(&keeper->child, RV_SUP_TICK, (uint64_t)keeper->ready,
			  age > 0 ? (uint64_t)age : 0, (uint64_t)keeper->blocker) != RV_OK)
		rv_log(RV_LOG_DEBUG, RV_EV_keeper_failed, "a TICK was not taken");
}

static void set_blocker(struct rv_keeper *keeper, int64_t pid)
{
	if (pid == keeper->blocker)
		return;
	if (pid != 0)
		rv_log_with(RV_LOG_WARN, RV_EV_writer_blocked, RV_FIELDS(RV_INT("pid", pid)),
			    "degraded: writer blocked by pid %lld", (long long)pid);
	else
		rv_log(RV_LOG_INFO, RV_EV_writer_free, "the write lock is free again");
	keeper->blocker = pid;
}

/* Is some leader waiting for SQLite's write lock, and since when? */
static void look_at_writer(struct rv_keeper *keeper, int64_t now)
{
	const struct rv_area_head *head = keeper->child.area.head;
	uint64_t round = atomic_load_explicit(&head->round, memory_order_relaxed);
	int64_t pid = 0;

	if (atomic_load_explicit(&head->phase, memory_order_relaxed) != RV_PHASE_ACQUIRE ||
	    round != keeper->round)
		keeper->acquiring_us = 0;
	else if (keeper->acquiring_us == 0)
		keeper->acquiring_us = now;
	keeper->round = round;
	if (keeper->acquiring_us == 0 || now - keeper->acquiring_us < BLOCKED_US) {
		if (keeper->acquiring_us == 0)
			set_blocker(keeper, 0);
		return;
	}
	if (rv_store_writer_pid(keeper->child.store, &pid) == RV_OK)
		set_blocker(keeper, pid > 0 ? pid : 0);
}

int64_t rv_keep_note_time(struct rv_keeper *keeper)
{
	int64_t now = rv_mono_us();
	int64_t gap = keeper->seen_us != 0 ? now - keeper->seen_us : 0;

	if (gap > (GAP_TICKS + 1) * RV_KEEP_TICK_US && gap > keeper->missed_us)
		keeper->missed_us = gap;
	keeper->seen_us = now;
	return now;
}

void rv_keep_tick_waiting(struct rv_keeper *keeper)
{
	int64_t now = rv_keep_note_time(keeper);

	if (now - keeper->ticked_us < RV_KEEP_TICK_US / 2)
		return;
	look_at_writer(keeper, now);
	send_tick(keeper, now);
}

void rv_keep_read_totals(struct rv_keeper *keeper)
{
	struct rv_store_totals totals;
	int err = rv_store_totals(keeper->child.store, &totals);

	if (!rv_keep_survives(keeper, err, "cannot read the totals", NULL) || err != RV_OK)
		return;
	keeper->ready = totals.counts[RV_JOB_READY];
	keeper->oldest_us = totals.oldest_ready_us;
	keeper->open_jobs = totals.counts[RV_JOB_READY] + totals.counts[RV_JOB_SCHEDULED] +
			    totals.counts[RV_JOB_BLOCKED] + totals.counts[RV_JOB_RUNNING];
	rv_keep_set_due(keeper, totals.next_due_us);
	rv_keep_look_cron(keeper);
	if (totals.inbox && !rv_loop_timer_active(&keeper->inbox))
		rv_loop_timer_start(keeper->loop, &keeper->inbox, 0, rv_keep_on_inbox, keeper);
	if (totals.sweep && !rv_loop_timer_active(&keeper->sweep))
		rv_loop_timer_start(keeper->loop, &keeper->sweep, 0, rv_keep_sweep, keeper);
}

static int ring_queue(void *ctx, const struct rv_queue_view *view)
{
	struct rv_keeper *keeper = ctx;

	if (!view->paused && view->counts[RV_JOB_READY] > 0)
		rv_child_ring_queue(&keeper->child, view->name);
	return RV_OK;
}

static bool someone_idle(const struct rv_keeper *keeper)
{
	const struct rv_area *area = &keeper->child.area;

	for (unsigned i = 1; i < area->head->nslots && i < RV_AREA_SLOTS_MAX; i++) {
		if (atomic_load_explicit(&area->hints[i].idle, memory_order_relaxed) != 0)
			return true;
	}
	return false;
}

/* Ready jobs while somebody sleeps: a ring was lost, or never sent by a foreign writer. */
static void poll_store(struct rv_keeper *keeper)
{
	int64_t change = keeper->change;
	int err = rv_store_change(keeper->child.store, &change);

	if (!rv_keep_survives(keeper, err, "cannot look at the store", NULL))
		return;
	if (change != keeper->change) {
		keeper->change = change;
		rv_keep_read_totals(keeper);
		if (!keeper->ending)
			rv_keep_kick(keeper);
	}
	if (keeper->ending || keeper->ready == 0 || !someone_idle(keeper))
		return;
	err = rv_store_queues(keeper->child.store, ring_queue, keeper);
	(void)rv_keep_survives(keeper, err, "cannot read the queues", NULL);
}

static void checkpoint(struct rv_keeper *keeper)
{
	int64_t bytes = 0;
	int err = rv_store_checkpoint(keeper->child.store, RV_CHILD_CHECKPOINT, &bytes);

	if (err == RV_E_BUSY)
		rv_log_with(RV_LOG_DEBUG, RV_EV_checkpoint_failed,
			    RV_FIELDS(RV_INT("log_bytes", bytes)), "the checkpoint waits");
	else
		(void)rv_keep_survives(keeper, err, "cannot checkpoint", NULL);
}

static void sweep_overdue(struct rv_keeper *keeper, int64_t now)
{
	static int64_t swept_us;

	if (now - swept_us < SWEEP_US)
		return;
	swept_us = now;
	rv_keep_forget_followers(keeper);
	if (!keeper->ending && keeper->open_jobs > 0)
		rv_keep_promote(keeper);
	if (!keeper->ending)
		rv_keep_resume(keeper);
}

static void on_tick(struct rv_loop_timer *timer)
{
	rv_keep_tick(timer->ctx);
}

void rv_keep_tick(struct rv_keeper *keeper)
{
	int64_t now = rv_keep_note_time(keeper);
	int err;

	rv_loop_timer_start(keeper->loop, &keeper->tick, RV_KEEP_TICK_US, on_tick, keeper);
	(void)rv_child_beat(&keeper->child);
	look_at_writer(keeper, now);
	send_tick(keeper, now);
	if (RV_FAULT(keeper_tick) != RV_OK || keeper->ending)
		return;
	err = rv_store_same_file(keeper->child.store);
	if (!rv_keep_survives(keeper, err, "the store was replaced under us", NULL))
		return;
	if (keeper->missed_us > 0)
		rv_keep_forgive(keeper, keeper->missed_us);
	else
		keeper->forgiving = false;
	poll_store(keeper);
	/* Its timer knows nothing of a wall clock that is set. */
	if (!keeper->ending && keeper->cron_due_us != 0 && rv_wall_us() >= keeper->cron_due_us)
		rv_keep_cron(keeper);
	if (!keeper->ending)
		rv_keep_admit(keeper);
	if (!keeper->ending)
		rv_keep_load(keeper);
	if (!keeper->ending)
		rv_keep_judge(keeper);
	if (!keeper->ending)
		(void)rv_keep_flush(keeper);
	if (!keeper->ending)
		sweep_overdue(keeper, now);
	rv_keep_offers_expire(keeper, now);
	if (!keeper->ending)
		checkpoint(keeper);
	(void)rv_keep_note_time(keeper);
}
