/* The life of a child as a table: every row leads somewhere, and every process can be ended. */
#include "base/err.h"
#include "helpers/assert.h"
#include "supervisor/slot.h"

static enum rv_life after(enum rv_life life, enum rv_life_event event, enum rv_life_act *ret_act)
{
	enum rv_life next = RV_LIVES;
	enum rv_life_act act = RV_LIFE_ACT_NONE;

	if (rv_slot_move(life, event, &next, &act) != RV_OK)
		return RV_LIVES;
	if (ret_act)
		*ret_act = act;
	return next;
}

Test(slot, a_life_from_start_to_end)
{
	enum rv_life_act act;

	cr_assert(eq(int, after(RV_LIFE_DOWN, RV_LIFE_EV_START, &act), RV_LIFE_STARTING));
	cr_assert(eq(int, act, RV_LIFE_ACT_SPAWN));
	cr_assert(eq(int, after(RV_LIFE_STARTING, RV_LIFE_EV_READY, &act), RV_LIFE_RUNNING));
	cr_assert(eq(int, act, RV_LIFE_ACT_NONE));
	cr_assert(eq(int, after(RV_LIFE_RUNNING, RV_LIFE_EV_STOP, &act), RV_LIFE_STOPPING));
	cr_assert(eq(int, act, RV_LIFE_ACT_STOP));
	cr_assert(eq(int, after(RV_LIFE_STOPPING, RV_LIFE_EV_TIMEOUT, &act), RV_LIFE_ENDING));
	cr_assert(eq(int, act, RV_LIFE_ACT_NOW));
	cr_assert(eq(int, after(RV_LIFE_ENDING, RV_LIFE_EV_TIMEOUT, &act), RV_LIFE_KILLING));
	cr_assert(eq(int, act, RV_LIFE_ACT_KILL));
	cr_assert(eq(int, after(RV_LIFE_KILLING, RV_LIFE_EV_DIED, &act), RV_LIFE_DOWN));
}

Test(slot, a_hang_is_aborted_then_killed)
{
	enum rv_life_act act;

	cr_assert(eq(int, after(RV_LIFE_RUNNING, RV_LIFE_EV_HANG, &act), RV_LIFE_ABORTING));
	cr_assert(eq(int, act, RV_LIFE_ACT_ABRT));
	cr_assert(eq(int, after(RV_LIFE_ABORTING, RV_LIFE_EV_TIMEOUT, &act), RV_LIFE_KILLING));
	cr_assert(eq(int, act, RV_LIFE_ACT_KILL));
}

Test(slot, boot_in_time_or_be_killed)
{
	enum rv_life_act act;

	cr_assert(eq(int, after(RV_LIFE_STARTING, RV_LIFE_EV_TIMEOUT, &act), RV_LIFE_KILLING));
	cr_assert(eq(int, act, RV_LIFE_ACT_KILL));
}

Test(slot, waiting_slots_are_released_and_never_started_at_once)
{
	cr_assert(eq(int, after(RV_LIFE_BACKOFF, RV_LIFE_EV_TIMEOUT, NULL), RV_LIFE_DOWN));
	cr_assert(eq(int, after(RV_LIFE_HELD, RV_LIFE_EV_RELEASE, NULL), RV_LIFE_DOWN));
	cr_assert(eq(int, after(RV_LIFE_HELD, RV_LIFE_EV_TIMEOUT, NULL), RV_LIVES));
	cr_assert(eq(int, after(RV_LIFE_BACKOFF, RV_LIFE_EV_START, NULL), RV_LIVES));
	cr_assert(eq(int, after(RV_LIFE_HELD, RV_LIFE_EV_START, NULL), RV_LIVES));
}

/* The properties that hold for the table as a whole. */
Test(slot, every_process_can_die_and_be_killed)
{
	for (int life = 0; life < RV_LIVES; life++) {
		enum rv_life at = (enum rv_life)life;
		bool process = rv_life_has_process(at);

		cr_assert(eq(int, after(at, RV_LIFE_EV_DIED, NULL) == RV_LIFE_DOWN, process), "%s",
			  rv_life_name(at));
		if (!process)
			continue;
		/* By timeouts alone every state but RUNNING ends in a KILL. */
		for (int i = 0; i < 4 && at != RV_LIFE_KILLING && at != RV_LIFE_RUNNING; i++)
			at = after(at, RV_LIFE_EV_TIMEOUT, NULL);
		cr_assert(at == RV_LIFE_KILLING || at == RV_LIFE_RUNNING, "%s",
			  rv_life_name((enum rv_life)life));
	}
}

Test(slot, only_down_spawns_and_no_act_without_a_process)
{
	for (int life = 0; life < RV_LIVES; life++) {
		for (int event = 0; event < RV_LIFE_EVENTS; event++) {
			enum rv_life next;
			enum rv_life_act act;

			if (rv_slot_move((enum rv_life)life, (enum rv_life_event)event, &next,
					 &act) != RV_OK)
				continue;
			if (act == RV_LIFE_ACT_SPAWN)
				cr_assert(eq(int, life, RV_LIFE_DOWN));
			else if (act != RV_LIFE_ACT_NONE)
				cr_assert(rv_life_has_process((enum rv_life)life));
			cr_assert(rv_life_has_process(next) ==
						  rv_life_has_process((enum rv_life)life) ||
					  act == RV_LIFE_ACT_SPAWN || event == RV_LIFE_EV_DIED,
				  "%s %s", rv_life_name((enum rv_life)life),
				  rv_life_event_name((enum rv_life_event)event));
		}
	}
}
