#ifndef RV_STORE_SQLITE_SCHEDULE_H
#define RV_STORE_SQLITE_SCHEDULE_H

/* Schedules, between sqlite_schedule.c (what they are) and sqlite_fire.c (what comes of slots). */

#include "store/rules_schedule.h"
#include "store/sqlite.h"

/* That of a name, its texts in ${arena}; NOTFOUND. */
int rv_sqlite_schedule(struct rv_sqlite *s, const char *name, struct rv_arena *arena,
		       struct rv_schedule_view *ret_view) RV_MUST_CHECK;
/* The first behind ${name}, in the order of names. */
int rv_sqlite_schedule_after(struct rv_sqlite *s, const char *name, struct rv_arena *arena,
			     struct rv_schedule_view *ret_view) RV_MUST_CHECK;
#endif
