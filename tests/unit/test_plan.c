/* Desired against actual: who is started, stopped, rolled, and in which order. */
#include "helpers/assert.h"
#include "supervisor/plan.h"

#include <stdlib.h>

#define SLOTS 12
#define POOLS 3

static struct rv_plan_slot slots[SLOTS];
static struct rv_plan_pool pools[POOLS];
static struct rv_plan plan;

static struct rv_plan_in fresh(void)
{
	for (int i = 0; i < SLOTS; i++)
		slots[i] = (struct rv_plan_slot){.life = RV_LIFE_DOWN, .pool = RV_POOL_NONE};
	for (int p = 0; p < POOLS; p++)
		pools[p] = (struct rv_plan_pool){.max_unavailable = 1};
	return (struct rv_plan_in){
		.mode = RV_MODE_RUN,
		.slots = slots,
		.nslots = SLOTS,
		.pools = pools,
		.npools = POOLS,
		.may_work = true,
		.starts = 100,
	};
}

static struct rv_plan_in with_keeper(void)
{
	struct rv_plan_in in = fresh();

	slots[0].life = RV_LIFE_RUNNING;
	return in;
}

static void workers(int from, int count, int pool, enum rv_life life)
{
	for (int i = from; i < from + count; i++)
		slots[i] = (struct rv_plan_slot){.life = life, .pool = pool};
}

static int count(enum rv_plan_do what)
{
	int n = 0;

	for (size_t i = 0; i < plan.nacts; i++)
		n += plan.acts[i].what == what;
	return n;
}

static bool has(enum rv_plan_do what, int slot)
{
	for (size_t i = 0; i < plan.nacts; i++) {
		if (plan.acts[i].what == what && plan.acts[i].slot == slot)
			return true;
	}
	return false;
}

Test(plan, the_keeper_comes_first)
{
	struct rv_plan_in in = fresh();

	in.may_work = false;
	pools[0].wanted = 3;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 1));
	cr_assert(has(RV_PLAN_START, 0));
	slots[0].life = RV_LIFE_STARTING;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 0));
}

Test(plan, then_the_pools_in_free_slots)
{
	struct rv_plan_in in = with_keeper();

	pools[0].wanted = 3;
	pools[2].wanted = 2;
	rv_plan_make(&in, &plan);
	cr_assert(eq(int, count(RV_PLAN_START), 5));
	for (int i = 1; i <= 5; i++) {
		cr_assert(has(RV_PLAN_START, i));
		cr_assert(eq(int, plan.acts[i - 1].pool, i <= 3 ? 0 : 2));
	}
}

Test(plan, nothing_to_do_is_nothing_done)
{
	struct rv_plan_in in = with_keeper();

	pools[0].wanted = 3;
	workers(1, 3, 0, RV_LIFE_RUNNING);
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 0));
	cr_assert(not(plan.has_more));
}

Test(plan, so_many_starts_and_no_more_in_one_turn)
{
	struct rv_plan_in in = with_keeper();

	pools[0].wanted = 6;
	in.starts = 2;
	rv_plan_make(&in, &plan);
	cr_assert(eq(int, count(RV_PLAN_START), 2));
	cr_assert(plan.has_more);
	in.starts = 0;
	rv_plan_make(&in, &plan);
	cr_assert(eq(int, count(RV_PLAN_START), 0));
	cr_assert(plan.has_more);
}

Test(plan, a_dead_one_is_started_again_and_a_waiting_one_is_not)
{
	struct rv_plan_in in = with_keeper();

	pools[0].wanted = 3;
	workers(1, 3, 0, RV_LIFE_RUNNING);
	slots[2].life = RV_LIFE_DOWN;
	slots[3].life = RV_LIFE_BACKOFF;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 1));
	cr_assert(has(RV_PLAN_START, 2));
	slots[2].life = RV_LIFE_HELD;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 0));
}

