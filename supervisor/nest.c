/*
 * Who waits, and how many workers that makes.  Runs in the supervisor only.  What a waiter says is
 * checked against the area's hint of what its worker runs: at worst a pool has a worker more than
 * it needs.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/nest.h"

#include "base/check.h"
#include "base/err.h"
#include "obs/log.h"
#include "supervisor/child.h"
#include "wire/area.h"

#include <limits.h>

/* A hint, as everything that a child may write. */
static bool runs(const struct rv_sup *sup, const struct rv_child *child, int64_t job)
{
	struct rv_area_hint hint;

	PRE(job > 0);
	return rv_life_has_process(child->life) &&
	       rv_area_peek(sup->area_fd, child->slot, &hint) == RV_OK &&
	       hint.incarnation == child->incarnation && hint.job == job;
}

static bool has_room(const struct rv_sup *sup)
{
	for (size_t i = 1; i < sup->nslots; i++) {
		if (sup->children[i].pool == RV_POOL_NONE)
			return true;
	}
	return false;
}

int rv_nest_waits(struct rv_sup *sup, int64_t slot, uint64_t incarnation, int64_t job, bool on,
		  struct rv_why *why)
{
	struct rv_child *child;

	if (slot < 1 || (size_t)slot >= sup->nslots)
		return rv_fail(why, RV_E_NOTFOUND, "there is no worker in slot %lld",
			       (long long)slot);
	child = &sup->children[slot];
	if (child->incarnation != incarnation || job <= 0 || !runs(sup, child, job))
		return rv_fail(why, RV_E_NOTFOUND, "job %lld does not run there", (long long)job);
	if (child->waits_job != job)
		child->waits = 0;
	INV(child->waits >= 0);
	child->waits_job = job;
	if (on && child->waits < INT_MAX)
		child->waits++;
	else if (!on && child->waits > 0)
		child->waits--;
	rv_log_with(RV_LOG_DEBUG, RV_EV_pool_nested,
		    RV_FIELDS(RV_INT("job", job), RV_INT("waits", child->waits)), "%s: job %lld %s",
		    rv_child_title(child), (long long)job,
		    on ? "waits for others" : "waits no more");
	if (on && !has_room(sup))
		rv_log(RV_LOG_WARN, RV_EV_pool_nested,
		       "job %lld waits for others, and every place of this daemon is taken: it has "
		       "%zu, twice the workers that it was started with and some; what waits goes "
		       "on when one is free",
		       (long long)job, sup->nslots - 1);
	sup->is_dirty = true;
	return RV_OK;
}

struct rv_plan_pool rv_nest_plan(struct rv_sup *sup, int pool)
{
	int target = 0;

	PRE(pool >= 0 && pool < RV_PLAN_SLOTS_MAX);
	for (size_t i = 1; i < sup->nslots; i++) {
		struct rv_child *child = &sup->children[i];

		if (child->pool != pool || child->waits == 0)
			continue;
		if (!runs(sup, child, child->waits_job))
			child->waits = 0;
		target += child->waits > 0;
	}
	POST(target >= 0 && (size_t)target < sup->nslots);
	/* In a roll each may go at once: a successor is there as soon as it has. */
	return (struct rv_plan_pool){
		.wanted = target,
		.max_unavailable = target,
		.keeps_old = sup->pools[pool].roll.state == RV_ROLL_GIVEN_UP,
	};
}

bool rv_nest_any(const struct rv_sup *sup)
{
	for (size_t i = 1; i < sup->nslots; i++) {
		if (sup->children[i].waits > 0)
			return true;
	}
	return false;
}
