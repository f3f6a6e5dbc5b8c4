/*
 * The pools of the table.  Runs in the supervisor only; must never start or end a child by itself
 * (plan.c does), nor let one configuration's pool be taken for another's: a place in the table is
 * free only when its last worker is gone.
 *
 * Wider than the budget of headers: table.h brings what the child table is made of.
 */
#include "supervisor/pools.h"

#include "base/attr.h"
#include "base/check.h"
#include "base/err.h"
#include "base/near.h"
#include "base/seam.h"
#include "conf/conf.h"
#include "obs/log.h"
#include "supervisor/child.h"
#include "supervisor/roll.h"
#include "wire/area.h"
#include "wire/sup.h"

#include <stdio.h>
#include <string.h>

int rv_pools_find(const struct rv_sup *sup, const char *name)
{
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		if (sup->pools[p].is_used && strcmp(sup->pools[p].name, name) == 0)
			return p;
	}
	return RV_POOL_NONE;
}

int rv_pools_unknown(const struct rv_sup *sup, const char *name, struct rv_why *why)
{
	const char *names[RV_PLAN_SLOTS_MAX];
	const char *near;
	size_t n = 0;

	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		if (sup->pools[p].is_used && !sup->pools[p].is_gone)
			names[n++] = sup->pools[p].name;
	}
	near = rv_near(name, names, n);
	return rv_fail(why, RV_E_NOTFOUND, "there is no pool %.60s%s%s%s", name,
		       near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int free_place(const struct rv_sup *sup)
{
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		if (!sup->pools[p].is_used)
			return p;
	}
	IMPOSSIBLE("more pools than slots");
}

static bool is_auto(const struct rv_pool *pool)
{
	return pool->min < pool->max;
}

static void want(struct rv_pool *pool, int workers)
{
	PRE(workers >= 0);
	if (pool->wanted != workers)
		rv_log(RV_LOG_INFO, RV_EV_pool_scaled, "pool %s: %d workers, %d before", pool->name,
		       workers, pool->wanted);
	pool->wanted = workers;
}

static void take(struct rv_pool *pool, const struct rv_conf_pool *from, unsigned generation)
{
	int min = from->workers.min;
	int max = from->workers.max;

	PRE(max > 0 && min <= max && from->restart_burst.count <= RV_RESTART_BURST_MAX);
	if (!pool->is_used) {
		*pool = (struct rv_pool){.is_used = true,
					 .generation = generation,
					 .min = min,
					 .max = max,
					 .wanted = min};
		(void)strncpy(pool->name, from->name, sizeof pool->name - 1);
	}
	/* Who scaled it wants that number, not that of a file which has not changed. */
	if (pool->is_gone || pool->min != min || pool->max != max)
		want(pool, pool->is_gone || pool->wanted < min ? min
			   : pool->wanted > max                ? max
							       : pool->wanted);
	pool->is_gone = false;
	pool->min = min;
	pool->max = max;
	pool->scale_up_wait_us = from->scale_up_wait_us;
	pool->scale_idle_us = from->scale_idle_us;
	pool->hang_us = from->hang_timeout_us;
	pool->boot_us = from->boot_timeout_us;
	pool->policy = (struct rv_restart_policy){
		.delay_us = from->restart_delay_us,
		.delay_max_us = from->restart_delay_max_us,
		.stable_us = from->stable_after_us,
		.burst = from->restart_burst.count,
		.burst_us = from->restart_burst.per_us,
	};
	pool->surge = from->surge;
	pool->max_unavailable = from->max_unavailable;
	pool->is_restarted = from->on_exit == RV_CONF_ON_EXIT_RESTART;
	pool->is_vital = from->on_exit == RV_CONF_ON_EXIT_STOP;
	pool->recycle_jobs = from->recycle_jobs;
	pool->recycle_age_us = from->recycle_age_us;
	pool->recycle_rss_bytes = from->recycle_rss_bytes;
	(void)snprintf(pool->after, sizeof pool->after, "%s",
		       from->after ? rv_conf_after(from->after) : "");
	pool->ntokens = 0;
	for (size_t i = 0; i < from->queues.count && i < RV_QUEUES_MAX; i++)
		pool->tokens[pool->ntokens++] = rv_ring_token(from->queues.items[i]);
}

void rv_pools_take(struct rv_sup *sup, const struct rv_conf *conf)
{
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		if (sup->pools[p].is_used && !rv_conf_pool_find(conf, sup->pools[p].name))
			sup->pools[p].is_gone = true;
	}
	for (size_t i = 0; i < conf->npools; i++) {
		int p = rv_pools_find(sup, conf->pools[i].name);

		if (p == RV_POOL_NONE)
			p = free_place(sup);
		take(&sup->pools[p], &conf->pools[i], sup->generation);
	}
}

int rv_pools_target(const struct rv_pool *pool)
{
	if (!pool->is_used || pool->is_gone || pool->hold == RV_HOLD_DRAINED)
		return 0;
	return pool->wanted;
}

