#ifndef RV_CLIENT_SUBMIT_H
#define RV_CLIENT_SUBMIT_H

/* Writing to the store from outside the daemon.  CLI and tests. */

#include "base/spec.h"
#include "client/client.h"

struct rv_job_new;
struct rv_req;

/*
 * Executes ${reqs} in one transaction and rings.  TSTP, INT and TERM wait until it is over, so that
 * nobody stops us while we hold the write lock; all input must have been read before.
 * The return value is the transaction's (BUSY: the lock was not had within client->busy_us;
 * UNKNOWN); each request's own outcome is in its err and why.  When any has err != RV_OK, nothing
 * at all is committed if ${all_or_nothing}. The store must be open for writing.  FULL durability
 * unless the configuration says normal, or all that is asked for is to delete or to be rung.
 */
int rv_submit(struct rv_client *client, struct rv_req *const *reqs, size_t count,
	      bool all_or_nothing, struct rv_why *why) RV_MUST_CHECK;

/* One request: its own error is the return value. */
int rv_submit_one(struct rv_client *client, struct rv_req *req, struct rv_why *why) RV_MUST_CHECK;

/* Jobs of one transaction at most (INTERFACE: bulk). */
#define RV_SUBMIT_BLOCK 1000

struct rv_submit_jobs {
	const struct rv_job_new *jobs; /* borrowed */
	size_t count;
	int64_t *ret_ids; /* count of them */
	size_t failed;    /* out, on the error of one job: its index; else ${count} or more */
	/* out: those that were there already by their idempotency key; were answered by the holder
	 * of their unique key; of these, have given it their time; have replaced it */
	size_t repeated, skipped, rescheduled, replaced;
	bool may_wait;          /* out, on RV_E_FULL: there may be room for them later */
	char full[RV_NAME_MAX]; /* out, on RV_E_FULL: the queue */
};

/*
 * Enqueues jobs, all or nothing, in a transaction of their own or, as the configuration says
 * ([client] submit), by the keeper.  The store is open (RV_CLIENT_CREATE).  On an error the
 * sentence is in ${why}; of ENQUEUE and of rv_submit.
 */
int rv_submit_jobs(struct rv_client *client, struct rv_submit_jobs *jobs,
		   struct rv_why *why) RV_MUST_CHECK;

/*
 * Cancels a job; the worker of a running one (${*ret_running}, may be NULL) is told.  Errors of
 * CANCEL.
 */
int rv_submit_cancel(struct rv_client *client, int64_t id, bool *ret_running,
		     struct rv_why *why) RV_MUST_CHECK;
/* The worker of a job whose cancellation was requested is told. */
struct rv_req_cancel;
void rv_submit_kick(struct rv_client *client, const struct rv_req_cancel *cancel);

#endif
