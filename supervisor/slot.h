#ifndef RV_SUPERVISOR_SLOT_H
#define RV_SUPERVISOR_SLOT_H

/*
 * One child's life as a table of state × event (slot_states.def).  Pure; child.c does what the
 * table says.
 */

#include "base/attr.h"

#include <stdbool.h>

enum rv_life {
#define LIFE(sym, name, process) RV_LIFE_##sym,
#include "supervisor/slot_states.def"
	RV_LIVES
};

enum rv_life_event {
#define HAPPENS(sym, meaning) RV_LIFE_EV_##sym,
#include "supervisor/slot_states.def"
	RV_LIFE_EVENTS
};

enum rv_life_act {
	RV_LIFE_ACT_NONE,
	RV_LIFE_ACT_SPAWN,
	RV_LIFE_ACT_STOP,
	RV_LIFE_ACT_NOW,
	RV_LIFE_ACT_ABRT,
	RV_LIFE_ACT_KILL,
};

const char *rv_life_name(enum rv_life life);
const char *rv_life_event_name(enum rv_life_event event);
/* Is there a process that has not been reaped? */
bool rv_life_has_process(enum rv_life life);
/* Is it there and neither told nor made to end? */
bool rv_life_is_serving(enum rv_life life);

/*
 * What ${event} does in ${life}: RV_OK with the next state and what to do, RV_E_CONFLICT when the
 * table has no such row (nothing is written).
 */
int rv_slot_move(enum rv_life life, enum rv_life_event event, enum rv_life *ret_next,
		 enum rv_life_act *ret_act) RV_MUST_CHECK;

#endif
