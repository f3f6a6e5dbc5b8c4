/*
 * Desired against actual.  Runs in the supervisor and in unit tests; pure: it looks at states only,
 * never at time, and doing nothing is always safe.
 *
 * The keeper comes first, at start (workers wait for its first READY) and in a reload (it mirrors
 * new queues and tasks before a worker serves them), and goes last.  A roll replaces the old
 * workers of a pool: with a surge the new ones are up before old ones leave; without, as many may
 * be missing at a time as max_unavailable says.  Newcomers that are not up stop it, as missing ones
 * do.
 */
#include "supervisor/plan.h"

#include "base/check.h"

static void add(struct rv_plan *plan, enum rv_plan_do what, int slot, int pool)
{
	INV(plan->nacts < sizeof plan->acts / sizeof plan->acts[0]);
	plan->acts[plan->nacts++] = (struct rv_plan_act){what, slot, pool};
}

static void start(const struct rv_plan_in *in, struct rv_plan *plan, int *started, int slot,
		  int pool)
{
	if (*started >= in->starts) {
		plan->has_more = true;
		return;
	}
	(*started)++;
	add(plan, RV_PLAN_START, slot, pool);
}

/* A slot without a process that waits: the new configuration, or a new area, may cure it. */
static bool waits(enum rv_life life)
{
	return life == RV_LIFE_BACKOFF || life == RV_LIFE_HELD;
}

/* It is never one start too many: without it no obituary is taken, and nothing else may start. */
static bool plan_keeper(const struct rv_plan_in *in, struct rv_plan *plan)
{
	const struct rv_plan_slot *keeper = &in->slots[RV_PLAN_KEEPER];

	if (keeper->life == RV_LIFE_DOWN)
		add(plan, RV_PLAN_START, RV_PLAN_KEEPER, RV_POOL_NONE);
	else if (keeper->is_old && waits(keeper->life))
		add(plan, RV_PLAN_RELEASE, RV_PLAN_KEEPER, RV_POOL_NONE);
	else if (keeper->is_old && rv_life_is_serving(keeper->life))
		add(plan, RV_PLAN_STOP, RV_PLAN_KEEPER, RV_POOL_NONE);
	return keeper->life == RV_LIFE_RUNNING && !keeper->is_old;
}

/* What a pool has; those that leave are not counted. */
struct count {
	int have;
	int up;  /* RUNNING */
	int old; /* to be replaced, with a process that is not told to end yet */
};

static struct count count_pool(const struct rv_plan_in *in, int pool)
{
	struct count sum = {0};

	for (size_t i = RV_PLAN_KEEPER + 1; i < in->nslots; i++) {
		const struct rv_plan_slot *slot = &in->slots[i];

		if (slot->pool != pool || slot->is_leaving)
			continue;
		sum.have++;
		sum.up += slot->life == RV_LIFE_RUNNING;
		sum.old += slot->is_old && rv_life_is_serving(slot->life);
	}
	POST(sum.up <= sum.have && sum.old <= sum.have);
	return sum;
}

/* Those that are too many go: the ones that do not run anyhow, old ones, idle ones, the last ones.
 */
static void plan_surplus(const struct rv_plan_in *in, struct rv_plan *plan, int pool, int surplus)
{
	bool gone[RV_PLAN_SLOTS_MAX] = {false};

	for (int pass = 0; pass < 4; pass++) {
		for (size_t i = in->nslots - 1; i > RV_PLAN_KEEPER && surplus > 0; i--) {
			const struct rv_plan_slot *slot = &in->slots[i];
			bool runs = rv_life_has_process(slot->life);

			if (slot->pool != pool || slot->is_leaving || gone[i])
				continue;
			if ((pass == 0 && runs) || (pass == 1 && !slot->is_old) ||
			    (pass == 2 && !slot->is_idle))
				continue;
			add(plan, runs ? RV_PLAN_LEAVE : RV_PLAN_FREE, (int)i, pool);
			gone[i] = true;
			surplus--;
		}
	}
}

/* How many of ${missing} found no free place. */
static int plan_missing(const struct rv_plan_in *in, struct rv_plan *plan, int *started, int pool,
			int missing, bool taken[])
{
	for (size_t i = RV_PLAN_KEEPER + 1; i < in->nslots && missing > 0; i++) {
		if (in->slots[i].pool != RV_POOL_NONE || taken[i])
			continue;
		if (*started < in->starts)
			taken[i] = true;
		start(in, plan, started, (int)i, pool);
		missing--;
	}
	return missing;
}

/* An old one without a process need not wait for its delay: what it becomes is new. */
static bool plan_release(const struct rv_plan_in *in, struct rv_plan *plan, int pool)
{
	for (size_t i = RV_PLAN_KEEPER + 1; i < in->nslots; i++) {
		const struct rv_plan_slot *slot = &in->slots[i];

		if (slot->pool == pool && !slot->is_leaving && slot->is_old && waits(slot->life)) {
			add(plan, RV_PLAN_RELEASE, (int)i, pool);
			return true;
		}
	}
	return false;
}

