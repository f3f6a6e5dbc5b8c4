/*
 * Desired against actual.  Runs in the supervisor and in unit tests; pure: it looks at states only,
 * never at time, and doing nothing is always safe.
 *
 * The keeper comes first, at start (workers wait for its first READY) and in a reload (it mirrors
 * new queues and tasks before a worker serves them), and goes last.  A roll replaces one worker of
 * a pool at a time and goes on only while all others of the pool are up: a configuration whose
 * workers fail stops at the first of them.
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

/* Those that are too many go: first the ones that do not run anyhow, then the last ones. */
static void plan_surplus(const struct rv_plan_in *in, struct rv_plan *plan, int pool, int surplus)
{
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = in->nslots - 1; i > RV_PLAN_KEEPER && surplus > 0; i--) {
			const struct rv_plan_slot *slot = &in->slots[i];
			bool runs = rv_life_has_process(slot->life);

			if (slot->pool != pool || slot->is_leaving || runs != (pass == 1))
				continue;
			add(plan, runs ? RV_PLAN_LEAVE : RV_PLAN_FREE, (int)i, pool);
			surplus--;
		}
	}
}

static void plan_missing(const struct rv_plan_in *in, struct rv_plan *plan, int *started, int pool,
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
}

/* One old worker of the pool at a time, while all the others are up. */
static void plan_roll(const struct rv_plan_in *in, struct rv_plan *plan, int pool)
{
	int old = -1;

	for (size_t i = RV_PLAN_KEEPER + 1; i < in->nslots; i++) {
		const struct rv_plan_slot *slot = &in->slots[i];

		if (slot->pool != pool || slot->is_leaving)
			continue;
		if (slot->is_old && waits(slot->life)) {
			add(plan, RV_PLAN_RELEASE, (int)i, pool);
			return;
		}
		if (slot->is_old && rv_life_is_serving(slot->life)) {
			if (old < 0)
				old = (int)i;
		} else if (slot->life != RV_LIFE_RUNNING) {
			return;
		}
	}
	if (old >= 0)
		add(plan, RV_PLAN_STOP, old, pool);
}

static void plan_pools(const struct rv_plan_in *in, struct rv_plan *plan, int *started,
		       bool may_roll)
{
	int have[RV_PLAN_SLOTS_MAX] = {0};
	bool taken[RV_PLAN_SLOTS_MAX] = {false};

	for (size_t i = RV_PLAN_KEEPER + 1; i < in->nslots; i++) {
		const struct rv_plan_slot *slot = &in->slots[i];

		if (slot->pool == RV_POOL_NONE)
			continue;
		INV(slot->pool >= 0 && (size_t)slot->pool < in->npools);
		if (!slot->is_leaving)
			have[slot->pool]++;
		else if (!rv_life_has_process(slot->life))
			add(plan, RV_PLAN_FREE, (int)i, slot->pool);
	}
	for (size_t p = 0; p < in->npools; p++) {
		if (have[p] > in->wanted[p])
			plan_surplus(in, plan, (int)p, have[p] - in->wanted[p]);
		else if (have[p] < in->wanted[p])
			plan_missing(in, plan, started, (int)p, in->wanted[p] - have[p], taken);
		if (may_roll && have[p] <= in->wanted[p])
			plan_roll(in, plan, (int)p);
	}
}

/* The dead of the pools, when their time has come.  Those that go for good were dealt with. */
static void plan_restarts(const struct rv_plan_in *in, struct rv_plan *plan, int *started)
{
	int have[RV_PLAN_SLOTS_MAX] = {0};

	for (size_t i = RV_PLAN_KEEPER + 1; i < in->nslots; i++) {
		const struct rv_plan_slot *slot = &in->slots[i];

		if (slot->pool == RV_POOL_NONE || slot->is_leaving)
			continue;
		have[slot->pool]++;
	}
	for (size_t i = RV_PLAN_KEEPER + 1; i < in->nslots; i++) {
		const struct rv_plan_slot *slot = &in->slots[i];

		if (slot->pool != RV_POOL_NONE && !slot->is_leaving && slot->life == RV_LIFE_DOWN &&
		    have[slot->pool] <= in->wanted[slot->pool])
			start(in, plan, started, (int)i, slot->pool);
	}
}

static void plan_run(const struct rv_plan_in *in, struct rv_plan *plan)
{
	int started = 0;
	bool may_roll = plan_keeper(in, plan);

	if (!in->may_work)
		return;
	plan_restarts(in, plan, &started);
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
	PRE(in->npools <= RV_PLAN_SLOTS_MAX);
	ret_plan->nacts = 0;
	ret_plan->is_done = false;
	ret_plan->has_more = false;
	if (in->mode == RV_MODE_RUN)
		plan_run(in, ret_plan);
	else
		plan_end(in, ret_plan);
}
