#ifndef RV_SUPERVISOR_PLAN_H
#define RV_SUPERVISOR_PLAN_H

/*
 * What to do next: compares what the configuration wants with what the slots are.  Pure; called
 * after every turn of the loop in which something changed, and its acts are carried out by child.c.
 */

#include "supervisor/slot.h"

#include <stddef.h>

#define RV_POOL_NONE      (-1) /* of a slot: it is free */
#define RV_PLAN_SLOTS_MAX 256
#define RV_PLAN_POOLS_MAX                                                                          \
	((size_t)2 * RV_PLAN_SLOTS_MAX) /* each may have nested workers (nest.h) */
#define RV_PLAN_KEEPER 0                /* the keeper's slot */

enum rv_mode {
	RV_MODE_RUN,
	RV_MODE_RESET, /* the area failed: all end, then begin with a new one */
	RV_MODE_DRAIN, /* finish and end; the keeper last */
	RV_MODE_NOW,   /* end at once; the keeper last */
};

struct rv_plan_slot {
	enum rv_life life;
	int pool;        /* RV_POOL_NONE: free; of no meaning for the keeper */
	bool is_old;     /* is to be replaced: of an older generation than its pool, or worn out */
	bool is_idle;    /* by its own word: goes first where one is too many */
	bool is_leaving; /* its pool has no place for it any more */
};

struct rv_plan_pool {
	int wanted;          /* workers */
	int surge;           /* in a roll: so many more than wanted, for a while */
	int max_unavailable; /* in a roll: so many of wanted need not be up; 0 only with a surge */
	bool waits;          /* it may not start any: another pool comes first */
	bool keeps_old;      /* its old ones are not replaced: their successors fail */
};

struct rv_plan_in {
	enum rv_mode mode;
	const struct rv_plan_slot *slots; /* [RV_PLAN_KEEPER] is the keeper's */
	size_t nslots;
	const struct rv_plan_pool *pools;
	size_t npools;
	bool may_work;      /* the keeper of this area has been ready: workers may begin */
	bool keeper_may_go; /* when ending: it has the last obituaries, or will never have */
	int starts;         /* at most so many starts of workers now */
};

enum rv_plan_do {
	RV_PLAN_START,   /* slot: start it (as a worker of pool) */
	RV_PLAN_STOP,    /* slot: let it finish */
	RV_PLAN_LEAVE,   /* slot: let it finish, for good */
	RV_PLAN_NOW,     /* slot: end it */
	RV_PLAN_FREE,    /* slot: has left; forget it */
	RV_PLAN_RELEASE, /* slot: need not wait for its delay or a reload */
};

struct rv_plan_act {
	enum rv_plan_do what;
	int slot;
	int pool; /* of START */
};

struct rv_plan {
	struct rv_plan_act acts[2 * RV_PLAN_SLOTS_MAX];
	size_t nacts;
	bool is_done;  /* RESET, DRAIN, NOW: no process is left */
	bool has_more; /* more would be started than `starts` allows: ask again soon */
};

void rv_plan_make(const struct rv_plan_in *in, struct rv_plan *ret_plan);

#endif
