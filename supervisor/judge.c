/*
 * Who is too late.  Runs in the supervisor only, after the callbacks of a turn, so that whatever
 * had arrived was heard before anyone is judged.
 */
#include "supervisor/judge.h"

#include "base/check.h"
#include "base/err.h"
#include "base/seam.h"
#include "obs/log.h"
#include "os/self.h"
#include "supervisor/child.h"

#define TICK_LATE_US   (3 * RV_SECOND_US) /* a keeper without a TICK for so long hangs */
#define CLOSED_US      RV_SECOND_US       /* between closing descriptor 3 and ending */
#define STUCK_AGAIN_US (3 * RV_SECOND_US) /* reports come each second; a pause ends the row */

bool rv_judge_keeper_ticks(const struct rv_sup *sup, int64_t now_us)
{
	return sup->children[RV_PLAN_KEEPER].life == RV_LIFE_RUNNING &&
	       now_us - sup->pulse.tick_us < TICK_LATE_US;
}

static void judge_keeper(struct rv_sup *sup, struct rv_child *keeper, int64_t now_us)
{
	if (keeper->life == RV_LIFE_RUNNING && now_us - sup->pulse.tick_us >= TICK_LATE_US)
		rv_child_hangs(sup, keeper, "has not ticked for 3 seconds");
}

static void judge_worker(struct rv_sup *sup, struct rv_child *child, int64_t now_us)
{
	struct rv_pool *pool = rv_child_pool(sup, child);

	if (!pool || child->ping == 0 || !rv_life_is_serving(child->life))
		return;
	if (now_us - child->pinged_us >= pool->boot_us && rv_judge_keeper_ticks(sup, now_us))
		rv_child_hangs(sup, child, "was woken and does not answer");
}

static void judge_stable(struct rv_sup *sup, struct rv_child *child, int64_t now_us)
{
	struct rv_pool *pool = rv_child_pool(sup, child);

	if (pool && child->restart.is_degraded && child->life == RV_LIFE_RUNNING &&
	    now_us - child->ready_us >= pool->policy.stable_us)
		rv_restart_stable(&child->restart);
}

void rv_judge(struct rv_sup *sup, int64_t now_us)
{
	for (size_t i = 0; i < sup->nslots; i++) {
		struct rv_child *child = &sup->children[i];

		INV(child->slot == i);
		if (child->deadline_us != 0 && child->deadline_us <= now_us) {
			child->deadline_us = 0;
			(void)rv_child_event(sup, child, RV_LIFE_EV_TIMEOUT,
					     child->life == RV_LIFE_STARTING ? RV_REASON_BOOT
									     : RV_REASON_NONE);
		}
		if (!rv_life_has_process(child->life))
			continue;
		if (child->closed_us != 0 && now_us - child->closed_us >= CLOSED_US)
			(void)rv_child_event(sup, child, RV_LIFE_EV_KILL, RV_REASON_PROTOCOL);
		if (i == RV_PLAN_KEEPER)
			judge_keeper(sup, child, now_us);
		else
			judge_worker(sup, child, now_us);
		judge_stable(sup, child, now_us);
	}
}

static int64_t earlier(int64_t a, int64_t b)
{
	return b != 0 && b < a ? b : a;
}

int64_t rv_judge_next(const struct rv_sup *sup, int64_t now_us)
{
	int64_t next = now_us + 60 * RV_SECOND_US;

	for (size_t i = 0; i < sup->nslots; i++) {
		const struct rv_child *child = &sup->children[i];

		next = earlier(next, child->deadline_us);
		if (!rv_life_has_process(child->life))
			continue;
		if (child->closed_us != 0 && child->life != RV_LIFE_KILLING)
			next = earlier(next, child->closed_us + CLOSED_US);
		if (i == RV_PLAN_KEEPER && child->life == RV_LIFE_RUNNING)
			next = earlier(next, sup->pulse.tick_us + TICK_LATE_US);
		if (child->ping != 0 && child->pool != RV_POOL_NONE) {
			int64_t due_us = child->pinged_us + sup->pools[child->pool].boot_us;

			/* Past due while no keeper ticks: looked at when one does. */
			next = earlier(next, due_us > now_us ? due_us : now_us + RV_SECOND_US);
		}
		if (child->restart.is_degraded && child->life == RV_LIFE_RUNNING &&
		    child->pool != RV_POOL_NONE)
			next = earlier(next,
				       child->ready_us + sup->pools[child->pool].policy.stable_us);
	}
	return next;
}

void rv_judge_forgive(struct rv_sup *sup, int64_t gap_us)
{
	PRE(gap_us >= 0);
	sup->pulse.tick_us += gap_us;
	for (size_t i = 0; i < sup->nslots; i++) {
		struct rv_child *child = &sup->children[i];

		child->pinged_us += gap_us;
		if (child->closed_us != 0)
			child->closed_us += gap_us;
		if (child->stuck_us != 0)
			child->stuck_us += gap_us;
		if (child->life == RV_LIFE_STARTING && child->deadline_us != 0)
			child->deadline_us += gap_us;
	}
}

void rv_judge_stuck(struct rv_sup *sup, uint64_t slot)
{
	int64_t now_us = rv_mono_us();
	struct rv_procstat stat;
	struct rv_child *child;

	if (slot >= sup->nslots || !rv_judge_keeper_ticks(sup, now_us))
		return;
	child = &sup->children[slot];
	if (!rv_life_is_serving(child->life) && child->life != RV_LIFE_STOPPING)
		return;
	if (child->stuck_us == 0 || now_us - child->stuck_last_us > STUCK_AGAIN_US) {
		rv_log_with(RV_LOG_WARN, RV_EV_leader_stuck, RV_FIELDS(RV_INT("pid", child->pid)),
			    "%s leads the writers and stands still", rv_child_title(child));
		child->stuck_us = now_us;
	}
	child->stuck_last_us = now_us;
	INV(child->proc.pidfd >= 0);
	struct rv_pool *pool = rv_child_pool(sup, child);
	int64_t patience_us = pool ? pool->hang_us : TICK_LATE_US;

	if (rv_procstat(child->pid, &stat) == RV_OK && (stat.state == 'T' || stat.state == 't'))
		patience_us = 0;
	if (now_us - child->stuck_us >= patience_us)
		rv_child_hangs(sup, child, "holds up all writers");
}

void rv_judge_hung(struct rv_sup *sup, uint64_t slot, uint64_t incarnation)
{
	struct rv_child *child;

	if (slot >= sup->nslots || slot == RV_PLAN_KEEPER)
		return;
	child = &sup->children[slot];
	/* Its successor is not meant, nor one that is being ended anyhow. */
	if (child->incarnation != incarnation ||
	    (!rv_life_is_serving(child->life) && child->life != RV_LIFE_STOPPING))
		return;
	rv_child_hangs(sup, child, "does not beat any more");
}
