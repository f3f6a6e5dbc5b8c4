#ifndef RV_REEVE_CHANGE_H
#define RV_REEVE_CHANGE_H

/* What changes of jobs share. */

#include "cli.h"

struct rv_req;

/* ${req} as ${what} (kind and what it says), for the job ${id}. */
void rv_change_fill(struct rv_req *req, const struct rv_req *what, int64_t id);

/*
 * Does ${what} to each job that the command line names, says "ID ${done}" or why not.  The
 * program's exit code: of the first that could not be done.
 */
int rv_change_run(struct rv_cli *cli, const struct rv_req *what, const char *done) RV_MUST_CHECK;
/* Cancels a job; the worker of a running one is told.  Errors of CANCEL, with cli->why. */
int rv_change_cancel(struct rv_cli *cli, int64_t id) RV_MUST_CHECK;

#endif
