#ifndef RV_REEVE_CHANGE_H
#define RV_REEVE_CHANGE_H

/* What run shares with cancel. */

#include "cli.h"

/* Cancels a job; the worker of a running one is told.  Errors of CANCEL, with cli->why. */
int rv_change_cancel(struct rv_cli *cli, int64_t id) RV_MUST_CHECK;

#endif