static void plan_roll(const struct rv_plan_in *in, struct rv_plan *plan, int *started, int pool,
		      bool taken[])
{
	const struct rv_plan_pool *how = &in->pools[pool];
	struct count sum = count_pool(in, pool);
	int least = how->wanted - how->max_unavailable;
	int more = how->wanted + how->surge - sum.have;

	PRE(how->surge >= 0 && how->max_unavailable >= 0);
	if (sum.old == 0 || plan_release(in, plan, pool))
		return;
	/* Not more newcomers than there will be in the end. */
	if (more > how->wanted - (sum.have - sum.old))
		more = how->wanted - (sum.have - sum.old);
	if (more > 0) {
		int placeless = plan_missing(in, plan, started, pool, more, taken);

		sum.have += more - placeless;
		if (placeless == more && least == how->wanted)
			least--; /* the table is full: rather one after the other than never */
	}
	for (size_t i = RV_PLAN_KEEPER + 1; i < in->nslots && sum.old > 0; i++) {
		const struct rv_plan_slot *slot = &in->slots[i];
		bool is_up = slot->life == RV_LIFE_RUNNING;

		if (slot->pool != pool || slot->is_leaving || !slot->is_old ||
		    !rv_life_is_serving(slot->life))
			continue;
		if (is_up && sum.up - 1 < least)
			return;
		add(plan, sum.have > how->wanted ? RV_PLAN_LEAVE : RV_PLAN_STOP, (int)i, pool);
		sum.have -= sum.have > how->wanted;
		sum.up -= is_up;
		sum.old--;
	}
}

/* How many a pool may have at the moment, its surge included. */
static int most_of(const struct rv_plan_in *in, int pool, bool may_roll)
{
	const struct rv_plan_pool *how = &in->pools[pool];
	bool rolls = may_roll && !how->keeps_old && count_pool(in, pool).old > 0;

	return how->wanted + (rolls ? how->surge : 0);
}

static void plan_pool(const struct rv_plan_in *in, struct rv_plan *plan, int *started, int p,
		      bool may_roll, bool taken[])
{
	const struct rv_plan_pool *pool = &in->pools[p];
	struct count sum = count_pool(in, p);
	int most = most_of(in, p, may_roll);

	if (sum.have > most) {
		plan_surplus(in, plan, p, sum.have - most);
		return;
	}
	if (sum.have < pool->wanted && !pool->waits)
		(void)plan_missing(in, plan, started, p, pool->wanted - sum.have, taken);
	if (may_roll && !pool->keeps_old && sum.old > 0)
		plan_roll(in, plan, started, p, taken);
	else if (may_roll)
		(void)plan_release(in, plan, p);
}

static void plan_pools(const struct rv_plan_in *in, struct rv_plan *plan, int *started,
		       bool may_roll)
{
	bool taken[RV_PLAN_SLOTS_MAX] = {false};

	for (size_t i = RV_PLAN_KEEPER + 1; i < in->nslots; i++) {
		const struct rv_plan_slot *slot = &in->slots[i];

		if (slot->pool == RV_POOL_NONE)
			continue;
		INV(slot->pool >= 0 && (size_t)slot->pool < in->npools);
		if (slot->is_leaving && !rv_life_has_process(slot->life))
			add(plan, RV_PLAN_FREE, (int)i, slot->pool);
	}
	for (size_t p = 0; p < in->npools; p++)
		plan_pool(in, plan, started, (int)p, may_roll, taken);
}

/* The dead of the pools, when their time has come.  Those that go for good are dealt with below. */
static void plan_restarts(const struct rv_plan_in *in, struct rv_plan *plan, int *started,
			  bool may_roll)
{
	for (size_t i = RV_PLAN_KEEPER + 1; i < in->nslots; i++) {
		const struct rv_plan_slot *slot = &in->slots[i];

		if (slot->pool == RV_POOL_NONE || slot->is_leaving || slot->life != RV_LIFE_DOWN ||
		    in->pools[slot->pool].waits)
			continue;
		if (count_pool(in, slot->pool).have <= most_of(in, slot->pool, may_roll))
			start(in, plan, started, (int)i, slot->pool);
	}
}

static void plan_run(const struct rv_plan_in *in, struct rv_plan *plan)
{
	int started = 0;
	bool may_roll = plan_keeper(in, plan);

	if (!in->may_work)
		return;
	plan_restarts(in, plan, &started, may_roll);
	plan_pools(in, plan, &started, may_roll);
}

static bool end_one(const struct rv_plan_slot *slot, struct rv_plan *plan, int i, bool now)
{
	if (!rv_life_has_process(slot->life))
		return false;
	if (now && (rv_life_is_serving(slot->life) || slot->life == RV_LIFE_STOPPING))
		add(plan, RV_PLAN_NOW, i, RV_POOL_NONE);
	else if (rv_life_is_serving(slot->life))
		add(plan, RV_PLAN_STOP, i, RV_POOL_NONE);
	return true;
}

static void plan_end(const struct rv_plan_in *in, struct rv_plan *plan)
{
	bool now = in->mode != RV_MODE_DRAIN;
	bool left = false;

	for (size_t i = RV_PLAN_KEEPER + 1; i < in->nslots; i++) {
		if (end_one(&in->slots[i], plan, (int)i, now))
			left = true;
	}
	const struct rv_plan_slot *keeper = &in->slots[RV_PLAN_KEEPER];

	if (in->mode == RV_MODE_RESET || (!left && in->keeper_may_go)) {
		/* The last obituaries are with it: nothing but its own end is left to do. */
		if (end_one(keeper, plan, RV_PLAN_KEEPER, in->mode == RV_MODE_RESET))
			left = true;
	} else if (rv_life_has_process(keeper->life)) {
		left = true;
	}
	plan->is_done = !left;
}

void rv_plan_make(const struct rv_plan_in *in, struct rv_plan *ret_plan)
{
	PRE(in->nslots >= 2 && in->nslots <= RV_PLAN_SLOTS_MAX);
	PRE(in->npools <= RV_PLAN_POOLS_MAX);
	ret_plan->nacts = 0;
	ret_plan->is_done = false;
	ret_plan->has_more = false;
	if (in->mode == RV_MODE_RUN)
		plan_run(in, ret_plan);
	else
		plan_end(in, ret_plan);
}
