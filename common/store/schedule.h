#ifndef RV_STORE_SCHEDULE_H
#define RV_STORE_SCHEDULE_H

/*
 * Schedules: what makes a job again and again, and what came of each slot.  They are the
 * configuration's (MIRROR) or a person's (SCHEDULE); a slot fires in the transaction that enqueues
 * its job (FIRE), which also moves the schedule on, so nobody can fire it again.  The store knows
 * no clocks of zones: the keeper says which slot is next.  Keeper, CLI, tests.
 */

#include "store/request.h"

/* RV_E_NOTFOUND when there is none.  Strings live until the next call on the store. */
int rv_store_schedule(struct rv_store *store, const char *name,
		      struct rv_schedule_view *ret_view) RV_MUST_CHECK;
/* The one that is due first; NOTFOUND: none ever is. */
int rv_store_schedule_due(struct rv_store *store, struct rv_schedule_view *ret_view) RV_MUST_CHECK;
/* All, by name; ends early when the callback returns != RV_OK, and returns that. */
int rv_store_schedules(struct rv_store *store,
		       int (*each)(void *ctx, const struct rv_schedule_view *view),
		       void *ctx) RV_MUST_CHECK;

/* What came of its slots, the newest first, at most ${limit} (0: all). */
int rv_store_firings(struct rv_store *store, const char *schedule, int64_t limit,
		     int (*each)(void *ctx, const struct rv_firing_view *view),
		     void *ctx) RV_MUST_CHECK;

#endif
