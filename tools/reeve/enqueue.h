#ifndef RV_REEVE_ENQUEUE_H
#define RV_REEVE_ENQUEUE_H

/* From jobs to be to ids: what add, add --from-file and run share. */

#include "cli.h"

struct rv_job_new;

/* Jobs of one transaction at most (INTERFACE: bulk). */
#define RV_ENQUEUE_BLOCK 1000

/*
 * Enqueues ${count} jobs, all or nothing: ids into ${ret_ids}.  On the error of one job
 * ${*ret_failed} is its index and cli->why its sentence.  The store is open (RV_CLIENT_CREATE).
 * ${*ret_repeated} counts those that were there already by their idempotency key.
 */
int rv_enqueue(struct rv_cli *cli, const struct rv_job_new *jobs, size_t count, int64_t *ret_ids,
	       size_t *ret_failed, size_t *ret_repeated) RV_MUST_CHECK;

/* Says "stored; reeved is not running" on stderr if it is not. */
void rv_enqueue_note(struct rv_cli *cli);

/* The job of the command line, enqueued; once: a command of one's own gets one attempt unless said.
 */
int rv_enqueue_args(struct rv_cli *cli, bool once, int64_t *ret_id,
		    bool *ret_repeated) RV_MUST_CHECK;

/* add --from-file: the program's exit code. */
int rv_enqueue_file(struct rv_cli *cli, const char *path) RV_MUST_CHECK;

#endif
