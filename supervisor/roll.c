/*
 * Whether the replacement of a pool's workers goes on.  Runs in the supervisor only; starts and
 * ends nobody (plan.c does), allocates nothing.
 */
#include "supervisor/roll.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/seam.h"
#include "obs/log.h"
#include "supervisor/child.h"

#define NEWBORN_US RV_SECOND_US /* who ends so soon after READY has not come up */

enum event {
#define ROLLS(sym) EVENT_##sym,
#include "supervisor/roll_states.def"
	EVENTS
};

static const char *const names[] = {
#define ROLL(sym, name) [RV_ROLL_##sym] = name,
#include "supervisor/roll_states.def"
};

static const struct {
	bool is_there;
	enum rv_roll_state next;
} moves[RV_ROLL_STATES][EVENTS] = {
#define ROLLED(from, event, to) [RV_ROLL_##from][EVENT_##event] = {true, RV_ROLL_##to},
#include "supervisor/roll_states.def"
};

const char *rv_roll_name(enum rv_roll_state state)
{
	PRE(state < RV_ROLL_STATES);
	return names[state];
}

/* The one function that changes the state of a roll; false: nothing is changed by that. */
static bool happens(struct rv_sup *sup, struct rv_pool *pool, enum event event)
{
	struct rv_roll *roll = &pool->roll;

	PRE(pool->is_used && event < EVENTS);
	if (!moves[roll->state][event].is_there)
		return false;
	roll->state = moves[roll->state][event].next;
	if (event == EVENT_BEGIN) {
		roll->failures = 0;
		roll->began_us = rv_mono_us();
	}
	sup->is_dirty = true;
	return true;
}

void rv_roll_begin(struct rv_sup *sup, struct rv_pool *pool, unsigned generation, const char *why)
{
	PRE(generation > pool->generation);
	pool->generation = generation;
	/* One that is on already goes on with more to do, and has its failures behind it. */
	pool->roll.failures = 0;
	(void)happens(sup, pool, EVENT_BEGIN);
	sup->is_dirty = true;
	rv_log(RV_LOG_INFO, RV_EV_pool_rolling, "pool %s: its workers are replaced: %s", pool->name,
	       why);
}

void rv_roll_again(struct rv_sup *sup)
{
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		struct rv_pool *pool = &sup->pools[p];

		if (pool->is_used && pool->roll.state == RV_ROLL_GIVEN_UP)
			(void)happens(sup, pool, EVENT_BEGIN);
	}
}

void rv_roll_note(struct rv_sup *sup, const struct rv_child *child, enum rv_reason reason,
		  int64_t lived_us)
{
	struct rv_pool *pool = rv_child_pool(sup, child);

	if (!pool || child->generation != pool->generation || reason == RV_REASON_STOPPED ||
	    reason == RV_REASON_AREA || lived_us >= NEWBORN_US)
		return;
#ifdef RV_MUTANT_ROLL_NEVER_GIVEN_UP
	pool->roll.failures = -1000;
#endif
	if (pool->roll.state != RV_ROLL_ON)
		return;
	/* One that is not started again will not come up another time. */
	if (++pool->roll.failures < RV_ROLL_FAILURES_MAX && reason != RV_REASON_CONFIG &&
	    pool->is_restarted)
		return;
	if (happens(sup, pool, EVENT_FAILED))
		rv_log_with(RV_LOG_ERROR, RV_EV_pool_roll_failed,
			    RV_FIELDS(RV_STR("reason", rv_reason_name(reason)),
				      RV_INT("left", rv_roll_left(sup, child->pool))),
			    "pool %s: new workers do not come up (%s); the %d old ones are kept: "
			    "when it is mended, reeve reload or reeve pool restart %s",
			    pool->name, rv_reason_text(reason), rv_roll_left(sup, child->pool),
			    pool->name);
}

bool rv_roll_is_old(const struct rv_sup *sup, const struct rv_child *child)
{
	PRE(child->slot != RV_PLAN_KEEPER);
	return child->pool != RV_POOL_NONE &&
	       (child->is_spent || child->generation != sup->pools[child->pool].generation);
}

int rv_roll_left(const struct rv_sup *sup, int pool)
{
	int left = 0;

	for (size_t i = 1; i < sup->nslots; i++) {
		const struct rv_child *child = &sup->children[i];

		left += child->pool == pool && rv_life_has_process(child->life) &&
			rv_roll_is_old(sup, child);
	}
	return left;
}

/* Nobody old is there any more, and as many as are wanted are up. */
static bool is_over(const struct rv_sup *sup, int p)
{
	int up = 0;

	if (rv_roll_left(sup, p) > 0)
		return false;
	for (size_t i = 1; i < sup->nslots; i++) {
		const struct rv_child *child = &sup->children[i];

		if (child->pool != p || child->is_nested)
			continue;
		if (child->is_leaving)
			return false;
		up += child->life == RV_LIFE_RUNNING;
	}
	return up >= sup->pools[p].wanted || sup->pools[p].hold == RV_HOLD_DRAINED;
}

void rv_roll_look(struct rv_sup *sup)
{
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		struct rv_pool *pool = &sup->pools[p];

		if (!pool->is_used || pool->roll.state == RV_ROLL_NONE || !is_over(sup, p))
			continue;
		if (happens(sup, pool, EVENT_DONE))
			rv_log_with(RV_LOG_INFO, RV_EV_pool_rolled,
				    RV_FIELDS(RV_INT("took_ms",
						     (rv_mono_us() - pool->roll.began_us) / 1000)),
				    "pool %s: all its workers are replaced", pool->name);
	}
}
