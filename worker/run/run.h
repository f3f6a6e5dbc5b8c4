#ifndef RV_RUN_RUN_H
#define RV_RUN_RUN_H

/* What start.c and finish.c need of run.c, and main.c of start.c. */

#include "base/err.h"

struct rv_worker;

/* Works out when the run is over at the latest, for the hint and the keeper. */
void rv_run_limit(struct rv_worker *worker);
/* Sets the timers of a run that goes on. */
void rv_run_watch(struct rv_worker *worker);
/* Stops them. */
void rv_run_unwatch(struct rv_worker *worker);

/* start.c: every handler's open and close. */
int rv_start_handlers(struct rv_worker *worker, struct rv_why *why) RV_MUST_CHECK;
void rv_start_close(struct rv_worker *worker);

#endif