const struct rv_pool *rv_pools_first(const struct rv_sup *sup, const struct rv_pool *pool)
{
	int p = pool->after[0] != '\0' ? rv_pools_find(sup, pool->after) : RV_POOL_NONE;

	if (p == RV_POOL_NONE || sup->pools[p].is_gone || sup->pools[p].has_been_up)
		return NULL;
	return &sup->pools[p];
}

struct rv_plan_pool rv_pools_plan(const struct rv_sup *sup, int p)
{
	const struct rv_pool *pool;

	PRE(p >= 0 && p < RV_PLAN_SLOTS_MAX);
	pool = &sup->pools[p];
	if (!pool->is_used)
		return (struct rv_plan_pool){0};
	return (struct rv_plan_pool){
		.wanted = rv_pools_target(pool),
		.surge = pool->surge,
		.max_unavailable = pool->max_unavailable,
		.waits = rv_pools_first(sup, pool) != NULL,
		.keeps_old = pool->roll.state == RV_ROLL_GIVEN_UP,
	};
}

static int count_running(const struct rv_sup *sup, int p)
{
	int running = 0;

	for (size_t i = 1; i < sup->nslots; i++) {
		const struct rv_child *child = &sup->children[i];

		running += child->pool == p && !child->is_nested && !child->is_leaving &&
			   child->life == RV_LIFE_RUNNING;
	}
	return running;
}

static bool is_idle(const struct rv_sup *sup, const struct rv_child *child)
{
	struct rv_area_hint hint;

	return child->life == RV_LIFE_RUNNING &&
	       rv_area_peek(sup->area_fd, child->slot, &hint) == RV_OK &&
	       hint.incarnation == child->incarnation && hint.idle != 0;
}

bool rv_pools_is_idle(const struct rv_sup *sup, const struct rv_child *child)
{
	return child->pool != RV_POOL_NONE &&
	       count_running(sup, child->pool) > rv_pools_target(&sup->pools[child->pool]) &&
	       is_idle(sup, child);
}

bool rv_pools_is_unhurried(const struct rv_sup *sup, const struct rv_child *child)
{
	const struct rv_pool *pool = &sup->pools[child->pool];

	PRE(child->pool != RV_POOL_NONE);
	return is_auto(pool) && !pool->is_gone && pool->hold == RV_HOLD_NONE &&
	       !rv_roll_is_old(sup, child);
}

void rv_pools_hurry(struct rv_sup *sup, int pool)
{
	for (size_t i = 1; i < sup->nslots; i++) {
		struct rv_child *child = &sup->children[i];

		if (!child->is_unhurried || (pool != RV_POOL_NONE && child->pool != pool))
			continue;
		child->is_unhurried = false;
		if (child->life == RV_LIFE_STOPPING)
			child->deadline_us = rv_mono_us() + sup->conf->reeve.stop_timeout_us;
	}
}

void rv_pools_look(struct rv_sup *sup)
{
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		struct rv_pool *pool = &sup->pools[p];

		if (!pool->is_used || pool->has_been_up || !sup->may_work ||
		    rv_pools_first(sup, pool) || count_running(sup, p) < rv_pools_target(pool))
			continue;
		pool->has_been_up = true;
		sup->is_dirty = true;
	}
}

/* ${ret_idle}: of those that run, by their own word. */
static void count_idle(const struct rv_sup *sup, int p, int *ret_idle)
{
	*ret_idle = 0;
	for (size_t i = 1; i < sup->nslots; i++) {
		const struct rv_child *child = &sup->children[i];

		*ret_idle += child->pool == p && !child->is_nested && !child->is_leaving &&
			     is_idle(sup, child);
	}
}

/* Every decision is logged with what it was made of. */
static void follow(struct rv_sup *sup, int p, uint64_t ready, uint64_t oldest_us)
{
	struct rv_pool *pool = &sup->pools[p];
	struct rv_scale_in in = {
		.min = pool->min,
		.max = pool->max,
		.target = pool->wanted,
		.up = count_running(sup, p),
		.ready = ready,
		.oldest_us = oldest_us < INT64_MAX ? (int64_t)oldest_us : INT64_MAX,
		.up_wait_us = pool->scale_up_wait_us,
		.idle_us = pool->scale_idle_us,
		.now_us = rv_mono_us(),
	};
	const char *why;
	int target;

	count_idle(sup, p, &in.idle);
	target = rv_scale_decide(&pool->scale, &in, &why);
	if (target == pool->wanted)
		return;
	rv_log_with(RV_LOG_INFO, RV_EV_pool_scaled,
		    RV_FIELDS(RV_INT("from", pool->wanted), RV_INT("to", target),
			      RV_INT("up", in.up), RV_INT("idle", in.idle),
			      RV_INT("ready", (int64_t)ready),
			      RV_INT("oldest_ms", in.oldest_us / 1000)),
		    "pool %s: %d workers, %d before: %s", pool->name, target, pool->wanted, why);
	pool->wanted = target;
	sup->is_dirty = true;
}

static bool follows_work(const struct rv_sup *sup, const struct rv_pool *pool)
{
	return sup->mode == RV_MODE_RUN && sup->may_work && pool->is_used && !pool->is_gone &&
	       is_auto(pool) && pool->hold == RV_HOLD_NONE && pool->roll.state != RV_ROLL_ON;
}

