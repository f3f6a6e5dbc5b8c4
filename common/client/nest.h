#ifndef RV_CLIENT_NEST_H
#define RV_CLIENT_NEST_H

/*
 * A client that runs in a job of the very store that it uses (REEVE_JOB_ID, REEVE_STORE): the jobs
 * that it submits are children of that job, and while it waits for others the job's worker is as
 * good as free (supervisor/nest.h).  CLI and library.
 */

#include "client/client.h"

struct rv_arena;
struct rv_job_new;

#define RV_PARENT_NONE (-1LL) /* in struct rv_job_new: no child of the job we run in */

/* The job we run in; 0: in none, or of another store. */
int64_t rv_nest_job(const struct rv_client *client);

/*
 * Those of ${jobs} that name no parent become children of the job we run in; what a child does not
 * say of deadline, key and labels is its parent's, copied into ${arena}.  The store is open.
 */
int rv_nest_adopt(struct rv_client *client, struct rv_job_new *jobs, size_t count,
		  struct rv_arena *arena) RV_MUST_CHECK;

/*
 * We begin to wait; no more, from any outcome of it.  Whoever may not talk to the daemon waits as
 * well, but then nobody works in its place.
 */
void rv_nest_begin(struct rv_nest *nest, struct rv_client *client);
void rv_nest_end(struct rv_nest *nest, struct rv_client *client);

#endif
