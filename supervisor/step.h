#ifndef RV_SUPERVISOR_STEP_H
#define RV_SUPERVISOR_STEP_H

/* What happens after each turn of the loop, and what changes the course of the whole. */

#include "supervisor/sup.h"

/* The loop's hook, ctx the struct rv_sup: judge, sweep, tell, plan, act, notify; sets the timer to
 * what is due next. */
void rv_step(void *ctx);

/* TERM, INT, QUIT, shutdown: begins to end, or ends faster.  Never goes back. */
void rv_step_end(struct rv_sup *sup, bool now, int exit_code);
/* The log's target is about to change: do not watch its old descriptor any more. */
void rv_step_unwatch_log(struct rv_sup *sup);
/* The area failed (a child ended with 74): everything begins anew. */
void rv_step_reset(struct rv_sup *sup);

#endif