Test(plan, without_a_keeper_workers_go_on_and_dead_ones_come_back)
{
	struct rv_plan_in in = fresh();

	pools[0].wanted = 2;
	slots[0].life = RV_LIFE_BACKOFF;
	workers(1, 2, 0, RV_LIFE_RUNNING);
	slots[2].life = RV_LIFE_DOWN;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 1));
	cr_assert(has(RV_PLAN_START, 2));
}

Test(plan, too_many_leave_the_idle_places_first)
{
	struct rv_plan_in in = with_keeper();

	pools[0].wanted = 2;
	workers(1, 4, 0, RV_LIFE_RUNNING);
	slots[2].life = RV_LIFE_BACKOFF;
	rv_plan_make(&in, &plan);
	cr_assert(has(RV_PLAN_FREE, 2));
	cr_assert(has(RV_PLAN_LEAVE, 4));
	cr_assert(eq(sz, plan.nacts, 2));
	/* One that leaves is not counted, and is forgotten when it has ended. */
	slots[2] = (struct rv_plan_slot){.life = RV_LIFE_DOWN, .pool = RV_POOL_NONE};
	slots[4].life = RV_LIFE_STOPPING;
	slots[4].is_leaving = true;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 0));
	slots[4].life = RV_LIFE_DOWN;
	rv_plan_make(&in, &plan);
	cr_assert(has(RV_PLAN_FREE, 4));
	cr_assert(eq(sz, plan.nacts, 1));
}

Test(plan, a_pool_that_is_gone_leaves_whole)
{
	struct rv_plan_in in = with_keeper();

	pools[1].wanted = 1;
	workers(1, 3, 0, RV_LIFE_RUNNING);
	workers(4, 1, 1, RV_LIFE_RUNNING);
	rv_plan_make(&in, &plan);
	cr_assert(eq(int, count(RV_PLAN_LEAVE), 3));
	cr_assert(not(has(RV_PLAN_LEAVE, 4)));
}

Test(plan, a_roll_goes_one_by_one)
{
	struct rv_plan_in in = with_keeper();

	pools[0].wanted = 3;
	pools[1].wanted = 1;
	workers(1, 3, 0, RV_LIFE_RUNNING);
	workers(4, 1, 1, RV_LIFE_RUNNING);
	for (int i = 1; i <= 3; i++)
		slots[i].is_old = true;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 1));
	cr_assert(has(RV_PLAN_STOP, 1));
	/* While one is on its way the others wait… */
	slots[1].life = RV_LIFE_STOPPING;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 0));
	slots[1] = (struct rv_plan_slot){.life = RV_LIFE_STARTING, .pool = 0};
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 0));
	/* …and a new one that does not come up stops the roll: the old ones stay. */
	slots[1].life = RV_LIFE_BACKOFF;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 0));
	slots[1].life = RV_LIFE_RUNNING;
	rv_plan_make(&in, &plan);
	cr_assert(has(RV_PLAN_STOP, 2));
}

/* The newcomer is up before an old one goes, and goes for good. */
Test(plan, a_surge_starts_before_it_stops)
{
	struct rv_plan_in in = with_keeper();

	pools[0] = (struct rv_plan_pool){.wanted = 2, .surge = 1};
	workers(1, 2, 0, RV_LIFE_RUNNING);
	slots[1].is_old = true;
	slots[2].is_old = true;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 1));
	cr_assert(has(RV_PLAN_START, 3));
	workers(3, 1, 0, RV_LIFE_STARTING);
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 0));
	slots[3].life = RV_LIFE_BACKOFF;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 0), "one that fails costs no old one");
	slots[3].life = RV_LIFE_RUNNING;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 1));
	cr_assert(has(RV_PLAN_LEAVE, 1));
	slots[1].life = RV_LIFE_STOPPING;
	slots[1].is_leaving = true;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 1));
	cr_assert(has(RV_PLAN_START, 4));
}

Test(plan, given_up_is_no_place_for_the_surge)
{
	struct rv_plan_in in = with_keeper();

	pools[0] = (struct rv_plan_pool){.wanted = 2, .surge = 1, .keeps_old = true};
	workers(1, 2, 0, RV_LIFE_RUNNING);
	workers(3, 1, 0, RV_LIFE_BACKOFF);
	slots[1].is_old = true;
	slots[2].is_old = true;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 1));
	cr_assert(has(RV_PLAN_FREE, 3));
}

