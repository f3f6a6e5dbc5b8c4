/*
 * The table of slot_states.def as code.  Runs in the supervisor and in unit tests; pure.
 */
#include "supervisor/slot.h"

#include "base/check.h"
#include "base/err.h"

enum { NO, YES };

static const struct {
	const char *name;
	int process;
} lives[] = {
#define LIFE(sym, name, process) [RV_LIFE_##sym] = {name, process},
#include "supervisor/slot_states.def"
};

static const char *const events[] = {
#define HAPPENS(sym, meaning) [RV_LIFE_EV_##sym] = #sym,
#include "supervisor/slot_states.def"
};

static const struct {
	bool is_there;
	enum rv_life next;
	enum rv_life_act act;
} moves[RV_LIVES][RV_LIFE_EVENTS] = {
#define MOVE(from, event, to, what)                                                                \
	[RV_LIFE_##from][RV_LIFE_EV_##event] = {true, RV_LIFE_##to, RV_LIFE_ACT_##what},
#include "supervisor/slot_states.def"
};

const char *rv_life_name(enum rv_life life)
{
	PRE(life < RV_LIVES);
	return lives[life].name;
}

const char *rv_life_event_name(enum rv_life_event event)
{
	PRE(event < RV_LIFE_EVENTS);
	return events[event];
}

bool rv_life_has_process(enum rv_life life)
{
	PRE(life < RV_LIVES);
	return lives[life].process == YES;
}

bool rv_life_is_serving(enum rv_life life)
{
	return life == RV_LIFE_STARTING || life == RV_LIFE_RUNNING;
}

int rv_slot_move(enum rv_life life, enum rv_life_event event, enum rv_life *ret_next,
		 enum rv_life_act *ret_act)
{
	PRE(life < RV_LIVES && event < RV_LIFE_EVENTS);
	if (!moves[life][event].is_there)
		return RV_E_CONFLICT;
	*ret_next = moves[life][event].next;
	*ret_act = moves[life][event].act;
	POST(*ret_act != RV_LIFE_ACT_SPAWN || life == RV_LIFE_DOWN);
	return RV_OK;
}
