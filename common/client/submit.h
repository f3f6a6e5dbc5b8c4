#ifndef RV_CLIENT_SUBMIT_H
#define RV_CLIENT_SUBMIT_H

/* Writing to the store from outside the daemon.  CLI and tests. */

#include "client/client.h"

struct rv_req;

/*
 * Executes ${reqs} in one transaction and rings.  TSTP, INT and TERM wait until it is over, so that
 * nobody stops us while we hold the write lock; all input must have been read before.
 * The return value is the transaction's (BUSY: the lock was not had within client->busy_us;
 * UNKNOWN); each request's own outcome is in its err and why.  When any has err != RV_OK, nothing
 * at all is committed if ${all_or_nothing}. The store must be open for writing.  FULL durability
 * unless the configuration says normal.
 */
int rv_submit(struct rv_client *client, struct rv_req *const *reqs, size_t count,
	      bool all_or_nothing, struct rv_why *why) RV_MUST_CHECK;

/* One request: its own error is the return value. */
int rv_submit_one(struct rv_client *client, struct rv_req *req, struct rv_why *why) RV_MUST_CHECK;

#endif