Test(plan, so_many_may_be_unavailable)
{
	struct rv_plan_in in = with_keeper();

	pools[0] = (struct rv_plan_pool){.wanted = 4, .max_unavailable = 2};
	workers(1, 4, 0, RV_LIFE_RUNNING);
	for (int i = 1; i <= 4; i++)
		slots[i].is_old = true;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 2));
	cr_assert(has(RV_PLAN_STOP, 1));
	cr_assert(has(RV_PLAN_STOP, 2));
	/* Both ways at once: one more is made, two go. */
	pools[0].surge = 1;
	rv_plan_make(&in, &plan);
	cr_assert(has(RV_PLAN_START, 5));
	cr_assert(eq(int, count(RV_PLAN_LEAVE), 1));
	cr_assert(eq(int, count(RV_PLAN_STOP), 1));
}

Test(plan, a_full_table_rolls_in_place)
{
	struct rv_plan_in in = with_keeper();

	pools[0] = (struct rv_plan_pool){.wanted = SLOTS - 1, .surge = 2};
	workers(1, SLOTS - 1, 0, RV_LIFE_RUNNING);
	for (int i = 1; i < SLOTS; i++)
		slots[i].is_old = true;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 1));
	cr_assert(has(RV_PLAN_STOP, 1));
}

Test(plan, who_waits_for_another_pool_does_not_start)
{
	struct rv_plan_in in = with_keeper();

	pools[0].wanted = 1;
	pools[1].wanted = 2;
	pools[1].waits = true;
	workers(5, 1, 1, RV_LIFE_DOWN);
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 1));
	cr_assert(has(RV_PLAN_START, 1));
	pools[1].waits = false;
	rv_plan_make(&in, &plan);
	cr_assert(eq(int, count(RV_PLAN_START), 3));
}

Test(plan, one_that_is_idle_goes_before_one_that_works)
{
	struct rv_plan_in in = with_keeper();

	pools[0].wanted = 2;
	workers(1, 3, 0, RV_LIFE_RUNNING);
	slots[2].is_idle = true;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 1));
	cr_assert(has(RV_PLAN_LEAVE, 2));
}

Test(plan, the_keeper_rolls_before_the_workers)
{
	struct rv_plan_in in = with_keeper();

	pools[0].wanted = 1;
	workers(1, 1, 0, RV_LIFE_RUNNING);
	slots[0].is_old = true;
	slots[1].is_old = true;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 1));
	cr_assert(has(RV_PLAN_STOP, 0));
	slots[0].is_old = false;
	slots[0].life = RV_LIFE_STARTING;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 0));
	slots[0].life = RV_LIFE_RUNNING;
	rv_plan_make(&in, &plan);
	cr_assert(has(RV_PLAN_STOP, 1));
}

Test(plan, a_new_configuration_releases_those_that_wait)
{
	struct rv_plan_in in = with_keeper();

	pools[0].wanted = 1;
	workers(1, 1, 0, RV_LIFE_BACKOFF);
	slots[1].is_old = true;
	rv_plan_make(&in, &plan);
	cr_assert(has(RV_PLAN_RELEASE, 1));
	slots[0].life = RV_LIFE_HELD;
	slots[0].is_old = true;
	rv_plan_make(&in, &plan);
	cr_assert(has(RV_PLAN_RELEASE, 0));
}

