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
/*
 * The same for every job that the query of the command line and ${terms} (a query of ours) asks
 * for, as they were when they were looked for: one that has changed since is left alone (5).
 */
int rv_change_many(struct rv_cli *cli, const struct rv_req *what, const char *done,
		   const char *terms) RV_MUST_CHECK;

#endif
