/*
 * Workers that have had their time: after so many jobs, at an age, or with too much memory.  Runs
 * in the supervisor only, once a second at most.  The count of jobs is the worker's own word, which
 * at worst costs its own replacement; age and memory are ours and the kernel's.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/roll.h"

#include "base/check.h"
#include "base/err.h"
#include "base/seam.h"
#include "obs/log.h"
#include "os/self.h"
#include "supervisor/child.h"
#include "wire/area.h"

#include <stdio.h>

#define LOOK_US RV_SECOND_US

/* Less up to a tenth, by chance: those that began together do not all end together. */
static int64_t less(int64_t limit, uint32_t chance)
{
	int64_t tenth = limit / 10;

	PRE(limit >= 0);
	return limit - (int64_t)((double)tenth * ((double)chance / 4294967295.0));
}

/* The sentence that says why, or NULL. */
static const char *is_enough(const struct rv_sup *sup, const struct rv_pool *pool,
			     const struct rv_child *child, int64_t now_us)
{
	static char text[80];
	struct rv_area_hint hint;
	struct rv_procstat stat;

	if (pool->recycle_age_us > 0 &&
	    now_us - child->ready_us >= less(pool->recycle_age_us, child->chance)) {
		(void)snprintf(text, sizeof text, "it is %lld s old",
			       (long long)((now_us - child->ready_us) / RV_SECOND_US));
		return text;
	}
	if (pool->recycle_jobs > 0 && rv_area_peek(sup->area_fd, child->slot, &hint) == RV_OK &&
	    hint.incarnation == child->incarnation &&
	    (int64_t)hint.jobs_done >= less(pool->recycle_jobs, child->chance)) {
		(void)snprintf(text, sizeof text, "it has done %u jobs", hint.jobs_done);
		return text;
	}
	if (pool->recycle_rss_bytes > 0 && rv_procstat(child->pid, &stat) == RV_OK &&
	    stat.rss_bytes >= pool->recycle_rss_bytes) {
		(void)snprintf(text, sizeof text, "it has %lld bytes of memory",
			       (long long)stat.rss_bytes);
		return text;
	}
	return NULL;
}

int64_t rv_recycle_look(struct rv_sup *sup, int64_t now_us)
{
	bool any = false;

	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		const struct rv_pool *pool = &sup->pools[p];

		any |= pool->is_used && (pool->recycle_age_us > 0 || pool->recycle_jobs > 0 ||
					 pool->recycle_rss_bytes > 0);
	}
	if (!any || sup->mode != RV_MODE_RUN)
		return 0;
	if (now_us < sup->recycle_us)
		return sup->recycle_us;
	sup->recycle_us = now_us + LOOK_US;
	for (size_t i = 1; i < sup->nslots; i++) {
		struct rv_child *child = &sup->children[i];
		const struct rv_pool *pool = rv_child_pool(sup, child);
		const char *why;

		if (!pool || child->life != RV_LIFE_RUNNING || child->is_spent || child->is_leaving)
			continue;
		INV(child->ready_us != 0 && child->proc.pidfd >= 0);
		why = is_enough(sup, pool, child, now_us);
		if (!why)
			continue;
		child->is_spent = true;
		sup->is_dirty = true;
		rv_log(RV_LOG_INFO, RV_EV_child_recycled, "%s is replaced: %s",
		       rv_child_title(child), why);
	}
	return sup->recycle_us;
}
