#ifndef RV_REEVE_WAIT_H
#define RV_REEVE_WAIT_H

/* What queue drain shares with wait. */

#include "cli.h"

/*
 * Waits, at most --timeout, until every job that ${queue} has now is finished.  The program's exit
 * code: 0, however they ended; 124.
 */
int rv_wait_drained(struct rv_cli *cli, const char *queue) RV_MUST_CHECK;

#endif