Test(plan, a_drain_ends_workers_first_and_the_keeper_last)
{
	struct rv_plan_in in = with_keeper();

	in.mode = RV_MODE_DRAIN;
	pools[0].wanted = 2;
	workers(1, 2, 0, RV_LIFE_RUNNING);
	slots[3] = (struct rv_plan_slot){.life = RV_LIFE_BACKOFF, .pool = 0};
	rv_plan_make(&in, &plan);
	cr_assert(eq(int, count(RV_PLAN_STOP), 2));
	cr_assert(not(has(RV_PLAN_STOP, 0)));
	slots[1].life = RV_LIFE_STOPPING;
	slots[2].life = RV_LIFE_DOWN;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 0));
	/* All workers have ended, but their obituaries have not arrived. */
	slots[1].life = RV_LIFE_DOWN;
	rv_plan_make(&in, &plan);
	cr_assert(eq(sz, plan.nacts, 0));
	cr_assert(not(plan.is_done));
	in.keeper_may_go = true;
	rv_plan_make(&in, &plan);
	cr_assert(has(RV_PLAN_STOP, 0));
	slots[0].life = RV_LIFE_DOWN;
	rv_plan_make(&in, &plan);
	cr_assert(plan.is_done);
}

Test(plan, now_does_not_wait)
{
	struct rv_plan_in in = with_keeper();

	in.mode = RV_MODE_NOW;
	workers(1, 1, 0, RV_LIFE_RUNNING);
	workers(2, 1, 0, RV_LIFE_STOPPING);
	workers(3, 1, 0, RV_LIFE_ENDING);
	rv_plan_make(&in, &plan);
	cr_assert(has(RV_PLAN_NOW, 1));
	cr_assert(has(RV_PLAN_NOW, 2));
	cr_assert(not(has(RV_PLAN_NOW, 3)));
}

Test(plan, a_reset_ends_everybody_at_once_the_keeper_too)
{
	struct rv_plan_in in = with_keeper();

	in.mode = RV_MODE_RESET;
	workers(1, 2, 0, RV_LIFE_RUNNING);
	rv_plan_make(&in, &plan);
	cr_assert(eq(int, count(RV_PLAN_NOW), 3));
	cr_assert(not(plan.is_done));
	for (int i = 0; i < SLOTS; i++)
		slots[i].life = RV_LIFE_DOWN;
	rv_plan_make(&in, &plan);
	cr_assert(plan.is_done);
	cr_assert(eq(sz, plan.nacts, 0), "nothing is started before there is a new area");
}

/* Whatever the table looks like: no slot gets two orders, none without a process is told to end. */
Test(plan, any_table_gives_a_sound_plan)
{
	srand(1);
	for (int round = 0; round < 20000; round++) {
		struct rv_plan_in in = fresh();
		int seen[SLOTS] = {0};

		in.mode = (enum rv_mode)(rand() % 4);
		in.may_work = rand() % 4 != 0;
		in.keeper_may_go = rand() % 2;
		in.starts = rand() % 5;
		for (int i = 0; i < SLOTS; i++)
			slots[i] = (struct rv_plan_slot){
				.life = (enum rv_life)(rand() % RV_LIVES),
				.pool = i == 0 ? RV_POOL_NONE : rand() % POOLS,
				.is_old = rand() % 2,
				.is_idle = rand() % 2,
				.is_leaving = i != 0 && rand() % 4 == 0,
			};
		for (int p = 0; p < POOLS; p++)
			pools[p] = (struct rv_plan_pool){
				.wanted = rand() % 5,
				.surge = rand() % 3,
				.max_unavailable = rand() % 3,
				.waits = rand() % 4 == 0,
				.keeps_old = rand() % 4 == 0,
			};
		rv_plan_make(&in, &plan);
		cr_assert(le(int, count(RV_PLAN_START) - has(RV_PLAN_START, 0), in.starts));
		for (size_t a = 0; a < plan.nacts; a++) {
			const struct rv_plan_act *act = &plan.acts[a];
			bool process = rv_life_has_process(slots[act->slot].life);

			cr_assert(eq(int, seen[act->slot]++, 0), "two orders for one slot");
			switch (act->what) {
			case RV_PLAN_START:
				cr_assert(eq(int, slots[act->slot].life, RV_LIFE_DOWN));
				cr_assert(eq(int, in.mode, RV_MODE_RUN));
				break;
			case RV_PLAN_STOP:
			case RV_PLAN_LEAVE:
			case RV_PLAN_NOW:
				cr_assert(process);
				break;
			case RV_PLAN_FREE:
			case RV_PLAN_RELEASE:
				cr_assert(not(process));
				break;
			}
		}
	}
}