void rv_pools_load(struct rv_sup *sup, uint64_t token, uint64_t ready, uint64_t oldest_us)
{
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		/* A pool that this keeper knows and we do not, or not as such: nobody's. */
		if (follows_work(sup, &sup->pools[p]) && rv_ring_token(sup->pools[p].name) == token)
			follow(sup, p, ready, oldest_us);
	}
}

void rv_pools_rung(struct rv_sup *sup, int p)
{
	if (sup->pools[p].wanted == 0 && follows_work(sup, &sup->pools[p]))
		follow(sup, p, 1, 0);
}

static int may_change(const struct rv_sup *sup, struct rv_why *why)
{
	if (sup->mode == RV_MODE_DRAIN || sup->mode == RV_MODE_NOW)
		return rv_fail(why, RV_E_CONFLICT, "reeved is ending");
	return RV_OK;
}

int rv_pools_scale(struct rv_sup *sup, int pool, int workers, struct rv_why *why)
{
	size_t others = 0;
	int err = may_change(sup, why);

	PRE(pool >= 0 && pool < RV_PLAN_SLOTS_MAX && sup->pools[pool].is_used && workers >= 0);
	if (err != RV_OK)
		return err;
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		if (p != pool && sup->pools[p].is_used && !sup->pools[p].is_gone)
			others += (size_t)(is_auto(&sup->pools[p]) ? sup->pools[p].max
								   : sup->pools[p].wanted);
	}
	if (is_auto(&sup->pools[pool]) &&
	    (workers < sup->pools[pool].min || workers > sup->pools[pool].max))
		return rv_fail(why, RV_E_REFUSED, "pool %s has workers = %d..%d",
			       sup->pools[pool].name, sup->pools[pool].min, sup->pools[pool].max);
	if (others + (size_t)workers > sup->nslots - 1)
		return rv_fail(why, RV_E_REFUSED,
			       "this daemon has room for %zu workers, and the other pools have "
			       "%zu; restart reeved to have more",
			       sup->nslots - 1, others);
	want(&sup->pools[pool], workers);
	sup->is_dirty = true;
	return RV_OK;
}

const char *rv_pools_hold_name(enum rv_hold hold)
{
	static const char *const names[RV_HOLDS] = {
		[RV_HOLD_QUIET] = "quiet", [RV_HOLD_DRAINED] = "drained"};

	PRE(hold < RV_HOLDS);
	return names[hold];
}

/* To those that are there; who is started from now on is told at its start. */
static void tell_all(struct rv_sup *sup, int pool, unsigned kind)
{
	for (size_t i = 1; i < sup->nslots; i++) {
		struct rv_child *child = &sup->children[i];

		if (child->pool == pool && rv_life_has_process(child->life))
			(void)rv_child_tell(child, kind, 0, 0);
	}
}

/* The one function that changes what is asked of a pool. */
static void change(struct rv_sup *sup, int p, enum rv_hold hold)
{
	struct rv_pool *pool = &sup->pools[p];
	enum rv_hold was = pool->hold;

	INV(pool->is_used);
	if (was == hold)
		return;
	pool->hold = hold;
	sup->is_dirty = true;
	if (hold == RV_HOLD_DRAINED)
		rv_pools_hurry(sup, p);
	if (hold == RV_HOLD_QUIET)
		tell_all(sup, p, RV_SUP_QUIET);
	else if (was == RV_HOLD_QUIET && hold == RV_HOLD_NONE)
		tell_all(sup, p, RV_SUP_RESUME);
	if (hold == RV_HOLD_NONE)
		rv_log(RV_LOG_INFO, RV_EV_pool_resumed, "pool %s goes on", pool->name);
	else
		rv_log(RV_LOG_INFO, RV_EV_pool_held, "pool %s is %s: %s", pool->name,
		       rv_pools_hold_name(hold),
		       hold == RV_HOLD_QUIET ? "it begins no more jobs"
					     : "its workers finish what they run, and end");
}

int rv_pools_hold(struct rv_sup *sup, int pool, enum rv_hold hold, struct rv_why *why)
{
	int err = may_change(sup, why);

	PRE(hold < RV_HOLDS && (pool == RV_POOL_NONE || sup->pools[pool].is_used));
	if (err != RV_OK)
		return err;
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		if (sup->pools[p].is_used && !sup->pools[p].is_gone &&
		    (pool == RV_POOL_NONE || p == pool))
			change(sup, p, hold);
	}
	return RV_OK;
}

int rv_pools_restart(struct rv_sup *sup, int pool, struct rv_why *why)
{
	int err = may_change(sup, why);

	PRE(pool == RV_POOL_NONE || sup->pools[pool].is_used);
	if (err != RV_OK)
		return err;
	sup->last_generation++;
	for (int p = 0; p < RV_PLAN_SLOTS_MAX; p++) {
		if (sup->pools[p].is_used && !sup->pools[p].is_gone &&
		    (pool == RV_POOL_NONE || p == pool))
			rv_roll_begin(sup, &sup->pools[p], sup->last_generation,
				      "somebody asked for it");
	}
	return RV_OK;
}
