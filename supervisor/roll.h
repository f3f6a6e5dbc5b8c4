#ifndef RV_SUPERVISOR_ROLL_H
#define RV_SUPERVISOR_ROLL_H

/*
 * The replacement of a pool's workers: after a reload that changes what they do, at `pool restart`,
 * after an upgrade.  plan.c says who goes when; here stands whether it goes on, and it is said how
 * it went.
 */

#include "supervisor/sup.h"

#define RV_ROLL_FAILURES_MAX 2 /* newcomers that may fail before the old ones are kept */

const char *rv_roll_name(enum rv_roll_state state);

/* The pool's workers become old, those of the present generation included.  ${why}: for the log. */
void rv_roll_begin(struct rv_sup *sup, struct rv_pool *pool, unsigned generation, const char *why);
/* What was given up is tried again. */
void rv_roll_again(struct rv_sup *sup);
/* ${child} has died for ${reason} (counted ones only) after ${lived_us} of being ready. */
void rv_roll_note(struct rv_sup *sup, const struct rv_child *child, enum rv_reason reason,
		  int64_t lived_us);
/* Which rolls are over?  After each plan. */
void rv_roll_look(struct rv_sup *sup);

/* A worker that is to be replaced; how many of a pool are there. */
bool rv_roll_is_old(const struct rv_sup *sup, const struct rv_child *child);
int rv_roll_left(const struct rv_sup *sup, int pool);

/*
 * recycle.c: marks workers that have done enough, are old enough or have too much memory; they are
 * then replaced as in a roll.  When to be called next; 0: no pool asks for it.
 */
int64_t rv_recycle_look(struct rv_sup *sup, int64_t now_us);

#endif
